"""Killing a command at a chosen system call, and judging what is left by other code than mlstore's."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tests.store.independent import Reader
from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
# What changes something on disk. A kill fires before the call takes effect, so killing at each of them
# visits every state that a crash can leave.
CHANGING = (
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "syncfs",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
)


def strace_works() -> bool:
    """Whether processes can be traced here."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return done.returncode == 0


def _command(args: Iterable[str]) -> list[str]:
    # Without site and its path hooks the interpreter starts in half the time, and writes nothing itself.
    return [sys.executable, "-S", "-P", "-B", "-m", "mlstore_cli", *args]


def _environment() -> dict[str, str]:
    paths = [ROOT / "store", ROOT / "cli", Path(click.__file__).parents[1]]
    return environment({"PYTHONPATH": os.pathsep.join(map(str, paths))})


def count_calls(folder: Path, args: list[str]) -> Counter[str]:
    """Run a command to its end and give how often its busiest thread makes each call."""
    log = folder.with_name(folder.name + ".strace")
    tracer = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CHANGING)}"]
    done = subprocess.run(
        [*tracer, *_command(args)],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    calls: Counter[tuple[str, str]] = Counter()
    for thread, call in re.findall(r"^(\d+)\s+(\w+)\(", log.read_text(), re.MULTILINE):
        calls[thread, call] += 1
    busiest: Counter[str] = Counter()
    for (_, call), count in calls.items():
        busiest[call] = max(busiest[call], count)
    return busiest


def kill_at(folder: Path, args: list[str], call: str, number: int) -> bool:
    """Run a command that is killed at its *number*-th *call*; says whether it came to that."""
    tracer = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    inject = ["-e", f"inject={call}:signal=KILL:when={number}"]
    done = subprocess.run(
        [*tracer, *inject, *_command(args)], cwd=folder, env=_environment(), capture_output=True, check=False
    )
    return done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def run(folder: Path, *args: str) -> tuple[int, str]:
    """Run a command that nobody disturbs; no traceback is ever right."""
    done = subprocess.run(
        _command(args), cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert "internal error" not in output, output
    assert "Traceback" not in output, output
    return done.returncode, output


def state(folder: Path) -> dict[str, str]:
    """Every ref and where it points; all that it needs is read and hashed by the independent reader."""
    reader = Reader(folder)
    refs = reader.refs() | {"HEAD": (folder / ".mlstore/HEAD").read_text().strip()}
    for name, object_id in refs.items():
        if name == "HEAD" and object_id.startswith("ref: "):
            continue
        if reader.object(object_id).startswith(b"mlstore tag 1\n"):
            object_id = reader.json("tag", object_id)["target"]
        for _, commit in reader.history(object_id):
            list(reader.files(commit["tree"]))
    return refs


def files(folder: Path) -> dict[str, bytes]:
    """The worktree."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".mlstore" not in path.relative_to(folder).parts
    }
