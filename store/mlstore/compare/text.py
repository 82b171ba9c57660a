"""Text: unified hunks as git prints them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

_BINARY_WINDOW = 8000
TEXT_LIMIT = 4 << 20
"""Larger texts (bytes) are not compared line by line: the time would grow with the square."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of changed lines with context. Starts count from 1; ``lines`` are (" ", "+" or "-", bytes)."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: list[tuple[str, bytes]]


def is_binary(head: bytes) -> bool:
    """Whether *head* (the start of a file) holds a zero byte: git's test."""
    return b"\0" in head[:_BINARY_WINDOW]


def text_hunks(old: bytes, new: bytes, context: int = 3) -> list[Hunk]:
    """Give the hunks that turn *old* into *new*, lines with their line ends."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    # Equal lines at both ends are most of a file: the matcher only sees what is between.
    low = max(0, start - context)
    old_stop, new_stop = len(before) - max(0, end - context), len(after) - max(0, end - context)
    if start == len(before) == len(after):
        return []
    matcher = SequenceMatcher(None, before[low:old_stop], after[low:new_stop], autojunk=False)
    hunks = []
    for group in matcher.get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        lines: list[tuple[str, bytes]] = []
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [(" ", line) for line in before[low + i1 : low + i2]]
            else:
                lines += [("-", line) for line in before[low + i1 : low + i2]]
                lines += [("+", line) for line in after[low + j1 : low + j2]]
        old_count, new_count = last[2] - first[1], last[4] - first[3]
        hunks.append(
            Hunk(
                low + first[1] + (1 if old_count else 0),
                old_count,
                low + first[3] + (1 if new_count else 0),
                new_count,
                lines,
            )
        )
    return hunks


def count_lines(old: bytes, new: bytes) -> tuple[int, int]:
    """Give the numbers of added and of deleted lines."""
    added = deleted = 0
    for hunk in text_hunks(old, new, context=0):
        added += sum(sign == "+" for sign, _ in hunk.lines)
        deleted += sum(sign == "-" for sign, _ in hunk.lines)
    return added, deleted


def _common(one: list[bytes], other: list[bytes]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
