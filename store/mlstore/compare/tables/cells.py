"""Cells: one spelling for each value, so that 1.0, 1.00 and 1e0 are the same and 007 is not 7."""

from __future__ import annotations

import re

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


class CellReader:
    """Reads cells with a cache: most columns repeat their values."""

    def __init__(self, most: int = 1 << 14) -> None:
        self._cache: dict[str, Cell] = {}
        self._most = most

    def __call__(self, text: str) -> Cell:
        """Give what *text* means."""
        cell = self._cache.get(text)
        if cell is None:
            cell = Cell(text)
            if len(self._cache) >= self._most:
                self._cache.clear()
            self._cache[text] = cell
        return cell
