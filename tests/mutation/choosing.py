"""Which tests could notice a mutant, the likeliest and quickest first."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.mutation.measuring import Measured
from tests.mutation.mutants import Mutant

OVERHEAD = 0.01


class Chooser:
    """Learns, too: a test that noticed one change of a module goes before the others."""

    def __init__(self, measured: Measured, budget: float, only: frozenset[str] | None = None) -> None:
        """`budget` is how many seconds of tests a mutant is given at most; `only` these tests, if given."""
        self._budget = budget
        self._measured = measured
        self._only = only
        self._noticed: Counter[tuple[Path, str]] = Counter()
        self._trees: dict[Path, ast.Module] = {}

    def choose(self, mutant: Mutant) -> list[str]:
        """The tests, in order; none if no test executes the line."""
        by_line = self._measured.lines.get(mutant.path.as_posix(), {})
        first, last = self._statement(mutant)
        found = frozenset[str]().union(*(by_line.get(line, frozenset()) for line in range(first, last + 1)))
        if not found and not self._in_function(mutant):
            # What runs at import is executed by no test, and by all that use the module.
            found = frozenset[str]().union(*by_line.values())
        if self._only is not None:
            found &= self._only
        chosen: list[str] = []
        spent = 0.0
        for name in sorted(found, key=lambda name: (self._cost(mutant, name), name)):
            spent += self._measured.seconds[name]
            if spent > self._budget and chosen:
                break
            chosen.append(name)
        return chosen

    def seconds(self, tests: list[str]) -> float:
        return sum(self._measured.seconds.get(name, 1.0) + OVERHEAD for name in tests)

    def learn(self, mutant: Mutant, test: str) -> None:
        self._noticed[mutant.path, test] += 1

    def _cost(self, mutant: Mutant, name: str) -> float:
        rate = 1.0 + 3.0 * (f"test_{mutant.path.stem}.py" in name)
        rate *= 1.0 + self._noticed[mutant.path, name]
        return (self._measured.seconds[name] + OVERHEAD) / rate

    def _tree(self, mutant: Mutant) -> ast.Module:
        if mutant.path not in self._trees:
            self._trees[mutant.path] = ast.parse(mutant.source)
        return self._trees[mutant.path]

    def _statement(self, mutant: Mutant) -> tuple[int, int]:
        """The first and last line of the innermost statement; of one that holds others, its head."""
        found = [(mutant.line, mutant.line)]
        for node in ast.walk(self._tree(mutant)):
            if isinstance(node, ast.stmt | ast.ExceptHandler):
                assert node.end_lineno is not None
                body = getattr(node, "body", None)
                last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
                # A jump may be folded into the condition before it, and is no line of its own then.
                first = node.lineno - isinstance(node, ast.Continue | ast.Break)
                if node.lineno <= mutant.line <= last:
                    found.append((first, last))
        return max(found[1:] or found)

    def _in_function(self, mutant: Mutant) -> bool:
        for node in ast.walk(self._tree(mutant)):
            if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= mutant.line:
                assert node.end_lineno is not None
                if mutant.line <= node.end_lineno:
                    return True
        return False
