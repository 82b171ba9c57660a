"""The harness itself, on a hundred files: it checks what tools leave behind, and reports what it found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.benchmarks import growth, results, workloads
from tests.benchmarks.aside import LARGE, MANY, SETTLED, Aside
from tests.benchmarks.goals import GOALS
from tests.benchmarks.install import freeze_mlstore
from tests.benchmarks.measure import Command, Disk, disk, run
from tests.benchmarks.missed import MISSED
from tests.benchmarks.report import write_report
from tests.benchmarks.results import ROOT, Unit
from tests.benchmarks.rows import PLANS
from tests.benchmarks.runner import Match
from tests.benchmarks.summary import Summary
from tests.benchmarks.tools import ALL, Commands, Mlstore, Place
from tests.benchmarks.tools.git import Git

if TYPE_CHECKING:
    from pathlib import Path

SCALE = 0.001
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="measures with os.wait4"),
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]


class Careless(Git):
    """A tool that restores other bytes than it was given, and ends well."""

    name = "careless"

    def restore(self, place: Place, version: str) -> Commands:
        spoil = "printf spoiled > data/part-001/0000001.bin"
        return (*super().restore(place, version), Command(("sh", "-c", spoil), place.work))


def ignore(_: str) -> None:
    """Say nothing."""


def test_every_row_of_mlstore_and_git_leaves_the_right_bytes_and_is_reported(tmp_path: Path) -> None:
    build = freeze_mlstore(ROOT, tmp_path / "envs")
    workload = workloads.make("W1", tmp_path / "workloads", SCALE)
    plan = PLANS["W1"]
    unit = Unit("W1", "git", 1, SCALE, build, workload.size)
    match = Match(workload, [Mlstore(tmp_path / "envs"), Git(tmp_path)], tmp_path / "scratch", 60)
    match.set_up()
    match.play(plan.rows, {row.key for row in plan.rows}, unit, ignore)
    states = {(row, tool): (o.state, o.note) for row, found in unit.rows.items() for tool, o in found.items()}
    assert states == {(row.name, tool): ("ok", "") for row in plan.rows for tool in ("mlstore", "git")}

    results.save(unit, tmp_path / "results")
    assert results.load_all(tmp_path / "results", SCALE) == [unit]
    assert Summary(plan, [unit]).tools() == ["mlstore", "git"]
    write_report(tmp_path / "results", SCALE, tmp_path / "docs")
    page = (tmp_path / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "| W1 first add + commit | >= 12 x faster than git |" in page
    assert "WRONG" not in " ".join(page.split()).replace("shows **WRONG**", "")


def test_a_tool_that_restores_other_bytes_is_called_wrong(tmp_path: Path) -> None:
    workload = workloads.make("W1", tmp_path / "workloads", SCALE)
    plan = PLANS["W1"]
    unit = Unit("W1", "careless", 1, SCALE, "")
    match = Match(workload, [Careless(tmp_path)], tmp_path / "scratch", 60)
    match.set_up()
    match.play(plan.rows, {"restore"}, unit, ignore)
    assert unit.rows["restore"]["careless"].state == "wrong"
    assert "part-001/0000001.bin" in unit.rows["restore"]["careless"].note


def test_a_command_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    ran = run(Command((sys.executable, "-c", "import time; time.sleep(600)"), tmp_path), {}, 0.2)
    assert ran.late
    assert not ran.ok


def test_a_program_that_is_not_there_fails_like_any_other(tmp_path: Path) -> None:
    assert run(Command(("there-is-no-such-program",), tmp_path), {"PATH": ""}, 10).status == 127


def test_a_file_with_two_names_occupies_the_disk_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 8192)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    subprocess.run(["sync"], check=True)
    assert disk([tmp_path]) == Disk(8192, 1)


def test_a_workload_is_the_same_from_the_same_seed(tmp_path: Path) -> None:
    one, two = (workloads.make("W3", tmp_path / name, SCALE) for name in ("one", "two"))
    assert one.versions == two.versions
    assert one.versions["v1"] != one.versions["v2"]


def test_goals_name_rows_and_tools_that_exist() -> None:
    names = {tool.name for tool in ALL} | {"bytes"}
    for goal in GOALS:
        assert goal.row in {row.key for row in PLANS[goal.workload].rows} | {""}, goal
        assert set(goal.over) <= names, goal


def test_every_reason_is_about_a_row_with_a_goal() -> None:
    assert set(MISSED) <= {(goal.workload, goal.row) for goal in GOALS}


def test_what_is_done_with_is_moved_aside_and_removed_at_the_end(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "removed")
    for name in ("one", "two"):
        tree = tmp_path / name
        (tree / "locked").mkdir(parents=True)
        (tree / "locked" / "small").write_bytes(b"x")
        (tree / "locked" / "large").write_bytes(bytes(LARGE))
        (tree / "locked").chmod(0o555)
        aside.take(tree)
        assert not tree.exists()
    aside.take(tmp_path / "nothing")
    assert len(list(aside.folder.rglob("small"))) == 2
    assert list(aside.folder.rglob("large")) == []
    aside.empty()
    assert not aside.folder.exists()
    assert aside.unsettled() == 0, "so few files are not felt"


def test_nothing_is_measured_soon_after_many_files_were_removed(tmp_path: Path) -> None:
    aside, said, slept = Aside(tmp_path / "removed"), list[str](), list[float]()
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(MANY):
        (tree / str(number)).touch()
    aside.take(tree)
    aside.empty()
    Aside(tmp_path / "removed").settle(said.append, slept.append)
    assert SETTLED - 5 < slept[0] <= SETTLED
    assert said == [f"waiting {slept[0]:.0f} s, for many files were just removed"]
    os.utime(tmp_path / "removed-at", (0, 0))
    aside.settle(said.append, slept.append)
    assert len(slept) == 1


def test_growth_can_be_bounded() -> None:
    assert growth.workloads(10_000, 2) == ["files-1000", "files-10000", "gib-1", "gib-2"]
