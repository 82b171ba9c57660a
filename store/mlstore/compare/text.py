"""Text: unified hunks as git prints them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

_BINARY_WINDOW = 8000
TEXT_LIMIT = 4 << 20
"""Larger texts (bytes) are not compared line by line."""

# SequenceMatcher finds more than unique lines tell, but its time grows with the square, and more.
_SMALL = 50
# Every text is compared in bounded time: lines looked at, as a multiple of the lines there are.
_MOST_PASSES = 50
# That much is granted to every text: without it a short one with a moved line would be one change as a whole.
_FREE = 1 << 20


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of changed lines with context. Starts count from 1; ``lines`` are (" ", "+" or "-", bytes)."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: list[tuple[str, bytes]]


class Range(NamedTuple):
    """Lines ``i1:i2`` of the old text beside lines ``j1:j2`` of the new one."""

    i1: int
    i2: int
    j1: int
    j2: int


def is_binary(head: bytes) -> bool:
    """Whether *head* (the start of a file) holds a zero byte: git's test."""
    return b"\0" in head[:_BINARY_WINDOW]


def text_hunks(old: bytes, new: bytes, context: int = 3) -> list[Hunk]:
    """Give the hunks that turn *old* into *new*, lines with their line feeds (the last may have none).

    Time and memory grow with the size of the texts, whatever they hold.
    """
    before, after = _lines(old), _lines(new)
    return [_hunk(before, after, group, context) for group in _group(diff_ranges(before, after), context)]


def count_lines(old: bytes, new: bytes) -> tuple[int, int]:
    """Give the numbers of added and of deleted lines."""
    ranges = diff_ranges(_lines(old), _lines(new))
    return sum(r.j2 - r.j1 for r in ranges), sum(r.i2 - r.i1 for r in ranges)


def _lines(data: bytes) -> list[bytes]:
    """Split at line feeds only, as git does: a carriage return is a byte of its line."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def diff_ranges(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[Range]:
    """Give the ranges of items (lines, or what stands for rows) that differ, in order, in bounded time."""
    found: list[Range] = []
    budget = _FREE + _MOST_PASSES * (len(before) + len(after) + 1)
    pending = [Range(0, len(before), 0, len(after))]
    while pending:
        part = _trim(before, after, pending.pop())
        if part.i1 == part.i2 and part.j1 == part.j2:
            continue
        budget -= _price(part)
        gaps = _between_matches(before, after, part) if budget > 0 else [part]
        if gaps == [part]:
            found.append(part)
        else:
            pending += reversed(gaps)
    return found


def _price(part: Range) -> int:
    old, new = part.i2 - part.i1, part.j2 - part.j1
    return 4 * old * new if max(old, new) <= _SMALL else old + new


def _trim(before: Sequence[Hashable], after: Sequence[Hashable], part: Range) -> Range:
    """Leave out what is equal at both ends."""
    i1, i2, j1, j2 = part
    while i1 < i2 and j1 < j2 and before[i1] == after[j1]:
        i1, j1 = i1 + 1, j1 + 1
    while i1 < i2 and j1 < j2 and before[i2 - 1] == after[j2 - 1]:
        i2, j2 = i2 - 1, j2 - 1
    return Range(i1, i2, j1, j2)


def _between_matches(before: Sequence[Hashable], after: Sequence[Hashable], part: Range) -> list[Range]:
    """Cut *part* at lines that belong together; it comes back whole when there are none."""
    if part.i1 == part.i2 or part.j1 == part.j2:
        return [part]
    pairs = _anchors(before, after, part)
    if not pairs and max(part.i2 - part.i1, part.j2 - part.j1) <= _SMALL:
        matcher = SequenceMatcher(None, before[part.i1 : part.i2], after[part.j1 : part.j2], autojunk=False)
        for i, j, size in matcher.get_matching_blocks():
            pairs += [(part.i1 + i + step, part.j1 + j + step) for step in range(size)]
    gaps, i, j = [], part.i1, part.j1
    for next_i, next_j in [*pairs, (part.i2, part.j2)]:
        if next_i > i or next_j > j:
            gaps.append(Range(i, next_i, j, next_j))
        i, j = next_i + 1, next_j + 1
    return gaps


def _anchors(before: Sequence[Hashable], after: Sequence[Hashable], part: Range) -> list[tuple[int, int]]:
    """Give pairs of equal lines that occur once on either side, in an order that both sides keep."""
    old, new = before[part.i1 : part.i2], after[part.j1 : part.j2]
    once_old, once_new = Counter(old), Counter(new)
    place = {line: part.j1 + j for j, line in enumerate(new) if once_new[line] == 1}
    pairs = [
        (part.i1 + i, place[line]) for i, line in enumerate(old) if once_old[line] == 1 and line in place
    ]
    return _longest_rising(pairs)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give the longest part of *pairs* (sorted by the first) in which the second rises as well."""
    ends: list[int] = []  # the smallest second with which a run of each length can end
    at: list[int] = []  # and the position of that pair
    previous: list[int] = []
    for position, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        previous.append(at[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        at[length : length + 1] = [position]
    rising = []
    position = at[-1] if at else -1
    while position >= 0:
        rising.append(pairs[position])
        position = previous[position]
    return rising[::-1]


def _group(ranges: list[Range], context: int) -> Iterator[list[Range]]:
    """Put together the differences whose context would touch."""
    group: list[Range] = []
    for one in ranges:
        if group and one.i1 - group[-1].i2 > 2 * context:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _hunk(before: Sequence[bytes], after: Sequence[bytes], group: list[Range], context: int) -> Hunk:
    lead = min(context, group[0].i1)
    tail = min(context, len(before) - group[-1].i2)
    i1, j1 = group[0].i1 - lead, group[0].j1 - lead
    lines: list[tuple[str, bytes]] = []
    at = i1
    for one in group:
        lines += [(" ", line) for line in before[at : one.i1]]
        lines += [("-", line) for line in before[one.i1 : one.i2]]
        lines += [("+", line) for line in after[one.j1 : one.j2]]
        at = one.i2
    lines += [(" ", line) for line in before[at : at + tail]]
    old_count, new_count = at + tail - i1, group[-1].j2 + tail - j1
    return Hunk(i1 + bool(old_count), old_count, j1 + bool(new_count), new_count, lines)
