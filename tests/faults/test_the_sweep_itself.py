"""A sweep that finds nothing proves nothing, unless it finds what is wrong where something is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import stored
from tests.faults.killing import Server, kill_at, points
from tests.faults.sweeping import fresh
from tests.faults.workloads import NOTES, Workload


@pytest.mark.parametrize("sabotage", ["write in place", "name before content"])
def test_a_store_that_writes_carelessly_is_found_out(
    server: Server, workload: Workload, sabotage: str
) -> None:
    root = fresh(workload)
    found = points(server, workload.argv, root, sabotage=sabotage)
    workload.check_done(root)  # nobody would notice, without the kills
    broken = 0
    for point in found:
        root = fresh(workload)
        kill_at(server, workload.argv, root, point, sabotage=sabotage)
        try:
            workload.check(root)
        except (AssertionError, OSError):
            broken += 1
    assert broken > 0


def first_object(root: Path) -> Path:
    return min(path for path in (root / ".mlstore" / "objects").rglob("*") if path.is_file())


def flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing object": lambda root: first_object(root).unlink(),
    "flipped bit": lambda root: flip(first_object(root)),
    "empty ref": lambda root: (root / ".mlstore/refs/heads/main").write_bytes(b""),
    "lost commit": lambda root: shutil.copy(
        root / ".mlstore/refs/heads/main", root / ".mlstore/refs/heads/other"
    ),
    "lost branch": lambda root: (root / ".mlstore/refs/heads/other").unlink(),
    "torn index": lambda root: os.truncate(root / ".mlstore/index", 100),
    "torn file": lambda root: (root / "a").write_bytes(b"2"),
    "strange file": lambda root: (root / "strange").write_bytes(b""),
}


@pytest.mark.parametrize("workload", ["checkout"], indirect=True)
@pytest.mark.parametrize("damage", DAMAGE)
def test_the_checker_says_no(workload: Workload, damage: str) -> None:
    root = fresh(workload)
    workload.check(root)
    DAMAGE[damage](root)
    with pytest.raises((AssertionError, OSError, ValueError)):
        workload.check(root)


NOTE_DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty ref": lambda root: (root / ".mlstore" / NOTES).write_bytes(b""),
    "flipped bit": lambda root: stored.find(
        root / ".mlstore", (root / ".mlstore" / NOTES).read_text().strip()
    ).flip(),
    "other history": lambda root: shutil.copy(root / ".mlstore/refs/heads/main", root / ".mlstore" / NOTES),
    "moved branch": lambda root: shutil.copy(root / ".mlstore" / NOTES, root / ".mlstore/refs/heads/main"),
}


@pytest.mark.parametrize("workload", ["reproduce"], indirect=True)
@pytest.mark.parametrize("damage", NOTE_DAMAGE)
def test_the_checker_of_notes_says_no(server: Server, workload: Workload, damage: str) -> None:
    root = fresh(workload)
    workload.check(root)
    with pytest.raises(AssertionError):
        workload.check_done(root)
    assert server.run(workload.argv, root).status == 0
    workload.check_done(root)
    NOTE_DAMAGE[damage](root)
    with pytest.raises((AssertionError, OSError, ValueError)):
        workload.check(root)


def test_a_traced_command_that_is_not_killed_ends_as_any_other(server: Server, workload: Workload) -> None:
    root = fresh(workload)
    assert kill_at(server, workload.argv, root, ("rename", 999)).status == 0
    workload.check_done(root)
