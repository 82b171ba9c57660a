"""Single numbers within a tolerance: exact for integers, never fooled by what is infinite."""

from __future__ import annotations

import math

from mlstore.compare.tables.cells import Cell
from mlstore.manifest import GateRule

Number = int | float


def distance(golden: Number, current: Number) -> float:
    """Give how far apart two numbers are; 0 for two NaN or two equal infinities, else infinity for these."""
    if golden == current or (golden != golden and current != current):
        return 0.0
    try:
        found = float(abs(current - golden))
    except OverflowError:
        return math.inf
    return found if math.isfinite(found) else math.inf


def is_within(golden: Number, current: Number, rule: GateRule) -> bool:
    """Whether ``|current - golden| <= atol + rtol * |golden|``."""
    if golden == current or (golden != golden and current != current):
        return True
    try:
        limit = rule.atol + rule.rtol * abs(golden)
        apart = abs(current - golden)
    except OverflowError:
        return False
    return math.isfinite(apart) and apart <= limit


def number_of(value: object, *, text: bool) -> Number | None:
    """Give *value* as a number, None if it is none (True is none); with *text* also what spells one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if text and isinstance(value, str):
        cell = Cell(value.strip())
        return int(cell.text) if cell.kind == "int" else cell.number
    return None


def limit_text(rule: GateRule, largest: float) -> str:
    """Say how far apart numbers are, and how far they may be: ``max |d| 3e-17 <= 1e-09``."""
    found = f"max |d| {largest:.2g}"
    if not rule.rtol:
        return f"{found} <= {rule.atol:g}"
    tolerance = f"{rule.rtol:g} * |golden|"
    return f"{found}, within {f'{rule.atol:g} + ' if rule.atol else ''}{tolerance}"
