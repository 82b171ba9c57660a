"""Trees: one folder each, its entries sorted by the bytes of their names."""

from __future__ import annotations

from itertools import pairwise
from operator import lt
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from mlstore._lazy import LazyPattern
from mlstore.errors import DecodeError, InvalidPath
from mlstore.hashing import ObjectId
from mlstore.model.paths import validate_component

if TYPE_CHECKING:
    from mlstore.model.fields import Fields

EntryKind: TypeAlias = Literal["file", "executable", "tree"]
ENTRY_KINDS = frozenset({"file", "executable", "tree"})

# An entry with a plain name, as its canonical bytes are: text that is nothing but these is canonical JSON by
# construction, and its names are those that `validate_component` takes without a second look.
_PLAIN_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.=,+-]{0,58}[A-Za-z0-9_=,+-])?"
_PLAIN = LazyPattern(
    r'\{"id":"([0-9a-f]{64})","kind":"(file|executable|tree)",'
    rf'"name":"({_PLAIN_NAME})","size":(0|[1-9][0-9]{{0,17}})\}},'
)
_PLAIN_NAMES = LazyPattern(rf"(?:{_PLAIN_NAME}\n)*\Z")
_PLAIN_SIZE = len('{"id":"","kind":"","name":"","size":},') + 64
_HEAD = b'mlstore tree 1\n{"entries":['
_TAIL = b"]}"
_LARGE = 1 << 20
_ENTRY = (
    rb'\{"id":"[0-9a-f]{64}","kind":"[a-z]{1,10}",'
    rb'"name":"(?:[^"\\]|\\["\\]){1,512}","size":[0-9]{1,19}\}(?:,|\Z)'
)
_KINDS: dict[str, EntryKind] = {"file": "file", "executable": "executable", "tree": "tree"}


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


class Tree(NamedTuple):
    """The entries of one folder, sorted by the UTF-8 bytes of their names, each name once."""

    entries: tuple[TreeEntry, ...]

    def get(self, name: str) -> TreeEntry | None:
        """Give the entry called *name*, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)


def encode_tree(tree: Tree) -> bytes:
    """Give the canonical bytes of *tree*; its entries must be sorted and unique.

    Raises ``InvalidPath`` for a name that no reader would accept.
    """
    names = [entry.name for entry in tree.entries]
    _check_order(names)
    lines = "\n".join([*names, ""])
    if lines.count("\n") == len(names) and _PLAIN_NAMES.match(lines):
        data = _encode_plain(tree)
        if len(data) <= _LARGE:
            return data
    for name in names:
        validate_component(name)
    from mlstore.model.canonical import encode_object

    entries = [
        {"id": entry.id, "kind": entry.kind, "name": entry.name, "size": entry.size} for entry in tree.entries
    ]
    return encode_object("tree", {"entries": entries})


def _encode_plain(tree: Tree) -> bytes:
    """Give the bytes of a tree of plain names, in which nothing has to be escaped."""
    entries = [
        f'{{"id":"{object_id}","kind":"{kind}","name":"{name}","size":{size}}}'
        for name, kind, object_id, size in tree.entries
    ]
    return _HEAD + ",".join(entries).encode() + _TAIL


def decode_tree(data: bytes) -> Tree:
    """Read a tree; raises ``DecodeError`` for anything not canonical, hostile names included."""
    if len(data) > _LARGE:
        _check_shape(data)
    return _decode_plain(data) or _decode_any(data)


def _check_shape(data: bytes) -> None:
    """Refuse what is no list of entries before a parser makes values of it, many times as large."""
    import re

    pattern = re.compile(_ENTRY)
    at, end = len(_HEAD), len(data) - len(_TAIL)
    if not (data.startswith(_HEAD) and data.endswith(_TAIL)):
        raise DecodeError("not a tree: it is no list of entries")
    while at < end:
        entry = pattern.match(data, at, end)
        if entry is None:
            raise DecodeError("not a tree: it is no list of entries")
        at = entry.end()


def _decode_plain(data: bytes) -> Tree | None:
    """Read a tree of plain names the quick way; None for any other, right or wrong."""
    if not (data.startswith(_HEAD) and data.endswith(_TAIL) and data.isascii()):
        return None
    body = data[len(_HEAD) : -len(_TAIL)].decode("ascii") + ","
    found = _PLAIN.findall(body)
    # What was found does not overlap: when it is as long as the whole, then it is the whole.
    if sum(_PLAIN_SIZE + len(kind) + len(name) + len(size) for _, kind, name, size in found) != len(body):
        return None
    if any(before[2] >= entry[2] for before, entry in pairwise(found)):
        return None
    return Tree(
        tuple(
            [TreeEntry(name, _KINDS[kind], cast(ObjectId, id_), int(size)) for id_, kind, name, size in found]
        )
    )


def _decode_any(data: bytes) -> Tree:
    from mlstore.model.canonical import decode_object
    from mlstore.model.fields import Fields

    fields = Fields(decode_object("tree", data), "tree")
    raw = fields.take("entries")
    fields.done()
    if not isinstance(raw, list):
        raise fields.error("'entries' is not a list")
    entries = tuple(_decode_entry(Fields(item, "tree entry")) for item in raw)
    _check_order([entry.name for entry in entries])
    return Tree(entries)


def _decode_entry(fields: Fields) -> TreeEntry:
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
    if all(map(lt, names, names[1:])):
        return
    for before, name in pairwise(names):
        if before >= name:
            raise DecodeError(f"tree: {name[:80]!r} is a duplicate or not in order")
