"""Bytes: where two streams first differ, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlstore.hashing import BytesLike


@dataclass(frozen=True, slots=True)
class Difference:
    """The first byte at which two streams differ: its offset from 0, and the byte in each (None: ended)."""

    offset: int
    old: int | None
    new: int | None


def first_difference(old: Iterable[BytesLike], new: Iterable[BytesLike]) -> Difference | None:
    """Give where the concatenations of two sequences of chunks first differ, None when they are equal."""
    left, right = _Reader(old), _Reader(new)
    offset = 0
    while True:
        one, other = left.peek(), right.peek()
        size = min(len(one), len(other))
        if size == 0:
            if not one and not other:
                return None
            return Difference(offset, one[0] if one else None, other[0] if other else None)
        if one[:size] != other[:size]:
            at = _first(one[:size], other[:size])
            return Difference(offset + at, one[at], other[at])
        left.skip(size)
        right.skip(size)
        offset += size


def _first(one: memoryview, other: memoryview) -> int:
    """Find the first difference in two unequal pieces of equal length, by halving."""
    low, high = 0, len(one)
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


class _Reader:
    def __init__(self, chunks: Iterable[BytesLike]) -> None:
        self._chunks: Iterator[BytesLike] = iter(chunks)
        self._rest = memoryview(b"")

    def peek(self) -> memoryview:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return self._rest
            self._rest = memoryview(chunk)
        return self._rest

    def skip(self, size: int) -> None:
        self._rest = self._rest[size:]
