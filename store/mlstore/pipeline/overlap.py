"""Whether two path patterns can match one and the same path.

Both are taken apart into components and walked together; within a component the two globs are walked
character by character. A pattern also matches all that lies below what it names, so ``data`` and
``**/*.csv`` overlap: ``data`` may be a folder. But nothing is looked for by ``**`` below a name that
ends like a file's: ``model.joblib`` and ``**/*.csv`` do not (``model.joblib/`` and ``**/*.csv`` do).
In doubt, between two sets (``[abc]``), the answer is yes.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mlstore.model.patterns import has_magic, matches

_TOKEN = re.compile(r"\[!?\]?[^]/]*\]|.", re.DOTALL)
_FILE_LIKE = re.compile(r".+\.[A-Za-z][A-Za-z0-9]{0,9}\Z", re.DOTALL)


@lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """Whether some path fits both patterns."""
    return _Walk(one, other).meet(0, 0, False)


class _Walk:
    """Two patterns, component by component; ``swallowed``: a ``**`` took the last one of the other."""

    def __init__(self, one: str, other: str) -> None:
        self._one = one.rstrip("/").split("/")
        self._other = other.rstrip("/").split("/")
        self._one_is_file = _FILE_LIKE.match(one.rpartition("/")[2]) is not None
        self._other_is_file = _FILE_LIKE.match(other.rpartition("/")[2]) is not None
        self._known: dict[tuple[int, int, bool], bool] = {}

    def meet(self, i: int, j: int, swallowed: bool) -> bool:
        """Whether what is left of both, from components *i* and *j* on, can match the same."""
        if i == len(self._one):
            return self._can_go_on(self._other[j:], swallowed and self._one_is_file)
        if j == len(self._other):
            return self._can_go_on(self._one[i:], swallowed and self._other_is_file)
        key = (i, j, swallowed)
        if key not in self._known:
            self._known[key] = self._step(i, j, swallowed)
        return self._known[key]

    @staticmethod
    def _can_go_on(rest: list[str], is_file: bool) -> bool:
        """One pattern is at its end: the other one can match it, or something below it."""
        return not is_file or all(part == "**" for part in rest)

    def _step(self, i: int, j: int, swallowed: bool) -> bool:
        left, right = self._one[i], self._other[j]
        if left == "**" and (self.meet(i + 1, j, swallowed) or self.meet(i, j + 1, True)):
            return True
        if right == "**" and (self.meet(i, j + 1, swallowed) or self.meet(i + 1, j, True)):
            return True
        if "**" in (left, right):
            return False
        if "**" in left or "**" in right:
            return True  # a run of stars inside a name spans folders: anything may follow
        return _names_meet(left, right) and self.meet(i + 1, j + 1, False)


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
