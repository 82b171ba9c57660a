from __future__ import annotations

import pytest
from tests import stored


def test_show_head_is_a_commit_with_its_patch(history):
    lines = history("show").lines
    assert lines[0] == "commit " + history("rev-parse", "HEAD").out.strip()
    assert lines[4] == "    two"
    assert lines[6] == "diff --git a/a.txt b/a.txt"
    assert lines[-1] == "+2"
    assert history("show", "-s").lines == lines[:5]


def test_show_a_file_byte_for_byte_and_a_folder_as_a_list(history):
    data = bytes(range(256)) + b"\r\n"
    history.write("data/raw.bin", data)
    history.commit("three")
    assert history("show", "HEAD:data/raw.bin").raw == data
    assert history("show", "HEAD:data").lines == ["b.txt", "raw.bin"]
    assert history("show", "HEAD^{tree}").lines == ["a.txt", "data/"]


def test_show_an_annotated_tag_and_its_commit(history):
    history("tag", "-m", "first line\nsecond", "v1")
    lines = history("show", "v1", "--stat").lines
    assert lines[:2] == ["tag v1", "Tagger: Ada <ada@example.org>"]
    assert lines[4:6] == ["first line", "second"]
    assert lines[7].startswith("commit ")
    assert lines[-1] == " 1 file changed, 1 insertion(+)"


def test_show_what_is_not_there(history):
    assert "'nope' is not in 'HEAD'" in history("show", "HEAD:nope", status=4).err
    assert "is not a revision" in history("show", "nope", status=4).err


def test_show_as_json(history):
    history("tag", "-m", "x", "v1")
    found = history("show", "--json", "--stat", "HEAD", "v1", "HEAD:data", "HEAD:a.txt").json
    assert found["schema"] == "mlstore.show/1"
    commit, tag, tree, blob = found["objects"]
    assert [one["kind"] for one in found["objects"]] == ["commit", "tag", "tree", "blob"]
    assert commit["changes"][0]["lines_added"] == 1
    assert tag["target"] == commit["commit"]
    assert tree["entries"][0]["path"] == "b.txt"
    assert blob["size"] == 4


@pytest.mark.parametrize("cli", ["packed", "loose"], indirect=True)
def test_a_corrupt_blob_is_never_shown(history):
    blob = history("rev-parse", "HEAD:a.txt").out.strip()
    stored.replace(history.root / ".mlstore", blob, b"1\n3\n")
    for args in (("show", "HEAD:a.txt"), ("cat-file", "blob", blob), ("cat-file", "-e", blob)):
        done = history(*args, status=3)
        assert done.raw == b""
        assert f"object '{blob}' is corrupt" in done.err


PATCH = """\
diff --git a/a.txt b/a.txt
index {old}..{new} 100644
--- a/a.txt
+++ b/a.txt
@@ -1,2 +1,3 @@
 1
 2
+3
"""


@pytest.fixture
def changed(history):
    history.write("a.txt", "1\n2\n3\n")
    return history


def patch(cli) -> str:
    old = cli("rev-parse", "HEAD:a.txt").out[:10]
    return PATCH.format(old=old, new=cli("hash-object", "a.txt").out[:10])


def test_diff_compares_the_worktree_with_the_index(changed):
    assert changed("diff").out == patch(changed)
    changed("add", ".")
    assert changed("diff").out == ""


@pytest.mark.parametrize("option", ["--cached", "--staged"])
def test_diff_cached_compares_the_index_with_head(changed, option):
    assert changed("diff", option).out == ""
    expected = patch(changed)
    changed("add", ".")
    assert changed("diff", option).out == expected


def test_diff_with_revisions(changed):
    assert changed("diff", "HEAD").out == patch(changed)
    assert changed("diff", "HEAD~1").lines[-2:] == ["+2", "+3"]
    between = changed("diff", "HEAD~1", "HEAD").lines
    assert between[-1] == "+2"
    assert changed("diff", "HEAD~1..HEAD").lines == between
    assert changed("diff", "HEAD~1..").lines == between
    assert changed("diff", "HEAD~1...HEAD").lines == between
    assert changed("diff", "HEAD", "HEAD~1").lines[-1] == "-2"
    assert "too many revisions" in changed("diff", "HEAD", "HEAD", "HEAD", status=2).err


def test_diff_of_paths(changed):
    changed.write("data/b.txt", "changed\n")
    assert changed("diff", "--name-only").lines == ["a.txt", "data/b.txt"]
    assert changed("diff", "--name-only", "--", "data").lines == ["data/b.txt"]
    assert changed("diff", "--name-only", "data").lines == ["data/b.txt"]
    assert changed("diff", "--name-only", "HEAD", "a.txt").lines == ["a.txt"]
    assert changed("diff", "--name-only", "--", "b.txt", cwd="data").lines == ["data/b.txt"]


def test_diff_names_and_letters(changed):
    changed.write("new.txt", "n")
    (changed.root / "data/b.txt").unlink()
    changed("add", "-A")
    assert changed("diff", "--name-status", "--cached").lines == ["M\ta.txt", "D\tdata/b.txt", "A\tnew.txt"]
    assert changed("diff", "--name-status", "--cached", "-z").raw == b"M\0a.txt\0D\0data/b.txt\0A\0new.txt\0"


def test_diff_exit_code_only_when_asked(changed):
    changed("diff")
    changed("diff", "--exit-code", status=1)
    assert changed("diff", "-q", status=1).out == ""
    assert changed("diff", "--quiet", "--cached").out == ""
    changed("restore", "a.txt")
    changed("diff", "--exit-code")


def test_diff_of_binary_files_takes_one_line(history):
    history.write("x.bin", b"\0" * 100)
    history.commit("three")
    history.write("x.bin", b"\0" * 150)
    assert history("diff").lines[-1] == "Binary files a/x.bin and b/x.bin differ (100 -> 150 bytes)"
    assert history("diff", "--stat").lines[0] == " x.bin | Bin 100 -> 150 bytes"


def test_diff_of_a_large_text_is_not_computed(history):
    history.write("big.csv", b"1,2\n" * (1 << 20) + b"x")
    history("add", ".")
    assert history("diff", "--cached").lines[-1].startswith("Binary files /dev/null and b/big.csv differ")


def test_diff_of_new_deleted_and_executable_files(history):
    history.write("new.txt", "no newline")
    (history.root / "data/b.txt").unlink()
    (history.root / "a.txt").chmod(0o755)
    history("add", "-A")
    lines = history("diff", "--cached").lines
    assert lines[:3] == ["diff --git a/a.txt b/a.txt", "old mode 100644", "new mode 100755"]
    assert "deleted file mode 100644" in lines
    assert "+++ /dev/null" in lines
    assert "new file mode 100644" in lines
    assert lines[-2:] == ["+no newline", "\\ No newline at end of file"]


def test_diff_is_a_patch_that_git_can_apply(changed, tmp_path_factory):
    import subprocess

    other = tmp_path_factory.mktemp("other")
    (other / "a.txt").write_text("1\n2\n")
    subprocess.run(["git", "apply"], input=changed("diff").raw, cwd=other, check=True)
    assert (other / "a.txt").read_text() == "1\n2\n3\n"


def test_diff_passes_odd_bytes_on_when_nobody_looks(history):
    history.write("a.txt", b"\xff\x1b[31m\r\n")
    assert b"+\xff\x1b[31m\r\n" in history("diff").raw


def test_diff_stat_fits_the_width(history):
    name = "folder/" + "x" * 60 + ".txt"
    history.write(name, "line\n" * 5000)
    history("add", ".")
    lines = history("diff", "--cached", "--stat").lines
    assert lines[0].startswith(" ...")
    assert all(len(line) <= 110 for line in lines)
    assert lines[1] == " 1 file changed, 5000 insertions(+)"


def test_diff_as_json(changed):
    found = changed("diff", "--json", "--stat").json
    assert found["schema"] == "mlstore.diff/1"
    (change,) = found["changes"]
    assert change["path"] == "a.txt"
    assert change["status"] == "modified"
    assert change["old"]["id"] == changed("rev-parse", "HEAD:a.txt").out.strip()
    assert change["new"]["size"] == 6
    assert (change["lines_added"], change["lines_deleted"]) == (1, 0)
