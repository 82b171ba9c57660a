"""`kill -9` at one system call after another: nothing acknowledged is lost, and the next command works.

After each kill whoever reads plain files finds every ref old or new, and all that it leads to whole. No file
of the worktree is torn, `status` works, the same command again does the job, and `gc` leaves nothing of
what was broken off.

CI kills whatever writes history at every point, and tries a part of the others; a developer tries a part of
everything. `./dev faults` leaves nothing out.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.faults.killing import Server, kill_at, points
from tests.faults.sweeping import A_PART, MANY, chosen, fresh, good, report
from tests.faults.workloads import WORKLOADS, Workload, whole

if TYPE_CHECKING:
    from pathlib import Path

# What moves a ref, or the files of a user.
WHOLLY_IN_CI = ("add", "commit", "checkout", "reset", "run", "tag")


@pytest.mark.parametrize("workload", WORKLOADS, indirect=True)
def test_a_kill_at_any_change_loses_nothing(
    server: Server, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    root = fresh(workload)
    found = points(server, workload.argv, root)
    workload.check_done(root)
    kept = collected(server, root)
    assert len(found) >= workload.least, "nothing to kill: is the trace right?"
    part = len(found) if MANY and workload.argv[0] in WHOLLY_IN_CI else A_PART
    selected = chosen(found, part)
    killed = sum(survives(server, workload, point, kept) for point in selected)
    assert killed > len(selected) // 2
    report(capsys, workload, f"killed at {killed} of {len(found)} points, nothing lost")


def survives(server: Server, workload: Workload, point: tuple[str, int], kept: int) -> bool:
    """Kill there and look at what is left; says whether it came to that."""
    root = fresh(workload)
    where = f"killed at {point[0]} number {point[1]}"
    killed = kill_at(server, workload.argv, root, point)
    # A run has not always as many calls as the one before: then it ended well, and that holds too.
    assert killed.status in (-9, 0), f"{where}: {killed}"
    workload.check(root)
    if killed.status == 0:
        workload.check_done(root)
    good(server, root, where, "status")
    again = server.run(workload.argv, root)
    assert again.status in workload.again, f"{where}: {again}"
    if workload.rerun:
        good(server, root, where, *workload.rerun)
    workload.check_done(root)
    if workload.clean:
        assert good(server, root, where, "status", "--porcelain") == ""
    if workload.argv[0] in ("run", "tag"):
        good(server, root, where, "verify")
    good(server, root, where, "fsck")
    left = list((root / ".mlstore" / "tmp").iterdir())
    assert left == [], f"{where}: {left} was not swept up"
    assert collected(server, root) == workload.kept(root, kept), f"{where}: garbage that 'gc' does not see"
    workload.check_done(root)
    return killed.status == -9


def test_an_init_killed_anywhere_can_be_begun_again(server: Server, folder: Path) -> None:
    root = folder / "new"
    root.mkdir()
    found = points(server, ["init", "-q"], root)
    assert len(found) > 4
    for point in found:
        shutil.rmtree(root)
        root.mkdir()
        where = f"killed at {point[0]} number {point[1]}"
        assert kill_at(server, ["init", "-q"], root, point).status == -9
        (root / "a").write_bytes(b"1")
        for argv in (["init", "-q"], ["add", "a"], ["commit", "-q", "-m", "first"], ["fsck"]):
            good(server, root, where, *argv)
        assert whole(root) == {"refs/heads/main": {"a": b"1"}}


def collected(server: Server, root: Path) -> int:
    """Collect garbage, and count the objects that are left: those that refs and index need."""
    shutil.rmtree(
        root / ".mlstore" / "logs", ignore_errors=True
    )  # which keep what was committed once, and rightly so
    good(server, root, "collecting", "gc", "-q", "--prune=now")
    return len(stored.object_ids(root / ".mlstore"))
