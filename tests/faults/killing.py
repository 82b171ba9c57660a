"""Killing a command at one system call after another: a fork server, strace, and nothing of mlstore."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Sequence

# Everything that changes a file, a name or what is durable. Opens count where they may create.
CHANGING = [
    *("write", "writev", "pwrite64", "ftruncate", "openat"),
    *("fsync", "fdatasync", "syncfs"),
    *("link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "chmod", "fchmod"),
]
_CALL = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")


def why_not() -> str | None:
    """Why strace cannot be used here, None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "this machine does not let strace trace (ptrace is forbidden)"


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended: an exit status, or minus a signal."""

    status: int
    out: str
    err: str


class Server:
    """The fork server, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._gate = folder / "gate"
        os.mkfifo(self._gate)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            encoding="utf-8",
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def run(self, argv: Sequence[str], cwd: Path) -> Done:
        """Run `mlstore ARGV` in CWD."""
        self._ask({"argv": list(argv), "cwd": str(cwd)})
        return Done(**self._answer())

    def traced(self, argv: Sequence[str], cwd: Path, *options: str, sabotage: str | None = None) -> Done:
        """Do the same under `strace OPTIONS`, attached before the command begins."""
        pid = self._ask({"argv": list(argv), "cwd": str(cwd), "gate": str(self._gate), "sabotage": sabotage})
        tracer = subprocess.Popen(
            ["strace", "-p", str(pid), *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        assert b"attached" in attached, attached.decode()
        with self._gate.open("wb"):
            pass
        done = Done(**self._answer())
        tracer.stderr.close()
        tracer.wait()
        return done

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._answer()["pid"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def points(
    server: Server, argv: Sequence[str], cwd: Path, *, sabotage: str | None = None
) -> list[tuple[str, int]]:
    """Run the command once, to its end, and give each call that changes something: its name and number."""
    log = cwd.with_name("calls")
    trace = f"trace={','.join(CHANGING)}"
    done = server.traced(argv, cwd, "-e", trace, "-o", str(log), sabotage=sabotage)
    assert done.status == 0, done.err
    seen: Counter[str] = Counter()
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        name, arguments = call.groups()
        seen[name] += 1
        if name != "openat" or "O_CREAT" in arguments:
            found.append((name, seen[name]))
    return found


def kill_at(
    server: Server, argv: Sequence[str], cwd: Path, point: tuple[str, int], *, sabotage: str | None = None
) -> Done:
    """Run the command, killed as it is about to make the n-th call of that name."""
    name, number = point
    options = ["-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}", "-o", os.devnull]
    return server.traced(argv, cwd, *options, sabotage=sabotage)


def fail_at(server: Server, argv: Sequence[str], cwd: Path, point: tuple[str, int], error: str) -> Done:
    """Run the command, whose n-th call of that name fails as on a full or broken disk."""
    name, number = point
    options = ["-e", f"trace={name}", "-e", f"inject={name}:error={error}:when={number}", "-o", os.devnull]
    return server.traced(argv, cwd, *options)
