"""`status` without the parser says what it says with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlstore_cli import quick
from mlstore_cli.main import main

SOURCES = [str(Path(__file__).parents[2] / folder) for folder in ("store", "cli")]

LINES = [
    [],
    ["-s"],
    ["--short", "-b"],
    ["--porcelain"],
    ["--porcelain", "--branch", "-z"],
    ["-z"],
    ["--json"],
    ["--long", "-s"],
    ["-q"],
    ["--no-color", "-uall"],
    ["-uno"],
    ["--untracked-files=all", "--json"],
    ["-unormal"],
]


@pytest.fixture
def changed(history, monkeypatch):
    (history.root / "new folder").mkdir()
    (history.root / "new folder" / "x").write_text("")
    (history.root / "a.txt").write_text("changed")
    monkeypatch.chdir(history.root)
    return history


@pytest.mark.parametrize("args", LINES, ids=" ".join)
def test_both_ways_print_the_same(changed, capsys, monkeypatch, args):
    assert quick.read_options(args) is not None
    assert main(["status", *args]) == 0
    plain = capsys.readouterr()
    monkeypatch.setattr(quick, "read_options", lambda _: None)
    assert main(["status", *args]) == 0
    assert capsys.readouterr() == plain


@pytest.mark.parametrize(
    "args", [["--nonsense"], ["-h"], ["-sb"], ["-u", "all"], ["-uodd"], ["path"]], ids=" ".join
)
def test_what_is_not_plain_is_left_to_the_parser(args):
    assert quick.read_options(args) is None


@pytest.mark.parametrize("args", [[], ["--json"]], ids=["text", "json"])
def test_failures_are_reported_the_same_way(tmp_path: Path, capsys, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    assert main(["status", *args]) == 2
    plain = capsys.readouterr()
    monkeypatch.setattr(quick, "read_options", lambda _: None)
    assert main(["status", *args]) == 2
    assert capsys.readouterr() == plain
    assert "not in an mlstore repository" in plain.err


def test_a_process_of_its_own_ends_with_all_that_it_had_to_say(changed, spawn):
    done = spawn("status", "-s", cwd=changed.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [" M a.txt", "?? new folder/"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_by_the_exit_status(changed, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlstore_cli", "status"],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=changed.root,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
            check=False,
        )
    assert done.returncode == 6
    assert b"no space left" in done.stderr
