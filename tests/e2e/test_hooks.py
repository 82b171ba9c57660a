"""The hooks in a real git repository: what they stop, what they let through, and whose hooks they keep."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support import environment, run_mlstore

HOOKS_YAML = Path(__file__).resolve().parents[2] / ".pre-commit-hooks.yaml"
MANIFEST = """\
[stages.one]
command = "tr a-z A-Z < in.txt > one.txt"
inputs = ["in.txt"]
outputs = ["one.txt"]

[stages.two]
command = "cat one.txt one.txt > two.txt"
inputs = ["one.txt"]
outputs = ["two.txt"]
"""


class Project:
    """A git repository with an mlstore repository in it (or in the folder PLACE below it)."""

    def __init__(self, top: Path, place: str = "") -> None:
        self.top = top
        self.root = top / place
        self.root.mkdir(parents=True, exist_ok=True)

    def git(self, *arguments: str, status: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.top,
            env=environment(env),
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done

    def mlstore(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_mlstore(arguments, self.root)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text)
        return path


def set_up(project: Project) -> Project:
    project.git("init", "-q", "-b", "main")
    project.git("config", "user.name", "Ada")
    project.git("config", "user.email", "ada@example.org")
    project.mlstore("init", "-q")
    project.write("mlstore.toml", MANIFEST)
    project.write("in.txt", "hello\n")
    project.write(".gitignore", ".mlstore/\none.txt\ntwo.txt\n")
    project.mlstore("add", "-A")
    project.mlstore("commit", "-q", "-m", "start")
    project.mlstore("run", "-q")
    project.mlstore("tag", "-q", "--golden")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "start")
    return project


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A golden pipeline, its code in git."""
    return set_up(Project(tmp_path_factory.mktemp("template"))).top


@pytest.fixture
def bare(template: Path, tmp_path: Path) -> Project:
    """The pipeline in a repository without hooks."""
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    return Project(tmp_path / "work")


@pytest.fixture
def project(bare: Project) -> Project:
    """The pipeline in a repository with all hooks."""
    bare.mlstore("hook", "install")
    return bare


def test_a_commit_of_what_is_on_record_goes_through(project: Project) -> None:
    project.write("README", "words\n")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "words")


def test_a_stale_stage_stops_the_commit_and_a_run_lets_it_through(project: Project) -> None:
    project.write("in.txt", "other\n")
    stopped = project.git("commit", "-qam", "other", status=1)
    assert "stage 'one' is not what its block says: input 'in.txt' changed" in stopped.stderr
    assert "then:     two" in stopped.stderr
    assert "git commit --no-verify" in stopped.stderr
    project.mlstore("run", "-q")
    project.mlstore("tag", "-q", "--golden", "-f")
    project.git("commit", "-qam", "other")


def test_a_touched_output_stops_the_commit(project: Project) -> None:
    project.write("two.txt", "forged\n")
    project.write("README", "words\n")
    project.git("add", "-A")
    stopped = project.git("commit", "-qm", "words", status=1)
    assert "output 'two.txt' was modified" in stopped.stderr


def test_an_artifact_that_mlstore_tracks_is_not_added_to_git(project: Project) -> None:
    project.git("add", "-f", "one.txt")
    stopped = project.git("commit", "-qm", "artifact", status=1)
    assert "'one.txt' is an output of stage 'one' that mlstore tracks" in stopped.stderr
    assert "git rm --cached one.txt" in stopped.stderr
    project.git("commit", "-q", "--no-verify", "-m", "on purpose")
    project.mlstore("hook", "run", "pre-commit")  # what git has already is nobody's mistake


def test_a_large_input_that_mlstore_tracks_is_not_added_to_git(project: Project) -> None:
    project.write("raw.bin", "x" * (1 << 20))
    project.mlstore("add", "raw.bin")
    project.mlstore("commit", "-q", "-m", "raw")
    project.git("add", "raw.bin")
    stopped = project.git("commit", "-qm", "artifact", status=1)
    assert "'raw.bin' is an artifact of 1048576 bytes that mlstore tracks" in stopped.stderr


def test_the_store_itself_is_not_added_to_git(project: Project) -> None:
    project.git("add", "-f", ".mlstore/HEAD")
    stopped = project.git("commit", "-qm", "store", status=1)
    assert "'.mlstore/HEAD' is part of the store" in stopped.stderr


def test_a_lock_that_names_another_commit_stops_the_commit(project: Project) -> None:
    lock = project.root / "mlstore.lock"
    golden = project.mlstore("rev-parse", "golden^{commit}").stdout.strip()
    parent = project.mlstore("rev-parse", "golden~1").stdout.strip()
    assert golden in lock.read_text()
    lock.write_text(lock.read_text().replace(golden, parent))
    assert "moved-pin" in project.mlstore("hook", "run", "pre-commit", "--json", status=1).stdout
    stopped = project.git("commit", "-qam", "lock", status=1)
    assert "does not point to the commit that 'mlstore.lock' pins" in stopped.stderr


def test_a_staged_lock_is_judged_by_what_git_will_hold(project: Project) -> None:
    lock = project.root / "mlstore.lock"
    good = lock.read_text()
    lock.write_text("nonsense = [\n")
    project.git("add", "mlstore.lock")
    lock.write_text(good)
    stopped = project.git("commit", "-qm", "x", status=1)
    assert "another 'mlstore.lock' than the one in the worktree" in stopped.stderr


def test_a_push_verifies_every_byte(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    remote = tmp_path_factory.mktemp("remote")
    project.git("init", "-q", "--bare", str(remote))
    project.git("remote", "add", "origin", str(remote))
    project.git("push", "-q", "origin", "main")
    output = project.root / "two.txt"
    before = output.stat()
    output.write_text(output.read_text().replace("H", "J"))
    os.utime(output, ns=(before.st_atime_ns, before.st_mtime_ns))
    project.git("commit", "-q", "--no-verify", "--allow-empty", "-m", "more")
    refused = project.git("push", "-q", "origin", "main", status=None)
    assert refused.returncode != 0
    assert "'two.txt' in the worktree is not what the commit holds" in refused.stderr


def test_a_switch_of_branches_says_what_no_longer_fits_and_goes_on(project: Project) -> None:
    project.git("checkout", "-q", "-b", "other")
    project.write("in.txt", "other\n")
    project.git("commit", "-q", "--no-verify", "-am", "other")
    project.git("checkout", "-q", "main")
    done = project.git("checkout", "-q", "other")
    assert "input 'in.txt' changed" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.git("checkout", "-q", "HEAD", "--", "in.txt").stderr == ""


def test_warn_says_it_and_lets_it_through(project: Project) -> None:
    project.mlstore("config", "hook.mode", "warn")
    project.write("in.txt", "other\n")
    done = project.git("commit", "-qam", "other")
    assert "input 'in.txt' changed" in done.stderr
    assert "'pre-commit' lets it through all the same" in done.stderr
    project.mlstore("config", "hook.mode", "sometimes")
    refused = project.mlstore("hook", "run", "pre-commit", status=2)
    assert refused.stderr == "error: 'hook.mode' is 'sometimes'\nhint: it is 'enforce' or 'warn'\n"


@pytest.mark.parametrize("place", ["ml", "with space/and 'quote'"])
def test_a_repository_below_the_top_of_git(tmp_path: Path, place: str) -> None:
    project = set_up(Project(tmp_path, place))
    project.mlstore("hook", "install")
    project.git("commit", "-q", "--allow-empty", "-m", "fine")
    project.write("in.txt", "other\n")
    stopped = project.git("commit", "-qam", "other", status=1)
    assert "input 'in.txt' changed" in stopped.stderr
    project.git("add", "-f", f"{place}/one.txt")
    assert "'one.txt' is an output" in project.git("commit", "-qm", "x", status=1).stderr


# --- beside other hooks ---


def hook_of(project: Project, name: str, text: str) -> Path:
    path = project.top / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_a_hook_that_is_there_runs_first_and_comes_back(bare: Project) -> None:
    hook = hook_of(bare, "pre-commit", 'echo "mine $#" >&2; test ! -e forbidden\n')
    text = hook.read_text()
    listed = bare.mlstore("hook", "install", "pre-commit").stdout
    assert "installed, after 'pre-commit.before-mlstore'" in listed
    assert "pre-push      not installed" in listed
    assert "mine 0" in bare.git("commit", "-q", "--allow-empty", "-m", "x").stderr
    bare.write("forbidden", "")
    assert bare.git("commit", "-q", "--allow-empty", "-m", "x", status=1).stderr == "mine 0\n"
    bare.mlstore("hook", "install", "pre-commit")  # again: it is not taken for somebody else's
    bare.mlstore("hook", "uninstall")
    assert hook.read_text() == text
    assert os.access(hook, os.X_OK)
    assert not hook.with_name("pre-commit.before-mlstore").exists()


def test_every_hook_of_others_keeps_its_arguments_and_input(
    bare: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    remote = tmp_path_factory.mktemp("remote")
    bare.git("init", "-q", "--bare", str(remote))
    hook_of(bare, "pre-push", 'echo "push $1 $(cut -d" " -f1)" >&2\n')
    hook_of(bare, "post-checkout", 'echo "checkout $3" >&2\n')
    bare.mlstore("hook", "install")
    assert "push " + str(remote) + " refs/heads/main" in bare.git("push", str(remote), "main").stderr
    assert "checkout 1" in bare.git("checkout", "-b", "other").stderr
    bare.write("two.txt", "forged\n")
    assert bare.git("push", str(remote), "other", status=None).returncode != 0
    bare.mlstore("hook", "uninstall")
    assert "checkout 1" in bare.git("checkout", "main").stderr
    assert "push" in bare.git("push", str(remote), "other").stderr


def test_two_hooks_of_others_are_not_lost(bare: Project) -> None:
    hook = hook_of(bare, "pre-commit", "true\n")
    other = hook_of(bare, "pre-commit.before-mlstore", "false\n")
    refused = bare.mlstore("hook", "install", status=1)
    assert "neither is 'pre-commit.before-mlstore'" in refused.stderr
    assert hook.read_text().endswith("true\n")
    assert other.read_text().endswith("false\n")


def test_a_link_as_a_hook_stays_a_link(bare: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    shared = tmp_path_factory.mktemp("shared") / "check"
    shared.write_text("#!/bin/sh\necho shared >&2\n")
    shared.chmod(0o755)
    hook = bare.top / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.symlink_to(shared)
    bare.mlstore("hook", "install", "pre-commit")
    assert shared.read_text() == "#!/bin/sh\necho shared >&2\n"
    assert "shared" in bare.git("commit", "-q", "--allow-empty", "-m", "x").stderr
    bare.mlstore("hook", "uninstall", "pre-commit")
    assert hook.readlink() == shared


def test_uninstall_leaves_the_hooks_of_others_alone(bare: Project) -> None:
    hook = hook_of(bare, "pre-push", "true\n")
    bare.mlstore("hook", "uninstall")
    assert hook.exists()


def test_a_hook_whose_python_is_gone_says_so(project: Project) -> None:
    hook = project.top / ".git" / "hooks" / "pre-commit"
    hook.write_text(hook.read_text().replace(sys.executable, "/nowhere/python"))
    stopped = project.git("commit", "-q", "--allow-empty", "-m", "x", status=1, PATH="/usr/bin:/bin")
    assert stopped.stderr.startswith("error: 'mlstore' is not to be found")


def test_outside_git_there_is_nowhere_to_install(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.mlstore("init", "-q")
    refused = project.mlstore("hook", "install", status=4)
    assert "is not in a git repository with a worktree" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("words", [("run",), ("run", "nothing"), ("install", "commit-msg"), ("dance",)])
def test_what_is_no_hook_is_told_in_one_line(project: Project, words: tuple[str, ...]) -> None:
    refused = project.mlstore("hook", *words, status=2)
    assert refused.stderr.startswith("error: ")


@pytest.mark.modules
def test_nothing_changed_loads_little(project: Project) -> None:
    code = "import sys; from mlstore_cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "hook", "run", "pre-commit"],
        cwd=project.root,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    modules = done.stdout.split()
    assert not {"numpy", "pandas", "sklearn", "joblib", "rich", "yaml"}.intersection(modules)
    assert len(modules) <= 230


# --- the pre-commit framework ---


def framework(project: Project, hook: str) -> None:
    """Write a configuration with HOOK as we declare it, but for the installation: that needs a network."""
    declared = next(one for one in yaml.safe_load(HOOKS_YAML.read_text()) if one["id"] == hook)
    declared |= {"language": "system", "entry": f"{sys.executable} -P -m mlstore_cli {declared['entry'][8:]}"}
    config = {"repos": [{"repo": "local", "hooks": [declared]}]}
    project.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    project.git("add", ".pre-commit-config.yaml")


def pre_commit(project: Project, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", *arguments],
        cwd=project.top,
        env=environment({"PRE_COMMIT_HOME": str(project.top.parent / "pre-commit-home")}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_the_pre_commit_framework_runs_the_gate(bare: Project) -> None:
    framework(bare, "mlstore-verify")
    assert "Passed" in pre_commit(bare, "run")
    bare.write("in.txt", "other\n")
    bare.git("add", "in.txt")
    assert "input 'in.txt' changed" in pre_commit(bare, "run", status=1)
    bare.git("add", "-f", "one.txt")
    assert "'one.txt' is an output of stage 'one'" in pre_commit(bare, "run", status=1)


def test_the_pre_commit_framework_checks_the_lock_when_it_changes(bare: Project) -> None:
    framework(bare, "mlstore-lock")
    assert "Skipped" in pre_commit(bare, "run")
    lock = bare.root / "mlstore.lock"
    lock.write_text(lock.read_text().replace("height = 2", "height = 3"))
    bare.git("add", "mlstore.lock")
    assert "pins another height" in pre_commit(bare, "run", status=1)


def test_the_declared_hooks_are_valid_for_the_framework(bare: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(HOOKS_YAML)],
        env=environment({"PRE_COMMIT_HOME": str(bare.top.parent / "pre-commit-home")}),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_our_hooks_and_the_framework_live_together(project: Project) -> None:
    framework(project, "mlstore-lock")
    pre_commit(project, "install")
    project.write("in.txt", "other\n")
    stopped = project.git("commit", "-qam", "other", status=1)
    assert "input 'in.txt' changed" in stopped.stdout + stopped.stderr
