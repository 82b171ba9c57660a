"""How long operations tell somebody how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias, TypeVar

Progress: TypeAlias = Callable[[str, int], None]
"""Called with a path or id and a number of bytes after each file or object that was dealt with.

Where it also has ``expect(files, size)``, that is told what is to come as soon as it is known, and where it
has ``advance(files, size)`` many small things are told at once.
"""

T = TypeVar("T")

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def expect(progress: Progress | None, files: int, size: int) -> None:
    """Tell *progress*, if it wants to know, how much there is to come."""
    told = getattr(progress, "expect", None)
    if told is not None:
        told(files, size)


def as_tick(progress: Progress | None) -> Callable[[int, int], None] | None:
    """Give *progress* as what takes many things at once."""
    if progress is None:
        return None
    advance: Callable[[int, int], None] | None = getattr(progress, "advance", None)
    if advance is not None:
        return advance

    def one_by_one(files: int, size: int) -> None:
        for _ in range(files - 1):
            progress("", 0)
        progress("", size)

    return one_by_one


def watched(
    progress: Progress | None, items: Iterable[tuple[str, T]], size: Callable[[T], int]
) -> Iterator[tuple[str, T]]:
    """Give *items* (by path) one after another, telling *progress* of each when it was dealt with."""
    if progress is None:
        yield from items
        return
    known = list(items)
    expect(progress, len(known), sum(size(item) for _, item in known))
    for path, item in known:
        yield path, item
        progress(path, size(item))


def format_size(size: int) -> str:
    """Give a number of bytes for people.

    >>> format_size(512), format_size(1536), format_size(10 * 1024 * 1024)
    ('512 B', '1.5 KiB', '10.0 MiB')
    """
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
