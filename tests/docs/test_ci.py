"""docs/ci.md is true: its Python runs, its table has every format and option."""

from __future__ import annotations

import re
from pathlib import Path

from tests.store.verify.building import ADA, Pipeline

from mlstore.history import create_tag
from mlstore.report import FORMATS
from mlstore_cli.commands.report import command

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "ci.md").read_text("utf-8")


def test_the_example_in_python_runs(tmp_path, monkeypatch):
    made = Pipeline(tmp_path / "repo")
    create_tag(made.repo, "golden", made.run(), message="x", tagger=ADA, time="2026-01-16T15:24:48Z")
    monkeypatch.chdir(made.root)
    (code,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    names = {}
    exec(code, names)
    assert names["junit"].startswith(b"<?xml")
    assert b"it matches" in names["page"]


def test_every_format_is_in_the_table():
    rows = re.findall(r"^\| `([a-z]+)(?:=FILE)?` \|", TEXT, re.MULTILINE)
    assert rows[: len(FORMATS) + 1] == [*FORMATS, "github"]


def test_every_option_of_report_is_named():
    options = [name for param in command.params for name in param.opts if name.startswith("--")]
    missing = [
        name for name in options if name not in TEXT and name not in ("--output", "--quiet", "--no-color")
    ]
    assert [name for name in missing if name.replace("--", "--[no-]") not in TEXT] == []
