"""`reproduce` tells a seed from none, and another package from both: a real pipeline, from outside."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import FIXTURES, run_mlstore

if TYPE_CHECKING:
    from pathlib import Path

PIPELINES = FIXTURES / "pipelines"


def run(folder: Path, *args: str, status: int = 0, **env: str) -> str:
    done = run_mlstore(args, folder, env=env)
    assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def reproduce(folder: Path, *args: str, status: int = 0, **env: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run(folder, "reproduce", *args, "--json", "-q", status=status, **env))
    return value


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, those of the store too, with its time."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """The seed's pipeline as it stands: `generate` does not declare its script."""
    folder = tmp_path / "seed"
    shutil.copytree(PIPELINES / "seed", folder, ignore=shutil.ignore_patterns("__pycache__"))
    run(folder, "init")
    return folder


def declare_script(folder: Path) -> None:
    """List generate.py among the inputs of `generate`, as the fixture's own comment advises."""
    manifest = (folder / "mlstore.toml").read_text()
    old = 'inputs = ["config.ini#Paths.raw_data", "config.ini#data_generation"]'
    assert old in manifest
    (folder / "mlstore.toml").write_text(manifest.replace(old, old.replace("[", '["generate.py", ', 1)))


def test_a_seeded_pipeline_is_reproduced_byte_for_byte_and_nothing_is_touched(seed: Path) -> None:
    declare_script(seed)
    run(seed, "run")
    before = files_of(seed)
    found = reproduce(seed)
    assert (found["ok"], found["verdict"]) == (True, "reproduced")
    assert [(one["stage"], one["verdict"], one["runs"]) for one in found["stages"]] == [
        ("generate", "reproduced", 1),
        ("clean", "reproduced", 1),
        ("train", "reproduced", 1),
    ]
    assert files_of(seed) == before


def test_an_unseeded_stage_is_nondeterministic_and_the_rest_is_reproduced(seed: Path) -> None:
    declare_script(seed)
    shutil.copy(PIPELINES / "seed-unseeded/generate.py", seed)
    run(seed, "run", "clean")
    found = reproduce(seed, status=1)
    assert [(one["stage"], one["verdict"], one["cause"]) for one in found["stages"]] == [
        ("generate", "diverged", "nondeterministic"),
        ("clean", "reproduced", None),
    ]
    (output,) = found["stages"][0]["outputs"]
    assert output["path"] == "data/raw.csv"
    assert output["comparison"]["comparator"] == "table"
    assert output["comparison"]["details"] != []


def test_a_script_that_nobody_declared_is_found_out_and_observe_names_it(seed: Path) -> None:
    done = run_mlstore(["run", "--observe", "generate"], seed)
    assert done.returncode == 0
    assert "warning: stage 'generate' read 'generate.py': not declared as input" in done.stderr
    (one,) = reproduce(seed, "generate", status=1)["stages"]
    assert one["verdict"] == "failed"
    assert one["failure"]["command_status"] == 2
    assert one["failure"]["hint"].startswith("'generate.py' is no recorded input of stage 'generate'")
    declare_script(seed)
    run(seed, "run", "--observe", "--strict", "generate")
    assert reproduce(seed, "generate")["verdict"] == "reproduced"


# A change of a numerical package, without installing one: versions of a distribution called `numpi`, each in
# a folder of its own with the metadata that an installed one has. What the stage writes depends on which of
# them it imports, as it does when a new numpy draws or sums otherwise. The environment is recorded from the
# metadata, not from what this test says. It shows that the version is named, and nothing about numpy itself.


def install(folder: Path, version: str, seed: str) -> Path:
    home = folder / f"numpi-{version}"
    metadata = home / f"numpi-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: numpi\nVersion: {version}\n")
    code = f"import random\ndef draw(seed):\n    return [random.Random({seed}).random() for _ in range(3)]\n"
    (home / "numpi.py").write_text(code)
    return home


MANIFEST = """
[stages.draw]
command = ["python", "draw.py"]
inputs = ["draw.py"]
outputs = ["drawn.csv"]
env = ["PYTHONPATH"]
"""
DRAW = """
import numpi
with open("drawn.csv", "w") as file:
    file.writelines(f"{value}\\n" for value in ["x", *numpi.draw(7)])
"""


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A stage that was run with numpi 1.0, which keeps to its seed."""
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / "mlstore.toml").write_text(MANIFEST)
    (folder / "draw.py").write_text(DRAW)
    run(folder, "init")
    run(folder, "run", PYTHONPATH=str(install(tmp_path, "1.0", "seed")))
    return folder


def test_the_same_package_reproduces(drawn: Path, tmp_path: Path) -> None:
    found = reproduce(drawn, PYTHONPATH=str(tmp_path / "numpi-1.0"))
    assert found["verdict"] == "reproduced"
    assert found["stages"][0]["variables"] == {"passed": ["PYTHONPATH"], "unset": []}


def test_another_version_of_a_package_is_another_environment_and_is_named(
    drawn: Path, tmp_path: Path
) -> None:
    other = install(tmp_path, "2.0", "seed + 1")
    (one,) = reproduce(drawn, status=1, PYTHONPATH=str(other))["stages"]
    assert (one["verdict"], one["cause"], one["runs"]) == ("diverged", "another-environment", 2)
    assert one["outputs"][0]["actual"][0] == one["outputs"][0]["actual"][1]
    assert "numpi 1.0 -> 2.0" in one["environment"]["changes"]
    text = run(drawn, "reproduce", status=1, PYTHONPATH=str(other))
    assert "another environment: 2 re-runs agree, and not with the record" in text
    assert "    numpi 1.0 -> 2.0" in text


def test_a_package_that_draws_by_chance_is_not_taken_for_another_environment(
    drawn: Path, tmp_path: Path
) -> None:
    other = install(tmp_path, "3.0", "")
    (one,) = reproduce(drawn, status=1, PYTHONPATH=str(other))["stages"]
    assert (one["verdict"], one["cause"]) == ("diverged", "nondeterministic")
    assert "numpi 1.0 -> 3.0" in one["environment"]["changes"]


def test_another_version_that_gives_the_same_is_reproduced(drawn: Path, tmp_path: Path) -> None:
    other = install(tmp_path, "1.1", "seed")
    (one,) = reproduce(drawn, PYTHONPATH=str(other))["stages"]
    assert one["verdict"] == "reproduced"
    assert "numpi 1.0 -> 1.1" in one["environment"]["changes"]


def test_without_the_package_the_stage_fails_and_the_missing_module_is_shown(drawn: Path) -> None:
    (one,) = reproduce(drawn, status=1)["stages"]
    assert one["verdict"] == "failed"
    assert "No module named 'numpi'" in one["failure"]["tail"]
    assert one["variables"] == {"passed": [], "unset": ["PYTHONPATH"]}
    assert "numpi removed: 1.0" in one["environment"]["changes"]


def test_a_rounding_difference_is_equivalent_under_a_tolerance_of_the_record(tmp_path: Path) -> None:
    """What a new version changes in the last digits passes the rule that the recorded commit itself has."""
    folder = tmp_path / "close"
    folder.mkdir()
    rule = '[[gate.rules]]\npath = "*.csv"\nequal = "close"\nrtol = 1e-9\n'
    (folder / "mlstore.toml").write_text(rule + MANIFEST)
    (folder / "draw.py").write_text(DRAW)
    run(folder, "init")
    run(folder, "run", PYTHONPATH=str(install(tmp_path, "1.0", "seed")))
    other = install(tmp_path, "1.2", "seed")
    code = (other / "numpi.py").read_text().replace(".random() for", ".random() + 1e-15 for")
    (other / "numpi.py").write_text(code)
    found = reproduce(folder, PYTHONPATH=str(other))
    assert found["verdict"] == "equivalent"
    assert found["stages"][0]["outputs"][0]["rule"] == "rule 1"


FIT = """
import time
import joblib
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
model.made = time.time_ns()
joblib.dump(model, "model.joblib")
"""
PREDICTIONS = """
[[gate.rules]]
path = "*.joblib"
equal = "predictions"
on = "probe.csv"

[stages.fit]
command = ["python", "fit.py"]
inputs = ["fit.py", "probe.csv"]
outputs = ["model.joblib"]
"""


def test_models_are_loaded_for_a_rule_of_predictions_only_when_that_is_allowed(tmp_path: Path) -> None:
    folder = tmp_path / "fit"
    folder.mkdir()
    (folder / "mlstore.toml").write_text(PREDICTIONS)
    (folder / "fit.py").write_text(FIT)
    (folder / "probe.csv").write_text("x\n0.5\n3.0\n")
    run(folder, "init")
    run(folder, "run")
    (one,) = reproduce(folder, status=1)["stages"]
    assert (one["verdict"], one["outputs"][0]["outcome"]) == ("diverged", "undecided")
    (one,) = reproduce(folder, "--allow-load")["stages"]
    assert (one["verdict"], one["outputs"][0]["rule"]) == ("equivalent", "rule 1")
    assert "the recorded command made it here just now" in one["outputs"][0]["text"]
