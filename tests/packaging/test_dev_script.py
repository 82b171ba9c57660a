"""The script that newcomers meet first: it answers from anywhere, and says what to do when it cannot work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def dev(script: Path, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    (root / "fixtures").mkdir(parents=True)
    (root / "fixtures" / "demo.py").touch()
    for name in ("dev", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    return root


def test_dev_and_the_ci_script_are_executable() -> None:
    for path in (ROOT / "dev", ROOT / ".ci" / "run"):
        if path.exists():  # an unpacked sdist has no .ci
            assert os.access(path, os.X_OK), path


def test_help_lists_every_command_from_any_folder(tmp_path: Path) -> None:
    done = dev(ROOT / "dev", "--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in ("demo", "test", "check", "ci", "format", "faults", "bench"):
        assert f"./dev {command}" in done.stdout


def test_no_command_shows_the_help_and_is_a_usage_error(tmp_path: Path) -> None:
    done = dev(ROOT / "dev", cwd=tmp_path)
    assert done.returncode == 2
    assert "./dev test" in done.stdout


def test_an_unknown_command_is_named_together_with_the_known_ones(tmp_path: Path) -> None:
    done = dev(ROOT / "dev", "tset", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: 'tset' is not a dev command",
        "hint: one of: demo, test, check, ci, format, coverage, faults, fuzz, bench",
    ]


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_in_one_line_with_a_hint(
    bare_checkout: Path, tmp_path: Path, module: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    done = dev(bare_checkout / "dev", "demo", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert "cannot make virtual environments" in error
    assert hint.startswith("hint: ")
    assert not (bare_checkout / ".venv").exists()


def test_a_checkout_without_the_demo_is_told_so_before_anything_is_installed(
    bare_checkout: Path, tmp_path: Path
) -> None:
    (bare_checkout / "fixtures" / "demo.py").unlink()
    done = dev(bare_checkout / "dev", "demo", cwd=tmp_path)
    assert done.returncode == 2
    assert "demo.py' is missing" in done.stderr
    assert not (bare_checkout / ".venv").exists()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, which sets nothing up and starts nothing."""
    loader = SourceFileLoader("dev_script", str(ROOT / "dev"))
    spec = spec_from_loader("dev_script", loader)
    assert spec is not None
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "set_up", lambda _extra: None)
    monkeypatch.setattr(module, "fetch_schema", lambda: None)
    monkeypatch.setenv("COVERAGE_FILE", "")  # so that what it sets is undone
    return module


def measured(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str, **results: int
) -> tuple[int, tuple[str, ...]]:
    """Measure where pytest and coverage end so; gives the status, and what pytest was called with."""
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> int:
        commands.append(command)
        if command[1:3] == ("coverage", "json"):
            totals = {"covered_branches": results.get("taken", 99), "num_branches": 100}
            Path(command[-1]).write_text(json.dumps({"totals": totals}))
        return results.get(command[2] if command[1] == "coverage" else command[1], 0)

    monkeypatch.setattr(script, "run", run)
    return script.coverage(list(arguments)), commands[0]


def test_coverage_leaves_out_the_sweeps_unless_they_are_asked_for(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, words = measured(script, monkeypatch)
    assert {"--ignore=tests/faults", "--ignore=tests/docs"} <= set(words)
    _, words = measured(script, monkeypatch, "-x", "tests/faults/test_full_disk.py")
    assert "--ignore=tests/faults" not in words
    assert "--ignore=tests/docs" in words
    assert words[-2:] == ("-x", "tests/faults/test_full_disk.py")


def test_coverage_fails_for_red_tests_for_too_few_lines_and_for_too_few_branches(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(script, monkeypatch)[0] == 0
    assert "branches alone: 99 of 100 taken, 99.00 %" in capsys.readouterr().out
    assert measured(script, monkeypatch, pytest=1)[0] == 1
    assert measured(script, monkeypatch, report=2)[0] == 2
    assert measured(script, monkeypatch, json=1)[0] == 1
    assert measured(script, monkeypatch, taken=95)[0] == 0
    assert measured(script, monkeypatch, taken=94)[0] == 1
    assert "less than 95 % of the branches were taken" in capsys.readouterr().err
