"""The environment blob: what it says, what it never says, and how two are compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.compare import diff_environments, load_environment
from mlstore.model import canonical_json
from mlstore.pipeline.environment import EnvironmentProbe, chosen_variables, find_interpreter

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"PATH": os.environ["PATH"]}


def capture(root: Path, *command: str, **environ: str) -> dict[str, Any]:
    data = EnvironmentProbe(root, ENVIRON | environ).capture(command)
    found: dict[str, Any] = json.loads(data)
    assert canonical_json(found) == data
    return found


def test_the_interpreter_of_the_command_is_asked(tmp_path: Path) -> None:
    found = capture(tmp_path, sys.executable, "train.py")
    assert found["source"] == "command"
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["numpy"]
    assert found["blas"]["blas"]["name"]


def test_a_module_of_the_pipeline_does_not_get_in_the_way(tmp_path: Path) -> None:
    for name in ("json", "platform", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')")
    assert capture(tmp_path, sys.executable, "train.py")["source"] == "command"


def test_another_command_is_described_by_our_own_packages(tmp_path: Path) -> None:
    found = capture(tmp_path, "sh", "-c", "./train.sh")
    assert found["source"] == "mlstore"
    assert found["packages"]["click"]


def test_an_interpreter_that_fails_is_no_failure_of_ours(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho '[1.5]'\nexit 0\n")
    fake.chmod(0o755)
    assert capture(tmp_path, "./python", "train.py")["source"] == "mlstore"


def test_an_interpreter_is_asked_once(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho asked >> asked\nexit 1\n")
    fake.chmod(0o755)
    probe = EnvironmentProbe(tmp_path, ENVIRON)
    assert probe.capture(["./python", "a.py"]) == probe.capture(["./python", "b.py"])
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_git_is_recorded_where_there_is_one(tmp_path: Path) -> None:
    assert "git" not in capture(tmp_path, "true")
    for command in (["init", "-q"], ["config", "user.email", "a@b"], ["config", "user.name", "a"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert "git" not in capture(tmp_path, "true")  # no commit yet
    (tmp_path / "a").write_text("1")
    subprocess.run(["git", "add", "a"], cwd=tmp_path, check=True)
    subprocess.run(["git", "commit", "-qm", "one"], cwd=tmp_path, check=True)
    found = capture(tmp_path, "true")["git"]
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert capture(tmp_path, "true")["git"]["dirty"] is True


def test_without_git_the_rest_is_recorded(tmp_path: Path) -> None:
    found = json.loads(EnvironmentProbe(tmp_path, {"PATH": str(tmp_path)}).capture(["true"]))
    assert "git" not in found
    assert found["platform"]["system"]


def test_variables_that_change_results_are_kept_and_secrets_are_not() -> None:
    chosen = chosen_variables(
        {
            "OMP_NUM_THREADS": "2",
            "PYTHONHASHSEED": "0",
            "MKL_CBWR": "AVX2",
            "RANDOM_SEED": "42",
            "WALLET_SEED": "twelve secret words",
            "AWS_SECRET_ACCESS_KEY": "x",
            "HOME": "/root",
        }
    )
    assert chosen == {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "0", "MKL_CBWR": "AVX2", "RANDOM_SEED": "42"}


def test_a_variable_that_is_no_utf8_is_recorded_without_harm(tmp_path: Path) -> None:
    assert capture(tmp_path, "true", TZ="a\udcffb")["variables"]["TZ"] == "a?b"


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (("python3", "x.py"), True),
        (("sh", "-c", "python3 x.py && true"), True),
        (("sh", "-c", "OMP_NUM_THREADS=1 exec python3 -m x"), True),
        (("env", "A=1", "python3", "x.py"), True),
        (("sh", "-c", "echo 'unbalanced"), False),
        (("sh", "-c", "make train"), False),
        (("python3000.1", "x.py"), False),
        (("./no/python", "x.py"), False),
        ((), False),
    ],
)
def test_the_interpreter_is_found_in_the_command(
    command: tuple[str, ...], found: bool, tmp_path: Path
) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    where = find_interpreter(command, tmp_path, {"PATH": str(tmp_path)})
    assert (where is not None) is found


def test_a_difference_is_told_with_the_likeliest_cause_first() -> None:
    old = {
        "python": {"version": "3.11.7"},
        "packages": {"numpy": "1.26.4", "gone": "1", "same": "1"},
        "cpu": "A",
        "git": {"dirty": False},
    }
    new = {
        "python": {"version": "3.12.1"},
        "packages": {"numpy": "2.0.1", "came": "2", "same": "1"},
        "cpu": "B",
        "git": {"dirty": True},
        "variables": {"OMP_NUM_THREADS": "4"},
    }
    assert diff_environments(old, new) == [
        "python version 3.11.7 -> 3.12.1",
        "came added: 2",
        "gone removed: 1",
        "numpy 1.26.4 -> 2.0.1",
        "OMP_NUM_THREADS added: 4",
        "cpu A -> B",
        "git dirty false -> true",
    ]
    assert diff_environments(old, old) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON))
def test_environments_of_any_shape_can_be_compared(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert all(isinstance(line, str) for line in diff_environments(old, new))
    assert diff_environments(old, old) == []


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_a_blob_that_is_no_environment_is_an_empty_one(data: bytes) -> None:
    assert load_environment(data) == {}
