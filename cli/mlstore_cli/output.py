"""Everything that reaches the terminal goes through here: escaping, colour, JSON, the two streams.

Data goes to stdout, chatter to stderr. Names and messages come from files, commits and remotes, so they may
hold anything: `escape` makes them harmless, and no view prints one without it.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

from mlstore import _visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

escape: Final = _visible.escape
to_json: Final = _visible.to_json


def escape_lines(text: str) -> list[str]:
    """Split a message at its line feeds and escape each line; tabs stay, for they only indent."""
    return ["\t".join(map(escape, line.split("\t"))) for line in text.split("\n")]


def quote(name: str) -> str:
    r"""Return a path for a table: as it is, or escaped and in double quotes where it could be misread.

    >>> quote("data/raw data.csv")
    'data/raw data.csv'
    >>> quote('a"b\n')
    '"a\\"b\\n"'
    """
    safe = escape(name)
    if safe == name and '"' not in name:
        return name
    return '"' + safe.replace('"', '\\"') + '"'


class Style:
    """ANSI colours, or nothing at all when colour is off."""

    __slots__ = ("enabled",)

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if self.enabled and text else text

    def bold(self, text: str) -> str:
        """Bold."""
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        """Faint."""
        return self._paint("2", text)

    def red(self, text: str) -> str:
        """Red: removed, wrong."""
        return self._paint("31", text)

    def green(self, text: str) -> str:
        """Green: added, good."""
        return self._paint("32", text)

    def yellow(self, text: str) -> str:
        """Yellow: ids."""
        return self._paint("33", text)

    def cyan(self, text: str) -> str:
        """Cyan: places and hints."""
        return self._paint("36", text)


PLAIN: Final = Style(enabled=False)


def use_utf8() -> None:
    """Make both streams UTF-8 whatever the locale says; what cannot be encoded is shown as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def write(text: str) -> None:
    """Write text to stdout as it is."""
    sys.stdout.write(text)


def write_line(text: str = "") -> None:
    """Write one line to stdout."""
    sys.stdout.write(text + "\n")


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout as they come, so that a long history starts at once."""
    for line in lines:
        sys.stdout.write(line + "\n")


def write_bytes(chunks: Iterable[bytes]) -> None:
    """Write raw bytes to stdout, after what was written as text."""
    sys.stdout.flush()
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def write_note(text: str) -> None:
    """Write one line of chatter to stderr; the data on stdout stays clean."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.write(text + "\n")


def emit_json(schema: str, data: Mapping[str, Any]) -> None:
    """Print the one JSON object of a command: `schema` is its name without the program, e.g. `status/1`."""
    write_line(to_json({"schema": f"mlstore.{schema}", **data}))
