"""Running commands: live output, a log, and no process left behind when a run is interrupted.

Each command gets a session of its own, so that a signal reaches everything it has started, and no
terminal or standard input: a pipeline must not wait for somebody to type.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlstore.errors import StageFailed

Output = Callable[[bytes], None]
"""Called with each piece of a command's output as it comes."""

LOG_LIMIT = 8 << 20
"""Bytes of output that are kept for the log; of more, the end."""

_CHUNK = 64 << 10
_POLL = 0.05
# After a command has ended its output is at its end too, unless something it started holds it open.
_STRAGGLERS = 0.5
# How long (s) a command may take to end by itself after each signal.
_GRACE = ((signal.SIGINT, 3.0), (signal.SIGTERM, 2.0))
_FINAL = 2.0
_KILL = signal.SIGKILL


class Stopped(Exception):
    """The run is being interrupted: nothing may be started or recorded any more."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended: its exit status (negative: the signal that killed it), log, time in ms."""

    status: int
    log: bytes
    duration_ms: int


class Commands:
    """Starts commands in the folder *root* with the environment *environ*, from any thread.

    With *sweep* what a command leaves running behind it is killed when it has ended.
    """

    def __init__(self, root: Path, environ: Mapping[str, str], *, sweep: bool = False) -> None:
        self._root = root
        self._environ = dict(environ)
        self._sweep = sweep
        self._running: set[subprocess.Popen[bytes]] = set()
        self._mutex = threading.Lock()
        self._stopping = False

    def run(
        self,
        stage: str,
        command: Sequence[str],
        output: Output,
        *,
        also: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run *command* to its end, its environment having the variables *also*.

        Raises ``StageFailed`` when it cannot be started, ``Stopped``.
        """
        started = time.monotonic()
        log = _Log()
        with self._process(stage, command, self._environ | dict(also or {})) as process:
            assert process.stdout is not None
            for data in _read(process):
                log.add(data)
                output(data)
            status = process.wait()
            if self._sweep:
                _signal({process.pid}, _KILL)
        if self._stopping:
            raise Stopped
        return Completed(status, log.text(), round((time.monotonic() - started) * 1000))

    @contextlib.contextmanager
    def _process(
        self, stage: str, command: Sequence[str], environ: dict[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        with self._mutex:
            if self._stopping:
                raise Stopped
            process = self._start(stage, command, environ)
            self._running.add(process)
        try:
            with process:
                try:
                    yield process
                except BaseException:  # whoever listens has gone: nobody will wait for this command
                    _signal({process.pid}, _KILL)
                    raise
        finally:
            with self._mutex:
                self._running.discard(process)

    def _start(self, stage: str, command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                list(command),
                cwd=self._root,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as exc:
            missing = isinstance(exc, FileNotFoundError)
            reason = "it was not found" if missing else (exc.strerror or str(exc)).lower()
            raise StageFailed(
                f"stage '{stage}' failed: '{command[0]}' cannot be started: {reason}",
                hint="check 'command' in mlstore.toml and PATH",
                stage=stage,
                status=127 if missing else 126,
            ) from None

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopping

    def stop(self) -> None:
        """End every running command with all that it has started; none can be started afterwards.

        They are interrupted, then terminated, then killed; a second interruption kills at once.
        """
        with self._mutex:
            self._stopping = True
            groups = {process.pid for process in self._running}
        try:
            for number, grace in _GRACE:
                if not _signal(groups, number):
                    return
                if _wait_for_end(groups, grace):
                    return
        finally:
            if _signal(groups, _KILL):
                _wait_for_end(groups, _FINAL)


class _Log:
    """The end of a command's output, in bounded memory."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0

    def add(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        while self._size > LOG_LIMIT and len(self._chunks) > 1:
            gone = len(self._chunks.popleft())
            self._size -= gone
            self._dropped += gone

    def text(self) -> bytes:
        head = f"[{self._dropped} bytes left out here]\n".encode() if self._dropped else b""
        return head + b"".join(self._chunks)


def _read(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Give the output piece by piece until it ends, or the command did and nothing more comes."""
    assert process.stdout is not None
    fd = process.stdout.fileno()
    ended: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while ended is None or time.monotonic() - ended < _STRAGGLERS:
            if selector.select(_POLL):
                data = os.read(fd, _CHUNK)
                if not data:
                    return
                yield data
            if ended is None and process.poll() is not None:
                ended = time.monotonic()


def _signal(groups: set[int], number: int) -> bool:
    """Send a signal to process groups; says whether any of them was still there."""
    alive = False
    for group in groups:
        # The group is gone, or (a macOS habit) holds nothing but a process that waits to be reaped.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            alive = True
    return alive


def signal_name(number: int) -> str:
    """Give ``signal 9 (SIGKILL)``."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _wait_for_end(groups: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _signal(groups, 0):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True
