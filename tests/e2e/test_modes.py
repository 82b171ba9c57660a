"""Production with `enforce` and `warn`: what is started, what is said and where, and the exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import stored
from tests.support import run_mlstore

MANIFEST = """\
[stages.one]
command = "tr a-z A-Z < in.txt > one.txt"
inputs = ["in.txt"]
outputs = ["one.txt"]
"""
STARTED = ["--", sys.executable, "-c", "print('started')"]


def mlstore(root: Path, *args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = run_mlstore(args, root)
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("golden")
    mlstore(root, "init", "-q")
    (root / "mlstore.toml").write_text(MANIFEST)
    (root / "in.txt").write_text("hello\n")
    mlstore(root, "add", "-A")
    mlstore(root, "commit", "-q", "-m", "start")
    mlstore(root, "run", "-q")
    mlstore(root, "tag", "-q", "--golden")
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A golden pipeline."""
    shutil.copytree(template, tmp_path / "work")
    return tmp_path / "work"


def run(root: Path, *options: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    return mlstore(root, "exec", *options, *STARTED, status=status)


def test_what_is_golden_is_started_and_nothing_is_said(root: Path) -> None:
    done = run(root)
    assert (done.stdout, done.stderr) == ("started\n", "")


def test_enforce_is_the_default_and_refuses(root: Path) -> None:
    (root / "one.txt").write_text("HELLX\n")
    done = run(root, status=1)
    assert done.stdout == ""
    assert "was not started" in done.stderr


def test_warn_says_what_differs_and_starts_all_the_same(root: Path) -> None:
    (root / "one.txt").write_text("HELLX\n")
    done = run(root, "--mode", "warn")
    assert done.stdout == "started\n"
    assert "'one.txt' in the worktree is not what the commit holds" in done.stderr
    assert "is started all the same (mode 'warn')" in done.stderr


def test_the_status_of_what_was_started_is_that_of_exec(root: Path) -> None:
    (root / "one.txt").write_text("HELLX\n")
    mlstore(root, "exec", "--mode", "warn", "--", sys.executable, "-c", "raise SystemExit(7)", status=7)


def test_the_setting_is_the_default_and_the_option_overrides_it(root: Path) -> None:
    (root / "one.txt").write_text("HELLX\n")
    mlstore(root, "config", "exec.mode", "warn")
    assert run(root).stdout == "started\n"
    run(root, "--mode", "enforce", status=1)
    mlstore(root, "config", "exec.mode", "perhaps")
    assert "'exec.mode' is 'perhaps'" in run(root, status=2).stderr


def test_a_branch_cannot_loosen_the_mode(root: Path) -> None:
    (root / "one.txt").write_text("HELLX\n")
    manifest = root / "mlstore.toml"
    for text in ("[exec]\nmode = 'warn'\n", "[gate]\nmode = 'warn'\n"):
        manifest.write_text(MANIFEST + text)
        assert run_mlstore(["exec", *STARTED], root).stdout == ""


def lose_object(root: Path) -> None:
    stored.remove(root / ".mlstore", mlstore(root, "rev-parse", "HEAD:in.txt").stdout.strip())


def flip_object(root: Path) -> None:
    stored.find(root / ".mlstore", mlstore(root, "rev-parse", "HEAD:in.txt").stdout.strip()).flip()


def lose_tag(root: Path) -> None:
    mlstore(root, "tag", "-d", "golden")


def move_pin(root: Path) -> None:
    lock = root / "mlstore.lock"
    golden, parent = (
        mlstore(root, "rev-parse", rev).stdout.strip() for rev in ("golden^{commit}", "golden~1")
    )
    lock.write_text(lock.read_text().replace(golden, parent))


@pytest.mark.parametrize(
    ("harm", "status"), [(lose_object, 4), (flip_object, 3), (lose_tag, 4), (move_pin, 1)]
)
def test_warn_lets_nothing_through_that_is_damaged_gone_or_contradicts_its_pin(
    root: Path, harm: object, status: int
) -> None:
    harm(root)  # type: ignore[operator]
    for mode in ("enforce", "warn"):
        done = run(root, "--mode", mode, status=status)
        assert done.stdout == ""
        assert "was not started" in done.stderr


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_the_verdict_is_data_on_stderr_and_stdout_is_the_commands_own(root: Path, mode: str) -> None:
    good = run(root, "--json", "--mode", mode)
    assert good.stdout == "started\n"
    value = json.loads(good.stderr)
    assert value["schema"] == "mlstore.verify/1"
    assert (value["ok"], value["mode"], value["started"]) == (True, mode, True)
    assert value["command"] == STARTED[1:]
    (root / "one.txt").write_text("HELLX\n")
    bad = run(root, "--json", "--mode", mode, status=1 if mode == "enforce" else 0)
    value = json.loads(bad.stderr)
    assert (value["ok"], value["verdict"], value["started"]) == (False, "modified", mode == "warn")
    assert bad.stdout == ("started\n" if mode == "warn" else "")


def test_the_verdict_goes_into_a_file_before_anything_is_started(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "verdict.json"
    code = f"import json; print(json.load(open({str(target)!r}))['verdict'])"
    done = mlstore(root, "exec", "--verdict", str(target), "--", sys.executable, "-c", code)
    assert done.stdout == "match\n"
    assert done.stderr == ""
    assert sorted(os.listdir(tmp_path)) == ["verdict.json", "work"]


def test_a_verdict_that_cannot_be_written_starts_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for mode in ("enforce", "warn"):
        done = run_mlstore(["exec", "--mode", mode, "--verdict", str(tmp_path / "file/x"), *STARTED], root)
        assert done.returncode in (4, 6)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")


def test_a_verdict_can_go_into_a_pipe(root: Path) -> None:
    done = run(root, "--verdict", "/dev/stderr")
    assert json.loads(done.stderr)["ok"] is True


def test_a_clone_without_blobs_is_enough_for_production(root: Path, tmp_path: Path) -> None:
    thin = tmp_path / "thin"
    shutil.copytree(root, thin, ignore=shutil.ignore_patterns(".mlstore"))
    mlstore(tmp_path, "clone", "-q", "--filter=blob:none", str(root), "thin")
    assert run(thin).stdout == "started\n"
    (thin / "one.txt").write_text("HELLX\n")
    run(thin, status=1)
    (thin / "one.txt").unlink()
    run(thin, status=1)
