"""A disk that is full or broken from one system call on, or at that call alone.

The command says so in one line with exit status 6, or did not need what failed. What plain files hold is
old or new and whole, and as soon as the disk is well again the next command works without any repair.
"""

from __future__ import annotations

import pytest
from tests.faults.killing import Done, Server, fail_at, looks, points, read_log
from tests.faults.sweeping import A_PART, chosen, fresh, good, report, says_it_in_one_line
from tests.faults.workloads import WORKLOADS, Workload

SYNCS = ("fsync", "fdatasync", "syncfs")
NAMING = ("link", "linkat", "rename", "renameat", "renameat2")


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("workload", WORKLOADS, indirect=True)
def test_an_error_at_any_change_is_one_clear_line_and_loses_nothing(
    server: Server, workload: Workload, error: str, lasting: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = points(server, workload.argv, fresh(workload))
    selected = chosen(found, A_PART // 4)
    if lasting and len(selected) < len(found):
        selected = selected[::2]
    for point in selected:
        withstands(server, workload, point, error, (6,), lasting=lasting)
    how = "from then on" if lasting else "once"
    report(capsys, workload, f"{error} {how} at {len(selected)} of {len(found)} points, nothing lost")


@pytest.mark.parametrize("workload", ["add", "commit", "checkout"], indirect=True)
def test_a_quota_that_is_used_up_is_told_as_such(
    server: Server, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    found = points(server, workload.argv, fresh(workload))
    selected = [point for point in chosen(found, A_PART // 4) if point[0] not in SYNCS]
    told = 0
    for point in selected:
        done = withstands(server, workload, point, "EDQUOT", (6,))
        if done.status:
            assert "quota" in done.err.partition("hint: ")[2], f"{point}: {done}"
            told += 1
    assert told
    report(capsys, workload, f"EDQUOT once at {len(selected)} of {len(found)} points, nothing lost")


@pytest.mark.parametrize("workload", WORKLOADS, indirect=True)
def test_an_error_at_any_look_is_never_taken_for_nothing_there(
    server: Server, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    found = looks(server, workload.argv, fresh(workload))
    selected = chosen(found, A_PART // 2)
    for point in selected:
        withstands(server, workload, point, "EIO", (3, 6))
    report(capsys, workload, f"EIO at {len(selected)} of {len(found)} looks, nothing lost")


def withstands(
    server: Server,
    workload: Workload,
    point: tuple[str, int],
    error: str,
    statuses: tuple[int, ...],
    *,
    lasting: bool = False,
) -> Done:
    """Let a call fail and see that all is old or new, said in one line, and that the next run works.

    Gives how it ended.
    """
    root = fresh(workload)
    where = f"{error}{' from then on' if lasting else ''} at {point[0]} number {point[1]}"
    done = fail_at(server, workload.argv, root, point, error, ever_after=lasting)
    workload.check(root)
    if done.status == 0:  # what failed was of no consequence: tidying up, or signing a lock
        workload.check_done(root)
    else:
        assert done.status in statuses, f"{where}: {done}"
        # Where nothing can be written any more, nothing can be said either.
        if not (lasting and point[0] == "write"):
            assert says_it_in_one_line(done), f"{where}: {done}"
    good(server, root, where, "status")
    again = server.run(workload.argv, root)
    assert again.status in workload.again, f"{where}: {again}"
    if workload.rerun:
        good(server, root, where, *workload.rerun)
    workload.check_done(root)
    good(server, root, where, "fsck")
    return done


@pytest.mark.parametrize("workload", ["add", "commit", "checkout", "run", "tag", "repack"], indirect=True)
def test_what_a_failed_sync_has_lost_is_neither_synced_again_nor_published(
    server: Server, workload: Workload
) -> None:
    """After a failed fsync the kernel takes the lost pages for clean, and a second one would lie."""
    found = [point for point in points(server, workload.argv, fresh(workload)) if point[0] in SYNCS]
    assert found
    log = workload.template.with_name("log")
    for point in chosen(found, A_PART // 4):
        root = fresh(workload)
        done = fail_at(server, workload.argv, root, point, "EIO", watch=[*SYNCS, *NAMING], log=log)
        where = f"EIO at {point[0]} number {point[1]}"
        assert done.status == 6, f"{where}: {done}"
        workload.check(root)
        calls = read_log(log)
        failed = next(at for at, call in enumerate(calls) if "INJECTED" in call.arguments)
        lost = calls[failed].arguments.partition("<")[2].partition(">")[0]
        if lost.endswith("/tmp"):  # the whole file system was to be written out: all that was staged is lost
            lost += "/"
        later = [call for call in calls[failed + 1 :] if lost in call.arguments]
        assert not [call for call in later if call.name in NAMING], f"{where}: {later}"
        assert not [call for call in later if call.name in SYNCS], f"{where}: {later}"
        good(server, root, where, "fsck")
