"""Watching everything that a stage starts, whatever it is written in, by ``strace``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlstore.durable import storage_errors
from mlstore.errors import CannotRun
from mlstore.pipeline.observation.events import Events

# With '?' a call that this machine does not have is passed over.
_CALLS = (
    "open openat openat2 creat rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat"
    " truncate execve"
)
_TRACE = "trace=" + ",".join(f"?{name}" for name in _CALLS.split())
_OPTIONS = ("-f", "-ff", "-qqq", "-y", "-s", "4096", "--seccomp-bpf", "-e", "signal=none", "-e", _TRACE)

# A call that failed ends in the name of the error, and so does not fit.
_CALL = re.compile(r"(\w+)\((.*)\)\s+= \d+(?:<(.*)>)?(?:\(deleted\))?\Z")
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_PLACE = r"(?:AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>"
_AT = re.compile(rf"{_PLACE}, {_TEXT}")
_TEXTS = re.compile(_TEXT)
_CWD = re.compile(r"AT_FDCWD<((?:[^>\\]|\\.)*)>")
_FLAG = re.compile(r"\bO_[A-Z]+\b")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)")
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b"a": b"\a", b"b": b"\b"}


class StraceWatch:
    """Runs a command under strace; *folder* is empty and lies elsewhere."""

    def __init__(self, root: Path, folder: Path, environ: Mapping[str, str]) -> None:
        self._root = os.path.realpath(root)
        self._logs = folder / "calls"
        self._strace = find_strace(folder, environ)
        self.variables: dict[str, str] = {}

    def command(self, command: Sequence[str]) -> tuple[str, ...]:
        """Give what is to be started in place of *command*."""
        return (self._strace, *_OPTIONS, "-o", str(self._logs), "--", *command)

    def collect(self) -> Events:
        """Read what strace wrote, one file a process; a line that was cut off is left out."""
        events = Events()
        for path in sorted(self._logs.parent.glob(f"{self._logs.name}.*")):
            events.processes += 1
            with storage_errors(path), path.open(encoding="utf-8", errors="surrogateescape") as file:
                read_calls(file, self._root, events)
        return events


def find_strace(folder: Path, environ: Mapping[str, str]) -> str:
    """Give the path of a strace that works here; raises ``CannotRun``."""
    found = shutil.which("strace", path=environ.get("PATH", os.defpath))
    if found is None:
        raise CannotRun(
            "'strace' is not installed", hint="install it, or use '--observe', which watches Python processes"
        )
    command = [found, *_OPTIONS, "-o", str(folder / "try"), "--", "true"]
    done = subprocess.run(
        command, capture_output=True, check=False, env=dict(environ), stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {done.returncode}"]
        raise CannotRun(
            f"'strace' does not work here: {said[-1]}",
            hint="it needs strace 5.3 and the right to trace (CAP_SYS_PTRACE); or use '--observe' alone",
        )
    return found


def read_calls(lines: Iterator[str] | Sequence[str], root: str, events: Events) -> None:
    """Take in the calls of one process that succeeded and were about files below *root*."""
    cwd = root
    for line in lines:
        found = _CALL.match(line.rstrip("\n"))
        here = _CWD.search(line)
        if here is not None:
            cwd = _decode(here[1])
        if found is None:
            continue
        for kind, path in _effects(found[1], found[2], found[3]):
            full = os.path.normpath(os.path.join(cwd, path))
            if full.startswith(root + os.sep):
                getattr(events, kind).add(os.path.relpath(full, root))


def _effects(call: str, args: str, result: str | None) -> Iterator[tuple[str, str]]:
    if call in ("open", "openat", "openat2", "creat"):
        if result is not None:
            yield from _opened(call, args, _decode(result))
        return
    paths = _paths(args)
    if call == "execve" and paths:
        yield "reads", paths[0]
    elif call.startswith("rename") and len(paths) == 2:
        yield from (("removed", paths[0]), ("writes", paths[1]))
    elif call in ("link", "linkat") and len(paths) == 2:
        yield from (("reads", paths[0]), ("writes", paths[1]))
    elif call == "symlink" and len(paths) == 2:
        yield "writes", paths[1]
    elif call == "symlinkat":
        yield from (("writes", path) for path in _at(args))
    elif call == "unlink" or (call == "unlinkat" and "AT_REMOVEDIR" not in args):
        yield from (("removed", path) for path in paths[:1])
    elif call == "truncate" and paths:
        yield "writes", paths[0]


def _opened(call: str, args: str, path: str) -> Iterator[tuple[str, str]]:
    flags = (
        {"O_WRONLY", "O_CREAT", "O_TRUNC"} if call == "creat" else set(_FLAG.findall(_TEXTS.sub('""', args)))
    )
    if "O_DIRECTORY" in flags or "O_PATH" in flags:
        return
    if "O_WRONLY" not in flags and not flags >= {"O_RDWR", "O_TRUNC"}:
        yield "reads", path
    if flags & {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"}:
        yield "writes", path


def _paths(args: str) -> list[str]:
    return _at(args) or [_decode(text) for text in _TEXTS.findall(args)][:2]


def _at(args: str) -> list[str]:
    return [os.path.join(_decode(place), _decode(text)) for place, text in _AT.findall(args)]


def _decode(text: str) -> str:
    """Undo strace's escapes; what it prints is ASCII."""

    def byte(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1].isdigit():
            return bytes([int(code, 8) & 0xFF])
        return bytes([int(code[1:], 16)]) if len(code) == 3 else _NAMED.get(code, code)

    return os.fsdecode(_ESCAPE.sub(byte, os.fsencode(text)))
