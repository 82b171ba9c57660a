from __future__ import annotations

import pytest
from tests import stored


@pytest.fixture
def forked(history):
    """main at `two`, side at `side work`, which changes a.txt too and adds s.txt."""
    history("branch", "side", "HEAD~1")
    history("switch", "-q", "side")
    history.commit("side work", a_txt="side\n", s_txt="s\n")
    history("switch", "-q", "main")
    return history


COMMANDS = pytest.mark.parametrize("command", ["checkout", "switch"])


@COMMANDS
def test_switching_changes_branch_and_files(forked, command):
    done = forked(command, "side")
    assert (done.out, done.err) == ("", "Switched to branch 'side'\n")
    assert forked.read("a.txt") == "side\n"
    assert forked("status", "-sb").out == "## side\n"
    assert forked(command, "side").err == "Already on 'side'\n"
    assert forked(command, "-q", "main").err == ""
    assert not (forked.root / "s.txt").exists()


@COMMANDS
def test_dash_is_the_branch_before(forked, command):
    forked(command, "side")
    assert forked(command, "-").err == "Switched to branch 'main'\n"
    assert forked(command, "-").err == "Switched to branch 'side'\n"


def test_dash_without_a_branch_before(history):
    assert "no branch before" in history("switch", "-", status=4).err


@COMMANDS
def test_local_changes_are_carried_over_and_listed(forked, command):
    forked.write("data/b.txt", "local\n")
    assert forked(command, "side").out == "M\tdata/b.txt\n"
    assert forked.read("data/b.txt") == "local\n"


@COMMANDS
def test_switching_refuses_to_overwrite_work_and_changes_nothing(forked, command):
    forked.write("a.txt", "local\n")
    forked.write("s.txt", "untracked\n")
    err = forked(command, "side", status=1).err
    assert "'a.txt'" in err
    assert "'s.txt'" in err
    assert "hint: " in err
    assert forked.read("a.txt") == "local\n"
    assert forked("branch", "--show-current").out == "main\n"
    assert forked(command, "--json", "side", status=1).json["paths"] == ["a.txt", "s.txt"]
    forked(command, "-f", "side")
    assert forked.read("s.txt") == "s\n"


@pytest.mark.parametrize(
    ("command", "option"), [("checkout", "-b"), ("switch", "-c"), ("switch", "--create")]
)
def test_a_new_branch(forked, command, option):
    assert forked(command, option, "new").err == "Switched to a new branch 'new'\n"
    assert "exists already" in forked(command, option, "side", status=1).err
    forked(command, option, "older", "HEAD~1")
    assert forked("log", "-1", "--oneline").out.endswith(" one\n")
    assert "cannot be the name" in forked(command, option, "../x", status=2).err


@pytest.mark.parametrize(("command", "option"), [("checkout", "-B"), ("switch", "-C")])
def test_a_branch_made_anew(forked, command, option):
    forked(command, option, "side", "main")
    assert forked("log", "-1", "--oneline", "side").out.endswith(" two\n")


def test_a_new_branch_before_the_first_commit(cli):
    cli("checkout", "-q", "-b", "trunk")
    assert cli("status", "-sb").out == "## No commits yet on trunk\n"


def test_checkout_of_a_commit_detaches_and_advises_once(history):
    err = history("checkout", "HEAD~1").err
    assert err.startswith("hint: HEAD is detached")
    one = history("rev-parse", "--short", "HEAD").out.strip()
    assert err.endswith(f"HEAD is now at {one} one\n")
    history("tag", "v2", "main")
    err = history("checkout", "v2").err
    assert "hint" not in err
    assert err.startswith(f"Previous HEAD position was {one} one\nHEAD is now at ")
    assert history("branch", "--show-current").out == ""


def test_checkout_of_head_stays_on_the_branch(history):
    history.write("a.txt", "edited\n")
    for rest in ([], ["HEAD"], ["@"]):
        assert history("checkout", "-q", "-f", *rest).err == ""
        assert history("status", "-sb").out == "## main\n"
    history("checkout", "-q", "--detach")
    assert history("status", "-sb").out == "## HEAD (no branch)\n"


def test_switch_wants_a_branch_or_detach(history):
    err = history("switch", "HEAD~1", status=4).err
    assert "'HEAD~1'" in err
    assert "hint: " in err
    history("switch", "-d", "HEAD~1")
    assert history("log", "--oneline", "-1").out.endswith(" one\n")
    assert "missing argument 'BRANCH'" in history("switch", status=2).err


@COMMANDS
def test_an_unknown_branch_is_suggested(forked, command):
    err = forked(command, "sied", status=4).err
    assert "'sied'" in err


def test_checkout_of_paths_from_a_revision_stages_them(forked):
    err = forked("checkout", "side", "--", "a.txt", "s.txt").err
    assert err == "Updated 2 paths from 'side'\n"
    assert forked("status", "-s").lines == ["M  a.txt", "A  s.txt"]
    assert forked("branch", "--show-current").out == "main\n"


@pytest.mark.parametrize("args", [("--", "a.txt"), ("a.txt",), (".",), ("--", "*.txt")])
def test_checkout_of_paths_takes_them_from_the_index(history, args):
    history.write("a.txt", "local")
    assert history("checkout", *args).err == "Updated 1 path from the index\n"
    assert history.read("a.txt") == "1\n2\n"


def test_checkout_brings_a_deleted_file_back(history):
    (history.root / "a.txt").unlink()
    history("checkout", "a.txt")
    assert history.read("a.txt") == "1\n2\n"
    history("checkout", "HEAD~1", "a.txt")
    assert history.read("a.txt") == "1\n"


def test_checkout_of_what_is_neither(history):
    assert "neither a revision nor a path" in history("checkout", "nope", status=4).err
    assert "did not match" in history("checkout", "--", "nope", status=4).err
    assert "exclude each other" in history("checkout", "-b", "x", "--", "a.txt", status=2).err


def test_a_branch_wins_over_a_file_of_its_name(history):
    history("branch", "data")
    assert history("checkout", "data").err == "Switched to branch 'data'\n"


@pytest.mark.parametrize("cli", ["packed", "loose"], indirect=True)
def test_checkout_of_a_corrupt_object_changes_nothing(forked):
    blob = forked("rev-parse", "side:a.txt").out.strip()
    stored.replace(forked.root / ".mlstore", blob, b"edis\n")
    assert f"'{blob}' is corrupt" in forked("checkout", "side", status=3).err
    assert forked.read("a.txt") == "1\n2\n"
    assert forked("status", "-sb").out == "## main\n"


def test_switch_as_json(forked):
    forked.write("data/b.txt", "local\n")
    found = forked("switch", "--json", "side").json
    assert found["schema"] == "mlstore.checkout/1"
    assert found["previous"]["branch"] == "main"
    assert found["branch"] == "side"
    assert found["carried"] == [{"path": "data/b.txt", "status": "modified"}]
    assert forked("checkout", "--json", "main", "--", "a.txt").json["restored"] == ["a.txt"]
