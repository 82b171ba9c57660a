from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import DecodeError, InvalidPath
from mlstore.hashing import ObjectId
from mlstore.model import Tree, TreeEntry, decode_tree, encode_tree, validate_component
from mlstore.model import tree as tree_module
from mlstore.model.canonical import canonical_json

ID = ObjectId("ab" * 32)


def allowed(name: str) -> bool:
    try:
        validate_component(name)
    except InvalidPath:
        return False
    return True


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(allowed)
IDS = st.binary(min_size=32, max_size=32).map(lambda raw: ObjectId(raw.hex()))
ENTRIES = st.builds(
    TreeEntry,
    NAMES,
    st.sampled_from(["file", "executable", "tree"]),
    IDS,
    st.integers(0, 2**63 - 1),
)
TREES = st.lists(ENTRIES, unique_by=lambda entry: entry.name).map(
    lambda entries: Tree(tuple(sorted(entries, key=lambda entry: entry.name.encode())))
)


def raw_tree(*entries: object, **more: object) -> bytes:
    """A tree in canonical JSON, whatever it says."""
    return b"mlstore tree 1\n" + canonical_json({"entries": list(entries), **more})


def entry(**changes: object) -> dict[str, object]:
    value = {"id": ID, "kind": "file", "name": "a", "size": 1} | changes
    return {key: item for key, item in value.items() if item is not ...}


@given(TREES)
def test_every_tree_survives_and_its_bytes_too(tree: Tree) -> None:
    data = encode_tree(tree)
    assert decode_tree(data) == tree
    assert encode_tree(decode_tree(data)) == data


def test_the_bytes_are_those_of_the_document() -> None:
    assert encode_tree(Tree((TreeEntry("a", "file", ID, 3),))) == (
        b'mlstore tree 1\n{"entries":[{"id":"' + b"ab" * 32 + b'","kind":"file","name":"a","size":3}]}'
    )
    assert encode_tree(Tree(())) == b'mlstore tree 1\n{"entries":[]}'


@given(TREES, st.data())
def test_no_flipped_bit_gives_the_same_tree(tree: Tree, data: st.DataObject) -> None:
    good = encode_tree(tree)
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[at // 8] ^= 1 << at % 8
    try:
        assert decode_tree(bytes(bad)) != tree
    except DecodeError:
        pass


HOSTILE_NAMES = {
    "parent": "..",
    "self": ".",
    "empty": "",
    "absolute": "/etc",
    "slash": "a/b",
    "climbing": "../../etc/passwd",
    "backslash": "a\\b",
    "drive": "C:",
    "stream": "a:b",
    "store": ".mlstore",
    "store in capitals": ".MLSTORE",
    "git": ".git",
    "git in capitals": ".GiT",
    "hfs ignorable": ".g\u200cit",
    "hfs ignorable in front": "\ufeff.git",
    "hfs ignorable behind": ".mlstore\u206f",
    "bidi mark in git": ".gi\u202et",
    "folded": ".ml\u017ftore",  # LATIN SMALL LETTER LONG S folds to s
    "ntfs short name": "GIT~1",
    "ntfs short name of the store": "mlstor~2",
    "git with a dot": ".git.",
    "git with a space": ".git ",
    "store with dots and spaces": ".mlstore. .",
    "zero": "a\0b",
    "newline": "a\nb",
    "carriage return": "a\rb",
    "escape": "\x1b[2J",
    "delete": "a\x7f",
    "csi": "a\x9bb",
    "too long": "x" * 256,
    "too long in bytes": "é" * 128,
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_hostile_name_is_refused_when_read_and_when_written(name: str) -> None:
    with pytest.raises(DecodeError):
        decode_tree(raw_tree(entry(name=name)))
    with pytest.raises(InvalidPath):
        encode_tree(Tree((TreeEntry(name, "file", ID, 1),)))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    body = json.dumps({"entries": [entry(name="NAME")]}, separators=(",", ":")).encode()
    for bad in (b"\xff", b"\xed\xb3\xbf", b"\xc0\xae\xc0\xae", b"\\udcff"):
        with pytest.raises(DecodeError):
            decode_tree(b"mlstore tree 1\n" + body.replace(b"NAME", bad))


@pytest.mark.parametrize(
    "names", [("b", "a"), ("a", "a"), ("a", "B"), ("\U0001f389", "\uff5e"), ("a.b", "a-b")]
)
def test_entries_that_are_unsorted_or_named_twice_are_refused(names: tuple[str, str]) -> None:
    entries = tuple(TreeEntry(name, "file", ID, 1) for name in names)
    with pytest.raises(DecodeError, match="not in order"):
        decode_tree(raw_tree(*(entry(name=name) for name in names)))
    with pytest.raises(DecodeError, match="not in order"):
        encode_tree(Tree(entries))


def test_a_name_cannot_be_both_a_file_and_a_folder() -> None:
    with pytest.raises(DecodeError):
        decode_tree(raw_tree(entry(kind="file"), entry(kind="tree")))


@pytest.mark.parametrize("kind", ["symlink", "blob", "", "File", "100644", None, 0, ["file"]])
def test_other_kinds_than_file_executable_and_tree_are_refused(kind: object) -> None:
    with pytest.raises(DecodeError):
        decode_tree(raw_tree(entry(kind=kind)))


@pytest.mark.parametrize("size", [-1, 2**63, True, "5", "+5", "1_000", None, [1], "\u0663"])
def test_a_size_that_is_no_size_is_refused(size: object) -> None:
    with pytest.raises(DecodeError):
        decode_tree(raw_tree(entry(size=size)))


@pytest.mark.parametrize("object_id", ["", ID[:-1], ID + "0", ID.upper(), None, 5, "../" + ID[3:]])
def test_an_id_that_is_no_id_is_refused(object_id: object) -> None:
    with pytest.raises(DecodeError):
        decode_tree(raw_tree(entry(id=object_id)))


@pytest.mark.parametrize(
    "data",
    [
        raw_tree(entry(target="/etc/passwd")),
        raw_tree(entry(size=...)),
        raw_tree(entry(name=...)),
        raw_tree(entry(), comment="x"),
        raw_tree("a"),
        raw_tree([]),
        raw_tree(None),
        b'mlstore tree 1\n{"entries":{}}',
        b'mlstore tree 1\n{"entries":null}',
        b"mlstore tree 1\n{}",
    ],
)
def test_missing_and_unknown_fields_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_tree(data)


def test_get_finds_an_entry_by_its_name() -> None:
    one = TreeEntry("a", "file", ID, 1)
    assert Tree((one,)).get("a") is one
    assert Tree((one,)).get("b") is None


def test_same_content_is_about_bytes_and_mode_and_not_about_the_place() -> None:
    one = TreeEntry("a", "file", ID, 1)
    assert one.same_content(TreeEntry("b/c", "file", ID, 1))
    assert not one.same_content(TreeEntry("a", "executable", ID, 1))
    assert not one.same_content(TreeEntry("a", "file", ObjectId("cd" * 32), 1))
    assert not one.same_content(None)


THREE = (
    TreeEntry('a"b', "executable", ObjectId("ab" * 32), 2**63 - 1),
    TreeEntry("plain", "file", ObjectId("cd" * 32), 0),
    TreeEntry("ünïcode", "tree", ObjectId("ef" * 32), 7),
)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_large_tree_is_read_like_a_small_one(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "_LARGE", 0)
    tree = Tree(THREE[:count])
    assert decode_tree(encode_tree(tree)) == tree


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"mlstore tree 1\n", b"mlstore tree 2\n"),
        (b"]}", b"] }"),
        (b'"entries"', b'"Entries"'),
        (b'{"id"', b'[{"id"'),
        (b'"size":0}', b'"size":[0,[0]]}'),
        (b'"kind":"file"', b'"kind":{"file":1}'),
        (b'},{"id":"c', b'} ,{"id":"c'),
        (b'"name":"plain"', b'"name":"' + b"x" * 600 + b'"'),
    ],
)
def test_of_a_large_tree_no_more_is_parsed_than_a_list_of_entries(
    old: bytes, new: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_module, "_LARGE", 0)
    good = encode_tree(Tree(THREE))
    assert old in good
    with pytest.raises(DecodeError, match="it is no list of entries"):
        decode_tree(good.replace(old, new, 1))


def test_what_is_about_the_size_of_the_limit_is_judged_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = encode_tree(Tree(THREE)).replace(b'"size":0}', b'"size":[]}')
    monkeypatch.setattr(tree_module, "_LARGE", len(bad))
    with pytest.raises(DecodeError, match="not a size"):
        decode_tree(bad)
    monkeypatch.setattr(tree_module, "_LARGE", len(bad) - 1)
    with pytest.raises(DecodeError, match="no list of entries"):
        decode_tree(bad)
