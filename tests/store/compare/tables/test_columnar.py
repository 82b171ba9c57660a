from __future__ import annotations

import io
import sys

import pandas as pd
import pytest

from mlstore.compare import Artifact, Settings, Verdict, compare_artifacts

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": range(500),
            "x": [n / 7 for n in range(500)],
            "s": ["1" if n % 2 else None for n in range(500)],
            "t": pd.date_range("2026-01-01", periods=500),
            "l": [[n, 1] for n in range(500)],
        }
    )


def parquet(data: pd.DataFrame, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(data, preserve_index=False), buffer, **options)
    return buffer.getvalue()


def feather(data: pd.DataFrame, **options) -> bytes:
    buffer = io.BytesIO()
    data.to_feather(buffer, **options)
    return buffer.getvalue()


def compare(old: bytes, new: bytes, name: str = "a.parquet", **options):
    return compare_artifacts(
        Artifact.from_bytes(old, name), Artifact.from_bytes(new, name), Settings(**options)
    )


def test_row_groups_and_compression_are_encoding() -> None:
    found = compare(parquet(frame()), parquet(frame(), row_group_size=100, compression="gzip"))
    assert found.verdict is Verdict.EQUIVALENT
    assert "row groups 1 -> 5" in found.summary
    assert "compression 'SNAPPY' -> 'GZIP'" in found.summary
    assert (
        compare(feather(frame()), feather(frame(), compression="uncompressed")).verdict is Verdict.EQUIVALENT
    )


def test_a_changed_cell_and_a_row_put_in() -> None:
    new = frame()
    new.loc[7, "x"] = 9.0
    found = compare(parquet(frame()), parquet(new))
    assert found.details[0].where == "row 8, column 'x'"
    later = pd.concat([frame().iloc[:1].assign(id=-1), frame()])
    assert compare(parquet(frame()), parquet(later), key=("id",)).measures["rows_added"] == 1
    assert compare(feather(frame()), feather(later.reset_index(drop=True))).measures["rows_added"] == 1


def test_dtypes_are_those_of_the_schema_and_null_is_no_text() -> None:
    found = compare(parquet(frame()), parquet(frame().astype({"id": "int32"})))
    assert "dtype of column 'id' int64 -> int32" in found.lines()
    assert found.measures["rows_changed"] == 0
    found = compare(parquet(frame()), parquet(frame().fillna({"s": "null"})))
    assert found.measures["rows_changed"] == 250


def test_damaged_files_and_large_row_groups_are_incomplete() -> None:
    good = parquet(frame())
    for at in range(4, len(good), len(good) // 40):
        bad = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        assert compare(good, bad).verdict in tuple(Verdict)
    assert compare(good, good[:-10]).verdict is Verdict.INCOMPLETE
    found = compare(good, parquet(frame(), compression="gzip"), memory=1000)
    assert "larger than the memory" in found.missing[0]


def test_without_pyarrow_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = compare(b"PAR1a", b"PAR1b")
    assert found.verdict is Verdict.INCOMPLETE
    assert "pyarrow, which is not installed" in found.missing[0]


def test_an_old_pyarrow_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pa, "__version__", "13.0.0")
    assert "is not safe" in compare(b"PAR1a", b"PAR1b").missing[0]
