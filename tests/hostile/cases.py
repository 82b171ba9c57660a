"""The corpus: what somebody who may write the store, or the worktree, would try.

A case is a function that takes a sound repository and makes it hostile; its name is the case's name.
`where` says which part of the repository lies, and so which commands have to refuse (see `expected.py`).
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Callable
from typing import Literal, NamedTuple

import xxhash
import zstandard
from tests.hostile.raw import (
    ADA,
    CHUNK,
    CONFIG,
    MANIFEST,
    OBJECT,
    RECIPE,
    TIME,
    Entry,
    Raw,
    canonical,
    hash_of,
    recipe_of,
)

Where = Literal["tree", "names", "blob", "commit", "tag", "ref", "head", "log", "index", "pack", "config",
                "manifest", "lock", "ignore", "worktree", "text", "shape", "store"]  # fmt: skip


class Case(NamedTuple):
    """One attack: its name, the part that lies, and what puts it there."""

    name: str
    where: Where
    build: Callable[[Raw], None]


CASES: dict[str, Case] = {}


def case(where: Where, name: str | None = None) -> Callable[[Callable[[Raw], None]], Callable[[Raw], None]]:
    def register(build: Callable[[Raw], None]) -> Callable[[Raw], None]:
        title = name or build.__name__.replace("_", "-")
        assert title not in CASES
        CASES[title] = Case(title, where, build)
        return build

    return register


# --- names in trees -----------------------------------------------------------------------------------------

BAD_NAMES: dict[str, str] = {
    "name-dot-dot": "..",
    "name-dot": ".",
    "name-empty": "",
    "name-absolute": "/etc/passwd",
    "name-slash": "../outside/secret",
    "name-slash-inside": "data/evil",
    "name-backslash": "..\\outside\\secret",
    "name-drive": "C:evil",
    "name-stream": "config.ini::$DATA",
    "name-store": ".mlstore",
    "name-store-upper": ".MLSTORE",
    "name-git": ".git",
    "name-git-mixed": ".GiT",
    "name-git-zero-width": ".g\u200cit",
    "name-store-byte-order-mark": ".mlstore\ufeff",
    "name-git-bidi": "\u202e.git",
    "name-short-store": "MLSTOR~1",
    "name-short-git": "git~12",
    "name-git-trailing-dot": ".git.",
    "name-git-trailing-space": ".git ",
    "name-store-trailing": ".mlstore. .",
    "name-nul": "a\0b",
    "name-escape": "a\x1b[2Jb",
    "name-del": "a\x7f",
    "name-c1": "a\u009b31m",
    "name-line-feed": "a\nerror: forged",
    "name-carriage-return": "a\rb",
    "name-lone-surrogate": "a\udcff",
    "name-too-long": "n" * 256,
    "name-too-long-in-bytes": "\u00e9" * 128,
}
for _name, _text in BAD_NAMES.items():
    case("tree", _name)(lambda raw, text=_text: raw.evil_entries(raw.entry(text)))  # type: ignore[misc]

BAD_FOLDERS = {"folder-dot-dot": "..", "folder-store": ".mlstore", "folder-git": ".git"}
for _name, _text in BAD_FOLDERS.items():

    @case("tree", _name)
    def _bad_folder(raw: Raw, text: str = _text) -> None:
        below = raw.tree([raw.entry("config", b"[core]\n")])
        raw.evil_entries(raw.folder(text, below))


@case("tree")
def name_invalid_utf8(raw: Raw) -> None:
    entry = canonical("tree", {"entries": [raw.entry("aXb")]})
    raw.evil_bytes(entry.replace(b"aXb", b"a\xff\xc0b"))


@case("tree")
def path_too_long(raw: Raw) -> None:
    tree = raw.tree([raw.entry("x")])
    for _ in range(17):
        tree = raw.tree([raw.folder("d" * 250, tree)])
    raw.evil_commit(tree)


@case("tree")
def nested_too_deeply(raw: Raw) -> None:
    tree = raw.tree([raw.entry("x")])
    for _ in range(1100):
        tree = raw.tree([raw.folder("d", tree)])
    raw.evil_commit(tree)


@case("tree")
def entries_twice(raw: Raw) -> None:
    raw.evil_entries(raw.entry("x", b"1"), raw.entry("x", b"2"))


@case("tree")
def entries_out_of_order(raw: Raw) -> None:
    raw.evil_commit(raw.tree([raw.entry("b"), raw.entry("a")], ordered=False))


@case("tree")
def file_and_folder_of_one_name(raw: Raw) -> None:
    raw.evil_entries(raw.entry("x"), raw.folder("x", raw.data))


@case("names")
def names_that_differ_by_case(raw: Raw) -> None:
    raw.evil_entries(raw.entry("Model.bin"), raw.entry("model.BIN"))


@case("names")
def folders_that_differ_by_case(raw: Raw) -> None:
    raw.evil_entries(raw.folder("DATA", raw.tree([raw.entry("other.csv")])))


@case("names")
def names_that_differ_by_composition(raw: Raw) -> None:
    raw.evil_entries(raw.entry("caf\u00e9"), raw.entry("cafe\u0301"))


@case("names")
def names_equal_after_folding_sharp_s(raw: Raw) -> None:
    raw.evil_entries(raw.entry("stra\u00dfe"), raw.entry("STRASSE"))


# --- entries of trees ---------------------------------------------------------------------------------------

BAD_KINDS: dict[str, object] = {
    "kind-symlink": "symlink",
    "kind-mode": "120000",
    "kind-device": "device",
    "kind-number": 33188,
    "kind-null": None,
}
for _name, _kind in BAD_KINDS.items():
    case("tree", _name)(lambda raw, kind=_kind: raw.evil_entries(raw.entry("x", kind=kind)))  # type: ignore[misc]


@case("tree")
def symlink_and_a_file_below_it(raw: Raw) -> None:
    raw.evil_entries(
        raw.entry("x", b"../outside", kind="symlink"), raw.folder("x", raw.tree([raw.entry("secret")]))
    )


BAD_SIZES: dict[str, str] = {
    "size-negative": "-1",
    "size-two-to-the-63": str(2**63),
    "size-plus": "+5",
    "size-underscore": "1_000",
    "size-float": "5.0",
    "size-exponent": "5e0",
    "size-leading-zero": "05",
    "size-text": '"5"',
    "size-true": "true",
    "size-nan": "NaN",
    "size-infinite": "Infinity",
    "size-unicode-digits": "\u0665",
    "size-thousand-digits": "9" * 5000,
}
for _name, _text in BAD_SIZES.items():

    @case("tree", _name)
    def _bad_size(raw: Raw, text: str = _text) -> None:
        data = canonical("tree", {"entries": [raw.entry("x", size=123456789)]})
        raw.evil_bytes(data.replace(b"123456789", text.encode()))


BAD_IDS: dict[str, object] = {
    "id-upper-case": "A" * 64,
    "id-too-short": "a" * 63,
    "id-too-long": "a" * 65,
    "id-path": "../../../outside/secret".ljust(64, "/"),
    "id-not-hex": "g" * 64,
    "id-line-feed": "a" * 63 + "\n",
    "id-unicode-digits": "\u0661" * 64,
    "id-number": 7,
    "id-list": ["a" * 64],
}
for _name, _id in BAD_IDS.items():
    case("tree", _name)(lambda raw, value=_id: raw.evil_entries(raw.entry("x", id=value)))  # type: ignore[misc]


@case("blob")
def entry_of_a_tree_as_file(raw: Raw) -> None:
    raw.evil_entries({"id": raw.data, "kind": "file", "name": "x", "size": 99999})


@case("tree")
def entry_of_a_file_as_tree(raw: Raw) -> None:
    raw.evil_entries(raw.folder("x", raw.put(b"evil\n")))


@case("tree")
def entry_of_a_commit_as_tree(raw: Raw) -> None:
    raw.evil_entries(raw.folder("x", raw.main))


@case("blob")
def size_of_a_blob_is_another(raw: Raw) -> None:
    raw.evil_entries(raw.entry("x", b"evil\n", size=1 << 40))


@case("blob")
def bytes_are_not_those_of_the_id(raw: Raw) -> None:
    entry = raw.entry("x", b"good\n")
    raw.put(b"evil\n", entry["id"])
    raw.evil_entries(entry)


# --- canonical form -----------------------------------------------------------------------------------------

_LINE = b"mlstore tree 1\n"
BAD_FORMS: dict[str, bytes] = {
    "form-white-space": _LINE + b'{"entries": []}',
    "form-line-feed-behind": _LINE + b'{"entries":[]}\n',
    "form-garbage-behind": _LINE + b'{"entries":[]}\0\0payload',
    "form-key-twice": _LINE + b'{"entries":[],"entries":[]}',
    "form-unknown-key": _LINE + b'{"entries":[],"hooks":["sh"]}',
    "form-escaped-letter": _LINE + b'{"entr\\u0069es":[]}',
    "form-byte-order-mark": _LINE + b'\xef\xbb\xbf{"entries":[]}',
    "form-utf-16": _LINE + '{"entries":[]}'.encode("utf-16"),
    "form-entries-null": _LINE + b'{"entries":null}',
    "form-entries-object": _LINE + b'{"entries":{"id":"x"}}',
    "form-entry-list": _LINE + b'{"entries":[[]]}',
    "form-list": _LINE + b"[]",
    "form-empty": _LINE,
    "form-truncated": _LINE + b'{"entries":[{"id":"',
    "form-other-version": b'mlstore tree 2\n{"entries":[]}',
    "form-carriage-return": b'mlstore tree 1\r\n{"entries":[]}',
    "form-brackets": _LINE + b"[" * 200_000,
    "form-nested-objects": _LINE + b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}
for _name, _data in BAD_FORMS.items():
    case("tree", _name)(lambda raw, data=_data: raw.evil_bytes(data))  # type: ignore[misc]


@case("tree")
def header_line_without_end(raw: Raw) -> None:
    raw.evil_bytes(b"mlstore tree 1" + b" " * (1 << 20))


# --- bombs --------------------------------------------------------------------------------------------------


def _frame(data: bytes, **options: object) -> bytes:
    return zstandard.ZstdCompressor(level=1, **options).compress(data)  # type: ignore[arg-type]


def _bomb(raw: Raw, tree: bytes) -> None:
    """Store a tree of many times its weight: a compressed entry of a pack."""
    tree_id = hash_of(tree)
    raw.pack([Entry(tree_id, OBJECT, len(tree), True, _frame(tree))])
    raw.evil_commit(tree_id)


@case("tree")
def bomb_tree_of_one_text(raw: Raw) -> None:
    _bomb(raw, _LINE + b'{"entries":"' + b"a" * (40 << 20) + b'"}')


@case("tree")
def bomb_tree_of_numbers(raw: Raw) -> None:
    _bomb(raw, _LINE + b'{"entries":[' + b"1," * (20 << 20) + b"1]}")


@case("commit")
def bomb_commit_of_one_message(raw: Raw) -> None:
    data = raw.commit_bytes(raw.sound_tree, message="a" * (40 << 20), parents=[raw.main], height=1)
    commit = hash_of(data)
    raw.pack([Entry(commit, OBJECT, len(data), True, _frame(data))])
    raw.ref("refs/heads/evil", commit)


@case("tree")
def bomb_tree_of_a_recipe(raw: Raw) -> None:
    """240 MiB of tree out of one chunk of zeros, many times over."""
    chunk = bytes(1 << 20)
    piece = hash_of(chunk)
    head = raw.put(_LINE)
    import blake3

    whole = blake3.blake3(_LINE)
    for _ in range(240):
        whole.update(chunk)
    tree = whole.hexdigest()
    recipe = recipe_of([(head, 0, len(_LINE)), *[(piece, 0, 1 << 20)] * 240])
    size = len(_LINE) + (240 << 20)
    raw.pack([Entry(tree, RECIPE, size, False, recipe), Entry(piece, CHUNK, 1 << 20, True, _frame(chunk))])
    raw.evil_commit(tree)


@case("blob")
def bomb_frame_larger_than_stated(raw: Raw) -> None:
    data = bytes(8 << 20)
    raw.pack([Entry(hash_of(data), OBJECT, 100, True, _frame(data))])
    raw.evil_entries({"id": hash_of(data), "kind": "file", "name": "x", "size": 100})


@case("blob")
def bomb_frame_without_a_size(raw: Raw) -> None:
    data = bytes(8 << 20)
    stored = _frame(data, write_content_size=False)
    raw.pack([Entry(hash_of(data), OBJECT, len(data), True, stored)])
    raw.evil_entries({"id": hash_of(data), "kind": "file", "name": "x", "size": len(data)})


@case("blob")
def bomb_frame_with_a_huge_window(raw: Raw) -> None:
    # A frame header that asks for a window of 3.75 TiB and states 5 bytes, then one raw block.
    stored = struct.pack("<IBB", 0xFD2FB528, 0b1000_0000, 0xFF) + struct.pack("<I", 5) + b"\x29\0\0evil\n"
    raw.pack([Entry(hash_of(b"evil\n"), OBJECT, 5, True, stored)])
    (raw.store / "objects" / hash_of(b"evil\n")[:2] / hash_of(b"evil\n")[2:]).unlink(missing_ok=True)
    raw.evil_entries({"id": hash_of(b"evil\n"), "kind": "file", "name": "x", "size": 5})


@case("pack")
def bomb_stated_size_over_the_limit(raw: Raw) -> None:
    data = b"evil\n"
    raw.pack([Entry(hash_of(b"x"), OBJECT, 1 << 62, True, _frame(data))])
    raw.evil_entries({"id": hash_of(b"x"), "kind": "file", "name": "x", "size": 1 << 62})


@case("shape")
def shape_two_to_the_forty_files(raw: Raw) -> None:
    tree = raw.tree([raw.entry("x"), raw.entry("y")])
    for _ in range(39):
        tree = raw.tree([raw.folder("a", tree), raw.folder("b", tree)])
    raw.evil_commit(tree)


# --- recipes ------------------------------------------------------------------------------------------------

Part = tuple[str, int, int]


def _recipe(
    raw: Raw, parts: list[Part], size: int, data: bytes = b"evil evil\n", stored: bytes = b""
) -> None:
    target = hash_of(data)
    raw.pack([Entry(target, RECIPE, size, False, stored or recipe_of(parts))])
    raw.evil_entries({"id": target, "kind": "file", "name": "x", "size": size})


@case("blob")
def recipe_of_itself(raw: Raw) -> None:
    _recipe(raw, [(hash_of(b"evil evil\n"), 0, 10)], 10)


@case("blob")
def recipe_of_recipes(raw: Raw) -> None:
    one, two = hash_of(b"one"), hash_of(b"two")
    raw.pack([Entry(one, RECIPE, 3, False, recipe_of([(two, 0, 3)])),
              Entry(two, RECIPE, 3, False, recipe_of([(one, 0, 3)]))])  # fmt: skip
    raw.evil_entries({"id": one, "kind": "file", "name": "x", "size": 3})


@case("blob")
def recipe_of_a_missing_part(raw: Raw) -> None:
    _recipe(raw, [("ab" * 32, 0, 10)], 10)


@case("blob")
def recipe_past_the_end_of_a_part(raw: Raw) -> None:
    _recipe(raw, [(raw.put(b"short"), 3, 10)], 10)


@case("blob")
def recipe_of_an_exabyte(raw: Raw) -> None:
    _recipe(raw, [(raw.put(b"short"), 0, 1 << 60)], 1 << 60)


@case("blob")
def recipe_whose_sum_overflows(raw: Raw) -> None:
    part = raw.put(b"short")
    _recipe(raw, [(part, (1 << 64) - 1, 2), (part, 0, 8)], 10)


@case("blob")
def recipe_of_nothing(raw: Raw) -> None:
    _recipe(raw, [(raw.put(b"short"), 0, 0)], 0)


@case("blob")
def recipe_cut_short(raw: Raw) -> None:
    _recipe(raw, [], 10, stored=recipe_of([(raw.put(b"short"), 0, 10)])[:-7])


@case("blob")
def recipe_that_gives_other_bytes(raw: Raw) -> None:
    _recipe(raw, [(raw.put(b"wrong wrong"), 0, 10)], 10)


# --- packs --------------------------------------------------------------------------------------------------


def _pack_with(raw: Raw, change: Callable[[bytearray, int], None]) -> None:
    """Store the blob of `evil:x` in a pack of which *change* spoils the index, all checksums being right."""
    data = b"only in the pack\n"
    raw.evil_entries({"id": hash_of(data), "kind": "file", "name": "x", "size": len(data)})
    path = raw.pack([Entry(hash_of(data), OBJECT, len(data), False, data)])
    content = bytearray(path.read_bytes())
    begin = 16 + len(data)
    change(content, begin)
    body, count = bytes(content[16 - 16 : begin]), struct.unpack_from("<Q", content, len(content) - 56)[0]
    index = bytes(content[begin:-56])
    start = struct.pack("<QQ", count, struct.unpack_from("<Q", content, len(content) - 48)[0])
    start += xxhash.xxh3_128(index).digest()
    end = start + xxhash.xxh3_64(body[:16] + start).digest() + bytes(8) + b"MLSPEND1"
    path.chmod(0o644)
    path.write_bytes(body + index + end)
    path.rename(path.with_name(hash_of(index) + ".pack"))


def _row(field: str, at: int, value: int) -> Callable[[bytearray, int], None]:
    return lambda data, begin: struct.pack_into(field, data, begin + 1024 + 32 + at, value)


BAD_PACKS: dict[str, Callable[[bytearray, int], None]] = {
    "pack-offset-past-the-end": _row("<Q", 0, 1 << 40),
    "pack-offset-backwards": _row("<Q", 0, 3),
    "pack-offset-two-to-the-63": _row("<Q", 0, 1 << 63),
    "pack-length-past-the-end": _row("<I", 8, 1 << 25),
    "pack-length-over-the-limit": _row("<I", 8, (1 << 32) - 1),
    "pack-size-two-to-the-63": _row("<Q", 12, 1 << 63),
    "pack-unknown-encoding": _row("<B", 20, 7),
    "pack-unknown-kind": _row("<B", 21, 9),
    "pack-fan-out-overflow": lambda data, begin: struct.pack_into("<I", data, begin + 4 * 255, 1 << 31),
    "pack-fan-out-backwards": lambda data, begin: struct.pack_into("<I", data, begin, 5),
    "pack-count-overflow": lambda data, _: struct.pack_into("<Q", data, len(data) - 56, 1 << 60),
    "pack-index-past-the-end": lambda data, _: struct.pack_into("<Q", data, len(data) - 48, 1 << 40),
}
for _name, _change in BAD_PACKS.items():
    case("pack", _name)(lambda raw, change=_change: _pack_with(raw, change))  # type: ignore[misc]


@case("pack")
def pack_with_the_index_of_another(raw: Raw) -> None:
    data, other = b"only in the pack\n", b"quite another one\n"
    raw.evil_entries({"id": hash_of(data), "kind": "file", "name": "x", "size": len(data)})
    one = raw.pack([Entry(hash_of(data), OBJECT, len(data), False, data)])
    two = raw.pack([Entry(hash_of(other), OBJECT, len(other), False, other)])
    mixed = one.read_bytes()[: 16 + len(data)] + two.read_bytes()[16 + len(other) :]
    one.chmod(0o644)
    one.write_bytes(mixed)
    two.unlink()


@case("pack")
def pack_of_another_format(raw: Raw) -> None:
    from tests.packformat import write_pack
    from tests.stored import put_pack

    data = b"only in the pack\n"
    raw.evil_entries({"id": hash_of(data), "kind": "file", "name": "x", "size": len(data)})
    name, content = write_pack([Entry(hash_of(data), OBJECT, len(data), False, data)], "sha256")
    put_pack(raw.store / "objects" / "pack", name, content)


@case("pack")
def pack_is_a_pipe(raw: Raw) -> None:
    raw.evil_entries({"id": "ab" * 32, "kind": "file", "name": "x", "size": 1})
    os.mkfifo(raw.store / "objects" / "pack" / f"{'cd' * 32}.pack")


@case("pack")
def pack_is_a_link(raw: Raw) -> None:
    raw.evil_entries({"id": "ab" * 32, "kind": "file", "name": "x", "size": 1})
    (raw.store / "objects" / "pack" / f"{'cd' * 32}.pack").symlink_to(raw.outside / "secret")


# --- loose objects that are no files ------------------------------------------------------------------------


def _special(raw: Raw, make: Callable[[str], None]) -> None:
    entry = raw.entry("x", b"special\n")
    path = raw.store / "objects" / entry["id"][:2] / entry["id"][2:]
    path.unlink()
    make(str(path))
    raw.evil_entries(entry)


@case("blob")
def object_is_a_pipe(raw: Raw) -> None:
    _special(raw, os.mkfifo)


@case("blob")
def object_is_a_link(raw: Raw) -> None:
    (raw.outside / "copy").write_bytes(b"special\n")
    _special(raw, lambda path: os.symlink(raw.outside / "copy", path))


@case("blob")
def object_is_a_folder(raw: Raw) -> None:
    _special(raw, os.mkdir)


@case("blob")
def object_is_a_device(raw: Raw) -> None:
    _special(raw, lambda path: _device(path, "/dev/zero"))


def _device(path: str, original: str) -> None:
    """Make a device where that is allowed, else a link to one."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.stat(original).st_rdev)
    except PermissionError:
        os.symlink(original, path)


# --- commits and tags ---------------------------------------------------------------------------------------

BAD_COMMITS: dict[str, dict[str, object]] = {
    "commit-height-negative": {"height": -1},
    "commit-height-huge": {"height": 2**63},
    "commit-height-text": {"height": "1"},
    "commit-time-of-day-42": {"time": "2026-01-16T42:24:48Z"},
    "commit-time-with-escape": {"time": "2026-01-16T15:24:48Z\x1b[2J"},
    "commit-time-unicode-digits": {"time": "\u0662026-01-16T15:24:48Z"},
    "commit-author-line-feed": {"author": {"email": "a@b", "name": "x\nparent y"}},
    "commit-author-escape": {"author": {"email": "a@b", "name": "x\x1b]0;owned\x07"}},
    "commit-author-bracket": {"author": {"email": "a@b", "name": "x <root@localhost>"}},
    "commit-author-missing": {"author": {}},
    "commit-parent-text": {"parents": "x"},
    "commit-parent-path": {"parents": ["../../HEAD"]},
    "commit-unknown-key": {"hook": "sh -c id"},
    "commit-stage-without-lineage": {
        "stage": {"name": "s", "command": [], "inputs": {}, "outputs": {}, "record": "observed"}
    },
    "commit-stage-name-path": {
        "lineage": "0" * 64,
        "stage": {"name": "../x", "command": [], "inputs": {}, "outputs": {}, "record": "observed"},
    },
    "commit-stage-output-outside": {
        "lineage": "0" * 64,
        "stage": {
            "name": "s",
            "command": [],
            "inputs": {},
            "outputs": {"../outside/secret": "0" * 64},
            "record": "observed",
        },
    },
    "commit-stage-input-absolute": {
        "lineage": "0" * 64,
        "stage": {
            "name": "s",
            "command": [],
            "inputs": {"/etc/passwd#root": "0" * 64},
            "outputs": {},
            "record": "observed",
        },
    },
}
for _name, _fields in BAD_COMMITS.items():
    case("commit", _name)(lambda raw, fields=_fields: raw.evil_commit(raw.sound_tree, **fields))  # type: ignore[misc]


@case("commit")
def commit_tree_path(raw: Raw) -> None:
    raw.evil_commit("../../../outside/secret")


@case("commit")
def commit_that_is_a_tree(raw: Raw) -> None:
    raw.ref("refs/heads/evil", raw.sound_tree)


@case("commit")
def commit_that_is_a_blob(raw: Raw) -> None:
    raw.ref("refs/heads/evil", raw.put(b"blob\n"))


@case("commit")
def commit_with_a_parent_twice(raw: Raw) -> None:
    raw.evil_commit(raw.sound_tree, parents=[raw.main, raw.main])


@case("tree")
def commit_whose_parent_is_a_tree(raw: Raw) -> None:
    raw.evil_commit(raw.sound_tree, parents=[raw.sound_tree])


@case("tree")
def commit_whose_tree_is_a_commit(raw: Raw) -> None:
    raw.evil_commit(raw.main)


@case("commit")
def commit_with_other_bytes(raw: Raw) -> None:
    good = raw.commit_bytes(raw.sound_tree, message="good")
    raw.ref("refs/heads/evil", raw.put(good.replace(b"good", b"evil"), hash_of(good)))


@case("tree")
def commit_with_ten_thousand_missing_parents(raw: Raw) -> None:
    raw.evil_commit(raw.sound_tree, parents=[f"{number:064x}" for number in range(10_000)])


@case("tag")
def tag_of_a_long_chain(raw: Raw) -> None:
    target, kind = raw.main, "commit"
    for number in range(100):
        value = {
            "kind": kind,
            "message": "",
            "name": str(number),
            "tagger": ADA,
            "target": target,
            "time": TIME,
        }
        target, kind = raw.put(canonical("tag", value)), "tag"
    raw.ref("refs/tags/evil", target)


@case("tag")
def tag_that_says_another_kind(raw: Raw) -> None:
    value = {
        "kind": "commit",
        "message": "",
        "name": "evil",
        "tagger": ADA,
        "target": raw.sound_tree,
        "time": TIME,
    }
    raw.ref("refs/tags/evil", raw.put(canonical("tag", value)))


@case("tag")
def tag_with_an_unknown_key(raw: Raw) -> None:
    value = {"kind": "commit", "message": "", "name": "evil", "tagger": ADA, "target": raw.main, "time": TIME}
    raw.ref("refs/tags/evil", raw.put(canonical("tag", {**value, "exec": "id"})))


# --- refs, HEAD, logs ---------------------------------------------------------------------------------------

BAD_REF_TEXTS: dict[str, str] = {
    "ref-no-id": "not an id",
    "ref-path": "../../../outside/secret",
    "ref-upper-case": "A" * 64,
    "ref-escape": "\x1b[2Jowned",
    "ref-empty": "",
    "ref-to-itself": "ref: refs/heads/evil",
    "ref-to-a-ref": "ref: refs/heads/main",
    "ref-two-ids": f"{'a' * 64} {'b' * 64}",
    "ref-a-megabyte": "a" * (1 << 20),
}
for _name, _text in BAD_REF_TEXTS.items():
    case("ref", _name)(lambda raw, text=_text: raw.ref("refs/heads/evil", text))  # type: ignore[misc]


@case("ref")
def ref_is_a_pipe(raw: Raw) -> None:
    (raw.store / "refs" / "heads" / "evil").unlink()
    os.mkfifo(raw.store / "refs" / "heads" / "evil")


@case("ref")
def ref_is_a_link_outside(raw: Raw) -> None:
    (raw.outside / "id").write_text(raw.main + "\n")
    (raw.store / "refs" / "heads" / "evil").unlink()
    (raw.store / "refs" / "heads" / "evil").symlink_to(raw.outside / "id")


@case("ref")
def ref_not_utf8(raw: Raw) -> None:
    (raw.store / "refs" / "heads" / "evil").write_bytes(b"\xff\xfe" * 32)


BAD_HEADS: dict[str, str] = {
    "head-outside": "ref: refs/heads/../../../outside/secret",
    "head-other-folder": "ref: config",
    "head-loop": "ref: HEAD",
    "head-escape": "ref: refs/heads/\x1b[2J",
    "head-lock-name": "ref: refs/heads/x.lock",
    "head-option": "ref: refs/heads/--upload-pack=id",
    "head-no-id": "owned",
    "head-empty": "",
}
for _name, _text in BAD_HEADS.items():
    case("head", _name)(lambda raw, text=_text: raw.ref("HEAD", text))  # type: ignore[misc]


@case("head")
def head_is_a_pipe(raw: Raw) -> None:
    (raw.store / "HEAD").unlink()
    os.mkfifo(raw.store / "HEAD")


@case("log")
def log_is_a_pipe(raw: Raw) -> None:
    os.mkfifo(raw.store / "logs" / "HEAD")


@case("log")
def log_is_a_link_outside(raw: Raw) -> None:
    (raw.store / "logs" / "HEAD").symlink_to(raw.outside / "secret")


@case("log")
def log_for_the_branch_is_a_link_outside(raw: Raw) -> None:
    (raw.store / "logs" / "refs" / "heads" / "main").symlink_to(raw.outside / "secret")


@case("log")
def log_without_an_end(raw: Raw) -> None:
    with (raw.store / "logs" / "HEAD").open("wb") as file:
        file.truncate(1 << 40)


LINKED_FOLDERS = ("tmp", "locks", "logs", "logs/refs", "refs", "refs/heads", "objects", "objects/pack")
for _name in LINKED_FOLDERS:

    @case("store", f"store-{_name.replace('/', '-')}-is-a-link-outside")
    def _linked(raw: Raw, name: str = _name) -> None:
        place = raw.store / name
        place.rename(raw.outside / "moved")
        place.symlink_to(raw.outside / "moved")


@case("store")
def store_folder_of_an_object_is_a_link_outside(raw: Raw) -> None:
    """The folder that the content of the next file to be added goes into, where it is kept loose."""
    raw.write(".mlstore/config", CONFIG + "pack = false\n")
    raw.write("new.csv", "new\n")
    place = raw.store / "objects" / hash_of(b"new\n")[:2]
    (raw.outside / "moved").mkdir()
    if place.exists():
        place.rename(raw.outside / "moved" / "old")
    place.symlink_to(raw.outside / "moved")


@case("store")
def store_lock_is_a_link_outside(raw: Raw) -> None:
    (raw.store / "locks" / "write").symlink_to(raw.outside / "secret")


@case("text")
def log_of_garbage(raw: Raw) -> None:
    lines = [b"[" * 100_000, b"\x1b[2J\xff", b'{"message":"x\x1b[2J"}', b"null", b'{"old":1}']
    (raw.store / "logs" / "HEAD").write_bytes(b"\n".join(lines))


# --- index --------------------------------------------------------------------------------------------------

BAD_PATHS: dict[str, str | bytes] = {
    "index-path-dot-dot": "../outside/secret",
    "index-path-absolute": "/etc/passwd",
    "index-path-store": ".mlstore/config",
    "index-path-escape": "a\x1b[2J",
    "index-path-line-feed": "a\nb",
    "index-path-empty": "",
    "index-path-not-utf8": b"\xff\xfe",
    "index-path-of-the-lock": "mlstore.lock",
}
for _name, _path in BAD_PATHS.items():

    @case("index", _name)
    def _bad_index_path(raw: Raw, path: str | bytes = _path) -> None:
        rows = [*raw.sound_rows(), (path, 0, b"evil\n")]
        raw.index(sorted(rows, key=lambda row: row[0] if isinstance(row[0], bytes) else row[0].encode()))


@case("index")
def index_paths_out_of_order(raw: Raw) -> None:
    raw.index([("b", 0, b"1"), ("a", 0, b"2")])


@case("index")
def index_path_twice(raw: Raw) -> None:
    raw.index([("a", 0, b"1"), ("a", 0, b"2")])


@case("index")
def index_file_below_a_file(raw: Raw) -> None:
    raw.index([("a", 0, b"1"), ("a/b", 0, b"2")])


@case("index")
def index_unknown_kind(raw: Raw) -> None:
    raw.index([("a", 7, b"1")])


@case("index")
def index_negative_size(raw: Raw) -> None:
    raw.index([("a", 0, b"1")], sizes=[-5])


@case("index")
def index_count_overflow(raw: Raw) -> None:
    raw.index([("a", 0, b"1")], count=(1 << 64) - 1)


@case("index")
def index_other_version(raw: Raw) -> None:
    raw.index([("a", 0, b"1")], version=99)


@case("index")
def index_cut_short(raw: Raw) -> None:
    path = raw.store / "index"
    path.write_bytes(path.read_bytes()[:-20])


@case("index")
def index_without_an_end(raw: Raw) -> None:
    path = raw.store / "index"
    count = 1 << 32
    size = 64 + count * 81 + 16
    head = struct.pack("<8sIIQQ32s", b"MLSINDEX", 1, 0, count, 0, bytes(32))
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


@case("index")
def index_is_a_pipe(raw: Raw) -> None:
    (raw.store / "index").unlink()
    os.mkfifo(raw.store / "index")


@case("index")
def index_is_a_device(raw: Raw) -> None:
    (raw.store / "index").unlink()
    _device(str(raw.store / "index"), "/dev/zero")


@case("index")
def index_is_a_folder(raw: Raw) -> None:
    (raw.store / "index").unlink()
    (raw.store / "index").mkdir()


# --- settings, manifest, lock, ignore -----------------------------------------------------------------------

BAD_CONFIGS: dict[str, str | bytes] = {
    "config-not-toml": "\x1b[2J = = =\n",
    "config-not-utf8": b"\xff\xfe\x00",
    "config-other-version": CONFIG.replace("1", "2"),
    "config-version-true": CONFIG.replace("format = 1", "format = true"),
    "config-unknown-hash": CONFIG.replace("blake3", "md5"),
    "config-hash-with-escape": CONFIG.replace("blake3", "\\u001b[2J"),
    "config-hash-a-number": CONFIG.replace('"blake3"', "3"),
    "config-core-a-number": "core = 3\n",
    "config-nested": "a = " + "[" * 20_000,
    "config-dotted": "a" + ".a" * 20_000 + " = 1\n",
}
for _name, _content in BAD_CONFIGS.items():
    case("config", _name)(lambda raw, data=_content: raw.write(".mlstore/config", data))  # type: ignore[misc]


@case("config")
def config_without_an_end(raw: Raw) -> None:
    with (raw.store / "config").open("ab") as file:
        file.truncate(1 << 40)


BAD_MANIFESTS: dict[str, str | bytes] = {
    "manifest-not-toml": "[stages\n",
    "manifest-not-utf8": b"[stages.\xff]\n",
    "manifest-output-outside": '[stages.a]\ncommand = "true"\noutputs = ["../outside/secret"]\n',
    "manifest-output-absolute": '[stages.a]\ncommand = "true"\noutputs = ["/etc/passwd"]\n',
    "manifest-output-store": '[stages.a]\ncommand = "true"\noutputs = [".mlstore/config"]\n',
    "manifest-input-outside": '[stages.a]\ncommand = "true"\ninputs = ["../outside/*"]\noutputs = ["x"]\n',
    "manifest-stage-name-escape": '[stages."\\u001b[2J"]\ncommand = "true"\noutputs = ["x"]\n',
    "manifest-unknown-key-escape": '["\\u001b]0;x\\u0007\\u202e"]\nx = 1\n',
    "manifest-command-nul": '[stages.a]\ncommand = "a\\u0000b"\noutputs = ["x"]\n',
    "manifest-cycle": '[stages.a]\ncommand = "true"\ninputs = ["b"]\noutputs = ["a"]\n'
    '[stages.b]\ncommand = "true"\ninputs = ["a"]\noutputs = ["b"]\n',
    "manifest-nested": "a = " + "[" * 20_000,
    "manifest-dotted": "a" + ".a" * 20_000 + " = 1\n",
    "manifest-stage-a-number": "stages = 3\n",
    "manifest-outputs-nested": '[stages.a]\ncommand = "true"\noutputs = [["x"]]\n',
    "manifest-pattern-blow-up": '[stages.a]\ncommand = "true"\ninputs = ["'
    + "*a" * 100
    + 'b"]\noutputs = ["x"]\n',
}
for _name, _content in BAD_MANIFESTS.items():

    @case("manifest", _name)
    def _bad_manifest(raw: Raw, data: str | bytes = _content) -> None:
        content = data if isinstance(data, bytes) else data.encode()
        raw.write("mlstore.toml", content)
        raw.write("a" * 200, "for the pattern\n")
        raw.evil_commit(raw.tree([raw.entry("mlstore.toml", content)]))


@case("manifest")
def manifest_is_a_pipe(raw: Raw) -> None:
    (raw.root / "mlstore.toml").unlink()
    os.mkfifo(raw.root / "mlstore.toml")


@case("manifest")
def manifest_far_too_large(raw: Raw) -> None:
    with (raw.root / "mlstore.toml").open("ab") as file:
        file.truncate(1 << 28)


BAD_LOCKS: dict[str, str | bytes] = {
    "lock-not-toml": "pins = \x1b[2J\n",
    "lock-not-utf8": b"version = \xff\n",
    "lock-version-true": 'version = true\nobject-format = "blake3"\n',
    "lock-format-list": 'version = 1\nobject-format = ["blake3"]\n',
    "lock-nested": "a = " + "[" * 20_000,
    "lock-dotted": "a" + ".a" * 20_000 + " = 1\n",
    "lock-commit-path": 'version = 1\nobject-format = "blake3"\n[pins.golden]\ncommit = "../x"\nheight = 0\n',
    "lock-height-true": 'version = 1\nobject-format = "blake3"\n[pins.golden]\n'
    f'commit = "{"a" * 64}"\nheight = true\n',
    "lock-height-negative": 'version = 1\nobject-format = "blake3"\n[pins.golden]\n'
    f'commit = "{"a" * 64}"\nheight = -1\n',
    "lock-pins-a-number": 'version = 1\nobject-format = "blake3"\npins = 3\n',
    "lock-name-with-escape": 'version = 1\nobject-format = "blake3"\n[pins."\\u001b[2J"]\n'
    f'commit = "{"a" * 64}"\nheight = 0\n',
}
for _name, _content in BAD_LOCKS.items():
    case("lock", _name)(lambda raw, data=_content: raw.write("mlstore.lock", data))  # type: ignore[misc]


@case("lock")
def lock_is_a_pipe(raw: Raw) -> None:
    os.mkfifo(raw.root / "mlstore.lock")


@case("lock")
def lock_is_a_device(raw: Raw) -> None:
    _device(str(raw.root / "mlstore.lock"), "/dev/zero")


@case("lock")
def lock_is_a_link_outside(raw: Raw) -> None:
    (raw.outside / "lock").write_text('version = 1\nobject-format = "blake3"\n')
    (raw.root / "mlstore.lock").symlink_to(raw.outside / "lock")


@case("lock")
def lock_without_an_end(raw: Raw) -> None:
    with (raw.root / "mlstore.lock").open("wb") as file:
        file.truncate(1 << 40)


@case("ignore")
def ignore_is_a_pipe(raw: Raw) -> None:
    os.mkfifo(raw.root / ".mlstoreignore")


@case("ignore")
def ignore_is_a_device(raw: Raw) -> None:
    _device(str(raw.root / "data" / ".mlstoreignore"), "/dev/zero")


@case("ignore")
def ignore_is_a_link_outside(raw: Raw) -> None:
    (raw.root / ".mlstoreignore").symlink_to(raw.outside / "secret")


@case("text")
def ignore_of_odd_patterns(raw: Raw) -> None:
    raw.write(".mlstoreignore", "[" * 5000 + "\n" + "**/**/**/x\n" + "!" * 500 + "\n")


@case("ignore")
def ignore_of_many_stars(raw: Raw) -> None:
    raw.write("a" * 200, b"x")
    raw.write(".mlstoreignore", "*a" * 60 + "b\n")


@case("ignore")
def ignore_of_many_folders(raw: Raw) -> None:
    raw.write("a/" * 60 + "a", b"x")
    raw.write(".mlstoreignore", "**/" * 200 + "b\n")


# --- the worktree -------------------------------------------------------------------------------------------


@case("worktree")
def worktree_folder_is_a_link_outside(raw: Raw) -> None:
    """`evil` has a file below `data`, which is a link out of the worktree by now."""
    (raw.outside / "raw.csv").write_text("outside\n")
    (raw.root / "data" / "raw.csv").unlink()
    (raw.root / "data").rmdir()
    (raw.root / "data").symlink_to(raw.outside)
    raw.evil_commit(raw.tree([*raw.base[::2], raw.folder("data", raw.tree([raw.entry("raw.csv")]))]))


@case("worktree")
def worktree_file_is_a_link_outside(raw: Raw) -> None:
    (raw.root / "config.ini").unlink()
    (raw.root / "config.ini").symlink_to(raw.outside / "secret")
    raw.evil_commit(raw.tree([raw.entry("config.ini"), *raw.base[1:]]))


@case("worktree")
def worktree_file_is_a_hard_link_outside(raw: Raw) -> None:
    (raw.outside / "twin").write_bytes(raw.files["config.ini"])
    (raw.root / "config.ini").unlink()
    os.link(raw.outside / "twin", raw.root / "config.ini")
    raw.evil_commit(raw.tree([raw.entry("config.ini"), *raw.base[1:]]))


@case("worktree")
def worktree_of_special_files(raw: Raw) -> None:
    os.mkfifo(raw.root / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(raw.root)
        try:
            made.bind("socket")
        finally:
            os.chdir(here)
    _device(str(raw.root / "device"), "/dev/zero")
    (raw.root / "dangling").symlink_to("nowhere")
    (raw.root / "loop").symlink_to("loop")
    (raw.root / "up").symlink_to("..")
    raw.evil_entries(raw.entry("pipe"), raw.entry("device"), raw.entry("loop"), raw.entry("up"))


@case("worktree")
def worktree_tracked_file_is_a_pipe(raw: Raw) -> None:
    (raw.root / "config.ini").unlink()
    os.mkfifo(raw.root / "config.ini")
    raw.evil_commit(raw.tree([raw.entry("config.ini"), *raw.base[1:]]))


@case("worktree")
def worktree_names_no_tree_may_hold(raw: Raw) -> None:
    for name in (
        b"a\x1b[2J\x07",
        b"b\nerror: forged",
        b"c\xff\xfe",
        b"d\\e",
        b"f:g",
        "h\u202eexe.x".encode(),
    ):
        raw.write(name, b"x\n")
    raw.evil_entries(raw.entry("sound"))


# --- text that is allowed, and must be escaped --------------------------------------------------------------

UGLY = "gpj.\u202eexe\u200b\u2066\u061c\u00ad.txt"
MESSAGE = "subject\x1b[31m\x1b]0;owned\x07\u202e\r\n\u009b2J\x1b]8;;http://x\x07body\u2066\u200d\n"


@case("text")
def text_of_every_kind(raw: Raw) -> None:
    """Names, messages, people, stages, values and logs that forge, hide and reorder."""
    raw.write(UGLY, "1\n")
    person = {"email": "a\u200b@\u202eexample", "name": "\u2067Ada\u200f"}
    stage = {
        "command": ["sh", "-c", "\x1b[2J\u202e\n\u009b"],
        "inputs": {f"{UGLY}#a\x1b[2J": "0" * 64},
        "name": "s",
        "outputs": {UGLY: hash_of(b"1\n")},
        "parameters": {f"{UGLY}#\x1b[1m": "\x1b[2J\u202e"},
        "record": "observed",
    }
    tree = raw.tree([*raw.base, raw.entry(UGLY, b"1\n")])
    commit = raw.evil_commit(tree, author=person, message=MESSAGE, stage=stage, lineage="0" * 64)
    value = {"kind": "commit", "message": MESSAGE, "name": UGLY + "\x1b[2J", "tagger": person,
             "target": commit, "time": TIME}  # fmt: skip
    raw.ref("refs/tags/ugly", raw.put(canonical("tag", value)))
    log = {"message": MESSAGE, "new": commit, "old": None, "time": "\x1b[2J", "who": "\u202e\x1b[1m"}
    raw.write(".mlstore/logs/HEAD", canonical("x", log).partition(b"\n")[2] + b"\n")
    raw.write(".mlstore/config", CONFIG + '[user]\nname = "\\u001b[2J\\u202e"\n')
    raw.write("mlstore.toml", MANIFEST.replace("touch", "touch \\u202e\\u200b"))


@case("text")
def text_of_refs_that_no_ref_may_have(raw: Raw) -> None:
    for name in ("x.lock", ".hidden", "-option", "a\x1b[2J", "b\nc", "d..e", "@{", "\u202ef", "*"):
        raw.write(f".mlstore/refs/heads/{name}", raw.main + "\n")
        raw.write(f".mlstore/refs/tags/{name}", raw.main + "\n")
    raw.evil_entries(raw.entry("sound"))


@case("text")
def control(_raw: Raw) -> None:
    """Nothing hostile at all."""
