"""Cells: one spelling for each value, so that 1.0, 1.00 and 1e0 are the same and 007 is not 7."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(
    r"-?(?:0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]{1,4})?\Z|-?\.[0-9]+([eE][+-]?[0-9]{1,4})?\Z"
)
_LONGEST = 400
_NAN = frozenset({"nan", "NaN", "NAN"})
NULLS = frozenset({"", "NA", "N/A", "NULL", "null", "None", "#N/A", "<NA>"}) | _NAN
_BOOLS = frozenset({"True", "False", "true", "false", "TRUE", "FALSE"})


class Cell:
    """What a cell's text means: its one spelling, its number if it is one, and its kind.

    Kinds are ``null``, ``bool``, ``int``, ``float`` and ``text``.
    """

    __slots__ = ("kind", "number", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.number: float | None = None
        if text in NULLS:
            self.kind = "null"
        elif text in _BOOLS:
            self.kind = "bool"
        else:
            match = _NUMBER.match(text) if len(text) <= _LONGEST else None
            if match is None:
                self.kind = "text"
                return
            self.kind = "int" if match.lastindex is None and "." not in text else "float"
            self.number = float(text)
            self.text = _spell(text, self.number, self.kind)


def _spell(text: str, number: float, kind: str) -> str:
    if kind == "int":
        return str(int(text))
    if number in (float("inf"), float("-inf")):
        return text
    return str(int(number)) if number == int(number) else repr(number)


# Many cells at once, each ended by a line feed. They take less than ``Cell`` does (no long integers), never
# more.
_SHORT = r"-?(?:0|[1-9][0-9]{0,14})"
_INTS = re.compile(r"(?:(?:-?[1-9][0-9]{0,14}|0)\n)*+\Z")
_POWER = r"(?:[eE][+-]?[0-9]{1,4})?"
_NUMBERS = re.compile(rf"(?:(?:{_SHORT}(?:\.[0-9]*)?{_POWER}|-?\.[0-9]+{_POWER})?\n)*+\Z")
_FRACTION = re.compile(r"[.eE]")
_ANY_NUMBER = re.compile(r"^-?[0-9.][0-9.eE+-]*$", re.MULTILINE)
_REMARKABLE = NULLS | _BOOLS


@dataclass(slots=True)
class Cells:
    """A run of one column's cells: spellings, numbers (NaN for what is none), what kinds there are."""

    texts: list[str]
    numbers: Any
    kinds: set[str]
    nulls: int


class CellReader:
    """Reads runs of cells: plain ones all at once, others one by one with a cache."""

    def __init__(self, most: int = 1 << 14) -> None:
        self._cache: dict[str, Cell] = {}
        self._most = most

    def read(self, texts: list[str]) -> Cells:
        """Give what *texts* mean."""
        joined = "\n".join(texts) + "\n"
        found = None
        if joined.count("\n") == len(texts):
            if _NUMBERS.match(joined):
                found = _read_numbers(texts, joined)
            elif _REMARKABLE.isdisjoint(texts) and not _ANY_NUMBER.search(joined):
                found = Cells(texts, None, {"text"}, 0)
        return found or self._read_each(texts)

    def _read_each(self, texts: list[str]) -> Cells:
        import numpy as np

        cells = [self._cell(text) for text in texts]
        kinds = {cell.kind for cell in cells}
        numbers = None
        if "int" in kinds or "float" in kinds:
            numbers = np.array([np.nan if cell.number is None else cell.number for cell in cells])
        nulls = sum(cell.kind == "null" for cell in cells) if "null" in kinds else 0
        return Cells([cell.text for cell in cells], numbers, kinds, nulls)

    def _cell(self, text: str) -> Cell:
        cell = self._cache.get(text)
        if cell is None:
            cell = Cell(text)
            if len(self._cache) >= self._most:
                self._cache.clear()
            self._cache[text] = cell
        return cell


def _read_numbers(texts: list[str], joined: str) -> Cells | None:
    """Read cells that are numbers or empty; None when one of them is too large for a float."""
    import numpy as np

    if _INTS.match(joined):
        return Cells(texts, np.array(texts, float), {"int"}, 0)
    nulls = texts.count("")
    values = [float(text) for text in texts if text]
    numbers = np.array(values)
    if not np.isfinite(numbers).all():
        return None
    spelled = [str(int(value)) if value.is_integer() else repr(value) for value in values]
    kinds = {"float" if _FRACTION.search(joined) else "int"} if values else set()
    if not nulls:
        return Cells(spelled, numbers, kinds, 0)
    rest = iter(spelled)
    full = np.full(len(texts), np.nan)
    full[[bool(text) for text in texts]] = numbers
    return Cells([next(rest) if text else "" for text in texts], full, {*kinds, "null"}, nulls)
