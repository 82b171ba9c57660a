"""The page on hostile input names the cases that there are, and no others."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from tests.fuzz.targets import TARGETS
from tests.hostile.cases import CASES

from mlstore.model.canonical import LARGEST
from mlstore.model.commit import MOST_PARENTS

PAGE = (Path(__file__).parents[2] / "docs" / "hostile-input.md").read_text("utf-8")
ROWS = [line.split("|")[4] for line in PAGE.splitlines() if line.startswith("|") and line.count("|") == 5]
PATTERNS = [pattern for row in ROWS for pattern in re.findall(r"`([a-z*-]+)`", row)]


def test_every_pattern_of_the_page_names_a_case() -> None:
    assert len(PATTERNS) > 20
    assert [pattern for pattern in PATTERNS if not any(fnmatch(name, pattern) for name in CASES)] == []


def test_every_case_stands_on_the_page() -> None:
    assert [
        name
        for name, case in CASES.items()
        if case.where != "text" and not any(fnmatch(name, pattern) for pattern in PATTERNS)
    ] == []


def test_the_limits_are_those_of_the_code() -> None:
    assert f"| {LARGEST['tree'] >> 20} MiB, some 400,000 names |" in PAGE
    assert f"| {LARGEST['commit'] >> 20} MiB, {MOST_PARENTS} parents |" in PAGE


def test_there_is_a_fuzz_target_for_each_decoder_of_the_page() -> None:
    wanted = "tree commit tag recipe pack index ref reflog state config manifest lock npy pickle lz4"
    assert set(wanted.split()) <= set(TARGETS)
