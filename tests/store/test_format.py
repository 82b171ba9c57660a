"""docs/format.md is true: its examples are read by the codecs, and a reader made from it reads our stores."""

from __future__ import annotations

import configparser
import json
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest
import xxhash
from tests.store.independent import Reader, canonical
from tests.support import FIXTURES, run_mlstore

from mlstore.index.codec import _HEADER
from mlstore.lockfile import parse_lock
from mlstore.model import decode_commit, decode_tag, decode_tree, encode_commit, encode_tag, encode_tree

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (FIXTURES.parent / "docs/format.md").read_text("utf-8")

MANIFEST = """
[stages.draw]
command = ["sh", "-c", "seq 5 > data/raw.txt"]
inputs = ["config.ini#draw"]
outputs = ["data/raw.txt"]

[stages.count]
command = "wc -l < data/raw.txt > count.txt"
inputs = ["data/raw.txt"]
outputs = ["count.txt"]
"""


def example(name: str) -> bytes:
    found = re.search(rf"<!-- example: {name} -->\n```\w*\n(.*?)\n```", TEXT, re.DOTALL)
    assert found is not None
    return found.group(1).encode()


def test_the_tree_of_the_document_is_a_tree() -> None:
    assert encode_tree(decode_tree(example("tree"))) == example("tree")


def test_the_commit_of_the_document_is_a_commit_with_every_key() -> None:
    commit = decode_commit(example("commit"))
    assert encode_commit(commit) == example("commit")
    assert commit.stage is not None
    value = json.loads(example("commit").partition(b"\n")[2])
    for table_of in (value, value["stage"]):
        for key in table_of:
            assert f"| `{key}` |" in TEXT, key


def test_the_tag_of_the_document_is_a_tag() -> None:
    assert encode_tag(decode_tag(example("tag"))) == example("tag")


def test_the_lock_of_the_document_is_a_lock() -> None:
    assert parse_lock(example("lock").decode()).pins["golden"].height == 2


def test_the_table_of_the_index_adds_up() -> None:
    table = TEXT.partition("## The index")[2].partition("## ")[0]
    fixed = [int(size) for size in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert sum(fixed) == _HEADER.size + 16
    per_entry = [int(size or 1) for size in re.findall(r"^\| (?:(\d+) )?n \|", table, re.MULTILINE)]
    assert sum(per_entry) == 4 * 8 + 1 + 32 + 16


@pytest.fixture(scope="module", params=["blake3", "sha256"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that the command made: stages, a snapshot, tags, an executable, a staged file."""
    root = tmp_path_factory.mktemp("made")
    (root / "data").mkdir()
    (root / "mlstore.toml").write_text(MANIFEST)
    (root / "config.ini").write_text("[DEFAULT]\ndate = today\n[draw]\nRows = 5\n")
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    (root / "naïve файл.txt").write_text("unicode\n")
    for args in (
        ["init", "--object-format", request.param],
        ["run"],
        ["add", "tool.sh", "naïve файл.txt"],
        ["commit", "-m", 'say "hello"\n\nand\tmore'],
        ["tag", "--golden"],
        ["tag", "light", "HEAD~1"],
        ["branch", "feature/x"],
    ):
        done = run_mlstore(args, root)
        assert done.returncode == 0, done.stderr
    (root / "later.txt").write_text("staged\n")
    assert run_mlstore(["add", "later.txt"], root).returncode == 0
    return root


def test_the_independent_reader_finds_every_file_of_the_worktree(made: Path) -> None:
    reader = Reader(made)
    head = reader.ref("HEAD")
    assert head is not None
    commit = reader.json("commit", head)
    found = {path: (kind, data) for path, kind, data in reader.files(commit["tree"])}
    expected = {
        path.relative_to(made).as_posix(): (
            "executable" if path.stat().st_mode & stat.S_IXUSR else "file",
            path.read_bytes(),
        )
        for path in made.rglob("*")
        if path.is_file() and ".mlstore" not in path.parts and path.name not in ("mlstore.lock", "later.txt")
    }
    assert found == expected
    assert "naïve файл.txt" in found


def test_the_independent_reader_agrees_on_history_and_lineage(made: Path) -> None:
    reader = Reader(made)
    head = reader.ref("HEAD")
    assert head is not None
    history = list(reader.history(head))
    assert [commit["height"] for _, commit in history] == [2, 1, 0]
    chain = json.loads(run_mlstore(["chain", "--json"], made).stdout)["stages"]
    blocks = {commit["stage"]["name"]: (cid, commit) for cid, commit in history if "stage" in commit}
    for row in chain:
        commit_id, commit = blocks[row["stage"]]
        assert (row["commit"], row["lineage"]) == (commit_id, commit["lineage"])
    draw = blocks["draw"][1]["stage"]
    config = configparser.ConfigParser(default_section="none")
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(made / "config.ini")
    assert draw["inputs"]["config.ini#draw"] == reader.value_id(dict(config["draw"]))
    assert draw["parameters"] == {"config.ini#draw.Rows": "5"}
    environment = reader.object(draw["environment"])
    assert canonical(json.loads(environment)) == environment


def test_the_independent_reader_agrees_on_refs_and_logs(made: Path) -> None:
    reader = Reader(made)
    refs = reader.refs()
    assert set(refs) == {"refs/heads/main", "refs/heads/feature/x", "refs/tags/golden", "refs/tags/light"}
    tag = reader.json("tag", refs["refs/tags/golden"])
    assert (tag["name"], tag["target"], tag["kind"]) == ("golden", refs["refs/heads/main"], "commit")
    log = reader.reflog("HEAD")
    assert [entry["new"] for entry in log][-1] == refs["refs/heads/main"]
    assert log[0]["old"] is None
    assert all(entry.keys() == {"message", "new", "old", "time", "who"} for entry in log)


def test_the_independent_reader_agrees_on_the_index(made: Path) -> None:
    entries = Reader(made).index()
    assert "later.txt" in entries
    for path, entry in entries.items():
        status = os.lstat(made / path)
        data = (made / path).read_bytes()
        assert entry["size"] == len(data)
        assert entry["id"] == Reader(made).hash(data)
        assert entry["xxh3"] == xxhash.xxh3_128(data).digest()
        if entry["mtime"]:
            assert entry["mtime"] == status.st_mtime_ns
            assert entry["ctime"] == status.st_ctime_ns


def test_objects_are_read_only_files_with_exactly_their_bytes(made: Path) -> None:
    reader = Reader(made)
    for path in (made / ".mlstore/objects").rglob("*"):
        if path.is_file():
            reader.object(path.parent.name + path.name)
            assert stat.S_IMODE(path.stat().st_mode) == 0o444
