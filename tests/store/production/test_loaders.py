"""What loads a file of a pipeline, by its name: once its bytes were judged, and not by guessing."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from mlstore.errors import UsageError
from mlstore.production.loaders import loader_for, read_table

TABLE = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def packed(write: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    write(buffer)
    return io.BytesIO(buffer.getvalue())


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        ("a.json", b'{"a": [1]}', {"a": [1]}),
        ("a.TOML", b"[a]\nb = 1\n", {"a": {"b": 1}}),
        ("a.pkl", pickle.dumps([1]), [1]),
        ("deep/a.joblib", packed(lambda file: joblib.dump({"m": 1}, file)).getvalue(), {"m": 1}),
    ],
)
def test_a_file_is_loaded_by_what_its_name_says(name: str, data: bytes, value: object) -> None:
    assert loader_for(name)(io.BytesIO(data)) == value


def test_arrays_are_loaded_and_pickles_in_them_are_not() -> None:
    load = loader_for("a.npy")
    assert load(packed(lambda file: np.save(file, np.arange(3)))).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="allow_pickle"):
        load(packed(lambda file: np.save(file, np.array([{}], object), allow_pickle=True)))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet", "feather"])
def test_tables_of_every_kind_are_the_same_table(suffix: str) -> None:
    if suffix in ("parquet", "feather"):
        pytest.importorskip("pyarrow")
    lines = [json.dumps({"a": a, "b": b}) for a, b in ((1, "x"), (2, "y"))]
    file = {
        "csv": lambda: io.BytesIO(b"a,b\n1,x\n2,y\n"),
        "tsv": lambda: io.BytesIO(b"a\tb\n1\tx\n2\ty\n"),
        "json": lambda: io.BytesIO(f"[{','.join(lines)}]".encode()),
        "jsonl": lambda: io.BytesIO("\n".join(lines).encode()),
        "parquet": lambda: packed(TABLE.to_parquet),
        "feather": lambda: packed(TABLE.to_feather),
    }[suffix]()
    found = read_table(f"data/a.{suffix}", file) if suffix == "json" else loader_for(f"data/a.{suffix}")(file)
    assert found.to_dict("list") == TABLE.to_dict("list")


def test_options_go_to_pandas_and_stand_before_what_the_suffix_says() -> None:
    found = read_table("a.tsv", io.BytesIO(b"a;b\n1;x\n"), sep=";", usecols=["b"])
    assert found.to_dict("list") == {"b": ["x"]}


@pytest.mark.parametrize("name", ["a", "a.bin", "a.csv.gz", "csv"])
def test_what_no_name_tells_has_to_be_told(name: str) -> None:
    with pytest.raises(UsageError, match="do not know how to load this") as caught:
        loader_for(name)
    assert caught.value.hint == "pass loader=, a function of a binary file"
    with pytest.raises(UsageError, match="is not a table"):
        read_table(name, io.BytesIO(b"a\n1\n"))
