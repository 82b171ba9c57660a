"""Several processes at once, some of them killed: no update is lost, and a reader never sees half of one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.store.independent import Reader
from tests.store.support import Work, fast_repository
from tests.support import environment

if TYPE_CHECKING:
    from pathlib import Path

WORKER = """if True:
    import sys
    from pathlib import Path
    from mlstore.history import record_commit
    from mlstore.model import Person
    from mlstore.repository import Repository
    from mlstore.worktree import add_paths, status
    root, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    repo = Repository.open(root)
    for number in range(rounds):
        (root / name).write_text(f"{name} {number}\\n")
        add_paths(repo, [name])
        said = {"message": f"{name} {number}", "author": Person("Ada", "a@b"), "time": "2026-01-16T15:24:48Z"}
        commit = record_commit(repo, **said, allow_empty=True)
        status(repo)
        print(commit, flush=True)
    """


COLLECTOR = """if True:
    import sys, time
    from pathlib import Path
    from mlstore.maintenance import collect_garbage, prune, repack
    from mlstore.repository import Repository
    while True:
        repo = Repository.open(Path(sys.argv[1]))
        collect_garbage(repo, now=time.time(), expire="now")
        prune(repo, now=time.time())
        repack(repo, everything=True)
        print("collected", flush=True)
    """


def started(
    stack: ExitStack, root: Path, name: str, rounds: int, code: str = WORKER
) -> subprocess.Popen[str]:
    return stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", code, str(root), name, str(rounds)],
            stdout=subprocess.PIPE,
            env=environment(),
            encoding="utf-8",
        )
    )


def history(root: Path) -> list[str]:
    """The ids of all commits of main, newest first, everything that they hold read and hashed."""
    reader = Reader(root)
    head = reader.ref("HEAD")
    if head is None:
        return []
    found = list(reader.history(head))
    for _, commit in found:
        list(reader.files(commit["tree"]))
    return [commit_id for commit_id, _ in sorted(found, key=lambda one: -one[1]["height"])]


def test_every_acknowledged_commit_is_there_exactly_once_though_some_writers_are_killed(
    tmp_path: Path,
) -> None:
    work = Work(fast_repository(tmp_path / "work"))
    root = work.root
    acknowledged: list[str] = []
    with ExitStack() as stack:
        steady = [started(stack, root, name, 10) for name in ("one", "two")]
        for number in range(4):
            victim = started(stack, root, f"victim-{number}", 200)
            assert victim.stdout is not None
            for _ in range(2):
                acknowledged.append(victim.stdout.readline().strip())
                history(root)  # a reader in between finds everything whole
            victim.kill()
            acknowledged += victim.stdout.read().split()
        for process in steady:
            assert process.stdout is not None
            acknowledged += process.stdout.read().split()
            assert process.wait() == 0
    found = history(root)
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(acknowledged) == len(set(acknowledged)) >= 28
    assert {entry.new for entry in work.repo.refs.reflog("refs/heads/main")} >= set(acknowledged)
    Reader(root).index()
    work.add()
    work.record("the next one", allow_empty=True)
    assert list(work.repo.scratch.iterdir()) == []
    assert work.status() == {"staged": [], "unstaged": [], "untracked": []}


def test_a_collector_beside_writers_takes_nothing_that_is_in_flight(tmp_path: Path) -> None:
    """Everything unneeded goes at once, whatever its age, while others add and commit."""
    work = Work(fast_repository(tmp_path / "work"))
    acknowledged: list[str] = []
    with ExitStack() as stack:
        collectors = [started(stack, work.root, "", 0, COLLECTOR) for _ in range(2)]
        writers = [started(stack, work.root, name, 10) for name in ("one", "two")]
        collectors[0].kill()
        for process in writers:
            assert process.stdout is not None
            acknowledged += process.stdout.read().split()
            assert process.wait() == 0
        assert collectors[1].stdout is not None
        assert collectors[1].stdout.readline() == "collected\n"
        collectors[1].kill()
    found = history(work.root)
    assert len(acknowledged) == len(set(acknowledged)) == 20
    assert set(acknowledged) <= set(found)
    Reader(work.root).index()
