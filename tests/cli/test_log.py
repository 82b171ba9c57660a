from __future__ import annotations

import re

import pytest

from mlstore.model import Person
from mlstore.repository import Repository
from mlstore_cli.views.graph import link


@pytest.fixture
def merged(history):
    """main and side, forked after `two`, joined by a merge made in the store: no command makes one yet."""
    history("switch", "-q", "-c", "side")
    history.commit("side work", s_txt="s\n")
    history("switch", "-q", "main")
    history.commit("main work", m_txt="m\n")
    repo = Repository.open(history.root)
    tips = [repo.refs.read(f"refs/heads/{name}") for name in ("main", "side")]
    above = [repo.objects.read_commit(tip) for tip in tips]
    commit = type(above[0])(
        above[0].tree, tuple(tips), 4, None, Person("Ada", "ada@example.org"), above[0].time, "join"
    )
    with repo.objects.transaction() as writer:
        made = writer.add_commit(commit)
    with repo.write_lock("test"):
        repo.refs.update("refs/heads/main", made, old=tips[0])
    return history


def subjects(result) -> list[str]:
    return [line.partition(" ")[2] for line in result.lines]


def test_log_shows_id_author_date_and_message(history):
    lines = history("log").lines
    head = history("rev-parse", "HEAD").out.strip()
    assert lines[0] == f"commit {head}"
    assert lines[1] == "Author: Ada <ada@example.org>"
    assert lines[2].startswith("Date:   20")
    assert lines[3:5] == ["", "    two"]
    assert lines[5] == ""
    assert lines[6].startswith("commit ")


def test_log_oneline_and_limits(history):
    assert subjects(history("log", "--oneline")) == ["two", "one"]
    for option in (["-1"], ["-n", "1"], ["-n1"], ["--max-count=1"]):
        assert subjects(history("log", "--oneline", *option)) == ["two"]
    assert subjects(history("log", "--oneline", "--reverse")) == ["one", "two"]
    assert history("log", "-0").out == ""


def test_log_of_ranges_and_paths(history):
    assert subjects(history("log", "--oneline", "HEAD~1..HEAD")) == ["two"]
    assert subjects(history("log", "--oneline", "HEAD~1")) == ["one"]
    assert subjects(history("log", "--oneline", "--", "data")) == ["one"]
    assert subjects(history("log", "--oneline", "a.txt")) == ["two", "one"]
    assert subjects(history("log", "--oneline", "HEAD", "data/b.txt")) == ["one"]
    assert subjects(history("log", "--oneline", "--", "b.txt", cwd="data")) == ["one"]


def test_log_of_a_word_that_is_nothing_or_both(history):
    assert "neither a revision nor a path" in history("log", "nope", status=4).err
    history("branch", "data")
    assert "both a revision and a file" in history("log", "data", status=2).err
    assert subjects(history("log", "--oneline", "data", "--")) == ["two", "one"]


def test_log_before_the_first_commit(cli):
    assert cli("log", status=4).err.startswith("error: 'HEAD' does not exist: there is no commit yet")


def test_log_all_starts_from_every_branch(history):
    history("switch", "-q", "-c", "side", "HEAD~1")
    history.commit("side work", s_txt="s")
    assert subjects(history("log", "--oneline", "main")) == ["two", "one"]
    assert set(subjects(history("log", "--oneline", "--all"))) == {"side work", "two", "one"}


def test_log_decorates_when_asked(history):
    history("tag", "v1")
    history("branch", "other", "HEAD~1")
    lines = history("log", "--oneline", "--decorate").lines
    assert lines[0].endswith(" (HEAD -> main, tag: v1) two")
    assert lines[1].endswith(" (other) one")
    assert "(" not in history("log", "--oneline").out


def test_log_with_changes(history):
    assert history("log", "-1", "--oneline", "--stat").lines[1:] == [
        " a.txt | 1 +",
        " 1 file changed, 1 insertion(+)",
    ]
    assert history("log", "--oneline", "--name-status", "-1").lines[1:] == ["M\ta.txt"]
    assert history("log", "--oneline", "--name-only").lines[1::2] == ["a.txt", "a.txt"]
    assert history("log", "-1", "-p").lines[-3:] == ["@@ -1 +1,2 @@", " 1", "+2"]


def test_log_graph_draws_a_merge(merged):
    rows = merged("log", "--graph", "--oneline").lines
    drawn = [re.match(r"[ *|/\\]+", row)[0].rstrip() for row in rows]
    # The two sides have one height and may have one second: either may come first.
    assert sorted(drawn[2:4]) == ["* |", "| *"]
    assert drawn[:2] + drawn[4:] == ["*", "|\\", "|/", "*", "*"]
    assert rows[0].endswith(" join")
    assert rows[-1].endswith(" one")


def test_log_graph_of_some_paths_joins_the_shown_commits(merged):
    rows = merged("log", "--graph", "--oneline", "--", "s.txt", "a.txt").lines
    assert [row[:2] for row in rows] == ["* ", "* ", "* "]


def test_log_graph_puts_the_long_form_beside_the_lines(merged):
    out = merged("log", "--graph").out
    assert "\n| * commit " in out
    assert "\n| | Author: Ada" in out
    assert "\n|\\  Merge: " in out


def test_log_of_a_merge_names_its_parents_and_first_parent_leaves_the_side_out(merged):
    first = merged("rev-parse", "--short", "HEAD^1", "HEAD^2").lines
    assert f"Merge: {' '.join(first)}" in merged("log", "-1").lines
    assert subjects(merged("log", "--oneline", "--first-parent")) == ["join", "main work", "two", "one"]
    assert merged("rev-list", "--count", "main", "^side").out == "2\n"


def test_log_as_json(history):
    found = history("log", "--json", "-1").json
    assert found["schema"] == "mlstore.log/1"
    commit = found["commits"][0]
    assert commit["message"] == "two"
    assert commit["parents"] == [history("rev-parse", "HEAD~1").out.strip()]
    assert commit["height"] == 1
    assert commit["refs"] == ["HEAD -> main"]


def test_log_reverse_and_graph_exclude_each_other(history):
    assert "exclude each other" in history("log", "--graph", "--reverse", status=2).err


def test_link_skips_hidden_commits_and_keeps_both_sides_of_a_merge():
    commits = [("m", ["a", "b"]), ("a", ["r"]), ("b", ["c"]), ("c", ["r"]), ("r", ["outside"])]
    assert link(commits, {"m", "b", "r"}) == {"m": ["r", "b"], "b": ["r"], "r": []}
