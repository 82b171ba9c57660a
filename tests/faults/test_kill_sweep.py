"""`kill -9` at every call that changes something: nothing acknowledged is lost, the next command works."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.faults import crash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Each point costs five starts of the interpreter: CI pays for all of them, a developer for one in four
# unless MLSTORE_ALL_CRASH_POINTS is set (conftest hides it from the commands).
ALL_POINTS = bool(os.environ.get("CI") or os.environ.get("MLSTORE_ALL_CRASH_POINTS"))

MANIFEST = """
[stages.draw]
command = "seq 5 > raw.txt"
inputs = ["source.txt"]
outputs = ["raw.txt"]

[stages.count]
command = "wc -l < raw.txt > count.txt"
inputs = ["raw.txt"]
outputs = ["count.txt"]
"""


def prepare_history(folder: Path) -> None:
    """Two commits on main, a branch `other` beside them with other, new and missing files."""
    (folder / "data").mkdir()
    (folder / "a.txt").write_text("a\n")
    (folder / "data/b.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "gone.txt").write_text("only at first\n")
    ok(folder, "init")
    ok(folder, "add", ".")
    ok(folder, "commit", "-m", "one")
    ok(folder, "branch", "other")
    (folder / "gone.txt").unlink()
    (folder / "a.txt").write_text("a, better\n")
    (folder / "data/new.txt").write_text("new\n")
    ok(folder, "add", ".")
    ok(folder, "commit", "-m", "two")


def prepare_add(folder: Path) -> None:
    prepare_history(folder)
    for number in range(5):
        (folder / f"file-{number}.txt").write_text(f"{number}\n")
    (folder / "large.bin").write_bytes(b"large" * 300_000)


def prepare_commit(folder: Path) -> None:
    prepare_add(folder)
    ok(folder, "add", ".")


def prepare_run(folder: Path) -> None:
    (folder / "mlstore.toml").write_text(MANIFEST)
    (folder / "source.txt").write_text("source\n")
    ok(folder, "init")


def prepare_tag(folder: Path) -> None:
    prepare_run(folder)
    ok(folder, "run")


def ok(folder: Path, *args: str) -> None:
    status, output = crash.run(folder, *args)
    assert status == 0, f"{args}: {output}"


@dataclass(frozen=True)
class Scenario:
    """A command, the state it starts from, and what running it again may say when it was done already."""

    prepare: Callable[[Path], None]
    args: list[str]
    again: tuple[int, ...] = (0,)
    rerun: list[str] | None = None


SCENARIOS = {
    "add": Scenario(prepare_add, ["add", "."]),
    "commit": Scenario(prepare_commit, ["commit", "-m", "three"], again=(0, 1)),
    "checkout": Scenario(prepare_history, ["checkout", "-q", "other"]),
    "reset": Scenario(prepare_history, ["reset", "-q", "--hard", "other"]),
    "run": Scenario(prepare_run, ["run"]),
    "tag": Scenario(prepare_tag, ["tag", "--golden"], again=(0, 1), rerun=["tag", "--golden", "-f"]),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each scenario's starting state, made once."""
    if not crash.strace_works():
        reason = "strace cannot trace processes here"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}, and CI requires the kill sweep")
        pytest.skip(reason)
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "start"
            made[name].mkdir()
            SCENARIOS[name].prepare(made[name])
        return made[name]

    return make


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_any_change_loses_nothing(
    prepared: Callable[[str], Path], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario, start = SCENARIOS[name], prepared(name)
    before = crash.state(start)
    done = tmp_path / "done"
    shutil.copytree(start, done)
    calls = crash.count_calls(done, scenario.args)
    wanted_files = crash.files(done)
    points = 0
    every = [(call, n + 1) for call, count in sorted(calls.items()) for n in range(count)]
    for call, number in every[:: 1 if ALL_POINTS else 4]:
        folder = tmp_path / f"{call}-{number}"
        shutil.copytree(start, folder)
        if crash.kill_at(folder, scenario.args, call, number):
            points += 1
            check(folder, scenario, before, wanted_files, f"killed at {call} {number}")
        shutil.rmtree(folder)
    with capsys.disabled():
        print(f"\n{name}: killed at {points} of {len(every)} points, 0 losses")
    assert points > len(every) // 5


def check(
    folder: Path, scenario: Scenario, before: dict[str, str], wanted: dict[str, bytes], where: str
) -> None:
    after = crash.state(folder)  # whatever the refs say now is whole
    for ref, target in before.items():
        moved = after[ref] != target
        assert not moved or ref in ("HEAD", "refs/heads/main", "refs/tags/golden"), f"{where}: {ref} was lost"
    status, output = crash.run(folder, "status", "--porcelain")
    assert status == 0, f"{where}: {output}"
    status, output = crash.run(folder, *(scenario.rerun or scenario.args))
    assert status in scenario.again, f"{where}: {output}"
    status, output = crash.run(folder, "fsck")
    assert status == 0, f"{where}: {output}"
    left = {path: data for path, data in crash.files(folder).items() if path != "mlstore.lock"}
    assert left == {path: data for path, data in wanted.items() if path != "mlstore.lock"}, where
    leftovers = [path for path in (folder / ".mlstore/tmp").rglob("*") if not path.is_dir()]
    assert not leftovers, f"{where}: {leftovers} were not swept"
    status, output = crash.run(folder, "verify")
    assert status == 0 or scenario.args[0] == "add", f"{where}: {output}"
