"""`mlstore.open`: nothing is deserialised but the very bytes that were proved."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING

import joblib
import pytest
from tests.store.verify.building import ADA, Pipeline, commit_time

import mlstore
from mlstore.errors import NotARepository, NotVerified, PathNotFound, RefNotFound, UsageError
from mlstore.history import create_tag
from mlstore.verify import pin_golden
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def golden(tmp_path: Path) -> Pipeline:
    """A pipeline whose model is a real one, pinned as golden."""
    pipeline = Pipeline(tmp_path / "repo")
    joblib.dump({"coef": [1.0, 2.0]}, pipeline.root / "model.joblib")
    add_paths(pipeline.repo, ["model.joblib"])
    pipeline.write("metrics.json", json.dumps({"mse": 0.5}))
    add_paths(pipeline.repo, ["metrics.json"])
    pipeline.generate()
    pin_golden(pipeline.repo, tagger=ADA, time=commit_time(1))
    return pipeline


def test_load_gives_the_golden_model(golden: Pipeline) -> None:
    assert mlstore.open(golden.root).load("model.joblib", at="golden") == {"coef": [1.0, 2.0]}


def test_a_repository_is_found_from_below(golden: Pipeline) -> None:
    assert mlstore.open(golden.root / "data").root == golden.root


def test_no_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotARepository):
        mlstore.open(tmp_path)


def test_init_makes_a_repository(tmp_path: Path) -> None:
    assert mlstore.init(tmp_path, object_format="sha256").root == tmp_path
    with pytest.raises(UsageError, match="md5"):
        mlstore.init(tmp_path, object_format="md5")


def test_a_changed_model_is_not_deserialised(golden: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    path = golden.root / "model.joblib"
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(joblib, "load", lambda _file: pytest.fail("deserialised bytes that do not match"))
    with pytest.raises(NotVerified, match="first at byte 20") as caught:
        mlstore.open(golden.root).load("model.joblib")
    assert caught.value.data["offset"] == 20


def test_what_is_deserialised_is_what_was_hashed_even_if_the_file_changes_between(
    golden: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = golden.root / "model.joblib"
    opened = []
    true_load = joblib.load

    def swap_then_load(file: object) -> object:
        path.write_bytes(b"something else entirely")
        opened.append(file)
        return true_load(file)

    monkeypatch.setattr(joblib, "load", swap_then_load)
    assert mlstore.open(golden.root).load("model.joblib") == {"coef": [1.0, 2.0]}
    assert opened


def test_the_file_is_read_exactly_once(golden: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    reads = []
    true_open = os.open

    def counting_open(path: object, *args: object, **more: object) -> int:
        if str(path).endswith("model.joblib"):
            reads.append(path)
        return true_open(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", counting_open)
    mlstore.open(golden.root).read_bytes("model.joblib")
    assert len(reads) == 1


def test_a_missing_file_is_taken_from_the_store(golden: Pipeline) -> None:
    (golden.root / "model.joblib").unlink()
    assert mlstore.open(golden.root).load("model.joblib") == {"coef": [1.0, 2.0]}


def test_a_damaged_object_is_not_used_either(golden: Pipeline) -> None:
    model = golden.value("model.joblib")
    (golden.root / "model.joblib").unlink()
    golden.flip(model)
    with pytest.raises(mlstore.MlstoreError, match="corrupt"):
        mlstore.open(golden.root).load("model.joblib")


def test_a_moved_golden_tag_is_refused(golden: Pipeline) -> None:
    golden.write("model.joblib", "another")
    add_paths(golden.repo, ["model.joblib"])
    other = golden.commit("another")
    create_tag(golden.repo, "golden", other, message=None, tagger=ADA, time=commit_time(2), force=True)
    with pytest.raises(NotVerified, match="is not the commit that 'mlstore.lock' pins"):
        mlstore.open(golden.root).load("model.joblib")


def test_a_path_that_golden_does_not_hold_is_missing(golden: Pipeline) -> None:
    store = mlstore.open(golden.root)
    with pytest.raises(PathNotFound):
        store.load("other.joblib")
    with pytest.raises(PathNotFound):
        store.read_bytes("data")
    with pytest.raises(mlstore.MlstoreError):
        store.read_bytes("../outside")
    with pytest.raises(RefNotFound):
        store.load("model.joblib", at="silver")


def test_json_tables_and_own_loaders(golden: Pipeline) -> None:
    store = mlstore.open(golden.root)
    assert store.load("metrics.json") == {"mse": 0.5}
    assert store.read_table("data/raw.csv").to_dict("list") == {"a": [1], "b": [2]}
    assert store.load("data/raw.csv").shape == (1, 2)
    assert store.load("config.ini", loader=lambda file: file.read()[:9]) == b"[DEFAULT]"
    assert store.open("metrics.json").read() == b'{"mse": 0.5}'
    with pytest.raises(UsageError, match="do not know how to load"):
        store.load("config.ini")
    with pytest.raises(UsageError, match="not a table"):
        store.read_table("config.ini")


def test_object_arrays_are_not_unpickled(golden: Pipeline) -> None:
    import numpy as np

    np.save(golden.root / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    add_paths(golden.repo, ["objects.npy"])
    golden.commit("objects")
    with pytest.raises(ValueError, match="allow_pickle"):
        mlstore.open(golden.root).load("objects.npy", at="HEAD")


def test_require_raises_and_verify_reports(golden: Pipeline) -> None:
    store = mlstore.open(golden.root)
    assert store.require(against="golden").ok
    golden.write("model.joblib", "another")
    assert not store.verify(against="golden").ok
    with pytest.raises(NotVerified, match=r"model\.joblib"):
        store.require()


def test_importing_mlstore_costs_nothing() -> None:
    import subprocess
    import sys

    script = "import sys, mlstore; print(sorted(m for m in sys.modules if m.partition('.')[0] in "
    script += "{'numpy', 'pandas', 'sklearn', 'joblib', 'blake3', 'xxhash', 'click', 'rich'}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert builtins.open is not mlstore.open
