from __future__ import annotations

import pytest


def test_add_dot_stages_new_changed_and_deleted_files(history):
    history.write("a.txt", "changed\n")
    history.write("new.txt", "n\n")
    (history.root / "data/b.txt").unlink()
    assert history("add", ".").out == ""
    assert history("status", "-s").lines == ["M  a.txt", "D  data/b.txt", "A  new.txt"]


@pytest.mark.parametrize("option", ["-A", "-u", "--all", "--update"])
def test_add_without_paths_takes_the_whole_worktree_from_anywhere(history, option):
    history.write("a.txt", "changed\n")
    history("add", option, cwd="data")
    assert history("status", "-s").out == "M  a.txt\n"


def test_add_update_leaves_new_files_alone(history):
    history.write("new.txt", "n")
    history("add", "-u")
    assert history("status", "-s").out == "?? new.txt\n"


def test_add_counts_paths_from_where_the_user_is(history):
    history.write("data/new.txt", "n")
    history("add", "new.txt", cwd="data")
    assert history("status", "-s").out == "A  data/new.txt\n"


def test_add_dry_run_and_verbose_name_the_files(history):
    history.write("new.txt", "n")
    (history.root / "data/b.txt").unlink()
    assert history("add", "-n", ".").lines == ["add 'new.txt'", "remove 'data/b.txt'"]
    assert history("status", "-s").lines == [" D data/b.txt", "?? new.txt"]
    assert history("add", "-v", ".").lines == ["add 'new.txt'", "remove 'data/b.txt'"]


def test_add_as_json(history):
    history.write("new.txt", "n")
    assert history("add", "--json", ".").json == {
        "schema": "mlstore.add/1",
        "added": ["new.txt"],
        "modified": [],
        "deleted": [],
        "dry_run": False,
    }


def test_add_refuses_and_stages_nothing(cli):
    cli.write("good", "x")
    (cli.root / "link").symlink_to("good")
    assert cli("add", ".", status=2).err.startswith("error: 'link' is a symlink")
    assert cli("status", "-s").lines == ["?? good", "?? link"]
    assert "did not match any files" in cli("add", "good", "nope", status=4).err
    assert cli("add", "good", "", status=2).err == "error: '' is not a path\nhint: '.' is this folder\n"
    assert cli("status", "-s").lines == ["?? good", "?? link"]
    assert "is outside the repository" in cli("add", "..", status=2).err
    assert "did you mean 'add .'" in cli("add", status=2).err


def test_add_ignored_only_by_force(cli):
    cli.write(".mlstoreignore", "*.tmp\n")
    cli.write("x.tmp", "x")
    assert "use 'mlstore add -f'" in cli("add", "x.tmp", status=1).err
    cli("add", "-f", "x.tmp")
    assert cli("status", "-s").lines == ["A  x.tmp", "?? .mlstoreignore"]


def test_rm_removes_the_file_and_says_so(history):
    assert history("rm", "a.txt").out == "rm 'a.txt'\n"
    assert not (history.root / "a.txt").exists()
    assert history("status", "-s").out == "D  a.txt\n"


def test_rm_cached_keeps_the_file(history):
    history("rm", "--cached", "-q", "a.txt")
    assert history("status", "-s").lines == ["D  a.txt", "?? a.txt"]


def test_rm_of_a_folder_needs_r(history):
    assert "use 'mlstore rm -r'" in history("rm", "data", status=1).err
    assert history("rm", "-r", "--json", "data").json["removed"] == ["data/b.txt"]


def test_rm_refuses_to_lose_changes(history):
    history.write("a.txt", "changed")
    err = history("rm", "a.txt", status=1).err
    assert err.startswith("error: 'a.txt' has changes")
    assert history.read("a.txt") == "changed"
    history("rm", "-f", "a.txt")
    assert not (history.root / "a.txt").exists()


def test_rm_of_what_is_not_tracked(history):
    assert history("rm", "nope", status=4).err.startswith("error: 'nope' is not tracked")


@pytest.fixture
def busy(history):
    """Every kind of change at once."""
    history.write("both.txt", "1\n")
    history.commit("three", staged_txt="1\n", gone_txt="1\n", mode_txt="1\n")
    history.write("staged.txt", "2\n")
    history.write("both.txt", "2\n")
    history("add", "staged.txt", "both.txt")
    history.write("both.txt", "3\n")
    (history.root / "gone.txt").unlink()
    (history.root / "mode.txt").chmod(0o755)
    history.write("fresh.txt", "f")
    history("add", "fresh.txt")
    history.write("folder/loose.txt", "l")
    return history


def test_status_short_is_two_letters_and_the_path(busy):
    expected = ["MM both.txt", "A  fresh.txt", " D gone.txt", " M mode.txt", "M  staged.txt", "?? folder/"]
    assert busy("status", "-s").lines == expected
    assert busy("status", "--porcelain").lines == expected


def test_status_short_counts_paths_from_where_the_user_is_and_porcelain_from_the_root(history):
    history.write("a.txt", "changed")
    assert history("status", "-s", cwd="data").out == " M ../a.txt\n"
    assert history("status", "--porcelain", cwd="data").out == " M a.txt\n"


def test_status_with_nul_does_not_quote(cli):
    cli.write("tab\tname", "x")
    assert cli("status", "--porcelain").out == '?? "tab\\tname"\n'
    assert cli("status", "--porcelain", "-z").raw == b"?? tab\tname\0"
    assert cli("status", "-z").raw == b"?? tab\tname\0"


def test_status_branch_line(history):
    assert history("status", "-sb").out == "## main\n"
    history("checkout", "-q", "HEAD~1")
    assert history("status", "-sb").out == "## HEAD (no branch)\n"


def test_status_long_tells_what_to_do_next(busy):
    assert busy("status").out == (
        "On branch main\n"
        "\n"
        "Changes to be committed:\n"
        '  (use "mlstore restore --staged <file>..." to unstage)\n'
        "\tmodified:   both.txt\n"
        "\tnew file:   fresh.txt\n"
        "\tmodified:   staged.txt\n"
        "\n"
        "Changes not staged for commit:\n"
        '  (use "mlstore add <file>..." to update what will be committed)\n'
        '  (use "mlstore restore <file>..." to discard changes in the worktree)\n'
        "\tmodified:   both.txt\n"
        "\tdeleted:    gone.txt\n"
        "\tmode:       mode.txt\n"
        "\n"
        "Untracked files:\n"
        '  (use "mlstore add <file>..." to include in what will be committed)\n'
        "\tfolder/\n"
    )


def test_status_long_ends_with_the_reason_why_there_is_nothing_to_commit(cli):
    assert cli("status").lines[-1] == 'nothing to commit (create files and use "mlstore add" to track)'
    cli.write("a.txt", "1")
    assert cli("status").lines[-1].startswith("nothing added to commit but untracked files present")
    cli("add", ".")
    assert "rm --cached" in cli("status").out
    cli("commit", "-qm", "x")
    assert cli("status").lines == ["On branch main", "", "nothing to commit, worktree clean"]
    cli.write("a.txt", "22")
    assert cli("status").lines[-1].startswith("no changes added to commit")
    cli("checkout", "-q", "--detach")
    assert cli("status").lines[0].startswith("HEAD detached at ")


def test_status_shows_what_can_never_be_tracked(cli):
    (cli.root / "link").symlink_to("nowhere")
    assert "\tlink  (symlink: cannot be tracked)" in cli("status").lines


@pytest.mark.parametrize(("how", "lines"), [("normal", ["?? d/"]), ("all", ["?? d/1", "?? d/2"]), ("no", [])])
def test_status_lists_as_many_untracked_files_as_wanted(cli, how, lines):
    cli.write("d/1", "")
    cli.write("d/2", "")
    assert cli("status", "-s", "-u", how).lines == lines


def test_status_as_json(busy):
    found = busy("status", "--json").json
    assert found["schema"] == "mlstore.status/1"
    assert found["branch"] == "main"
    assert found["commit"] == busy("rev-parse", "HEAD").out.strip()
    assert found["clean"] is False
    assert found["staged"] == [
        {"path": "both.txt", "status": "modified"},
        {"path": "fresh.txt", "status": "added"},
        {"path": "staged.txt", "status": "modified"},
    ]
    assert [(row["path"], row["status"]) for row in found["unstaged"]] == [
        ("both.txt", "modified"),
        ("gone.txt", "deleted"),
        ("mode.txt", "mode"),
    ]
    assert found["untracked"] == ["folder/"]


def test_status_of_a_corrupt_index_is_never_clean(history):
    index = history.root / ".mlstore/index"
    data = bytearray(index.read_bytes())
    data[len(data) // 2] ^= 1
    index.write_bytes(data)
    assert history("status", status=3).out == ""
