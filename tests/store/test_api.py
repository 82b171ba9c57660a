"""`mlstore.open`: nothing is deserialised but the very bytes that were proved."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING, Any

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


# --- enforce and warn ---


def change(golden: Pipeline) -> dict[str, list[float]]:
    """Put another model, which loads, in the place of golden's."""
    other = {"coef": [3.0, 4.0]}
    joblib.dump(other, golden.root / "model.joblib")
    return other


def test_warn_gives_the_bytes_that_were_hashed_and_says_that_they_differ(
    golden: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    other = change(golden)
    heard: list[dict[str, Any]] = []
    store = mlstore.open(golden.root)
    assert store.load("model.joblib", mode="warn", on_verdict=heard.append) == other
    (record,) = caplog.records
    assert record.name == "mlstore"
    assert record.levelname == "WARNING"
    assert "'model.joblib' is not what 'golden' holds" in record.getMessage()
    (verdict,) = heard
    assert record.verdict == verdict  # type: ignore[attr-defined]
    assert verdict["schema"] == "mlstore.load/1"
    assert (verdict["ok"], verdict["verdict"], verdict["mode"], verdict["used"]) == (
        False,
        "differs",
        "warn",
        True,
    )
    assert verdict["actual"] == golden.value("model.joblib")
    assert verdict["expected"] != verdict["actual"]
    json.dumps(verdict)


def test_warn_uses_the_very_bytes_that_it_hashed(golden: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    other = change(golden)
    true_load = joblib.load

    def swap_then_load(file: object) -> object:
        (golden.root / "model.joblib").write_bytes(b"something else entirely")
        return true_load(file)

    monkeypatch.setattr(joblib, "load", swap_then_load)
    assert mlstore.open(golden.root, mode="warn").load("model.joblib") == other


def test_a_good_verdict_is_told_too_and_logs_nothing(
    golden: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[dict[str, Any]] = []
    store = mlstore.open(golden.root, on_verdict=heard.append)
    store.load("model.joblib")
    (golden.root / "model.joblib").unlink()
    store.load("model.joblib")
    assert [(one["ok"], one["source"]) for one in heard] == [(True, "worktree"), (True, "store")]
    assert heard[0]["mode"] == "enforce"
    assert caplog.records == []


def test_a_refusal_is_told_before_it_is_raised(golden: Pipeline) -> None:
    change(golden)
    heard: list[dict[str, Any]] = []
    with pytest.raises(NotVerified):
        mlstore.open(golden.root).load("model.joblib", on_verdict=heard.append)
    assert [(one["ok"], one["used"]) for one in heard] == [(False, False)]


def test_a_listener_that_raises_stops_the_load(golden: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_verdict: dict[str, Any]) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(joblib, "load", lambda _file: pytest.fail("loaded all the same"))
    with pytest.raises(RuntimeError, match="the log is full"):
        mlstore.open(golden.root, mode="warn").load("model.joblib", on_verdict=refuse)


def test_the_mode_is_that_of_the_call_the_store_or_the_settings(golden: Pipeline) -> None:
    change(golden)
    golden.repo.save_config(golden.repo.config.with_value("exec.mode", "warn"))
    assert mlstore.open(golden.root).mode == "warn"
    mlstore.open(golden.root).read_bytes("model.joblib")
    for store, mode in (
        (mlstore.open(golden.root, mode="enforce"), None),
        (mlstore.open(golden.root), "enforce"),
    ):
        with pytest.raises(NotVerified):
            store.read_bytes("model.joblib", mode=mode)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is not a mode"):
        mlstore.open(golden.root, mode="maybe")  # type: ignore[arg-type]
    golden.repo.save_config(golden.repo.config.with_value("exec.mode", "maybe"))
    with pytest.raises(UsageError, match=r"'exec\.mode' is 'maybe'"):
        mlstore.open(golden.root)


def test_every_way_to_read_takes_a_mode(golden: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    golden.write("data/raw.csv", "a,b\n5,6\n")
    store = mlstore.open(golden.root)
    assert store.read_table("data/raw.csv", mode="warn", usecols=["a"]).to_dict("list") == {"a": [5]}
    assert store.open("data/raw.csv", mode="warn").read() == b"a,b\n5,6\n"
    assert store.read_bytes("data/raw.csv", mode="warn") == b"a,b\n5,6\n"
    assert store.load("data/raw.csv", mode="warn").shape == (1, 2)
    assert not store.require(mode="warn").ok
    assert len(caplog.records) == 5


def test_warn_still_refuses_what_is_damaged_gone_or_unpinned(golden: Pipeline) -> None:
    store, model = mlstore.open(golden.root, mode="warn"), golden.value("model.joblib")
    with pytest.raises(PathNotFound):
        store.load("other.joblib")
    (golden.root / "model.joblib").unlink()
    golden.flip(model)
    store = mlstore.open(golden.root, mode="warn")
    with pytest.raises(mlstore.MlstoreError, match="corrupt"):
        store.load("model.joblib")
    with pytest.raises(NotVerified):
        store.require()
    other = golden.commit("another")
    create_tag(golden.repo, "golden", other, message=None, tagger=ADA, time=commit_time(2), force=True)
    with pytest.raises(NotVerified, match="pins"):
        mlstore.open(golden.root, mode="warn").load("metrics.json")


def test_require_tells_the_whole_verdict(golden: Pipeline) -> None:
    heard: list[dict[str, Any]] = []
    store = mlstore.open(golden.root, on_verdict=heard.append)
    store.require()
    golden.write("metrics.json", "{}")
    store.require(mode="warn")
    with pytest.raises(NotVerified):
        store.require()
    assert [(one["schema"], one["ok"], one["used"], one["mode"]) for one in heard] == [
        ("mlstore.verify/1", True, True, "enforce"),
        ("mlstore.verify/1", False, True, "warn"),
        ("mlstore.verify/1", False, False, "enforce"),
    ]


def test_without_any_logging_set_up_a_warning_is_seen(golden: Pipeline) -> None:
    import subprocess
    import sys

    change(golden)
    script = "import sys, mlstore; print(mlstore.open(sys.argv[1], mode='warn').load('model.joblib'))"
    done = subprocess.run(
        [sys.executable, "-c", script, golden.root], capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'coef': [3.0, 4.0]}\n"
    assert "used all the same (mode 'warn')" in done.stderr
