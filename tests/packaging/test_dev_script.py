"""The script that newcomers meet first: it answers from anywhere, and says what to do when it cannot work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
