from __future__ import annotations

import pytest


@pytest.fixture
def staged(history):
    """a.txt changed and staged, and changed again."""
    history.write("a.txt", "staged\n")
    history("add", "a.txt")
    history.write("a.txt", "local\n")
    return history


def test_restore_takes_the_index(staged):
    assert staged("restore", "a.txt").out == ""
    assert staged.read("a.txt") == "staged\n"
    assert staged("status", "-s").out == "M  a.txt\n"


def test_restore_staged_is_the_opposite_of_add(staged):
    staged("restore", "--staged", "a.txt")
    assert staged.read("a.txt") == "local\n"
    assert staged("status", "-s").out == " M a.txt\n"


def test_restore_both(staged):
    staged("restore", "-SW", ".")
    assert staged("status", "-s").out == ""


def test_restore_from_a_revision(history):
    history("restore", "--source", "HEAD~1", "a.txt")
    assert history("status", "-s").out == " M a.txt\n"
    history("restore", "-s", "HEAD~1", "--staged", "--worktree", "a.txt")
    assert history("status", "-s").out == "M  a.txt\n"


def test_restore_staged_before_the_first_commit(cli):
    cli.write("a.txt", "1")
    cli("add", ".")
    cli("restore", "--staged", "a.txt")
    assert cli("status", "-s").out == "?? a.txt\n"


def test_restore_errors(history):
    assert "did not match" in history("restore", "nope", status=4).err
    assert "missing argument" in history("restore", status=2).err
    assert "is not a revision" in history("restore", "-s", "nope", "a.txt", status=4).err


def test_restore_as_json(staged):
    assert staged("restore", "--json", "a.txt").json == {"schema": "mlstore.restore/1", "restored": ["a.txt"]}


def test_reset_hard_says_where_head_is(staged):
    head = staged("rev-parse", "--short", "HEAD~1").out.strip()
    assert staged("reset", "--hard", "HEAD~1").out == f"HEAD is now at {head} one\n"
    assert staged("status", "-s").out == ""
    assert staged.read("a.txt") == "1\n"


def test_reset_soft_keeps_index_and_files(history):
    assert history("reset", "--soft", "HEAD~1").out == ""
    assert history("status", "-s").out == "M  a.txt\n"


@pytest.mark.parametrize("args", [(), ("--mixed",)])
def test_reset_mixed_keeps_the_files_and_lists_them(history, args):
    assert history("reset", *args, "HEAD~1").out == "Unstaged changes after reset:\nM\ta.txt\n"
    assert history("status", "-s").out == " M a.txt\n"
    assert history("reset", "-q").out == ""


@pytest.mark.parametrize("args", [("a.txt",), ("--", "a.txt"), ("HEAD", "--", "a.txt"), ("HEAD", "a.txt")])
def test_reset_of_paths_unstages(staged, args):
    assert staged("reset", *args).out == "Unstaged changes after reset:\nM\ta.txt\n"
    assert staged("status", "-s").out == " M a.txt\n"


def test_reset_of_a_path_before_the_first_commit(cli):
    cli.write("a.txt", "1")
    cli("add", ".")
    cli("reset", "a.txt")
    assert cli("status", "-s").out == "?? a.txt\n"


def test_the_reflog_says_what_a_reset_was_asked_for(history):
    history("reset", "--hard", "HEAD~1")
    assert history("reflog", "-1").out.endswith("HEAD@{0}: reset: moving to HEAD~1\n")


def test_reset_is_undone_by_the_reflog(history):
    history("reset", "--hard", "-q", "HEAD~1")
    history("reset", "--hard", "-q", "HEAD@{1}")
    assert history("log", "-1", "--oneline").out.endswith(" two\n")


def test_reset_errors(history):
    assert "exclude each other" in history("reset", "--hard", "--", "a.txt", status=2).err
    assert "neither a revision" in history("reset", "nope", status=4).err
    assert "more than one revision" in history("reset", "HEAD", "HEAD", status=2).err


def test_reset_as_json(history):
    found = history("reset", "--json", "HEAD~1").json
    assert found["branch"] == "main"
    assert found["commit"] == history("rev-parse", "HEAD").out.strip()
    assert found["unstaged"] == [{"path": "a.txt", "status": "modified"}]
