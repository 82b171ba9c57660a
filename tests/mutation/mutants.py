"""All the small changes of a module that are worth trying: an operator, a number, a branch, a call less."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


Change: TypeAlias = tuple[int, str, Callable[[], object]]


@dataclass(frozen=True)
class Mutant:
    """One change: number NUMBER of those that `changes` gives for the module."""

    path: Path
    line: int
    what: str
    number: int
    source: str

    def tree(self) -> ast.Module:
        """The module with the change in it."""
        module = ast.parse(self.source)
        for number, (_, _, change) in enumerate(changes(module)):
            if number == self.number:
                change()
                return ast.fix_missing_locations(module)
        raise AssertionError(self)


def mutants_of(path: Path, source: str) -> list[Mutant]:
    found = changes(ast.parse(source))
    return [Mutant(path, line, what, number, source) for number, (line, what, _) in enumerate(found)]


def changes(module: ast.Module) -> Iterator[Change]:
    """Line, description, and what makes the change, for each place; always in the same order."""
    for node in walk(module):
        yield from of_operators(node)
        yield from of_values(node)
        yield from of_statements(node)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """As `ast.walk`, but not into annotations, docstrings, imports for types, and messages of errors."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list") or is_for_types(node):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from walk(child)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def of_operators(node: ast.AST) -> Iterator[Change]:
    def swap(
        owner: ast.AST, operator: ast.AST, at: int | None = None
    ) -> tuple[int, str, Callable[[], object]]:
        new = SWAPPED[type(operator)]()

        def change() -> None:
            if at is None:
                owner.op = new  # type: ignore[attr-defined]
            else:
                owner.ops[at] = new  # type: ignore[attr-defined]

        return owner.lineno, f"{type(operator).__name__} -> {type(new).__name__}", change  # type: ignore[attr-defined]

    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            yield swap(node, operator, at)
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign) and type(node.op) in SWAPPED:
        yield swap(node, node.op)


def of_values(node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield node.lineno, f"{node.value} -> {not node.value}", lambda: setattr(node, "value", not node.value)
    elif isinstance(node.value, int):
        new = node.value + 1
        yield node.lineno, f"{node.value} -> {new}", lambda: setattr(node, "value", new)


def of_statements(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.If | ast.IfExp) and not is_for_types(node):
        test = node.test
        negated = ast.UnaryOp(ast.Not(), copy.deepcopy(test))
        yield node.lineno, f"if {short(test)} -> if not", lambda: setattr(node, "test", negated)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for at, statement in enumerate(block):
            if is_removable(statement):
                gone = f"{short(statement)} -> pass"
                yield statement.lineno, gone, lambda block=block, at=at: block.__setitem__(at, ast.Pass())


def is_removable(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise | ast.Continue | ast.Break):
        return True
    return isinstance(statement, ast.Expr) and isinstance(
        statement.value, ast.Call | ast.Yield | ast.YieldFrom
    )


def short(node: ast.AST) -> str:
    return ast.unparse(node).replace("\n", " ")[:60]
