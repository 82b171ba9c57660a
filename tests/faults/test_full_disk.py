"""A disk that is full, out of inodes, read-only, or takes no file of this size: for real, not by injection.

Every command says so in one line with exit status 6 (or did not need to write), the old state is intact,
everything that only reads still works, and when there is room again the same command does the job.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults.killing import Server
from tests.faults.sweeping import CI, good, says_it_in_one_line
from tests.faults.workloads import Workload

TRIED = ("add", "commit", "checkout", "reset", "run", "tag", "gc", "repack")
READERS = ("status", "log", "log --graph", "show HEAD:a", "ls-tree HEAD", "branch", "fsck", "diff HEAD")
# The command of a stage meets the full disk before we do: then `run` says that the stage failed.
STATUSES = {"run": (0, 1, 6)}


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory with these bounds."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        mount("-t", "tmpfs", "-o", options, "tmpfs", str(place))
    except (OSError, subprocess.CalledProcessError):
        if CI:
            raise
        pytest.skip("this machine does not let us mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def no_bytes(disk: Path, leave: int) -> Iterator[None]:
    """Fill the disk up to LEAVE pages."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave * 4096))
    yield
    ballast.unlink()


@contextmanager
def no_inodes(disk: Path, leave: int) -> Iterator[None]:
    """Take all names of files but LEAVE."""
    ballast = disk / "ballast"
    ballast.mkdir()
    made = []
    try:
        while True:
            made.append(ballast / str(len(made)))
            made[-1].touch()
    except OSError:
        pass
    for path in made[len(made) - 1 - leave : -1]:
        path.unlink()
    yield
    shutil.rmtree(ballast)


@contextmanager
def read_only(disk: Path, _leave: int) -> Iterator[None]:
    mount("-o", "remount,ro", str(disk))
    yield
    mount("-o", "remount,rw", str(disk))


TROUBLES: dict[str, tuple[Callable[..., object], tuple[int, ...]]] = {
    "no bytes": (no_bytes, (0, 2, 16)),
    "no inodes": (no_inodes, (0, 1, 3)),
    "read-only": (read_only, (0,)),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("workload", TRIED, indirect=True)
def test_a_disk_that_takes_no_more_is_one_clear_line_and_loses_nothing(
    server: Server, folder: Path, workload: Workload, trouble: str
) -> None:
    begin, leaves = TROUBLES[trouble]
    with small_disk(folder, "size=8m,nr_inodes=200") as disk:
        refused = []
        for leave in leaves:
            root = disk / "work"
            shutil.copytree(workload.template, root)
            with begin(disk, leave):  # type: ignore[attr-defined]
                refused.append(refuses_or_does(server, workload, root, f"{trouble}, {leave} left"))
                for reader in READERS if leave == 0 else ():
                    good(server, root, f"{trouble}, {leave} left", *reader.split())
            finishes(server, workload, root)
            shutil.rmtree(root)
    assert refused[0], "the disk was not full enough to be noticed"


@pytest.mark.parametrize("workload", TRIED, indirect=True)
def test_a_limit_on_the_size_of_files_is_one_clear_line_and_loses_nothing(
    server: Server, folder: Path, workload: Workload
) -> None:
    refused = []
    for limit in (0, 400, 2000):
        root = Path(tempfile.mkdtemp(dir=folder)) / "work"
        shutil.copytree(workload.template, root)
        refused.append(refuses_or_does(server, workload, root, f"files of {limit} bytes", limit=limit))
        finishes(server, workload, root)
    assert refused[0], "no file was large enough to be refused"


def refuses_or_does(
    server: Server, workload: Workload, root: Path, where: str, *, limit: int | None = None
) -> bool:
    """Run the command in trouble; says whether it was refused."""
    done = server.run(workload.argv, root, file_size=limit)
    workload.check(root)
    assert done.status in STATUSES.get(workload.argv[0], (0, 6)), f"{where}: {done}"
    if done.status == 0:
        workload.check_done(root)
    elif done.status == 6 and limit != 0:  # which holds for what is said as well
        assert says_it_in_one_line(done), f"{where}: {done}"
        assert "hint: " in done.err, f"{where}: {done}"
    return done.status != 0


def finishes(server: Server, workload: Workload, root: Path) -> None:
    """Run it again, now that there is room."""
    again = server.run(workload.argv, root)
    assert again.status in workload.again, again
    if workload.rerun:
        good(server, root, "again", *workload.rerun)
    workload.check_done(root)
    good(server, root, "again", "fsck")
    left = list((root / ".mlstore" / "tmp").iterdir())
    assert left == [], f"{left} was not swept up"
