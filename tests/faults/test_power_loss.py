"""The power fails: what was acknowledged is there when the machine comes back, on every file system.

The commands run on a real ext4, xfs or btrfs, which then loses all that was not on its disk. The same
commands under `eatmydata`, which makes a lie of every sync, have to lose what they acknowledged: if they do
not, these tests would not notice a missing sync either.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults import power
from tests.faults.killing import Server, kill_at, points
from tests.faults.sweeping import A_PART, CI, chosen, good
from tests.faults.workloads import WORKLOADS, Workload, adding, checking_out, run, whole, worktree, write
from tests.store.independent import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator


def forcing(server: Server, folder: Path) -> Workload:
    """`checkout --force`, over a file that was edited."""
    work = checking_out(server, folder)
    (work.template / "a").write_bytes(b"edited")
    argv = ["checkout", "-q", "--force", "other"]
    return Workload(work.template, argv, work.refs, [worktree(work.template), *work.files], work.index)


TRIED = {
    **{name: WORKLOADS[name] for name in ("add", "commit", "tag", "run", "reset", "gc", "repack")},
    "checkout --force": forcing,
}


@pytest.fixture(params=power.KINDS)
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[power.Disk]:
    reason = power.why_not()
    if reason is not None:
        if CI and not reason.startswith("only root"):
            pytest.fail(f"{reason}, and CI requires the power to fail")
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("power")
    with power.Disk(folder, power.KINDS[request.param]) as mounted:
        yield mounted


def placed(disk: power.Disk, work: Workload) -> Path:
    """A copy of the repository to start in, safe on that disk; the one before it goes."""
    root = disk.root / "work"
    if root.exists():
        shutil.rmtree(root)
    shutil.copytree(work.template, root)
    disk.flush()
    return root


def acknowledged(server: Server, work: Workload, root: Path) -> None:
    done = server.run(work.argv, root)
    assert done.status == 0, done


def test_what_a_command_acknowledged_survives_the_loss_of_power(
    server: Server, folder: Path, disk: power.Disk
) -> None:
    for name, build in TRIED.items():
        work = build(server, Path(tempfile.mkdtemp(dir=folder)))
        root = placed(disk, work)
        acknowledged(server, work, root)
        disk.lose_power()
        assert whole(root) == work.refs[-1], f"'{name}' was acknowledged and is lost"
        work.check_index(root)
        good(server, root, f"'{name}' and loss of power", "fsck")
        if name == "tag":
            golden = tomllib.loads((root / "mlstore.lock").read_text())["pins"]["golden"]
            assert golden["commit"] == pinned(root), "the pin was acknowledged and is lost"
        told_and_mended(server, work, root, name)


def test_a_repository_made_and_filled_in_one_go_survives_the_loss_of_power(
    server: Server, disk: power.Disk
) -> None:
    """Nothing was on the disk before: also the folders have to be there. Packs, loose files and chunks."""
    disk.flush()
    root = disk.root / "new"
    root.mkdir()
    disk.flush()
    files = {"a": b"1", "deep/er/b": b"2", "large": b"5" * 1_500_000}
    files["table.csv"] = b"".join(b"%d,%d\n" % (row, row * row) for row in range(100_000))
    write(root, files)
    run(server, root, "init -q", "add a deep/er/b table.csv", "config core.pack false", "add -A")
    run(server, root, "commit -q -m first", "branch other")
    disk.lose_power()
    assert whole(root) == {"refs/heads/main": files, "refs/heads/other": files}
    assert set(Reader(root).index()) == files.keys()
    good(server, root, "made in one go", "fsck")


def pinned(root: Path) -> str:
    """The commit that the tag `golden` leads to."""
    reader = Reader(root)
    target: str = reader.json("tag", reader.refs()["refs/tags/golden"])["target"]
    return target


def told_and_mended(server: Server, work: Workload, root: Path, name: str) -> None:
    """Files of the worktree are copies, which no sync slows down: `status` names each that is lost or torn.

    And `reset --hard` brings them back. What had been removed may be back too, as an untracked file.
    """
    here, expected = worktree(root), work.files[-1]
    told = {line[3:] for line in good(server, root, name, "status", "--porcelain", "-uall").splitlines()}
    if name == "add":
        return
    assert {path for path in expected.keys() | here.keys() if here.get(path) != expected.get(path)} <= told
    good(server, root, name, "reset", "-q", "--hard")
    here = worktree(root)
    assert {path: here[path] for path in expected} == expected
    assert all(work.files[0].get(path) == data for path, data in here.items() if path not in expected)


def test_a_power_loss_in_the_middle_leaves_the_old_state_or_the_new_one(
    server: Server, folder: Path, disk: power.Disk
) -> None:
    for name in ("add", "commit", "gc"):
        work = TRIED[name](server, Path(tempfile.mkdtemp(dir=folder)))
        for point in chosen(points(server, work.argv, placed(disk, work)), A_PART // 4):
            root = placed(disk, work)
            kill_at(server, work.argv, root, point)
            disk.lose_power()
            where = f"'{name}' lost power at {point[0]} number {point[1]}"
            assert whole(root) in work.refs, where
            good(server, root, where, "status")
            again = server.run(work.argv, root)
            assert again.status in work.again, f"{where}: {again}"
            assert whole(root) == work.refs[-1], where


def test_where_every_sync_is_a_lie_an_acknowledged_commit_is_lost(
    server: Server, folder: Path, disk: power.Disk
) -> None:
    work = adding(server, Path(tempfile.mkdtemp(dir=folder)))
    root = placed(disk, work)
    liar = Server(wrapper=["eatmydata"])
    try:
        run(liar, root, "add -A", "commit -q -m second")
    finally:
        liar.close()
    assert whole(root) == {"refs/heads/main": work.files[-1]}
    disk.lose_power()
    try:
        left = whole(root)
    except (AssertionError, OSError, ValueError):
        return  # torn, as it must be
    assert left == work.refs[0], "nothing was lost without a single sync: this test sees nothing"
