"""The breast cancer pipeline, end to end through the installed command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored
from tests.support import FIXTURES, environment, run_mlstore

if TYPE_CHECKING:
    from pathlib import Path

STAGES = ["fetch", "clean", "split", "train", "evaluate"]


def ok(folder: Path, *args: str) -> str:
    """Run a command that has to succeed and return what it printed."""
    done = run_mlstore(args, folder)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


def chain(folder: Path, rev: str = "HEAD") -> dict[str, dict[str, Any]]:
    """The blocks of the chain by stage, in the order of the chain."""
    blocks = json.loads(ok(folder, "chain", rev, "--json"))["stages"]
    return {block["stage"]: block for block in blocks}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden run, never to be changed."""
    folder = tmp_path_factory.mktemp("golden") / "breast-cancer"
    shutil.copytree(
        FIXTURES / "pipelines" / "breast-cancer", folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    ok(folder, "init")
    ok(folder, "run")
    ok(folder, "tag", "--golden")
    return folder


@pytest.fixture
def current(golden: Path, tmp_path: Path) -> Path:
    """A copy of the golden run."""
    shutil.copytree(golden, tmp_path / "current")
    return tmp_path / "current"


def test_every_stage_is_a_block_that_stands_on_the_one_before(golden: Path) -> None:
    blocks = chain(golden)
    assert list(blocks) == STAGES
    assert [block["height"] for block in blocks.values()] == [0, 1, 2, 3, 4]
    for producer, path, consumer in (
        ("fetch", "data/raw.csv", "clean"),
        ("clean", "data/clean.csv", "split"),
        ("split", "data/train.csv", "train"),
        ("split", "data/test.csv", "evaluate"),
        ("train", "model.joblib", "evaluate"),
    ):
        assert blocks[consumer]["inputs"][path] == blocks[producer]["outputs"][path]


def test_the_files_of_a_block_have_the_ids_of_the_files_on_disk(golden: Path) -> None:
    for block in chain(golden).values():
        for path, recorded in block["outputs"].items():
            assert ok(golden, "hash-object", path).strip() == recorded


def test_a_second_run_has_nothing_to_do(current: Path) -> None:
    head = ok(current, "rev-parse", "HEAD")
    ok(current, "run")
    assert ok(current, "rev-parse", "HEAD") == head


def test_a_changed_key_runs_the_stages_that_read_it_and_what_follows_from_them(current: Path) -> None:
    edit(current / "config.toml", "C = 1.0 ", "C = 0.1 ")
    ok(current, "run")
    before, after = chain(current, "golden"), chain(current)
    rebuilt = [stage for stage in STAGES if before[stage]["commit"] != after[stage]["commit"]]
    assert rebuilt == ["train", "evaluate"]


def test_going_back_to_the_golden_configuration_gives_the_golden_lineage_again(current: Path) -> None:
    edit(current / "config.toml", "threshold = 0.5 ", "threshold = 0.9 ")
    ok(current, "run")
    assert run_mlstore(["verify", "--against", "golden"], current).returncode == 1
    edit(current / "config.toml", "threshold = 0.9 ", "threshold = 0.5 ")
    ok(current, "run")
    assert chain(current)["evaluate"]["lineage"] == chain(current, "golden")["evaluate"]["lineage"]
    assert run_mlstore(["verify", "--against", "golden"], current).returncode == 0


def test_a_golden_checkout_elsewhere_verifies_and_scores(current: Path, tmp_path: Path) -> None:
    """Nothing but the store and the lock reach production; all else comes out of the store."""
    production = tmp_path / "production"
    production.mkdir()
    shutil.copytree(current / ".mlstore", production / ".mlstore")
    shutil.copy2(current / "mlstore.lock", production)
    for name in ("score.py", "incoming.csv"):
        shutil.copy2(current / name, production)
    ok(production, "reset", "--hard", "golden")
    scored = ok(production, "exec", "--against", "golden", "--", "python", "score.py")
    assert scored == ok(current, "exec", "--against", "golden", "--", "python", "score.py")
    assert [line.split(" (")[0] for line in scored.splitlines()] == [
        "patient 49: benign",
        "patient 113: benign",
        "patient 142: malignant",
        "patient 185: malignant",
        "patient 239: benign",
    ]


def test_a_damaged_model_is_healed_as_the_hint_says(current: Path) -> None:
    model = current / "model.joblib"
    model.write_bytes(model.read_bytes()[:-1])
    told = run_mlstore(["verify", "--against", "golden"], current)
    commit = ok(current, "rev-parse", "HEAD")[:10]
    assert told.returncode == 1
    assert f"mlstore checkout {commit} -- model.joblib" in told.stdout
    ok(current, "checkout", commit, "--", "model.joblib")
    ok(current, "verify", "--against", "golden")


def test_a_damaged_object_is_healed_by_adding_the_good_file_again(current: Path) -> None:
    name = ok(current, "rev-parse", "golden:data/train.csv").strip()
    place = stored.find(current / ".mlstore", name)
    place.flip(place.length // 2)
    told = run_mlstore(["verify", "--against", "golden"], current)
    assert told.returncode == 3
    assert "data/train.csv" in told.stdout
    assert "'mlstore add' of the same file heals" in " ".join(told.stdout.split())
    ok(current, "add", "data/train.csv")
    ok(current, "verify", "--against", "golden")
    ok(current, "fsck")


def test_why_leads_from_the_predictions_back_to_the_configuration(golden: Path) -> None:
    told = ok(golden, "why", "predictions.csv")
    for word in (*STAGES, "config.toml#fetch", "config.toml#decision", "evaluate.py", "model.joblib"):
        assert word in told


def test_production_deserialises_no_other_model_even_without_the_gate(current: Path) -> None:
    """`python score.py` alone, without `mlstore exec`: the library itself refuses the model."""
    model = current / "model.joblib"
    model.write_bytes(model.read_bytes() + b"\0")
    done = subprocess.run(
        [sys.executable, "score.py"],
        cwd=current,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode != 0
    assert "patient" not in done.stdout
    assert "'model.joblib'" in done.stderr
