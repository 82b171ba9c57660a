"""The README's main job: the demo says what it must, and can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support import FIXTURES, environment

if TYPE_CHECKING:
    from pathlib import Path

DEMO = FIXTURES / "demo.py"
BROKEN = (
    "unseeded data",
    "a changed config key",
    "a flipped bit in the model",
    "a truncated test set",
    "a stale stage",
    "a damaged object in the store",
)
COLOR = "\033["


def run_demo(
    tmp_path: Path, *args: str, python: str = sys.executable, **env: str
) -> subprocess.CompletedProcess[str]:
    """Play the demo with `tmp_path` as the place for scratch folders."""
    return subprocess.run(
        [python, str(DEMO), *args],
        cwd=tmp_path,
        env=environment({"TMPDIR": str(tmp_path), **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def python_with(mlstore: str, tmp_path: Path) -> str:
    """A Python beside which another `mlstore` is installed: `mlstore` is the body of a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    (folder / "mlstore").write_text(f"#!/bin/sh\n{mlstore}\n", encoding="utf-8")
    (folder / "mlstore").chmod(0o755)
    return str(folder / "python")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo")
    return run_demo(folder), folder


Played = tuple[subprocess.CompletedProcess[str], "Path"]


def test_the_demo_succeeds_and_sums_up_every_scenario(played: Played) -> None:
    done, _ = played
    assert (done.returncode, done.stderr) == (0, "")
    summary = done.stdout.partition("What this proved")[2]
    assert re.search(r"golden pipeline +match +0  scored 5 patients", summary)
    for number, title in enumerate(BROKEN, 1):
        assert re.search(rf"{number} {title} +[a-z-]+ +[13]  refused", summary)


INSIDE = (
    "'data/raw.csv': row ",
    "config.toml: train.C 1.0 -> 0.1",
    "output 'model.joblib': logisticregression.C 1.0 -> 0.1",
    "first differing byte at offset ",
    "41 rows removed",
    "row 81, column 'worst_symmetry' 0.315700 ->",
)


def test_the_demo_names_key_row_column_hyperparameter_and_byte(played: Played) -> None:
    said = " ".join(played[0].stdout.split())
    assert [text for text in INSIDE if text not in said] == []


def test_the_demo_shows_the_exit_status_of_every_verification(played: Played) -> None:
    done, _ = played
    assert re.findall(r"^exit status (\d+)$", done.stdout, re.M) == ["1", "1", "1", "1", "1", "3"]


def test_the_demo_is_readable_on_80_columns_and_without_colour(played: Played) -> None:
    done, folder = played
    assert COLOR not in done.stdout
    # The name of the scratch folder is as long as it is.
    assert [line for line in done.stdout.splitlines() if len(line) > 80 and str(folder) not in line] == []


def test_the_demo_leaves_nothing_behind(played: Played) -> None:
    _, folder = played
    assert list(folder.iterdir()) == []


def test_the_demo_fails_when_a_broken_pipeline_is_let_through(tmp_path: Path) -> None:
    credulous = """
    case "$1" in
        verify) echo '{"verdict": "match"}' ;;
        exec) for n in 1 2 3 4 5; do echo "patient $n: benign"; done ;;
        rev-parse) find .mlstore/objects -type f | head -n 1 | cut -c 18- | tr -d / ;;
        run) mkdir -p data .mlstore/objects/ab && printf x >.mlstore/objects/ab/cd
             printf model >model.joblib && printf patients >data/test.csv ;;
    esac
    """
    done = run_demo(tmp_path, python=python_with(credulous, tmp_path))
    assert done.returncode == 1
    assert done.stdout.count("NOT AS EXPECTED: the exit status of verify is 0, not") == len(BROKEN)


def test_the_demo_fails_when_the_golden_pipeline_is_refused(tmp_path: Path) -> None:
    done = run_demo(tmp_path, python=python_with('[ "$1" != verify ]', tmp_path))
    assert done.returncode == 1
    assert "NOT AS EXPECTED" in done.stdout


def test_the_demo_says_what_to_do_where_mlstore_is_not_installed(tmp_path: Path) -> None:
    python = python_with("", tmp_path)
    (tmp_path / "bin" / "mlstore").unlink()
    done = run_demo(tmp_path, python=python)
    assert done.returncode == 2
    assert "hint: run ./dev demo" in done.stderr
