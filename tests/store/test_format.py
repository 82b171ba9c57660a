"""docs/format.md is true: its examples are read by the codecs, and a reader made from it reads our stores."""

from __future__ import annotations

import configparser
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any

import blake3
import pytest
import xxhash
from tests import stored
from tests.store.independent import Reader, canonical
from tests.support import FIXTURES, run_mlstore

from mlstore.compare import load_values, value_id
from mlstore.errors import DecodeError
from mlstore.hashing import object_format
from mlstore.index import StatData, decode_index, encode_index
from mlstore.index.codec import _HEADER
from mlstore.lockfile import parse_lock
from mlstore.model import (
    decode_commit,
    decode_note,
    decode_tag,
    decode_tree,
    encode_commit,
    encode_note,
    encode_tag,
    encode_tree,
)
from mlstore.refs.reflog import append_entry, read_entries

if TYPE_CHECKING:
    from collections.abc import Callable
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


def id_of(name: str) -> str:
    return blake3.blake3(example(name)).hexdigest()


CODECS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "folder": (decode_tree, encode_tree),
    "tree": (decode_tree, encode_tree),
    "genesis": (decode_commit, encode_commit),
    "commit": (decode_commit, encode_commit),
    "tag": (decode_tag, encode_tag),
    "note": (decode_note, encode_note),
}


@pytest.mark.parametrize("name", CODECS)
def test_the_objects_of_the_document_are_read_and_written_byte_for_byte(name: str) -> None:
    decode, encode = CODECS[name]
    assert encode(decode(example(name))) == example(name)


@pytest.mark.parametrize("name", CODECS)
def test_the_objects_of_the_document_are_found_out_when_a_byte_is_changed(name: str) -> None:
    decode, _ = CODECS[name]
    good = example(name)
    for at in range(0, len(good), 7):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        try:
            assert decode(bad) != decode(good)
        except DecodeError:
            continue


def test_the_examples_name_each_other_by_their_hashes() -> None:
    raw, clean, config = b"1\n2\n", b"2\n", b"[data]\nrows = 2\n"
    folder, tree = decode_tree(example("folder")), decode_tree(example("tree"))
    assert [(entry.id, entry.size) for entry in folder.entries] == [
        (blake3.blake3(data).hexdigest(), len(data)) for data in (clean, raw)
    ]
    assert [(entry.id, entry.size) for entry in tree.entries] == [
        (blake3.blake3(config).hexdigest(), len(config)),
        (id_of("folder"), len(example("folder"))),
    ]
    genesis, commit, tag = (
        json.loads(example(name).split(b"\n", 1)[1]) for name in ("genesis", "commit", "tag")
    )
    assert (commit["tree"], commit["parents"], tag["target"]) == (
        id_of("tree"),
        [id_of("genesis")],
        id_of("commit"),
    )
    assert commit["lineage"] == id_of("lineage")
    assert commit["stage"]["upstream"] == {"generate": genesis["lineage"]}
    assert genesis["stage"]["inputs"] == {"config.ini#data": id_of("section")}
    for name in ("folder", "tree", "genesis", "commit"):
        assert f"`{id_of(name)[:16]}...`" in TEXT


def test_every_key_of_a_note_is_explained() -> None:
    value = json.loads(example("note").partition(b"\n")[2])
    section = TEXT[TEXT.index("### Note") : TEXT.index("## Refs")]
    keys = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))))
    assert {*value, *value["data"]} <= keys
    assert keys - {*value, *value["data"]} == {"cause", "failure"}
    assert f"`{id_of('note')[:16]}...`" in section
    assert value["commit"] == id_of("commit")


def test_every_key_of_a_commit_is_explained() -> None:
    for name in ("genesis", "commit"):
        value = json.loads(example(name).partition(b"\n")[2])
        for table in (value, value["stage"]):
            for key in table:
                assert f"| `{key}` |" in TEXT, key


def test_the_values_of_the_document_have_the_ids_that_it_gives_them() -> None:
    fmt = object_format("blake3")
    section = load_values(b"[data]\nrows = 2\n", "config.ini")["data"]
    assert value_id(fmt, section) == id_of("section")
    value = load_values(b"rate = 0.1\nseed = 7\nwhen = 2026-01-16\n", "c.toml")
    assert value_id(fmt, value) == id_of("value")


def test_the_line_of_the_document_is_a_line_of_a_reflog(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(example("reflog") + b"\n")
    entries, unreadable = read_entries(tmp_path / "log")
    assert unreadable == 0
    assert (entries[0].old, entries[0].new) == (id_of("genesis"), id_of("commit"))
    append_entry(tmp_path / "again", entries[0], fsync=False)
    assert (tmp_path / "again").read_bytes() == example("reflog") + b"\n"


def test_the_lock_of_the_document_is_a_lock() -> None:
    pin = parse_lock(example("lock").decode()).pins["golden"]
    commit = decode_commit(example("commit"))
    assert (pin.commit, pin.lineage, pin.height) == (id_of("commit"), commit.lineage, commit.height)
    assert pin.stages["clean"] == commit.lineage


def test_the_index_of_the_document_is_an_index() -> None:
    data = bytes.fromhex(example("index").decode())
    table = decode_index(data)
    config, script = (table.entry(row) for row in range(2))
    assert (config.path, config.kind, config.size) == ("config.ini", "file", 16)
    assert config.stat == StatData(1768577088123456789, 1768577088123456789, 4711, 16)
    assert (script.path, script.kind, script.stat) == ("run.sh", "executable", None)
    assert config.id == decode_tree(example("tree")).entries[0].id
    assert encode_index(table) == data


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
    ids = stored.object_ids(made / ".mlstore")
    assert len(ids) > 15
    for object_id in ids:
        assert reader.hash(reader.object(object_id)) == object_id
    for path in (made / ".mlstore/objects").rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o444
