"""Showing what commands print while they run, between the lines that mlstore itself has to say."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO, TextIO


class Live:
    """One stream for the output of commands and for our own lines.

    A single command's bytes go through as they come, so that progress bars move. With `prefixed` several run
    at once: each line is shown whole, with the name of its stage before it. May be used from any thread.
    """

    def __init__(self, stream: TextIO, *, prefixed: bool) -> None:
        self._stream = stream
        self._raw: BinaryIO = stream.buffer
        self._prefixed = prefixed
        self._mutex = threading.Lock()
        self._rest: dict[str, bytes] = {}
        self._at_line_start = True

    def output(self, stage: str, data: bytes) -> None:
        """Show a piece of a command's output."""
        with self._mutex:
            if not self._prefixed:
                self._write(data)
                return
            whole, mark, rest = (self._rest.pop(stage, b"") + data).rpartition(b"\n")
            self._rest[stage] = rest
            if mark:
                self._write_prefixed(stage, whole)

    def say(self, lines: Iterable[str]) -> None:
        """Show lines of our own, each on a line of its own."""
        with self._mutex:
            text = "".join(line + "\n" for line in lines)
            self._write((b"" if self._at_line_start else b"\n") + text.encode("utf-8", "backslashreplace"))

    def end(self, stage: str) -> None:
        """Show what a command printed last, if it did not end the line."""
        with self._mutex:
            rest = self._rest.pop(stage, b"")
            if rest:
                self._write_prefixed(stage, rest)

    def _write_prefixed(self, stage: str, text: bytes) -> None:
        head = f"{stage} | ".encode()
        self._write(b"".join(head + line + b"\n" for line in text.split(b"\n")))

    def _write(self, data: bytes) -> None:
        self._stream.flush()
        self._raw.write(data)
        self._raw.flush()
        if data:
            self._at_line_start = data.endswith((b"\n", b"\r"))
