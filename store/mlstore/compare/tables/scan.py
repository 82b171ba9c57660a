"""The first pass over a table: a hash for every row, and what is counted in its columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from mlstore.compare.tables.cells import CellReader
from mlstore.compare.tables.columns import Column
from mlstore.compare.tables.hashes import Hashes
from mlstore.compare.tables.readers import Row, Table

_BETWEEN = "\x1f"


@dataclass(slots=True)
class Scan:
    """What one pass over one table gives: hashes of whole rows and of their keys, and its columns."""

    rows: Hashes
    keys: Hashes | None
    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class Plan:
    """What two tables are compared by: common columns, key columns, a secret for hashes, a limit in bytes.

    Whoever makes a table cannot know the secret, so that no two rows can be made to look alike.
    """

    common: tuple[str, ...]
    key: tuple[str, ...]
    secret: bytes
    most: int


def picker(table: Table, names: tuple[str, ...]) -> Callable[[Row], Row]:
    """Give a function that picks the cells of columns *names* out of a row."""
    places = [table.columns.index(name) for name in names]
    if places == list(range(len(table.columns))):
        return lambda row: row
    return lambda row: [row[place] for place in places]


def scan(table: Table, plan: Plan) -> Scan:
    """Read all of *table* once."""
    import numpy as np
    from xxhash import xxh3_64_intdigest

    readers = [CellReader() for _ in table.columns]
    columns = [Column(name) for name in table.columns]
    common = [table.columns.index(name) for name in plan.common]
    key = [table.columns.index(name) for name in plan.key]
    found = Scan(Hashes(plan.most), Hashes(plan.most) if key else None, {one.name: one for one in columns})
    for batch in table.batches():
        runs = zip(*batch, strict=True)
        cells = [reader.read(list(run)) for reader, run in zip(readers, runs, strict=True)]
        texts = [column.texts for column in cells]
        joined = _join([texts[place] for place in common], len(batch))
        draws = np.array([xxh3_64_intdigest(row) for row in joined], np.uint64)
        for column, own in zip(columns, cells, strict=True):
            column.update(own, draws)
        found.rows.extend(_hash(joined, plan.secret))
        if found.keys is not None:
            found.keys.extend(_hash(_join([texts[place] for place in key], len(batch)), plan.secret))
    return found


def _join(columns: list[list[str]], count: int) -> list[bytes]:
    """Give each row as bytes that no other row has."""
    if not columns:
        return [b""] * count
    rows, between = [], len(columns) - 1
    for row in zip(*columns, strict=True):
        text = _BETWEEN.join(row)
        if text.count(_BETWEEN) != between:
            text = "\x1e" + repr(row)
        rows.append(text.encode("utf-8", "surrogatepass"))
    return rows


def _hash(rows: list[bytes], secret: bytes) -> list[bytes]:
    return [hashlib.blake2b(row, digest_size=8, key=secret).digest() for row in rows]
