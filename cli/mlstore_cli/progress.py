"""Progress on stderr, from 300 ms on, for a person at a terminal."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

_QUIET_FOR: Final = 0.3
_EVERY: Final = 0.1
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def format_size(size: int) -> str:
    """Return a number of bytes for people.

    >>> format_size(512), format_size(1536), format_size(10 * 1024 * 1024)
    ('512 B', '1.5 KiB', '10.0 MiB')
    """
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


class Progress:
    """Counts files and bytes, and shows them while the `with` block lasts.

    Called with a path and its size after each file, as the library's `progress` arguments expect. A thread of
    its own draws the line, so a long scan before the first file is shown too. Without a terminal it does
    nothing.
    """

    def __init__(self, label: str, *, enabled: bool) -> None:
        self._label = label
        self._files = 0
        self._bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True) if enabled else None

    def __call__(self, _path: str, size: int) -> None:
        """Count one file of `size` bytes."""
        self._files += 1
        self._bytes += size

    def __enter__(self) -> Progress:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        if self._done.wait(_QUIET_FOR):
            return
        started = time.monotonic() - _QUIET_FOR
        while not self._done.wait(_EVERY):
            sys.stderr.write(f"\r\x1b[K{self.describe(time.monotonic() - started)}")
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

    def describe(self, seconds: float) -> str:
        """Return the line: what is done, how much of it so far, how fast."""
        if not self._files:
            return f"{self._label} ..."
        rate = format_size(int(self._bytes / seconds)) if seconds else "?"
        return f"{self._label}: {self._files} files, {format_size(self._bytes)} ({rate}/s)"
