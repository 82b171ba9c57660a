"""docs/compare.md is true: its plug-in works when it is installed, and what it lists is what there is."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from tests.support import FIXTURES

from mlstore.compare import Artifact, Verdict, compare_artifacts
from mlstore.compare.registry import BUILTIN_NAMES, ENTRY_POINTS
from mlstore.manifest import parse_manifest

ROOT = FIXTURES.parent
TEXT = (ROOT / "docs/compare.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_plug_in_of_the_page_works_when_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = (block for block in blocks("python") if "def accepts" in block)
    (points,) = (tomllib.loads(block) for block in blocks("toml") if "entry-points" in block)
    group = points["project"]["entry-points"]
    assert list(group) == [ENTRY_POINTS]
    (tmp_path / "gps_comparator.py").write_text(source)
    info = tmp_path / "gps_comparator-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gps-comparator\nVersion: 1.0\n")
    lines = "".join(f"{name} = {target}\n" for name, target in group[ENTRY_POINTS].items())
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{lines}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gps_comparator", raising=False)
    old, later, moved = (
        Artifact.from_bytes(b"GPS1\n" + body, "a.track")
        for body in (
            b"9:00 1.0 2.0\n9:01 1.0 2.1\n",
            b"9:30 1.0 2.0\n9:31 1.0 2.1\n",
            b"9:00 1.0 2.0\n9:01 1.5 2.1\n",
        )
    )
    assert compare_artifacts(old, later).verdict is Verdict.EQUIVALENT
    assert compare_artifacts(old, moved).lines()[1] == "point 1 1.0 2.1 -> 1.5 2.1"


def test_the_rules_of_the_page_can_be_read() -> None:
    (rules,) = (block for block in blocks("toml") if "[compare]" in block)
    assert parse_manifest(rules).compare.rules[0].key == ("id",)


def test_every_comparator_verdict_and_suspicion_is_on_the_page() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "store/mlstore/compare/models").glob("*.py"))
    kinds = set(re.findall(r'\.note\(\s*"([a-z-]+)"', source))
    assert len(kinds) > 8
    words = {*BUILTIN_NAMES, *map(str, Verdict), *kinds}
    assert {word for word in words if f"`{word}`" not in TEXT} == set()
