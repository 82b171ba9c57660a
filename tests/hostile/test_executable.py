"""Every hostile repository before the installed command, as a user starts it, and what each run took.

`test_corpus.py` asks every command within one process; here each case meets one of those that have to
refuse it, in turn, from the first line of the console script to its last.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.asking import Asked
from tests.hostile.attack import COMMANDS, MOST_SECONDS, snapshot
from tests.hostile.cases import CASES, Case
from tests.hostile.judging import FEW, LARGE, MOST_MEMORY, complaints, expected
from tests.hostile.raw import Raw

MLSTORE = Path(sys.executable).with_name("mlstore")
# For what nobody has to refuse.
ANYWAY = ["fsck", "verify", "checkout", "status", "log", "gc"]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Asked]:
    """The small process that starts the commands."""
    with Asked("launch.py") as found:
        yield found


def run(launcher: Asked, argv: list[str], cwd: Path, cpu: int = MOST_SECONDS) -> dict[str, Any]:
    return launcher.ask(argv=argv, cwd=str(cwd), cpu=cpu)


def command_for(case: Case) -> str:
    """Give one of those that have to refuse it: another for each case of a kind, until all had their turn."""
    alike = [one.name for one in CASES.values() if one.where == case.where]
    able = [name for name in expected(case) if COMMANDS[name] and not name.endswith("-json")] or ANYWAY
    if case.name.startswith(LARGE):
        able = [name for name in able if name in FEW]
    return able[alike.index(case.name) % len(able)]


@pytest.mark.skipif(not MLSTORE.exists(), reason="mlstore is not installed with its command")
@pytest.mark.parametrize("name", CASES)
def test_the_installed_command_refuses_it_in_bounds(launcher: Asked, name: str, tmp_path: Path) -> None:
    command, work = command_for(CASES[name]), tmp_path / "work"
    try:
        CASES[name].build(Raw(work))
        outside, before = snapshot(tmp_path / "outside"), snapshot(work, leave=".mlstore")
        answer = run(launcher, [str(MLSTORE), *COMMANDS[command]], work)
        found = {
            **answer,
            "command": command,
            "outside": snapshot(tmp_path / "outside") == outside,
            "beside": sorted(os.listdir(tmp_path)) == ["outside", "work"],
            "worktree": snapshot(work, leave=".mlstore") == before,
            "started": [],  # it would have left something outside
        }
        wrong = complaints(found, expected(CASES[name]))
        assert not wrong, "\n".join(wrong)
    finally:
        for folder in tmp_path.iterdir():
            shutil.rmtree(folder)


def test_what_takes_too_much_is_noticed(launcher: Asked, tmp_path: Path) -> None:
    """The counter-test: a limit that nothing reaches limits nothing."""
    python = [sys.executable, "-c"]
    assert run(launcher, [*python, "pass"], tmp_path)["peak"] < MOST_MEMORY / 4
    assert run(launcher, [*python, f"bytearray({MOST_MEMORY})"], tmp_path)["peak"] > MOST_MEMORY
    for hang in ("while True: pass", "import time; time.sleep(600)"):
        assert run(launcher, [*python, hang], tmp_path, cpu=1)["status"] < 0


def test_the_cases_meet_all_that_reads_writes_and_judges() -> None:
    met = {command_for(case) for case in CASES.values()}
    assert met >= {
        "fsck",
        "verify",
        "verify-against",
        "exec",
        "log",
        "status",
        "run-dry",
        "checkout",
        "reset",
    }
