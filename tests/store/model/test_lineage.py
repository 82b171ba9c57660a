from __future__ import annotations

from dataclasses import replace

import pytest

from mlstore.hashing import ObjectId, object_format
from mlstore.model import StageRecord, compute_lineage

ONE, TWO = ObjectId("ab" * 32), ObjectId("cd" * 32)
STAGE = StageRecord(
    "clean", ("python", "clean.py"), {"data/raw.csv": ONE}, {"data/clean.csv": TWO}, {"generate": ONE}
)


@pytest.mark.parametrize("name", ["blake3", "sha256"])
def test_the_lineage_is_the_hash_of_the_bytes_in_the_document(name: str) -> None:
    fmt = object_format(name)
    text = (
        'mlstore lineage 1\n{"command":["python","clean.py"],"inputs":{"data/raw.csv":"' + ONE
        + '"},"outputs":{"data/clean.csv":"' + TWO
        + '"},"stage":"clean","upstream":{"generate":"' + ONE + '"}}'
    )  # fmt: skip
    assert compute_lineage(fmt, STAGE) == fmt.hash_bytes(text.encode())


def test_an_empty_upstream_stands_in_it_all_the_same() -> None:
    fmt = object_format("blake3")
    text = (
        'mlstore lineage 1\n{"command":["python","clean.py"],"inputs":{"data/raw.csv":"' + ONE
        + '"},"outputs":{"data/clean.csv":"' + TWO + '"},"stage":"clean","upstream":{}}'
    )  # fmt: skip
    assert compute_lineage(fmt, replace(STAGE, upstream={})) == fmt.hash_bytes(text.encode())


@pytest.mark.parametrize(
    "changed",
    [
        replace(STAGE, name="other"),
        replace(STAGE, command=("python clean.py",)),
        replace(STAGE, inputs={"data/raw.csv": TWO}),
        replace(STAGE, inputs={"data/raw.csv": ONE, "x": ONE}),
        replace(STAGE, inputs={}),
        replace(STAGE, outputs={"data/clean.csv": ONE}),
        replace(STAGE, outputs={"data/other.csv": TWO}),
        replace(STAGE, upstream={"generate": TWO}),
        replace(STAGE, upstream={}),
    ],
)
def test_what_the_pipeline_is_made_of_counts(changed: StageRecord) -> None:
    fmt = object_format("blake3")
    assert compute_lineage(fmt, changed) != compute_lineage(fmt, STAGE)


def test_who_when_where_and_how_long_do_not_count() -> None:
    fmt = object_format("blake3")
    other = replace(STAGE, record="observed", environment=ONE, parameters={"seed": "1"}, duration_ms=5)
    assert compute_lineage(fmt, other) == compute_lineage(fmt, STAGE)


def test_the_order_in_which_inputs_were_named_does_not_count() -> None:
    fmt = object_format("blake3")
    one = replace(STAGE, inputs={"a": ONE, "b": TWO})
    assert compute_lineage(fmt, one) == compute_lineage(fmt, replace(STAGE, inputs={"b": TWO, "a": ONE}))
