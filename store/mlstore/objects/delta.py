"""A new version of a large file as ranges of the old one and what is new.

What both begin and end with is found by comparing bytes, which costs no more than reading them. What
is left in the middle is cut into content-defined chunks on both sides, and equal chunks become ranges
too. So an insertion, an appended tail or a few changed places cost what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import blake3

from mlstore.hashing import BUFFER_SIZE, ObjectId
from mlstore.objects.chunker import cut
from mlstore.objects.recipe import Part, select, starts_of

ReadAt = Callable[[int, int], bytes]

# Old middles beyond this (bytes) are not searched: the table of their chunks would grow with them.
_SEARCHED = 64 << 30
_FINEST = 4096


@dataclass(frozen=True, slots=True)
class Literal:
    """*length* bytes of the new file, from *offset* on, that the old one does not have."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Base:
    """The old version: its size, how to read it, and the parts that it is stored as."""

    size: int
    read_at: ReadAt
    parts: list[Part]
    starts: list[int]

    def ranges(self, offset: int, length: int) -> Iterator[Part]:
        """Give the parts that make up a range of it: a part never names a recipe."""
        return select(self.parts, self.starts, offset, length)


class Ends:
    """What an old version (*read_at*, *old_size* bytes) and a new one have in common at start and end.

    It is given the new one's bytes in order, once, and reads the old one beside them: first at the same
    place, and from the first difference on as far from the end as the new one's bytes are.
    """

    def __init__(self, read_at: ReadAt, old_size: int, new_size: int) -> None:
        self._read_at = read_at
        self._shift = new_size - old_size
        self._room = min(old_size, new_size)
        self._size = new_size
        self._at = 0
        self._prefix = 0
        self._same_from = 0
        self._differs = False

    def take(self, data: bytes) -> None:
        """Take in the next bytes of the new version."""
        at, self._at = self._at, self._at + len(data)
        if not self._differs:
            old = self._read_at(at, len(data))
            if old == data:
                self._prefix = self._at
                return
            self._differs = True
            self._prefix = at + _first_difference(old, data)
            # Neither version's end may reach into the start that was just found.
            self._same_from = max(self._prefix, self._prefix + self._shift)
        start = max(at, self._same_from)
        if start < self._at:
            self._compare_end(data[start - at :], start)

    def _compare_end(self, data: bytes, start: int) -> None:
        old = self._read_at(start - self._shift, len(data))
        if old != data:
            self._same_from = start + len(data) - _common_end(old, data)

    def lengths(self, size: int) -> tuple[int, int]:
        """Give the bytes in common at the start and at the end, of a new version that had *size* bytes."""
        prefix = min(self._prefix, self._room)
        if size != self._size or self._at != size:
            return prefix, 0  # it changed meanwhile: whoever called sees that by its stat data
        suffix = size - self._same_from if self._differs else 0
        return prefix, max(0, min(suffix, self._room - prefix))


def _first_difference(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: bytes, other: bytes) -> int:
    return _first_difference(one[::-1], other[::-1])


def find_delta(base: Base, read_at: ReadAt, size: int, prefix: int, suffix: int) -> list[Part | Literal]:
    """Give the new file (*size* bytes) as parts of *base* and literals, in order.

    *prefix* bytes are known to be equal at the start, *suffix* bytes at the end; they do not overlap.
    """
    pieces: list[Part | Literal] = list(base.ranges(0, prefix))
    pieces += _middle(base, prefix, base.size - suffix, read_at, prefix, size - suffix)
    pieces += base.ranges(base.size - suffix, suffix)
    return pieces


def _middle(
    base: Base, old_start: int, old_stop: int, read_at: ReadAt, start: int, stop: int
) -> Iterator[Part | Literal]:
    known: dict[bytes, int] = {}
    if _FINEST < old_stop - old_start <= _SEARCHED and stop - start > _FINEST:
        at = old_start
        for chunk in cut(_pieces(base.read_at, old_start, old_stop)):
            known.setdefault(_hash(chunk), at)
            at += len(chunk)
    if not known:
        if start < stop:
            yield Literal(start, stop - start)
        return
    at = pending = start
    for chunk in cut(_pieces(read_at, start, stop)):
        found = known.get(_hash(chunk))
        if found is not None:
            if pending < at:
                yield Literal(pending, at - pending)
            yield from base.ranges(found, len(chunk))
            pending = at + len(chunk)
        at += len(chunk)
    if pending < stop:
        yield Literal(pending, stop - pending)


def _hash(chunk: memoryview) -> bytes:
    # Equal bytes are decided on here, so it is a hash that nobody can make collide.
    return blake3.blake3(chunk).digest()


def _pieces(read_at: ReadAt, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        data = read_at(start, min(BUFFER_SIZE, stop - start))
        if not data:
            return
        yield data
        start += len(data)


def literal_bytes(pieces: list[Part | Literal]) -> int:
    """Give how many bytes of the new file are literals."""
    return sum(piece.length for piece in pieces if isinstance(piece, Literal))


def base_of(object_id: ObjectId, size: int, read_at: ReadAt, parts: list[Part] | None) -> Base:
    """Give an object as a base: a recipe by its parts, anything else as one part of itself."""
    known = parts if parts is not None else [Part(object_id, 0, size)]
    return Base(size, read_at, known, starts_of(known))
