"""Run by ``predictions`` in a process of its own: loads one model, predicts, writes plain arrays.

``python -I predicting.py MODEL TABLE OUTPUT SECONDS``. It knows nothing of mlstore and is given nothing of
the caller's environment.
"""

from __future__ import annotations

import sys
from typing import Any

_LARGEST_OUTPUT = 1 << 30


def main(model_path: str, table_path: str, output: str, seconds: str) -> None:
    """Predict with one model and write ``predict`` (and ``predict_proba``) into an ``.npz`` file."""
    _limit(int(float(seconds)) + 1)
    import joblib
    import numpy as np

    table = _read(table_path)
    model = joblib.load(model_path)
    rows = _columns(model, table)
    found = {"predict": _plain(model.predict(rows))}
    if hasattr(model, "predict_proba"):
        found["predict_proba"] = _plain(model.predict_proba(rows))
    np.savez(output, **found)


def _limit(seconds: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows: there the caller's clock is all
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_OUTPUT, _LARGEST_OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(path: str) -> Any:
    import pandas as pd

    suffix = path.rpartition(".")[2].lower()
    if suffix == "parquet":
        return pd.read_parquet(path)
    if suffix == "feather":
        return pd.read_feather(path)
    if suffix in ("jsonl", "ndjson"):
        return pd.read_json(path, lines=True)
    # From 3.1 on pandas always gives back the numbers that were written, and wants no such argument.
    major, minor, *_ = pd.__version__.split(".")
    exact: dict[str, Any] = {} if (int(major), int(minor)) >= (3, 1) else {"float_precision": "round_trip"}
    return pd.read_csv(path, sep="\t" if suffix == "tsv" else ",", **exact)


def _columns(model: Any, table: Any) -> Any:
    """Give the columns that the model was fitted on: by name, else all of them in their order."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        missing = [str(name) for name in names if name not in table.columns]
        if missing:
            raise SystemExit(f"the probe has no column '{missing[0]}'")
        return table[list(names)]
    wanted = getattr(model, "n_features_in_", None)
    if wanted is not None and wanted != len(table.columns):
        raise SystemExit(f"the model takes {wanted} columns, the probe has {len(table.columns)}")
    return table.to_numpy()


def _plain(values: Any) -> Any:
    import numpy as np

    found = np.asarray(values)
    return found.astype(str) if found.dtype.hasobject else found


if __name__ == "__main__":
    main(*sys.argv[1:])
