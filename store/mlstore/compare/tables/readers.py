"""Tables as rows of text: csv, tsv and jsonl, read forwards in bounded memory, as often as needed."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Settings
from mlstore.compare.tables.cells import Cell
from mlstore.errors import CorruptArtifact

BATCH = 4096
"""How many rows are looked at together."""

Row = list[str]
_LONGEST_LINE = 8 << 20
_MOST_COLUMNS = 20_000
_DELIMITERS = ",\t;|"


class Table(Protocol):
    """A table that can be read again from the start; ``dtypes`` is None where the format declares none."""

    columns: tuple[str, ...]
    dtypes: tuple[str, ...] | None
    form: dict[str, Any]

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in batches, each row with one text for every column."""


def open_table(side: Artifact, settings: Settings) -> Table:
    """Open a table by its suffix (csv where it says nothing); raises ``CorruptArtifact``."""
    if side.suffix in (".jsonl", ".ndjson"):
        return JsonLines(side)
    return Separated(side, settings.delimiter)


def lines_of(side: Artifact) -> Iterator[str]:
    """Yield the lines of a text, each with a line feed; UTF-8, or what a byte order mark says."""
    head = side.head()
    encoding = "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    old_mac = b"\r" in head and b"\n" not in head
    rest = ""
    for piece in side.pieces(1 << 18):
        text = decoder.decode(piece)
        if old_mac:
            text = text.replace("\r", "\n")
        first, *others = text.split("\n")
        rest += first
        if len(rest) > _LONGEST_LINE:
            raise CorruptArtifact(f"'{side.name}' has a line of more than {_LONGEST_LINE} characters")
        for other in others:
            yield rest.removesuffix("\r") + "\n"
            rest = other
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest.removesuffix("\r") + "\n"


def unique_names(names: list[str]) -> tuple[str, ...]:
    """Give every column a name of its own: a second ``a`` is ``a#2``."""
    if len(names) > _MOST_COLUMNS:
        raise CorruptArtifact(f"it has {len(names)} columns, more than {_MOST_COLUMNS}")
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    if len(set(found)) != len(found):
        raise CorruptArtifact("its columns cannot be told apart by name")
    return tuple(found)


class Separated:
    """A csv or tsv file: the first row has the names, unless every cell in it is a number."""

    def __init__(self, side: Artifact, delimiter: str | None = None) -> None:
        self._side = side
        self._delimiter = delimiter or _guess_delimiter(side)
        first = next(self._raw_rows(), [])
        self._headless = bool(first) and all(Cell(cell).number is not None for cell in first)
        names = [f"column {number}" for number in range(1, len(first) + 1)] if self._headless else first
        self.columns = unique_names(names)
        self.dtypes: tuple[str, ...] | None = None
        self.form: dict[str, Any] = {"delimiter": self._delimiter}
        self.ragged = 0

    def _raw_rows(self) -> Iterator[Row]:
        reader = csv.reader(lines_of(self._side), delimiter=self._delimiter)
        try:
            for row in reader:
                if row:  # a blank line is no row
                    yield row
        except csv.Error as exc:
            raise CorruptArtifact(f"'{self._side.name}' line {reader.line_num}: {exc}") from None

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in batches; short rows are filled up, long ones keep their rest in the last cell."""
        rows = self._raw_rows()
        if not self._headless:
            next(rows, None)
        width, batch = len(self.columns), []
        self.ragged = 0
        for row in rows:
            if len(row) != width:
                self.ragged += 1
            batch.append(row if len(row) == width else self._fit(row, width))
            if len(batch) >= BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _fit(self, row: Row, width: int) -> Row:
        if len(row) < width:
            return row + [""] * (width - len(row))
        return [*row[: width - 1], self._delimiter.join(row[width - 1 :])]


def _guess_delimiter(side: Artifact) -> str:
    if side.suffix == ".tsv":
        return "\t"
    first = next(lines_of(side), "")
    counts = {mark: first.count(mark) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: counts[mark])
    return best if counts[best] else ","


class JsonLines:
    """A file with one JSON object a line; its columns are all keys, in the order in which they appear."""

    def __init__(self, side: Artifact) -> None:
        self._side = side
        names: dict[str, None] = {}
        for item in self._items():
            if not item.keys() <= names.keys():
                names.update(dict.fromkeys(item))
                if len(names) > _MOST_COLUMNS:
                    break
        self.columns = unique_names(list(names))
        self.dtypes: tuple[str, ...] | None = None
        self.form: dict[str, Any] = {}

    def _items(self) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(lines_of(self._side), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                raise CorruptArtifact(f"'{self._side.name}' line {number} is not JSON") from None
            if not isinstance(value, dict):
                raise CorruptArtifact(f"'{self._side.name}' line {number} is not a JSON object")
            yield value

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in batches; a key that is not there is an empty cell."""
        return in_batches(
            [text_of(item[name]) if name in item else "" for name in self.columns] for item in self._items()
        )


def text_of(value: Any) -> str:
    """Give a JSON value as a cell; a text that could be taken for something else keeps its quotes."""
    if isinstance(value, str):
        return value if Cell(value).kind == "text" else json.dumps(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(value, sort_keys=True)


def in_batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Group rows."""
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class Cursor:
    """Walks forwards through a table's rows by their numbers."""

    def __init__(self, table: Table, pick: Callable[[Row], Row]) -> None:
        self._batches = table.batches()
        self._pick = pick
        self._batch: list[Row] = []
        self._start = 0

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """Yield the rows from *start* to *stop*; *start* may not lie before an earlier one."""
        number = start
        while number < stop:
            while number >= self._start + len(self._batch):
                self._start += len(self._batch)
                batch = next(self._batches, None)
                if batch is None:
                    return
                self._batch = batch
            yield self._pick(self._batch[number - self._start])
            number += 1
