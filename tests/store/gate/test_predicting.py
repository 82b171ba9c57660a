"""The process that loads a model and lets it predict: what it reads, which columns, what it may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlstore.gate import predicting

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pd.DataFrame({"b": [1.0, 2.0, 3.0, 4.0], "a": [0.1, 0.2, 0.3, 0.1 + 0.2]})
KINDS = np.array(["no", "no", "yes", "yes"], object)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the process may use is noted here, and not taken from the process that runs the tests."""
    seconds: list[int] = []
    monkeypatch.setattr(predicting, "_limit", seconds.append)
    return seconds


def predicted(folder: Path, model: Any, table: Path) -> dict[str, np.ndarray]:
    joblib.dump(model, folder / "model.joblib")
    output = folder / "out.npz"
    predicting.main(str(folder / "model.joblib"), str(table), str(output), "1.5")
    with np.load(output) as found:
        return dict(found)


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"probe.{suffix}"
    {
        "csv": lambda: TABLE.to_csv(path, index=False),
        "tsv": lambda: TABLE.to_csv(path, index=False, sep="\t"),
        "jsonl": lambda: TABLE.to_json(path, orient="records", lines=True, double_precision=15),
        "parquet": lambda: TABLE.to_parquet(path),
        "feather": lambda: TABLE.to_feather(path),
    }[suffix]()
    return path


@pytest.mark.parametrize(
    ("version", "asked"), [("2.1.0", True), ("3.0.5", True), ("3.1.0rc0", False), ("4.0", False)]
)
def test_numbers_of_a_csv_are_read_exactly_by_every_pandas(
    monkeypatch: pytest.MonkeyPatch, version: str, asked: bool
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(pd, "__version__", version)
    monkeypatch.setattr(pd, "read_csv", lambda _path, **options: given.update(options))
    predicting._read("probe.tsv")
    assert given.pop("sep") == "\t"
    assert given == ({"float_precision": "round_trip"} if asked else {})


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet", "feather"])
def test_a_probe_of_any_kind_gives_the_same_predictions(
    tmp_path: Path, suffix: str, limits: list[int]
) -> None:
    if suffix in ("parquet", "feather"):
        pytest.importorskip("pyarrow")
    model = LinearRegression().fit(TABLE, [1.0, 2.0, 4.0, 8.0])
    found = predicted(tmp_path, model, written(tmp_path, suffix))
    assert list(found) == ["predict"]
    assert found["predict"] == pytest.approx(model.predict(TABLE), abs=0 if suffix != "jsonl" else 1e-12)
    assert limits == [2], "more than the clock of whoever waits"


def test_columns_are_those_that_the_model_was_fitted_on_in_its_order(tmp_path: Path) -> None:
    model = LinearRegression().fit(TABLE[["a"]], [1.0, 2.0, 4.0, 8.0])
    found = predicted(tmp_path, model, written(tmp_path, "csv"))
    assert found["predict"] == pytest.approx(model.predict(TABLE[["a"]]))


def test_classes_that_are_text_are_written_as_text_and_never_pickled(tmp_path: Path) -> None:
    model = LogisticRegression().fit(TABLE, KINDS)
    found = predicted(tmp_path, model, written(tmp_path, "csv"))
    assert found["predict"].dtype.kind == "U"
    assert list(found["predict"]) == list(model.predict(TABLE))
    assert found["predict_proba"] == pytest.approx(model.predict_proba(TABLE))


def test_a_probe_that_does_not_fit_is_told_in_one_line(tmp_path: Path) -> None:
    table = written(tmp_path, "csv")
    named = LinearRegression().fit(TABLE.rename(columns={"a": "z"}), [1.0, 2.0, 4.0, 8.0])
    with pytest.raises(SystemExit, match="the probe has no column 'z'"):
        predicted(tmp_path, named, table)
    unnamed = LinearRegression().fit(TABLE.to_numpy()[:, :1], [1.0, 2.0, 4.0, 8.0])
    with pytest.raises(SystemExit, match="the model takes 1 columns, the probe has 2"):
        predicted(tmp_path, unnamed, table)
    both = LinearRegression().fit(TABLE.to_numpy(), [1.0, 2.0, 4.0, 8.0])
    assert len(predicted(tmp_path, both, table)["predict"]) == 4


def test_time_and_output_are_bounded_and_nothing_of_it_is_dumped(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.undo()
    asked: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", asked.__setitem__)
    predicting._limit(7)
    assert asked == {
        resource.RLIMIT_CPU: (7, 7),
        resource.RLIMIT_FSIZE: (1 << 30, 1 << 30),
        resource.RLIMIT_CORE: (0, 0),
    }
