from __future__ import annotations

import hashlib

import blake3
import pytest


def test_hash_object_is_the_hash_of_the_bytes_outside_a_repository_too(outside):
    for size in (0, 1, 5_000_000):
        data = b"x" * size
        outside.write("f", data)
        assert outside("hash-object", "f").out == blake3.blake3(data).hexdigest() + "\n"


def test_hash_object_uses_the_format_of_the_repository(outside):
    outside("init", "-q", "--object-format", "sha256")
    outside.write("f", "abc")
    assert outside("hash-object", "f").out == hashlib.sha256(b"abc").hexdigest() + "\n"


def test_hash_object_of_stdin_and_several_files(outside):
    outside.write("f", "abc")
    expected = [blake3.blake3(data).hexdigest() for data in (b"in", b"abc")]
    assert outside("hash-object", "--stdin", "f", stdin=b"in").lines == expected
    found = outside("hash-object", "--json", "--stdin", "f", stdin=b"in").json["objects"]
    assert [(row["path"], row["id"]) for row in found] == [(None, expected[0]), ("f", expected[1])]


def test_hash_object_writes_only_when_told(cli):
    cli.write("f", "abc")
    object_id = cli("hash-object", "f").out.strip()
    cli("cat-file", "-e", object_id, status=4)
    assert cli("hash-object", "-w", "f").out.strip() == object_id
    assert cli("cat-file", "blob", object_id).raw == b"abc"


def test_hash_object_errors(outside):
    assert "nothing to hash" in outside("hash-object", status=2).err
    assert "no such file or directory" in outside("hash-object", "nope", status=4).err
    assert "is a directory" in outside("hash-object", ".", status=2).err
    outside.write("f", "abc")
    assert "not in an mlstore repository" in outside("hash-object", "-w", "f", status=2).err


def test_rev_parse_understands_revisions(history):
    head, one = history("rev-parse", "HEAD", "HEAD~1").lines
    history("tag", "-m", "x", "v1")
    for text in ("@", "main", "refs/heads/main", head[:8], "v1^{commit}", "HEAD~0", "HEAD^0"):
        assert history("rev-parse", text).out.strip() == head, text
    for text in ("HEAD^", "main~1", "HEAD@{1}", "v1~1"):
        assert history("rev-parse", text).out.strip() == one, text
    assert history("cat-file", "-t", "HEAD:data").out == "tree\n"
    assert history("cat-file", "-t", "HEAD:a.txt").out == "blob\n"


def test_rev_parse_short_and_names_and_places(history):
    head = history("rev-parse", "HEAD").out.strip()
    assert history("rev-parse", "--short", "HEAD").out.strip() == head[:10]
    assert history("rev-parse", "--short=6", "HEAD").out.strip() == head[:6]
    assert history("rev-parse", "--abbrev-ref", "HEAD").out == "main\n"
    assert history("rev-parse", "--show-toplevel", cwd="data").out == f"{history.root}\n"
    assert history("rev-parse", "--git-dir").out == f"{history.root}/.mlstore\n"
    history("checkout", "-q", "--detach")
    assert history("rev-parse", "--abbrev-ref", "HEAD").out == "HEAD\n"
    assert history("rev-parse", "--json", "HEAD").json["results"] == [head]


@pytest.mark.parametrize(
    ("text", "status"), [("nope", 4), ("HEAD~9", 4), ("HEAD^2", 4), ("HEAD^{x}", 2), ("HEAD~x", 2)]
)
def test_rev_parse_of_what_is_not_there(history, text, status):
    assert history("rev-parse", "--verify", text, status=status).err.startswith("error: ")


def test_rev_parse_verify_wants_one(history):
    assert "exactly one" in history("rev-parse", "--verify", "HEAD", "HEAD", status=2).err


def test_rev_list(history):
    head, one = history("rev-parse", "HEAD", "HEAD~1").lines
    assert history("rev-list", "HEAD").lines == [head, one]
    assert history("rev-list", "--reverse", "HEAD").lines == [one, head]
    assert history("rev-list", "-1", "HEAD").lines == [head]
    assert history("rev-list", "HEAD~1..HEAD").lines == [head]
    assert history("rev-list", "HEAD", "^HEAD~1").lines == [head]
    assert history("rev-list", "--count", "HEAD").out == "2\n"
    assert history("rev-list", "HEAD", "--", "data").lines == [one]
    assert history("rev-list", "--all", "--json").json["count"] == 2
    assert "missing argument" in history("rev-list", status=2).err


def test_cat_file(history):
    assert history("cat-file", "-t", "HEAD").out == "commit\n"
    assert history("cat-file", "-s", "HEAD:a.txt").out == "4\n"
    assert history("cat-file", "-p", "HEAD:a.txt").out == "1\n2\n"
    assert history("cat-file", "-p", "HEAD^{tree}").lines[1].startswith("040000 tree ")
    assert '"message": "two"' in history("cat-file", "-p", "HEAD").out
    assert history("cat-file", "--json", "-t", "HEAD:a.txt").json["type"] == "blob"


def test_cat_file_with_a_type_gives_the_exact_bytes(history):
    for kind in ("commit", "tree"):
        object_id = history("rev-parse", f"HEAD^{{{kind}}}").out.strip()
        raw = history("cat-file", kind, "HEAD").raw
        assert raw.startswith(f"mlstore {kind} 1\n".encode())
        assert blake3.blake3(raw).hexdigest() == object_id
        assert history("cat-file", "blob", object_id).raw == raw


def test_cat_file_errors(history):
    history("cat-file", "-e", "HEAD")
    assert history("cat-file", "-e", "HEAD:nope", status=4).err == ""
    assert "is not a revision" in history("cat-file", "-t", "nope", status=4).err
    assert "is not a type" in history("cat-file", "nonsense", "HEAD", status=2).err
    assert "is a blob, not a commit" in history("cat-file", "commit", "HEAD:a.txt", status=2).err
    assert "expected -t" in history("cat-file", "HEAD", status=2).err


def test_ls_tree(history):
    blob, tree = history("rev-parse", "HEAD:a.txt", "HEAD:data").lines
    assert history("ls-tree", "HEAD").lines == [
        f"100644 blob {blob}\ta.txt",
        f"040000 tree {tree}\tdata",
    ]
    assert history("ls-tree", "-r", "--name-only", "HEAD").lines == ["a.txt", "data/b.txt"]
    assert history("ls-tree", "-l", "HEAD").lines[0] == f"100644 blob {blob}          4\ta.txt"
    assert history("ls-tree", "-d", "--name-only", "HEAD").lines == ["data"]
    assert history("ls-tree", "--name-only", "HEAD:data").lines == ["b.txt"]
    assert history("ls-tree", "--name-only", "HEAD", "data/").lines == ["data/b.txt"]
    assert history("ls-tree", "--name-only", "HEAD", "data").lines == ["data"]
    assert history("ls-tree", "-z", "--name-only", "HEAD").raw == b"a.txt\0data\0"
    assert history("ls-tree", "--json", "HEAD").json["entries"][0] == {
        "path": "a.txt",
        "kind": "file",
        "id": blob,
        "size": 4,
    }


def test_ls_tree_errors(history):
    assert "is not in the tree" in history("ls-tree", "HEAD", "nope", status=4).err
    assert "is not a revision" in history("ls-tree", "nope", status=4).err
    assert "is a blob, not a tree" in history("ls-tree", "HEAD:a.txt", status=2).err
