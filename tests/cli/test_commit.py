from __future__ import annotations


def test_commit_names_branch_id_message_and_files(cli):
    cli.write("a.txt", "1\n")
    cli("add", ".")
    first = cli("commit", "-m", "one").lines
    head = cli("rev-parse", "--short", "HEAD").out.strip()
    assert first == [f"[main (root-commit) {head}] one", " 1 file changed (1 added)"]
    cli.write("a.txt", "2\n")
    cli.write("b.txt", "2\n")
    cli("add", ".")
    head = cli("commit", "-m", "two").lines
    assert head[1] == " 2 files changed (1 added, 1 modified)"


def test_commit_quiet_says_nothing(history):
    assert history("commit", "-q", "--allow-empty", "-m", "x").out == ""


def test_more_messages_are_paragraphs(history):
    history("commit", "--allow-empty", "-m", "subject", "-m", "body\nmore")
    assert history("log", "-1", "--json").json["commits"][0]["message"] == "subject\n\nbody\nmore"


def test_message_from_a_file_or_stdin(history):
    history.write("message", "from file\r\n\r\nbody\n")
    history("commit", "--allow-empty", "-F", "../message", cwd="data")
    assert history("log", "-1", "--json").json["commits"][0]["message"] == "from file\n\nbody"
    history("commit", "--allow-empty", "-F", "-", stdin=b"from stdin\n")
    assert history("log", "-1", "--oneline").out.endswith(" from stdin\n")


def test_message_that_is_not_utf8_is_refused(history):
    history.write("message", b"\xff\xfe")
    assert "is not valid UTF-8" in history("commit", "--allow-empty", "-F", "message", status=2).err
    assert "is not valid UTF-8" in history("commit", "--allow-empty", "-m", "\udcff", status=2).err


def test_message_is_needed(history):
    assert history("commit", "--allow-empty", status=2).err.startswith("error: no message given; use -m")
    assert "is empty" in history("commit", "--allow-empty", "-m", "", status=2).err
    assert "exclude each other" in history("commit", "-m", "x", "-F", "y", status=2).err
    assert "no such file" in history("commit", "--allow-empty", "-F", "nope", status=4).err


def test_commit_all_takes_changed_and_deleted_but_no_new_files(history):
    history.write("a.txt", "changed\n")
    (history.root / "data/b.txt").unlink()
    history.write("new.txt", "n")
    assert history("commit", "-am", "three").lines[1] == " 2 files changed (1 modified, 1 deleted)"
    assert history("status", "-s").out == "?? new.txt\n"


def test_nothing_to_commit_is_refused(history):
    err = history("commit", "-m", "x", status=1).err
    assert err.startswith("error: nothing to commit")
    assert history("rev-list", "--count", "HEAD").out == "2\n"


def test_a_first_commit_of_nothing_is_refused_as_in_git(cli):
    err = cli("commit", "-m", "x", status=1).err
    assert "error: nothing to commit: no file is staged\nhint: stage files with 'mlstore add'" in err
    cli("rev-parse", "HEAD", status=4)
    assert cli("restore", ".", status=4).err.startswith("error: '.' did not match any tracked file\n")
    cli("commit", "--allow-empty", "-m", "x")


def test_amend_replaces_the_last_commit(history):
    before = history("rev-parse", "HEAD", "HEAD~1").lines
    history.write("a.txt", "other\n")
    history("add", ".")
    history("commit", "--amend", "-m", "two again")
    after = history("rev-parse", "HEAD", "HEAD~1").lines
    assert after[0] != before[0]
    assert after[1] == before[1]
    history("commit", "--amend", "--no-edit")
    assert history("log", "-1", "--oneline").out.endswith(" two again\n")


def test_amend_without_a_commit(cli):
    assert "no commit to amend" in cli("commit", "--amend", "-m", "x", status=2).err


def test_commit_as_json(history):
    done = history("commit", "--allow-empty", "-m", "x", "--json").json
    assert done["schema"] == "mlstore.commit/1"
    assert done["commit"] == history("rev-parse", "HEAD").out.strip()
    assert done["branch"] == "main"
    assert done["height"] == 2
    assert done["author"] == {"name": "Ada", "email": "ada@example.org"}
    assert done["stage"] is None


def test_commit_on_no_branch(history):
    history("checkout", "-q", "--detach")
    assert history("commit", "--allow-empty", "-m", "x").out.startswith("[detached HEAD ")


def test_stage_and_amend_exclude_each_other(history):
    assert "exclude each other" in history("commit", "--stage", "s", "--amend", "-m", "x", status=2).err


def test_commit_all_with_a_stage_makes_a_block_asserted_by_hand(history):
    history.write("mlstore.toml", '[stages.s]\ncommand = "x"\ninputs = ["a.txt"]\noutputs = ["data/b.txt"]\n')
    history("add", "mlstore.toml")
    history.write("data/b.txt", "made by hand\n")
    history("commit", "-a", "--stage", "s", "-m", "by hand")
    (commit,) = history("log", "--stage", "s", "--json").json["commits"]
    assert commit["stage"]["record"] == "asserted"
    assert commit["stage"]["outputs"] == {"data/b.txt": history("hash-object", "data/b.txt").out.strip()}
    assert history("log", "-1", "--oneline").out.endswith(" [s] by hand\n")
    assert history("show", "-s").lines[3].startswith("Stage:  s (asserted, height 2, lineage ")
