"""The scripts of the example pipelines by themselves: their declared inputs alone decide what they write."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import FIXTURES, environment

if TYPE_CHECKING:
    from pathlib import Path

PIPELINES = FIXTURES / "pipelines"
NAMES = ("seed", "breast-cancer")


def stages(name: str) -> dict[str, dict[str, Any]]:
    """The stages of a pipeline, in the order of its manifest, which is that of the chain."""
    manifest = tomllib.loads((PIPELINES / name / "mlstore.toml").read_text())
    return dict(manifest["stages"])


def script_of(stage: dict[str, Any]) -> str:
    command = stage["command"]
    return str((command.split() if isinstance(command, str) else command)[-1])


def copy_of(name: str, folder: Path) -> Path:
    shutil.copytree(PIPELINES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / name


def copy_file(path: str, source: Path, target: Path) -> None:
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source / path, target / path)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def run_script(script: str, folder: Path, **env: str) -> None:
    """Run one script, where every warning is an error and nothing may be said on stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def written(name: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What each stage wrote when it ran in a folder that held its script and its declared inputs alone."""
    found: dict[str, dict[str, bytes]] = {}
    full = copy_of(name, tmp_path_factory.mktemp("full"))
    for stage_name, stage in stages(name).items():
        alone = tmp_path_factory.mktemp(stage_name)
        for path in {script_of(stage), *(text.partition("#")[0] for text in stage["inputs"])}:
            copy_file(path, full, alone)
        before = files_in(alone)
        run_script(script_of(stage), alone, PYTHONHASHSEED="1")
        new = sorted(files_in(alone) - before)
        found[stage_name] = {path: (alone / path).read_bytes() for path in new}
        for path in new:
            copy_file(path, alone, full)
    return found


def test_each_script_needs_its_declared_inputs_only_and_writes_its_declared_outputs(
    name: str, written: dict[str, dict[str, bytes]]
) -> None:
    for stage_name, stage in stages(name).items():
        assert set(written[stage_name]) == set(stage["outputs"])
        assert all(written[stage_name].values())


def test_a_second_run_writes_the_same_bytes(
    name: str, written: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    folder = copy_of(name, tmp_path)
    for stage_name, stage in stages(name).items():
        run_script(script_of(stage), folder, PYTHONHASHSEED="2")
        assert {path: (folder / path).read_bytes() for path in stage["outputs"]} == written[stage_name]


def test_the_metrics_are_those_of_a_sound_model(name: str, written: dict[str, dict[str, bytes]]) -> None:
    last = written[list(stages(name))[-1]]
    metrics = json.loads(last["metrics.json"])
    if name == "seed":  # the two features that cleaning drops leave a variance of (9 + 16) / 12
        assert metrics == {"mse": pytest.approx(25 / 12, abs=0.2)}
    else:
        assert metrics["patients"] == len(last["predictions.csv"].splitlines()) - 1
        assert metrics["accuracy"] > 0.9
        assert metrics["roc_auc"] > 0.95


@pytest.mark.parametrize("name", ["seed"], indirect=True)
def test_the_seed_draws_a_thousand_rows_with_six_decimals(written: dict[str, dict[str, bytes]]) -> None:
    header, *rows = written["generate"]["data/raw.csv"].decode().splitlines()
    assert header == "x1,x2,x3,x4,y"
    assert len(rows) == 1000
    for row in rows:
        *features, y = row.split(",")
        assert {len(value.partition(".")[2]) for value in (*features, y)} == {6}
        weighted = [weight * float(value) for weight, value in zip((1, 2, 3, 4), features, strict=True)]
        assert float(y) == pytest.approx(sum(weighted) + 3, abs=1e-5)


@pytest.mark.parametrize("name", ["seed"], indirect=True)
def test_the_seed_cleans_down_to_two_features_and_y_with_every_number_as_it_was(
    written: dict[str, dict[str, bytes]],
) -> None:
    raw = [line.split(b",") for line in written["generate"]["data/raw.csv"].splitlines()]
    clean = written["clean"]["data/clean.csv"].splitlines()
    assert clean == [b",".join([*fields[:2], fields[-1]]) for fields in raw]


@pytest.mark.parametrize("name", ["breast-cancer"], indirect=True)
def test_the_incoming_patients_were_in_nobodys_training_set(written: dict[str, dict[str, bytes]]) -> None:
    known = {line.split(b",")[0] for line in written["fetch"]["data/raw.csv"].splitlines()[1:]}
    header, *incoming = (PIPELINES / "breast-cancer" / "incoming.csv").read_bytes().splitlines()
    assert known.isdisjoint(line.split(b",")[0] for line in incoming)
    assert header + b",malignant" == written["split"]["data/train.csv"].splitlines()[0]


def test_the_unseeded_variant_writes_other_data_every_time(tmp_path: Path) -> None:
    folder = copy_of("seed", tmp_path)
    copy_file("generate.py", PIPELINES / "seed-unseeded", folder)
    draws = []
    for _ in range(2):
        run_script("generate.py", folder)
        draws.append((folder / "data/raw.csv").read_bytes().splitlines())
    assert draws[0][0] == draws[1][0] == b"x1,x2,x3,x4,y"
    assert draws[0] != draws[1]


def test_the_unseeded_variant_differs_from_the_seeded_script_in_the_draw_alone() -> None:
    seeded, unseeded = (
        set((PIPELINES / name / "generate.py").read_text().partition("from __future__")[2].splitlines())
        for name in ("seed", "seed-unseeded")
    )
    assert [line.split("#")[0].strip() for line in unseeded - seeded] == ["random = np.random.default_rng()"]
    assert len(seeded - unseeded) == 1


@pytest.mark.parametrize("name", ["breast-cancer"], indirect=True)
def test_a_forgotten_debug_switch_draws_other_patients(
    written: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    folder = copy_of("breast-cancer", tmp_path)
    draws = {written["fetch"]["data/raw.csv"]}
    for _ in range(2):
        run_script("fetch.py", folder, RANDOM_SEED="0")
        draws.add((folder / "data/raw.csv").read_bytes())
    assert len(draws) == 3
