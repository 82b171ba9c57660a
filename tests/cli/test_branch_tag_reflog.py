from __future__ import annotations

import json

import pytest


def test_branches_are_listed_with_a_star(history):
    history("branch", "other", "HEAD~1")
    assert history("branch").lines == ["* main", "  other"]
    one, two = history("rev-parse", "--short", "other", "main").lines
    assert history("branch", "-v").lines == [f"* main  {two} two", f"  other {one} one"]
    assert history("branch", "-l", "o*").lines == ["  other"]
    assert history("branch", "--show-current").out == "main\n"


def test_a_detached_head_is_listed(history):
    history("checkout", "-q", "HEAD~1")
    head = history("rev-parse", "--short", "HEAD").out.strip()
    assert history("branch").lines == [f"* (HEAD detached at {head})", "  main"]


def test_a_branch_is_made_once_and_moved_by_force(history):
    history("branch", "other")
    assert "exists already" in history("branch", "other", status=1).err
    history("branch", "-f", "other", "HEAD~1")
    assert history("rev-parse", "other").out == history("rev-parse", "HEAD~1").out
    assert "is checked out" in history("branch", "-f", "main", "HEAD~1", status=1).err


def test_a_branch_is_deleted_when_nothing_is_lost(history):
    history("branch", "other", "HEAD~1")
    one = history("rev-parse", "--short", "other").out.strip()
    assert history("branch", "-d", "other").out == f"Deleted branch 'other' (was {one})\n"
    assert "is checked out" in history("branch", "-d", "main", status=1).err
    history("switch", "-q", "-c", "side")
    history.commit("side", s_txt="s")
    history("switch", "-q", "main")
    assert "use 'mlstore branch -D side'" in history("branch", "-d", "side", status=1).err
    history("branch", "-D", "side")
    assert "no branch 'side'" in history("branch", "-d", "side", status=4).err


def test_a_branch_is_renamed(history):
    history("branch", "-m", "trunk")
    assert history("branch").lines == ["* trunk"]
    history("branch", "other")
    assert "exists already" in history("branch", "-m", "other", "trunk", status=1).err
    history("branch", "-m", "other", "third")
    history("branch", "fourth")
    history("branch", "-M", "fourth", "third")
    assert history("branch").lines == ["  third", "* trunk"]


@pytest.mark.parametrize(
    "name", ["../x", "a//b", "x.lock", "a@{b", "-x", ".x", "a\x1bb", "a b", "HEAD", "a\u202eb"]
)
def test_a_hostile_name_is_refused_on_one_harmless_line(history, name):
    for command in ("branch", "tag"):
        err = history(command, "--", name, status=2).err
        assert err.startswith("error: '")
        assert len(err.splitlines()) == 2
        assert all(line.isprintable() for line in err.splitlines())


def test_branch_errors(history):
    assert "is not a revision" in history("branch", "x", "nope", status=4).err
    assert "unexpected argument" in history("branch", "a", "b", "c", status=2).err
    assert "missing argument" in history("branch", "-d", status=2).err


def test_branches_as_json(history):
    found = history("branch", "--json").json
    commit = history("rev-parse", "HEAD").out.strip()
    assert found == {
        "schema": "mlstore.branch/1",
        "branches": [{"name": "main", "commit": commit, "current": True}],
    }
    assert history("branch", "--json", "x").json["created"] == "x"
    assert history("branch", "--json", "-m", "x", "y").json["to"] == "y"
    assert history("branch", "--json", "-d", "y").json["deleted"] == {"y": commit}


def test_tags_are_listed_made_moved_and_deleted(history):
    assert history("tag", "v2").out == ""
    history("tag", "v1", "HEAD~1")
    assert history("tag").lines == ["v1", "v2"]
    assert history("tag", "-l", "*1").lines == ["v1"]
    assert "exists already" in history("tag", "v1", status=1).err
    history("tag", "-f", "v1")
    head = history("rev-parse", "HEAD").out.strip()
    assert history("rev-parse", "v1").out.strip() == head
    assert history("tag", "-d", "v1").out == f"Deleted tag 'v1' (was {head[:10]})\n"
    assert "no tag 'v1'" in history("tag", "-d", "v1", status=4).err


@pytest.mark.parametrize("options", [("-a", "-m", "text"), ("-am", "text"), ("-m", "text")])
def test_an_annotated_tag_is_an_object(history, options):
    history("tag", *options, "v1")
    assert history("cat-file", "-t", "v1").out == "tag\n"
    assert history("rev-parse", "v1^{commit}").out == history("rev-parse", "HEAD").out
    (row,) = history("tag", "--json").json["tags"]
    assert row["annotated"] is True
    assert row["message"] == "text"
    assert row["tagger"]["name"] == "Ada"
    assert row["target"] == history("rev-parse", "HEAD").out.strip()


def test_tag_errors(history):
    assert "needs a message" in history("tag", "-a", "v1", status=2).err
    assert "missing argument" in history("tag", "-d", status=2).err
    assert "unexpected argument" in history("tag", "a", "b", "c", status=2).err
    assert "is not a revision" in history("tag", "v1", "nope", status=4).err


def test_reflog_shows_where_head_and_branches_were(history):
    two, one = history("rev-parse", "--short", "HEAD", "HEAD~1").lines
    assert history("reflog").lines == [
        f"{two} HEAD@{{0}}: commit: two",
        f"{one} HEAD@{{1}}: commit (initial): one",
    ]
    assert (
        history("reflog", "main").lines
        == history("reflog", "show", "refs/heads/main").out.replace("refs/heads/", "").splitlines()
    )
    assert len(history("reflog", "-1").lines) == 1
    assert "no branch 'nope'" in history("reflog", "nope", status=4).err


def test_reflog_cannot_be_forged_by_a_message(history):
    history("commit", "--allow-empty", "-m", "x\n0000 HEAD@{1}: forged\x1b[2J")
    history("commit", "--allow-empty", "-m", "\r\x1b[2Jforged")
    lines = history("reflog").lines
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    entries = history("reflog", "--json").json["entries"]
    assert len(entries) == 4
    assert entries[0]["who"] == "Ada <ada@example.org>"
    assert json.dumps(entries)
