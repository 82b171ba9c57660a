"""What is said of one artifact that is looked into, and that nothing in it is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from mlstore.compare import Artifact, Settings
from mlstore.compare.inspect import inspect_artifact
from mlstore.errors import ConfigError


class Harm:
    def __reduce__(self):
        return os.abort, ()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def parquet() -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), buffer)
    return buffer.getvalue()


SEEN = {
    "a.npy": (npy(np.zeros((2, 3))), "array", {"dtype": "<f8", "shape": "[2, 3]"}),
    "a.npz": (npz(a=np.zeros(2), b=np.ones((1, 2), "i4")), "arrays", {"a": "<f8[2]", "b": "<i4[1, 2]"}),
    "a.csv": (b"x,y\n1,2\n", "table", {"columns": "x, y"}),
    "a.ini": (b"[data]\na = 1\nb = 2\n", "configuration", {"keys": "2"}),
    "a.bin": (bytes(range(256)) * 4, "bytes", {"entropy": "8.0 bits a byte"}),
    "a.ipynb": (b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "notebook", {}),
}


@pytest.mark.parametrize("name", SEEN)
def test_each_kind_is_told_by_what_identifies_it(name: str) -> None:
    data, kind, facts = SEEN[name]
    look = inspect_artifact(Artifact.from_bytes(data, name))
    assert (look.kind, look.verdict, look.size, look.missing) == (kind, "known", len(data), ())
    assert dict(look.facts) == facts
    told = look.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert "model" not in told


def test_a_columnar_file_is_told_by_its_columns_and_their_types() -> None:
    look = inspect_artifact(Artifact.from_bytes(parquet(), "a.parquet"))
    assert look.verdict == "known"
    assert dict(look.facts)["columns"] == "a: int64, b: string"


def test_a_model_is_told_by_what_it_names() -> None:
    look = inspect_artifact(Artifact.from_bytes(pickle.dumps({"a": 1}, 4), "a.pkl"))
    assert (look.kind, look.verdict) == ("model", "known")
    assert dict(look.facts) == {"compression": "raw", "protocol": "4"}
    assert look.to_dict()["model"]["values"] == [{"path": "a", "role": "value", "value": 1}]
    harm = inspect_artifact(Artifact.from_bytes(pickle.dumps(Harm()), "a.pkl"))
    assert harm.verdict == "suspicious"


def test_arrays_of_objects_are_pickles_and_are_told_so() -> None:
    for data, name in (
        (npy(np.array([Harm()], object)), "a.npy"),
        (npz(a=np.array([Harm()], object), b=np.zeros(2)), "a.npz"),
    ):
        look = inspect_artifact(Artifact.from_bytes(data, name))
        assert look.verdict == "suspicious"
        assert look.missing == ("it holds Python objects (a pickle)",)


def test_of_very_many_arrays_the_first_are_shown_and_the_others_counted() -> None:
    data = npz(**{f"a{number}": np.zeros(1) for number in range(9)})
    look = inspect_artifact(Artifact.from_bytes(data, "a.npz"), Settings(rows=4))
    assert len(look.facts) == 5
    assert dict(look.facts)["more"] == "5"


def damaged_member() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", npy(np.zeros(2)))
    data = bytearray(buffer.getvalue())
    data[data.index(b"a.npy")] ^= 1  # the name beside the bytes is not the name in the list
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x93NUMPY\x01\0\x05\0{", "a.npy"),
        (damaged_member(), "a.npz"),
        (npz(a=np.zeros(2))[:-4], "a.npz"),
        (b"[data\n", "a.ini"),
    ],
)
def test_damage_is_told_and_never_called_known(data: bytes, name: str) -> None:
    look = inspect_artifact(Artifact.from_bytes(data, name))
    assert look.verdict == "incomplete" or look.kind == "bytes"
    if look.verdict == "incomplete":
        assert look.missing


def test_a_kind_that_there_is_not_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ConfigError):
        inspect_artifact(Artifact.from_bytes(b"x", "a"), wanted="nonsense")
