"""Tables in parquet and feather files, if pyarrow is installed: row groups and compression are no content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Settings
from mlstore.compare.tables.compare import compare_tables
from mlstore.compare.tables.readers import BATCH, Row, text_of, unique_names
from mlstore.errors import CorruptArtifact

NAME = "columnar"
_LEAST_VERSION = (14, 0, 1)
_MOST_GROUP = 8
"""A row group may unpack to so many times the memory of a comparison: it is read page by page."""


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two parquet or feather files; see ``compare_tables``."""
    return compare_tables(Columnar(old, settings), Columnar(new, settings), settings, NAME)


def _import_pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise CorruptArtifact(
            "parquet and feather files are read by pyarrow, which is not installed",
            hint="install pyarrow, or mlstore with its extra 'parquet'",
        ) from None
    found = tuple(int(part) for part in pyarrow.__version__.split(".")[:3] if part.isdigit())
    if found < _LEAST_VERSION:  # older ones unpickle what a schema names
        raise CorruptArtifact(
            f"pyarrow {pyarrow.__version__} is not safe for files of others",
            hint="upgrade it to 14.0.1 or later",
        )
    return pyarrow


class Columnar:
    """A parquet file, or a feather file of version 2."""

    def __init__(self, side: Artifact, settings: Settings) -> None:
        self._side = side
        self._arrow = _import_pyarrow()
        self._parquet = side.head(4) == b"PAR1"
        self.form: dict[str, Any] = {"format": "parquet" if self._parquet else "feather"}
        with self._side.open_seekable() as file:
            schema = self._guard(lambda: self._read_form(file, settings))
        self.columns = unique_names([field.name for field in schema])
        self.dtypes: tuple[str, ...] | None = tuple(str(field.type) for field in schema)

    def _guard(self, function: Any) -> Any:
        try:
            return function()
        except (
            self._arrow.ArrowException,
            OSError,
            ValueError,
            TypeError,
            OverflowError,
            MemoryError,
        ) as exc:
            first = str(exc).partition("\n")[0]
            raise CorruptArtifact(f"'{self._side.name}' cannot be read: {first}") from None

    def _read_form(self, file: BinaryIO, settings: Settings) -> Any:
        if not self._parquet:
            return self._arrow.ipc.open_file(file).schema
        from pyarrow import parquet

        source = parquet.ParquetFile(file)
        meta = source.metadata
        groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
        if any(group.total_byte_size > settings.memory * _MOST_GROUP for group in groups):
            raise ValueError("a row group is larger than the memory that a comparison may take")
        self.form["row groups"] = len(groups)
        self.form["compression"] = (
            groups[0].column(0).compression if groups and groups[0].num_columns else None
        )
        return source.schema_arrow

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in batches."""
        with self._side.open_seekable() as file:
            found = self._guard(lambda: self._records(file))
            while (record := self._guard(lambda: next(found, None))) is not None:
                yield from self._parts(record)

    def _parts(self, record: Any) -> Iterator[list[Row]]:
        for start in range(0, record.num_rows, BATCH):
            part = record.slice(start, BATCH)
            yield self._guard(lambda part=part: self._rows(part))

    def _records(self, file: BinaryIO) -> Iterator[Any]:
        if self._parquet:
            from pyarrow import parquet

            source = parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
            return iter(source.iter_batches(batch_size=BATCH, use_threads=False))
        reader = self._arrow.ipc.open_file(file)
        return (reader.get_batch(number) for number in range(reader.num_record_batches))

    def _rows(self, record: Any) -> list[Row]:
        columns = [[_text(value) for value in column.to_pylist()] for column in record.columns]
        return [list(row) for row in zip(*columns, strict=True)] if columns else [[]] * record.num_rows


def _text(value: Any) -> str:
    """Give a value as a cell: texts keep their quotes where they could be taken for something else."""
    if value is None or isinstance(value, str | bool | int | float):
        return text_of(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return json.dumps(value, sort_keys=True, default=str)
