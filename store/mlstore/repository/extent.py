"""How much a tree stands for, counted without expanding it: each subtree once, however often it is used.

Forty small trees, each with the one before in it twice, stand for 2^40 files. Whoever is about to make a flat
list of a snapshot asks here first, as soon as it is not plainly small.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from mlstore.errors import CorruptObject
from mlstore.hashing import ObjectId
from mlstore.model import TreeEntry
from mlstore.model.paths import MAX_PATH
from mlstore.objects import ObjectDatabase

MOST_FILES: Final = 10_000_000
"""No command expands a snapshot of more files."""

MOST_TEXT: Final = 2 << 30
"""Nor one whose paths have more characters in all."""


MAX_DEPTH: Final = 1024
"""No tree is nested deeper: paths are at most 4096 bytes."""


class Extent(NamedTuple):
    """What is below a tree: files, and the characters of their paths (from that tree on).

    ``depth`` counts the trees on the longest way down, ``longest`` the bytes of the longest path.
    """

    files: int
    text: int
    depth: int = 1
    longest: int = 0


def measure(objects: ObjectDatabase, tree: ObjectId, known: dict[ObjectId, Extent] | None = None) -> Extent:
    """Count what *tree* stands for; *known* is shared between calls.

    Raises ``CorruptObject`` when it is more than any command expands, and what reading trees raises.
    """
    counted = {} if known is None else known
    stack = [tree]
    while stack:
        tree_id = stack[-1]
        if tree_id in counted:
            stack.pop()
            continue
        entries = objects.read_tree(tree_id).entries
        below = {entry.id for entry in entries if entry.kind == "tree"}
        unknown = [child for child in below if child not in counted]
        if unknown:
            stack += unknown
        else:
            stack.pop()
            counted[tree_id] = _sum(entries, counted)
    if counted[tree].depth > MAX_DEPTH:
        raise CorruptObject(f"tree '{tree}' is nested too deeply", id=tree)
    if counted[tree].longest > MAX_PATH:
        raise path_too_long(tree)
    if counted[tree].files > MOST_FILES or counted[tree].text > MOST_TEXT:
        raise too_large(tree)
    return counted[tree]


def _sum(entries: tuple[TreeEntry, ...], counted: dict[ObjectId, Extent]) -> Extent:
    names = [entry.name for entry in entries if entry.kind != "tree"]
    whole = "".join(names)
    files, text, depth = len(names), len(whole), 0
    longest = max(map(len if whole.isascii() else _bytes, names), default=0)
    for entry in entries if len(names) < len(entries) else ():
        if entry.kind == "tree":
            below = counted[entry.id]
            files += below.files
            text += below.text + below.files * (len(entry.name) + 1)
            depth = max(depth, below.depth)
            longest = max(longest, _bytes(entry.name) + 1 + below.longest)
    return Extent(files, text, depth + 1, longest)


def _bytes(name: str) -> int:
    return len(name) if name.isascii() else len(name.encode())


def too_large(tree: ObjectId) -> CorruptObject:
    """Give the error for a tree that stands for too much."""
    return CorruptObject(
        f"tree '{tree}' stands for more files than any folder has",
        hint=f"snapshots of up to {MOST_FILES} files are expanded; this one was made to exhaust its readers",
        id=tree,
    )


def path_too_long(tree: ObjectId) -> CorruptObject:
    """Give the error for a tree with a path that no repository may hold."""
    return CorruptObject(f"tree '{tree}' has a path that is longer than {MAX_PATH} bytes", id=tree)
