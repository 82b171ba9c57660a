"""Trees: one folder each, its entries sorted by the bytes of their names."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias, cast

from mlstore.errors import DecodeError, InvalidPath
from mlstore.hashing import ObjectId
from mlstore.model.canonical import decode_object, encode_object
from mlstore.model.fields import Fields
from mlstore.model.paths import validate_component

EntryKind: TypeAlias = Literal["file", "executable", "tree"]
ENTRY_KINDS = frozenset({"file", "executable", "tree"})


class TreeEntry(NamedTuple):
    """One name in a folder. ``size`` is the number of bytes of the object that ``id`` names.

    In a flattened snapshot ``name`` is the whole path from the root of the repository.
    """

    name: str
    kind: EntryKind
    id: ObjectId
    size: int

    def same_content(self, other: TreeEntry | None) -> bool:
        """Whether *other* has the same bytes and mode, wherever it stands."""
        return other is not None and self.id == other.id and self.kind == other.kind


@dataclass(frozen=True, slots=True)
class Tree:
    """The entries of one folder, sorted by the UTF-8 bytes of their names, each name once."""

    entries: tuple[TreeEntry, ...]

    def get(self, name: str) -> TreeEntry | None:
        """Give the entry called *name*, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)


def encode_tree(tree: Tree) -> bytes:
    """Give the canonical bytes of *tree*; its entries must be sorted and unique.

    Raises ``InvalidPath`` for a name that no reader would accept.
    """
    _check_order([entry.name for entry in tree.entries])
    for entry in tree.entries:
        validate_component(entry.name)
    entries = [
        {"id": entry.id, "kind": entry.kind, "name": entry.name, "size": entry.size} for entry in tree.entries
    ]
    return encode_object("tree", {"entries": entries})


def decode_tree(data: bytes) -> Tree:
    """Read a tree; raises ``DecodeError`` for anything not canonical, hostile names included."""
    fields = Fields(decode_object("tree", data), "tree")
    raw = fields.take("entries")
    fields.done()
    if not isinstance(raw, list):
        raise fields.error("'entries' is not a list")
    entries = tuple(_decode_entry(item) for item in raw)
    _check_order([entry.name for entry in entries])
    return Tree(entries)


def _decode_entry(raw: object) -> TreeEntry:
    fields = Fields(raw, "tree entry")
    entry = TreeEntry(
        name=fields.text("name"),
        kind=cast(EntryKind, fields.one_of("kind", ENTRY_KINDS)),
        id=fields.id("id"),
        size=fields.number("size"),
    )
    fields.done()
    try:
        validate_component(entry.name)
    except InvalidPath as exc:
        raise DecodeError(f"tree entry: {exc.message}") from None
    return entry


def _check_order(names: list[str]) -> None:
    # Python compares str by code point, which is the order of their UTF-8 bytes.
    for before, name in pairwise(names):
        if before >= name:
            raise DecodeError(f"tree: {name[:80]!r} is a duplicate or not in order")
