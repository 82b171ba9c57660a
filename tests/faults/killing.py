"""Breaking a command off, or failing it, at one system call after another: a fork server and strace.

Nothing of mlstore is imported here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
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
# Everything that looks at a file, a folder or a name.
READING = ["openat", "read", "pread64", "preadv2", "getdents64", "newfstatat", "statx", "fstat", "lseek"]
# The folder that an absolute path does not begin in.
_HERE = re.compile(r'AT_FDCWD<[^>]*>, "/')
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


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: its name, that it is the n-th of that name, and what else strace tells of it."""

    name: str
    number: int
    arguments: str

    @property
    def point(self) -> tuple[str, int]:
        return self.name, self.number


class Server:
    """The fork server, in a process of its own; *wrapper* is a command that it is started by."""

    def __init__(self, wrapper: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*wrapper, sys.executable, "-P", str(Path(__file__).with_name("server.py"))],
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

    def run(self, argv: Sequence[str], cwd: Path, *, file_size: int | None = None) -> Done:
        """Run `mlstore ARGV` in CWD, where it may write no file beyond FILE_SIZE bytes."""
        self._ask({"argv": list(argv), "cwd": str(cwd), "file_size": file_size})
        return Done(**self._answer())

    def traced(self, argv: Sequence[str], cwd: Path, *options: str, sabotage: str | None = None) -> Done:
        """Do the same under `strace OPTIONS`, attached before the command begins.

        The child waits for a signal, which is no system call that anybody fails; a named pipe would be.
        """
        pid = self._ask({"argv": list(argv), "cwd": str(cwd), "wait": True, "sabotage": sabotage})
        tracer = subprocess.Popen(
            ["strace", "-p", str(pid), *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        assert b"attached" in attached, attached.decode()
        os.kill(pid, signal.SIGUSR1)
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
    found = calls(server, argv, cwd, CHANGING, sabotage=sabotage)
    return [call.point for call in found if call.name != "openat" or "O_CREAT" in call.arguments]


def looks(server: Server, argv: Sequence[str], cwd: Path) -> list[tuple[str, int]]:
    """Run the command once, to its end, and give each call that looks at anything below CWD."""
    found = calls(server, argv, cwd, READING)
    return [call.point for call in found if str(cwd) in _HERE.sub('"/', call.arguments)]


def calls(
    server: Server, argv: Sequence[str], cwd: Path, names: Sequence[str], *, sabotage: str | None = None
) -> list[Call]:
    """Run the command once, to its end, and give all calls of these names, in order."""
    log = cwd.with_name("calls")
    done = server.traced(argv, cwd, *_trace(names, log), sabotage=sabotage)
    assert done.status == 0, done.err
    return read_log(log)


def read_log(log: Path) -> list[Call]:
    """What strace has written down."""
    seen: Counter[str] = Counter()
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        call = _CALL.match(line)
        if call is not None:
            name, arguments = call.groups()
            seen[name] += 1
            found.append(Call(name, seen[name], arguments))
    return found


def kill_at(
    server: Server, argv: Sequence[str], cwd: Path, point: tuple[str, int], *, sabotage: str | None = None
) -> Done:
    """Run the command, killed as it is about to make the n-th call of that name."""
    name, number = point
    inject = f"inject={name}:signal=KILL:when={number}"
    return server.traced(argv, cwd, *_trace([name], os.devnull), "-e", inject, sabotage=sabotage)


def fail_at(
    server: Server,
    argv: Sequence[str],
    cwd: Path,
    point: tuple[str, int],
    error: str,
    *,
    ever_after: bool = False,
    watch: Sequence[str] = (),
    log: str | Path = os.devnull,
) -> Done:
    """Run the command, whose n-th call of that name fails as on a full or broken disk.

    *ever_after*: and so does every later one of that name. *watch*: other calls that *log* is to tell of.
    """
    name, number = point
    inject = f"inject={name}:error={error}:when={number}{'+' if ever_after else ''}"
    return server.traced(argv, cwd, *_trace([name, *watch], log), "-e", inject)


def _trace(names: Sequence[str], log: str | Path) -> list[str]:
    return ["-y", "-e", f"trace={','.join(names)}", "-o", str(log)]
