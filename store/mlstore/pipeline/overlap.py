"""Whether two path patterns can match one and the same path.

Both are taken apart into components and walked together; within a component the two globs are walked
character by character, so the answer is exact but for sets (``[abc]``), where it may be a careful yes.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mlstore.model.patterns import has_magic, matches

_TOKEN = re.compile(r"\[!?\]?[^]/]*\]|.", re.DOTALL)


@lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """Whether some path fits both patterns; a pattern also fits all that lies below what it names."""
    return _parts_meet(tuple(one.rstrip("/").split("/")), tuple(other.rstrip("/").split("/")))


def _parts_meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    known: dict[tuple[int, int], bool] = {}

    def meet(i: int, j: int) -> bool:
        if i == len(one) or j == len(other):
            return True  # the shorter one names a folder, and everything below it
        key = (i, j)
        if key not in known:
            known[key] = _step(i, j)
        return known[key]

    def _step(i: int, j: int) -> bool:
        left, right = one[i], other[j]
        if left == "**" or right == "**":
            return (left == "**" and meet(i + 1, j)) or (right == "**" and meet(i, j + 1)) or _skip(i, j)
        if "**" in left or "**" in right:
            return True  # a run of stars inside a name spans folders: anything may follow
        return _names_meet(left, right) and meet(i + 1, j + 1)

    def _skip(i: int, j: int) -> bool:
        """Let a ``**`` swallow one component of the other pattern."""
        return (one[i] == "**" and meet(i, j + 1)) or (other[j] == "**" and meet(i + 1, j))

    return meet(0, 0)


def _names_meet(one: str, other: str) -> bool:
    if not has_magic(one):
        return one == other if not has_magic(other) else matches(other, one)
    if not has_magic(other):
        return matches(one, other)
    left, right = _TOKEN.findall(one), _TOKEN.findall(other)
    reached = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        i, j = pending.pop()
        if i == len(left) and j == len(right):
            return True
        for step in _next_steps(left, right, i, j):
            if step not in reached:
                reached.add(step)
                pending.append(step)
    return False


def _next_steps(left: list[str], right: list[str], i: int, j: int) -> list[tuple[int, int]]:
    a = left[i] if i < len(left) else ""
    b = right[j] if j < len(right) else ""
    steps = []
    if a == "*":
        steps.append((i + 1, j))
        if b:
            steps.append((i, j + 1))
    if b == "*":
        steps.append((i, j + 1))
        if a:
            steps.append((i + 1, j))
    if a and b and "*" not in (a, b) and _characters_meet(a, b):
        steps.append((i + 1, j + 1))
    return steps


def _characters_meet(a: str, b: str) -> bool:
    if len(a) > 1 and len(b) > 1:
        return True  # two sets: careful
    if len(a) > 1:
        return b == "?" or matches(a, b)
    if len(b) > 1:
        return a == "?" or matches(b, a)
    return a == b or "?" in (a, b)
