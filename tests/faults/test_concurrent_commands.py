"""Whole commands at once, some of them killed: every acknowledged commit is there, and there once.

One repository has one worktree: who comes second may be told that it is locked, or that things have changed
meanwhile. That is said in one line, and then tried again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.faults.killing import Server, calls, kill_at
from tests.faults.sweeping import fresh, good
from tests.faults.workloads import whole
from tests.store.independent import Reader
from tests.support import environment, run_mlstore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.workloads import Workload

# A process that runs commands until it is told to stop, and says what each of them answered.
ACTOR = """if True:
    import contextlib, io, json, os, sys, time
    from mlstore_cli.main import main
    name, rounds = sys.argv[1], int(sys.argv[2])

    def run(*argv):
        out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(list(argv))
        out, err = (stream.buffer.getvalue().decode() for stream in (out, err))
        print(json.dumps([list(argv), status, out, err]), flush=True)
        return status

    def until_done(*argv):
        for _ in range(50):
            if run(*argv) == 0:
                return

    for number in range(rounds):
        if name.startswith("writer"):
            with open(name, "w") as file:
                file.write(f"{name} {number}")
            until_done("add", name)
            until_done("commit", "--json", "--allow-empty", "-m", f"{name} {number}")
        elif name == "tagger":
            until_done("tag", f"tag-{number}")
        elif name == "collector":
            until_done("gc", "-q", "--prune=now")
            until_done("repack", "-q", "-a")
        elif name == "mover":
            until_done("checkout", "-q", "-f", ("HEAD", "main")[number % 2])
        elif name == "reader":
            until_done("status", "-s")
            until_done("log", "--oneline")
"""


def actor(stack: ExitStack, root: Path, name: str, rounds: int) -> subprocess.Popen[str]:
    return stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-P", "-c", ACTOR, name, str(rounds)],
            cwd=root,
            stdout=subprocess.PIPE,
            env=environment(),
            encoding="utf-8",
        )
    )


def answers(text: str) -> list[tuple[list[str], int, str, str]]:
    """What an actor said; a line that it could not finish is no answer."""
    return [tuple(json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def committed(said: list[tuple[list[str], int, str, str]]) -> list[str]:
    return [json.loads(out)["commit"] for argv, status, out, _ in said if argv[0] == "commit" and status == 0]


def test_commands_of_many_processes_some_killed_lose_no_acknowledged_commit(tmp_path: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    assert run_mlstore(["init", "-q"], root).returncode == 0
    (root / "first").write_text("first")
    assert run_mlstore(["add", "first"], root).returncode == 0
    assert run_mlstore(["commit", "-q", "-m", "first"], root).returncode == 0
    said, reader = [], Reader(root)
    with ExitStack() as stack:
        steady = [actor(stack, root, name, 5) for name in ("writer-1", "writer-2", "tagger", "reader")]
        steady += [actor(stack, root, name, 2) for name in ("collector", "mover")]
        for number in range(2):
            victim = actor(stack, root, f"writer-victim-{number}", 100)
            assert victim.stdout is not None
            first = []
            for _ in range(3):
                first.append(victim.stdout.readline())
                list(reader.history(reader.refs()["refs/heads/main"]))  # old or new, and whole
            victim.kill()
            said += answers("".join(first) + victim.stdout.read())
        for process in steady:
            assert process.stdout is not None
            said += answers(process.stdout.read())
            assert process.wait() == 0
    for argv, status, _, err in said:
        told = [line for line in err.splitlines() if not line.startswith("hint: ")]
        assert status in (0, 1, 4, 6), (argv, err)
        assert status == 0 or len(told) == 1, (argv, err)
        assert "internal error" not in err, (argv, err)
    acknowledged = committed(said)
    assert len(acknowledged) == len(set(acknowledged)) >= 10
    found = [commit for commit, _ in reader.history(reader.refs()["refs/heads/main"])]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    tags = [argv[1] for argv, status, _, _ in said if argv[0] == "tag" and status == 0]
    assert len(tags) == 5
    assert {f"refs/tags/{tag}" for tag in tags} <= reader.refs().keys()
    whole(root)  # and nothing that was in flight has been collected
    done = run_mlstore(["fsck"], root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_reader_beside_a_writer_that_is_killed_anywhere_finds_the_old_state_or_the_new_one(
    server: Server, workload: Workload
) -> None:
    """The writer stops before each rename and link, one by one: that is where a reader could see a mix."""
    found = [call.point for call in calls(server, workload.argv, fresh(workload), ["rename", "link"])]
    assert len(found) >= 3
    for point in found:
        root = fresh(workload)
        kill_at(server, workload.argv, root, point)
        assert whole(root) in workload.refs
        seen = good(server, root, str(point), "show", "HEAD:a").encode()
        assert seen in [version["refs/heads/main"]["a"] for version in workload.refs]
        good(server, root, str(point), "log")
        good(server, root, str(point), "fsck")


HOLDER = """if True:
    import sys, time
    from pathlib import Path
    from mlstore.repository import Repository
    repo = Repository.open(Path("."))
    with repo.lock("run", "run"), repo.write_lock("commit"), repo.lock("packs", "gc"):
        print("held", flush=True)
        time.sleep(600)
"""


def test_locks_of_a_dead_process_keep_nobody_waiting(server: Server, workload: Workload) -> None:
    root = fresh(workload)
    holder = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER], cwd=root, stdout=subprocess.PIPE, env=environment()
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (root / ".mlstore" / "locks" / "write").open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(holder.pid, signal.SIGKILL)
    names = json.loads((root / ".mlstore" / "locks" / "write").read_text())
    assert names["pid"] == holder.pid  # the dead one's name is still there, and means nothing
    for argv in (workload.argv, ["gc", "-q"], ["tag", "t"], ["checkout", "-q", "-f"], ["repack", "-q"]):
        good(server, root, "after a dead holder", *argv)
    assert whole(root)["refs/heads/main"] == workload.refs[-1]["refs/heads/main"]
