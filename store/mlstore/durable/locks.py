"""Locks between processes, by ``flock``: the kernel frees them when the holder dies, however it dies.

The lock file stays where it is and names its last holder, so that whoever waits in vain can say for
whom.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType

from mlstore.durable import DEFAULT_WAIT
from mlstore.durable.errors import storage_errors
from mlstore.durable.reading import no_link_on_the_way, open_regular
from mlstore.errors import Locked

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


class FileLock:
    """An exclusive lock on *path*, held from ``acquire`` to ``release`` (or through ``with``).

    *purpose* is what the holder is doing, told to those who wait. *wait* is in seconds; raises
    ``Locked`` (with the holder in ``data``) when it is over.
    """

    def __init__(self, path: Path, *, purpose: str, wait: float = DEFAULT_WAIT) -> None:
        self._path = path
        self._purpose = purpose
        self._wait = wait
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock, waiting for it if need be."""
        with storage_errors(self._path):
            no_link_on_the_way(self._path.parent)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = open_regular(self._path, os.O_RDWR | os.O_CREAT)
        try:
            with storage_errors(self._path):  # some network file systems know no locks
                self._wait_for(fd)
            self._sign(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _wait_for(self, fd: int) -> None:
        deadline = time.monotonic() + self._wait
        pause = _FIRST_PAUSE
        while not try_lock(fd):
            if time.monotonic() >= deadline:
                raise self._refusal(fd)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def release(self) -> None:
        """Give the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _sign(self, fd: int) -> None:
        import json

        from mlstore.model import format_time

        text = json.dumps({"pid": os.getpid(), "purpose": self._purpose, "since": format_time(time.time())})
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, text.encode(), 0) if hasattr(os, "pwrite") else os.write(fd, text.encode())
        except OSError:
            pass  # a full disk must not keep anybody from holding a lock; only the name is lost

    def _refusal(self, fd: int) -> Locked:
        holder = _read_holder(fd)
        who = "another process"
        if holder:
            who = f"process {holder['pid']} ({holder['purpose']}, since {holder['since']})"
        return Locked(
            f"'{self._path.name}' is locked by {who}",
            hint=f"wait until it is done, then try again (waited {self._wait:g} s)",
            holder=holder,
        )


def _read_holder(fd: int) -> dict[str, object] | None:
    import json

    try:
        os.lseek(fd, 0, os.SEEK_SET)
        value = json.loads(os.read(fd, 4096))
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or not {"pid", "purpose", "since"} <= value.keys():
        return None
    return value


if sys.platform == "win32":
    import msvcrt

    def try_lock(fd: int) -> bool:
        """Take an exclusive lock on *fd* if nobody holds it."""
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Take an exclusive lock on *fd* if nobody holds it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
