"""Progress on stderr, from 300 ms on, for a person at a terminal."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from mlstore._progress import format_size

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_QUIET_FOR: Final = 0.3
_EVERY: Final = 0.1
_MOST_UNKNOWN: Final = 100  # before one part in so many is done nobody knows how long it will take


def format_seconds(seconds: float) -> str:
    """Return a time for people.

    >>> format_seconds(0.4), format_seconds(75), format_seconds(7325)
    ('0:00', '1:15', '2:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Counts files and bytes, and shows them while the `with` block lasts.

    Called with a path and its size after each file, as the library's `progress` arguments expect; `advance`
    tells of many at once. `expect` says what there is to come as soon as that is known: then there is a bar,
    and the time left. A thread of its own draws, so a long scan before the first file is shown too. Without a
    terminal it does nothing, and nothing is imported for it before there is something to show.
    """

    def __init__(self, label: str, *, enabled: bool) -> None:
        self._label = label
        self._files = 0
        self._bytes = 0
        self._total_files = 0
        self._total_bytes = 0
        self._started = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True) if enabled else None

    def __call__(self, _path: str, size: int) -> None:
        """Count one file of `size` bytes."""
        self._files += 1
        self._bytes += size

    def advance(self, files: int, size: int) -> None:
        """Count some files of `size` bytes in all."""
        self._files += files
        self._bytes += size

    def expect(self, files: int, size: int) -> None:
        """Learn of files and bytes that are still to come; may be called once for each phase."""
        self._total_files += files
        self._total_bytes += size

    def __enter__(self) -> Progress:
        if self._thread is not None:
            self._started = time.monotonic()
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
        with self._bar() as bar:
            task = bar.add_task(self._label, total=None, text=self.describe(_QUIET_FOR))
            while not self._done.wait(_EVERY):
                self._update(bar, task)

    def _bar(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        return Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=14),
            # The words matter more than the bar: they are cut last.
            TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True)),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _update(self, bar: Bar, task: TaskID) -> None:
        seconds = time.monotonic() - self._started
        total = self._total_bytes or self._total_files or None
        done = self._bytes if self._total_bytes else self._files
        bar.update(task, total=total, completed=min(done, total or done), text=self.describe(seconds))
        bar.refresh()

    def describe(self, seconds: float) -> str:
        """Return the words: what is done after so many seconds, how fast, and how long it will take yet."""
        if not self._files and not self._bytes:
            return "..."
        files = f"{self._files:,}" + (f"/{self._total_files:,}" if self._total_files else "")
        size = format_size(self._bytes) + (f"/{format_size(self._total_bytes)}" if self._total_bytes else "")
        parts = [f"{files} files", size]
        if seconds:
            parts.append(f"{format_size(int(self._bytes / seconds))}/s")
        left = self._left(seconds)
        return ", ".join(parts) + (f", {format_seconds(left)} left" if left is not None else "")

    def _left(self, seconds: float) -> float | None:
        if self._total_bytes and self._bytes * _MOST_UNKNOWN > self._total_bytes:
            return max(0.0, seconds * (self._total_bytes / self._bytes - 1))
        if not self._total_bytes and self._files * _MOST_UNKNOWN > self._total_files > 0:
            return max(0.0, seconds * (self._total_files / self._files - 1))
        return None
