"""docs/reproduce.md is true about what each way of observing sees of pandas, pyarrow, numpy and others."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
from pathlib import Path

import pytest
from tests.support import FIXTURES, run_mlstore

from mlstore.errors import CannotRun
from mlstore.pipeline.observation.strace import find_strace
from mlstore_cli.main import main

TEXT = (FIXTURES.parent / "docs/reproduce.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w.*\))(\[.*?\])?` \| (seen|not seen) \| (seen|not seen) \|$", TEXT, re.MULTILINE)
PREAMBLE = "import joblib, numpy, pandas, pyarrow.dataset, pyarrow.parquet, sqlite3, subprocess\n"


def file_of(call: str) -> str:
    (name,) = re.findall(r'"(\w\.\w+)"', call)
    return str(name)


def make_files(folder: Path) -> None:
    """A small file of its own for each call."""
    import joblib
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({"a": [1.0, 2.0]})
    makers = {
        ".csv": lambda path: frame.to_csv(path, index=False),
        ".feather": frame.to_feather,
        ".parquet": frame.to_parquet,
        ".npy": lambda path: np.save(path, np.arange(9)),
        ".npz": lambda path: np.savez(path, a=np.arange(9)),
        ".bin": lambda path: np.arange(9.0).tofile(path),
        ".txt": lambda path: path.write_text("1\n2\n"),
        ".joblib": lambda path: joblib.dump(np.arange(1000), path),
    }
    for call, *_ in ROWS:
        path = folder / file_of(call)
        if path.suffix == ".sqlite":
            with sqlite3.connect(path) as connection:
                connection.execute("create table t(a)")
            connection.close()
        else:
            makers[path.suffix](path)


@pytest.mark.parametrize(("how", "column"), [("audit", 2), ("strace", 3)])
def test_the_table_of_what_is_seen_is_true(tmp_path: Path, how: str, column: int) -> None:
    if how == "strace":
        try:
            find_strace(tmp_path, os.environ)
        except CannotRun as exc:
            pytest.skip(exc.message)
    assert len(ROWS) > 15
    folder = tmp_path / "work"
    folder.mkdir()
    make_files(folder)
    calls = "".join(f"{call}{index}\n" for call, index, *_ in ROWS)
    (folder / "s.py").write_text(f"{PREAMBLE}{calls}open('out', 'w').close()\n")
    (folder / "mlstore.toml").write_text(
        f'[stages.s]\ncommand = ["{sys.executable}", "s.py"]\ninputs = ["s.py"]\noutputs = ["out"]\n'
    )
    assert main(["-C", str(folder), "init", "-q"]) == 0
    done = run_mlstore(["run", f"--observe={how}", "--json"], folder)
    assert done.returncode == 0, done.stderr
    seen = set(json.loads(done.stdout)["stages"][0]["observed"]["undeclared_reads"])
    assert {file_of(row[0]): "seen" if file_of(row[0]) in seen else "not seen" for row in ROWS} == {
        file_of(row[0]): row[column] for row in ROWS
    }
