"""What turns proved bytes into objects, by suffix. Each library is imported when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlstore.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".parquet": "read_parquet",
    ".feather": "read_feather",
}


def loader_for(path: str) -> Callable[[BinaryIO], Any]:
    """Give what loads a file of this name; raises ``UsageError`` for a suffix that is not known."""
    suffix = _suffix(path)
    if suffix in (".joblib", ".pkl", ".pickle"):
        return _load_joblib
    if suffix in (".npy", ".npz"):
        return _load_numpy
    if suffix == ".json":
        import json

        return json.load
    if suffix == ".toml":
        import tomllib

        return tomllib.load
    if suffix in _TABLES:
        return lambda file: read_table(path, file)
    raise UsageError(
        f"'{path}': do not know how to load this", hint="pass loader=, a function of a binary file"
    )


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _load_joblib(file: BinaryIO) -> Any:
    import joblib

    return joblib.load(file)


def _load_numpy(file: BinaryIO) -> Any:
    import numpy as np

    return np.load(file, allow_pickle=False)


def read_table(path: str, file: BinaryIO, **options: Any) -> pd.DataFrame:
    """Read *file*, named *path*, as a pandas data frame; raises ``UsageError`` for what is no table."""
    import pandas as pd

    suffix = _suffix(path)
    reader = _TABLES.get(suffix)
    if reader is None:
        raise UsageError(f"'{path}' is not a table", hint=f"tables are {', '.join(sorted(_TABLES))}")
    if suffix == ".tsv":
        options.setdefault("sep", "\t")
    if suffix == ".jsonl":
        options.setdefault("lines", True)
    table: pd.DataFrame = getattr(pd, reader)(file, **options)
    return table
