"""docs/production.md and docs/dataless.md are true: what they show is what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.docs.running import run_page
from tests.support import FIXTURES, run_mlstore

import mlstore

DOCS = FIXTURES.parent / "docs"


def test_the_scoring_job_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    shown, printed = run_page(DOCS / "production.md", tmp_path)
    assert len(shown) > 12
    assert printed == shown


def test_the_json_of_the_page_has_the_keys_of_a_verdict(tmp_path: Path) -> None:
    text = (DOCS / "production.md").read_text("utf-8")
    (example,) = re.findall(r"<!-- keys: load -->\n```json\n(.*?)```", text, re.DOTALL)
    heard: list[dict[str, object]] = []
    run_mlstore(["init", "-q"], tmp_path)
    (tmp_path / "a.json").write_text("{}")
    run_mlstore(["add", "-A"], tmp_path)
    run_mlstore(["commit", "-q", "-m", "x"], tmp_path)
    mlstore.open(tmp_path, on_verdict=heard.append).load("a.json", at="HEAD")
    assert list(json.loads(example)) == list(heard[0])


def test_the_clones_of_the_page_are_made_and_judged_as_it_says(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    run_mlstore(["init", "-q"], store)
    manifest = (
        '[stages.make]\ncommand = "cat in.txt in.txt > out.txt"\ninputs = ["in.txt"]\noutputs = ["out.txt"]\n'
    )
    (store / "mlstore.toml").write_text(manifest)
    (store / "in.txt").write_text("0123456789\n" * 1776)
    for args in (["add", "-A"], ["commit", "-q", "-m", "start"], ["run", "-q"], ["tag", "-q", "--golden"]):
        assert run_mlstore(args, store).returncode == 0
    shown, printed = run_page(DOCS / "dataless.md", tmp_path)
    assert len(shown) == 8
    assert printed == shown
