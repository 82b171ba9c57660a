"""What this client remembers of heads: honest work is never called a rollback, and a rollback always is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

from mlstore.durable import FileLock

MAIN = "refs/heads/main"


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this client keeps what it saw."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("MLSTORE_STATE", str(folder))
    return folder


@pytest.fixture
def repo(state: Path, history: Cli) -> Cli:
    """Two commits on main, made by this client."""
    return history


def seen(cli: Cli, *args: str, status: int = 0) -> dict[str, Any]:
    report = cli("verify", "--json", *args, status=status).json
    found: dict[str, Any] = report["anchors"]["last-seen"]
    return found


def head(cli: Cli, revision: str = "HEAD") -> str:
    return cli("rev-parse", revision).out.strip()


def move(cli: Cli, ref: str, target: str) -> None:
    """Move a ref behind the client's back."""
    (cli.root / ".mlstore" / ref).write_text(target + "\n")


def stage(cli: Cli) -> None:
    """Record a block, so that there is a pipeline to pin."""
    cli.write("out.txt", "out\n")
    cli("add", "out.txt")
    cli("commit", "-m", "stage", "--stage", "s")


# honest work

HONEST = {
    "reset": "reset --hard HEAD~1",
    "reset, soft": "reset --soft HEAD~1; commit -m again",
    "amend": "commit --amend -m better",
    "amend twice": "commit --amend -m better; commit --amend -m best",
    "detach": "checkout -q --detach HEAD~1",
    "switch": "switch -q -c other HEAD~1; switch -q main; switch -q other",
    "branch, forced": "switch -q -c other; branch -f main HEAD~1; switch -q main",
    "branch, renamed": "branch -m trunk; reset --hard HEAD~1",
    "branch, made again": "branch x; branch -D x; branch x HEAD~1; switch -q x",
    "back and forth": "reset --hard HEAD~1; reset --hard HEAD@{1}; reset --hard HEAD~1",
}


@pytest.mark.parametrize("commands", HONEST.values(), ids=HONEST)
def test_what_this_client_did_itself_is_no_rollback(repo: Cli, commands: str) -> None:
    assert seen(repo)["state"] == "MATCH"
    for command in commands.split("; "):
        repo(*command.split())
    found = seen(repo)
    assert found["state"] == "MATCH"
    assert set(found["refs"].values()) == {"MATCH"}


@pytest.mark.parametrize("commands", HONEST.values(), ids=HONEST)
def test_a_command_that_is_killed_after_the_move_leaves_no_rollback(
    repo: Cli, commands: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What would have been noted at the end is not.
    monkeypatch.setattr("mlstore_cli.context.Session.remember_moves", lambda _session: None)
    for command in commands.split("; "):
        repo(*command.split())
        assert seen(repo, "--no-worktree")["state"] in ("MATCH", "NEWER")


def test_a_move_that_was_announced_and_not_made_leaves_no_rollback(
    repo: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlstore.refs.store.RefStore._write", die)
        repo("reset", "--soft", "HEAD~1", status=130)
    assert seen(repo)["state"] == "MATCH"
    repo.commit("three", a_txt="3\n")
    assert seen(repo)["state"] == "MATCH"


def test_an_announced_move_does_not_cover_up_a_rollback(repo: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    old = head(repo, "HEAD~1")
    repo.commit("three", a_txt="3\n")
    move(repo, MAIN, old)
    repo("commit", "--amend", "-m", "other")
    repo("reset", "--soft", "HEAD")
    assert seen(repo, "--no-worktree", status=5)["refs"][MAIN] == "ROLLED-BACK"


def test_a_moved_tag_of_this_client_is_no_rollback(repo: Cli) -> None:
    for revision in ("HEAD", "HEAD~1"):
        repo("tag", "-f", "-m", "one", "golden", revision)
        assert seen(repo, "golden")["refs"] == {"refs/tags/golden": "MATCH"}


def test_a_failed_command_changes_nothing(repo: Cli) -> None:
    repo("reset", "--hard", "nothing", status=4)
    assert seen(repo)["state"] == "MATCH"


def test_what_others_added_is_newer_and_then_known(repo: Cli) -> None:
    repo("branch", "side")
    new = head(repo)
    repo("reset", "-q", "--hard", "HEAD~1")
    move(repo, MAIN, new)  # as somebody else's commit on top would
    assert seen(repo, "--no-worktree")["state"] == "NEWER"
    assert seen(repo, "--no-worktree")["state"] == "MATCH"
    move(repo, MAIN, head(repo, "HEAD~1"))
    assert seen(repo, "--no-worktree", status=5)["state"] == "ROLLED-BACK"


def test_nothing_is_known_of_a_repository_that_was_not_seen(
    repo: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLSTORE_STATE", str(repo.root.parent / "elsewhere"))
    assert seen(repo)["state"] == "NONE"
    assert seen(repo)["state"] == "MATCH"


# rollbacks


def test_an_old_head_is_told_until_it_is_accepted(repo: Cli) -> None:
    new, old = head(repo), head(repo, "HEAD~1")
    move(repo, MAIN, old)
    for _ in range(2):
        result = repo("verify", "--no-worktree", status=5)
        assert "branch 'main' does not descend from what this client saw last" in result.out
    finding = repo("verify", "--no-worktree", "--json", status=5).json["findings"][0]
    assert (finding["kind"], finding["expected"], finding["actual"]) == ("rolled-back", new, old)
    report = repo("verify", "--no-worktree", "--accept-rollback", "--json").json
    assert [one["severity"] for one in report["findings"]] == ["info"]
    assert seen(repo, "--no-worktree")["state"] == "MATCH"


def test_work_on_top_of_a_rollback_does_not_cover_it_up(repo: Cli) -> None:
    old = head(repo, "HEAD~1")
    move(repo, MAIN, old)
    repo("reset", "-q", "--hard")
    for text in ("x", "y"):
        repo.commit(text, a_txt=text)
        assert seen(repo, status=5)["refs"][MAIN] == "ROLLED-BACK"
    repo("commit", "--amend", "-m", "z")
    assert seen(repo, status=5)["refs"][MAIN] == "ROLLED-BACK"


def test_going_back_to_what_was_seen_is_fine_again(repo: Cli) -> None:
    new = head(repo)
    move(repo, MAIN, head(repo, "HEAD~1"))
    repo("reset", "-q", "--hard", new)
    assert seen(repo)["state"] == "MATCH"


def test_a_head_that_was_put_on_another_branch_is_told(repo: Cli) -> None:
    repo("branch", "old", "HEAD~1")
    (repo.root / ".mlstore/HEAD").write_text("ref: refs/heads/old\n")
    found = seen(repo, "--no-worktree", status=5)
    assert found["refs"] == {"HEAD": "ROLLED-BACK", "refs/heads/old": "MATCH"}


def test_a_pinned_tag_that_was_moved_back_is_told(repo: Cli) -> None:
    stage(repo)
    repo("tag", "--golden")
    tag = repo.root / ".mlstore/refs/tags/golden"
    tag.write_text(head(repo, "HEAD~1") + "\n")
    report = repo("verify", "--json", status=5).json
    assert {"moved-pin", "rolled-back"} <= {one["kind"] for one in report["findings"]}
    tag.unlink()
    found = repo("verify", "--json", status=4).json
    assert found["anchors"]["last-seen"]["refs"]["refs/tags/golden"] == "ROLLED-BACK"


def test_exec_starts_nothing_after_a_rollback(repo: Cli) -> None:
    stage(repo)
    repo("tag", "--golden")
    repo("switch", "-q", "-c", "work")
    golden = head(repo)
    repo.commit("more", a_txt="3\n")
    move(repo, "refs/heads/work", golden)
    repo("checkout", "-q", "-f", "work")
    assert "was not started" in repo("exec", "--", "true", status=5).err
    repo("exec", "--accept-rollback", "--", "true")
    repo("exec", "--", "true")


def test_an_accepted_rollback_does_not_excuse_anything_else(repo: Cli) -> None:
    move(repo, MAIN, head(repo, "HEAD~1"))
    repo.write("a.txt", "changed")
    repo("verify", "--accept-rollback", status=1)
    assert seen(repo, status=5)["state"] == "ROLLED-BACK"


# the lock


def test_the_state_of_the_lock_is_told(repo: Cli) -> None:
    def lock(*args: str, status: int = 0) -> tuple[str, list[str]]:
        report = repo("verify", "--no-worktree", "--json", *args, status=status).json
        return report["anchors"]["lock"]["state"], [one["kind"] for one in report["findings"]]

    assert lock() == ("NONE", [])
    stage(repo)
    repo("tag", "--golden")
    assert lock() == ("MATCH", [])
    repo.commit("more", a_txt="3\n")
    assert lock() == ("NEWER", [])
    repo("checkout", "-q", "--detach", "golden~1")
    assert lock() == ("ROLLED-BACK", ["behind-pin"])
    assert lock("main") == ("NEWER", [])


# the place


def test_without_a_folder_nothing_is_remembered_and_that_is_said(
    history: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLSTORE_STATE")
    for variable in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(variable, "")
    assert seen(history) == {"state": "NONE", "refs": {}}
    assert "last-seen (there is no folder to remember heads in)" in history("verify", "-v").out
    assert "last-seen" not in history("verify").out
    move(history, MAIN, head(history, "HEAD~1"))
    history("verify", "--no-worktree")


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HOME"])
def test_the_folder_is_where_state_of_the_user_belongs(
    history: Cli, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.delenv("MLSTORE_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "relative/counts/for/nothing")
    monkeypatch.setenv(variable, str(home))
    history("verify")
    folder = home / ("mlstore" if variable == "XDG_STATE_HOME" else ".local/state/mlstore")
    (path,) = (folder / "seen").glob("*.json")
    value = json.loads(path.read_text())
    assert value["schema"] == "mlstore.seen/1"
    assert value["repository"] == str(history.root)
    assert value["machine"] == os.uname().nodename
    assert value["refs"][MAIN]["commit"] == head(history)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_fails_no_command(
    state: Path, history: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = state / "file"
    blocked.write_text("")
    monkeypatch.setenv("MLSTORE_STATE", str(blocked))
    history.commit("three", a_txt="3\n")
    assert "not remembered" not in history("commit", "--allow-empty", "-m", "four").err
    monkeypatch.setenv("MLSTORE_DEBUG", "1")
    assert "not remembered: " in history("commit", "--allow-empty", "-m", "five").err
    assert "last-seen (" in history("verify", "-v").out


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"schema":"mlstore.seen/2","refs":{}}', '{"schema":"mlstore.seen/1","refs":{"HEAD":1}}',
     '{"schema":"mlstore.seen/1","refs":{"HEAD":{"id":"x","commit":null,"height":0}}}',
     '{"schema":"mlstore.seen/1"}', "\x00\xff"],
)  # fmt: skip
def test_a_damaged_memory_is_told_and_fails_no_command(repo: Cli, state: Path, content: str) -> None:
    (path,) = (state / "seen").glob("*.json")
    path.write_text(content, "latin-1")
    repo.commit("three", a_txt="3\n")
    report = repo("verify", "--json").json
    assert report["anchors"]["last-seen"]["state"] == "NONE"
    assert "cannot be used" in report["skipped"]["last-seen"]


def test_a_memory_that_is_locked_for_long_fails_no_command(
    repo: Cli, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlstore.signing.lastseen._WAIT", 0.0)
    (path,) = (state / "seen").glob("*.lock")
    with FileLock(path, purpose="test"):
        repo.commit("three", a_txt="3\n")
    assert seen(repo)["state"] == "NEWER"


def test_reading_commands_write_nothing(repo: Cli, state: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in state.rglob("*.json")}
    for command in (["status"], ["log"], ["show"], ["diff"], ["verify"], ["fsck"], ["branch"], ["tag"]):
        repo(*command)
    assert {path: path.stat().st_mtime_ns for path in state.rglob("*.json")} == before


def test_a_clone_begins_with_what_it_was_made_from(repo: Cli) -> None:
    copy = Cli(repo.root / "copy")
    for _ in range(2):
        repo("clone", "-q", str(repo.root), "copy")
        assert seen(copy)["state"] == "MATCH"
        move(copy, MAIN, head(repo, "HEAD~1"))
        assert seen(copy, "--no-worktree", status=5)["state"] == "ROLLED-BACK"
        shutil.rmtree(copy.root)
        repo("reset", "-q", "--hard", "HEAD~1")
        repo.commit("other", a_txt="another\n")


def test_two_repositories_are_two(repo: Cli, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    repo("init", "-q", str(other))
    repo("add", "a.txt", status=0)
    assert len(list((state / "seen").glob("*.json"))) == 1
    repo("commit", "--allow-empty", "-q", "-m", "x", cwd="other")
    assert len(list((state / "seen").glob("*.json"))) == 2
