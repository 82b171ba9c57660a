"""What is opened: counted from inside, by an audit hook in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlstore.index import StatData
from mlstore.worktree import status

if TYPE_CHECKING:
    from tests.store.support import Work

WATCH = """if True:
    import json, os, sys
    from pathlib import Path
    from mlstore.repository import Repository
    from mlstore.worktree import status, add_paths
    root = Path(sys.argv[1])
    opened = []
    real_open = os.open
    def counted(path, flags, mode=0o777, *, dir_fd=None):
        global here
        here = dir_fd
        return real_open(path, flags, mode, dir_fd=dir_fd)
    here = None
    os.open = counted
    def absolute(name):
        back = real_open(".", os.O_RDONLY)
        if here is not None:  # an audit event does not tell in which folder a name is meant
            os.fchdir(here)
        try:
            return os.path.abspath(name)
        finally:
            os.fchdir(back)
            os.close(back)
    def hook(event, args):
        global here
        if event == "open" and isinstance(args[0], (str, bytes)) and args[0] != ".":
            path = absolute(os.fsdecode(args[0]))
            here = None
            if path.startswith(str(root) + "/") and "/.mlstore/" not in path and not os.path.isdir(path):
                opened.append(os.path.relpath(path, root))
    repo = Repository.open(root)
    status(repo) if len(sys.argv) > 2 else None
    sys.addaudithook(hook)
    found = status(repo)
    opened = [name for name in opened if os.path.basename(name) != ".mlstoreignore"]
    print(json.dumps({"opened": opened, "clean": found.clean}))
    """


def watched(work: Work) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(work.root)], capture_output=True, encoding="utf-8", check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


FILES = ["a", "deep/er/b.csv", "empty", "run"]


@pytest.fixture
def settled(work: Work) -> Work:
    """Four committed files that have not changed for long, and an index that is younger than they are."""
    for name in FILES:
        work.write(name, "" if name == "empty" else name, executable=name == "run")
    work.add()
    work.record()
    age(work, 10**18)
    status(work.repo)
    return work


def age(work: Work, moment: int) -> None:
    """Date the files long ago and the index in the future: no test waits for a clock."""
    for name in FILES:
        os.utime(work.path(name), ns=(moment, moment))
    with work.repo.write_lock("test"):
        index = work.index
        for name in FILES:
            entry = index.get(name)
            assert entry is not None
            stat = StatData.of(work.path(name).stat())
            index.set(entry._replace(stat=stat))
        work.repo.save_index(index)
    later = work.path("a").stat().st_ctime_ns + 3_600 * 10**9
    os.utime(work.repo.store / "index", ns=(later, later))


def test_the_counter_counts(settled: Work) -> None:
    settled.write("a", "A")  # the same size: only its content tells
    assert watched(settled) == {"opened": ["a", "a"], "clean": False}


def test_a_status_without_changes_opens_no_file(settled: Work) -> None:
    assert watched(settled) == {"opened": [], "clean": True}


def test_untracked_files_are_not_opened(settled: Work) -> None:
    settled.write("new", "x")
    assert watched(settled)["opened"] == []


def test_a_file_of_another_size_is_read_once(settled: Work) -> None:
    settled.write("a", "longer than before")
    assert watched(settled) == {"opened": ["a"], "clean": False}


def test_after_touching_everything_contents_decide_once_and_the_cache_is_refreshed(settled: Work) -> None:
    for name in FILES:
        os.utime(settled.path(name), ns=(2 * 10**17, 2 * 10**17))
    settled.settle()
    found = watched(settled)
    assert found == {"opened": found["opened"], "clean": True}
    assert sorted(found["opened"]) == FILES
    settled.settle()
    assert watched(settled) == {"opened": [], "clean": True}


def test_a_file_as_young_as_the_index_is_read_every_time(settled: Work) -> None:
    moment = settled.path("a").stat().st_ctime_ns
    os.utime(settled.repo.store / "index", ns=(moment, moment))
    opened = watched(settled)["opened"]
    assert isinstance(opened, list)
    assert "a" in opened
