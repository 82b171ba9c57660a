"""Snapshots: a tree and all below it, as one flat map from path to entry.

Everything here works on ids first: a subtree that two snapshots share is never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from mlstore.errors import CorruptObject, InvalidPath
from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.model.paths import MAX_PATH
from mlstore.model.tree import Tree, TreeEntry, encode_tree
from mlstore.repository.extent import MAX_DEPTH, Extent, measure, path_too_long

if TYPE_CHECKING:
    from mlstore.objects import ObjectDatabase, ObjectWriter

Snapshot: TypeAlias = dict[str, TreeEntry]
ChangeStatus: TypeAlias = Literal["added", "deleted", "modified", "mode"]

_SMALL_TEXT = 16 << 20  # characters of paths that are expanded without counting first


class Change(NamedTuple):
    """What became of one path between two snapshots; ``mode`` means that only the mode differs."""

    path: str
    status: ChangeStatus
    old: TreeEntry | None
    new: TreeEntry | None


def iter_files(objects: ObjectDatabase, tree: ObjectId, prefix: str = "") -> Iterator[TreeEntry]:
    """Give the files below *tree*, each entry's name being its whole path.

    Raises ``ObjectNotFound`` or ``CorruptObject``, the latter also for what is nested too deeply or stands
    for more files than any command expands. Never recurses in Python: depth is bounded.
    """
    guard = _Guard(objects, (tree,))
    stack: list[tuple[str, Iterator[TreeEntry]]] = [(prefix, iter(guard.enter(tree, prefix)))]
    while stack:
        base, entries = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
        elif entry.kind != "tree":
            yield TreeEntry(base + entry.name, entry.kind, entry.id, entry.size)
        elif len(stack) >= MAX_DEPTH:
            raise CorruptObject(f"tree '{tree}' is nested too deeply", id=tree)
        else:
            below = f"{base}{entry.name}/"
            stack.append((below, iter(guard.enter(entry.id, below))))


class _Guard:
    """Counts what an expansion of *roots* comes to, and measures them before it gets out of hand.

    That costs nothing where no tree is used twice: such a snapshot is no larger than what is stored.
    """

    def __init__(self, objects: ObjectDatabase, roots: Iterable[ObjectId | None]) -> None:
        self._objects = objects
        self._roots = [root for root in roots if root is not None]
        self._seen: set[ObjectId] = set()
        self._measured = False
        self._text = 0

    def enter(self, tree: ObjectId, base: str) -> tuple[TreeEntry, ...]:
        """Give the entries of the tree at the path *base*; raises ``CorruptObject`` when it is too much."""
        if len(base) > MAX_PATH or (not base.isascii() and len(base.encode()) > MAX_PATH):
            raise path_too_long(self._roots[0])
        entries = self._objects.read_tree(tree).entries
        self._text += len(entries) * (len(base) + 1)
        if not self._measured and (tree in self._seen or self._text > _SMALL_TEXT):
            self._measured = True
            known: dict[ObjectId, Extent] = {}
            for root in self._roots:
                measure(self._objects, root, known)
        self._seen.add(tree)
        return entries


def read_snapshot(objects: ObjectDatabase, tree: ObjectId | None) -> Snapshot:
    """Give all files below *tree* by path, sorted; None is the empty snapshot."""
    if tree is None:
        return {}
    found = {entry.name: entry for entry in iter_files(objects, tree)}
    return dict(sorted(found.items()))


def find_entry(objects: ObjectDatabase, tree: ObjectId, path: str) -> TreeEntry | None:
    """Give the entry at *path* (file or folder) below *tree*, None when there is none."""
    entry = TreeEntry("", "tree", tree, 0)
    for name in path.strip("/").split("/") if path.strip("/") else []:
        if entry.kind != "tree":
            return None
        found = objects.read_tree(entry.id).get(name)
        if found is None:
            return None
        entry = found
    return TreeEntry(path.strip("/"), entry.kind, entry.id, entry.size)


class NewTrees(NamedTuple):
    """Trees that are not written yet: the root's id, and the bytes and entries of each by its id."""

    root: ObjectId
    trees: dict[ObjectId, tuple[bytes, dict[str, TreeEntry]]]


def write_tree(writer: ObjectWriter, entries: Iterable[TreeEntry]) -> ObjectId:
    """Write the trees that hold *entries* (files, names being whole paths) and give the root's id.

    Raises ``InvalidPath`` for a path that no tree may hold, or that is both a file and a folder.
    """
    return write_trees(writer, make_trees(writer.format, entries))


def write_trees(writer: ObjectWriter, made: NewTrees) -> ObjectId:
    """Write trees that were made and give the root's id."""
    for data, _ in made.trees.values():
        writer.add_bytes(data)
    return made.root


def make_trees(fmt: ObjectFormat, entries: Iterable[TreeEntry]) -> NewTrees:
    """Give the trees that ``write_tree`` would write."""
    folders: dict[str, dict[str, TreeEntry]] = {"": {}}
    here, files = "", folders[""]
    for path, kind, object_id, size in entries:
        folder, slash, name = path.rpartition("/")
        if slash and not folder:
            raise InvalidPath(f"{path!r} is an absolute path", path=path)
        if folder != here:
            _ensure(folders, folder)
            here, files = folder, folders[folder]
        files[name] = TreeEntry(name, kind, object_id, size)
    made: dict[ObjectId, tuple[bytes, dict[str, TreeEntry]]] = {}
    # Deepest first: a folder's id is known before its parent is written.
    for folder in sorted(folders, key=lambda path: path.count("/") + bool(path), reverse=True):
        data = encode_tree(Tree(tuple(sorted(folders[folder].values()))))
        tree_id = fmt.hash_bytes(data)
        made[tree_id] = data, folders[folder]
        if folder == "":
            return NewTrees(tree_id, made)
        parent, _, name = folder.rpartition("/")
        if name in folders[parent]:
            raise InvalidPath(f"'{folder}' cannot be both a file and a folder", path=folder)
        folders[parent][name] = TreeEntry(name, "tree", tree_id, len(data))
    raise AssertionError("the root folder comes last")


def new_files(
    objects: ObjectDatabase, made: NewTrees, old: ObjectId | None
) -> Iterator[tuple[str, TreeEntry]]:
    """Give the files of *made* that tree *old* does not hold in their place; equal folders are not read.

    Each comes with the path of its folder, ended by a slash where there is one.
    """
    pending: list[tuple[str, ObjectId, ObjectId | None]] = [("", made.root, old)]
    while pending:
        prefix, tree, before = pending.pop()
        if tree == before:
            continue
        known = {} if before is None else {entry.name: entry for entry in objects.read_tree(before).entries}
        for name, entry in made.trees[tree][1].items():
            there = known.get(name)
            if entry.kind == "tree":
                below = there.id if there is not None and there.kind == "tree" else None
                pending.append((f"{prefix}{name}/", entry.id, below))
            elif not entry.same_content(there):
                yield prefix, entry


def _ensure(folders: dict[str, dict[str, TreeEntry]], folder: str) -> None:
    while folder not in folders:
        folders[folder] = {}
        folder = folder.rpartition("/")[0]


def diff_snapshots(old: Mapping[str, TreeEntry], new: Mapping[str, TreeEntry]) -> list[Change]:
    """Give what differs between two snapshots, sorted by path."""
    changes = []
    for path in sorted(old.keys() | new.keys()):
        change = compare_entries(path, old.get(path), new.get(path))
        if change is not None:
            changes.append(change)
    return changes


def compare_entries(path: str, old: TreeEntry | None, new: TreeEntry | None) -> Change | None:
    """Give what became of one path, None when nothing did."""
    if old is None and new is None:
        return None
    if old is None:
        return Change(path, "added", None, new)
    if new is None:
        return Change(path, "deleted", old, None)
    if old.id != new.id:
        return Change(path, "modified", old, new)
    return Change(path, "mode", old, new) if old.kind != new.kind else None


def diff_trees(objects: ObjectDatabase, old: ObjectId | None, new: ObjectId | None) -> list[Change]:
    """Give what differs between two trees, sorted by path; shared subtrees are not read."""
    changes: list[Change] = []
    guards = _Guard(objects, (old,)), _Guard(objects, (new,))
    pending: list[tuple[str, ObjectId | None, ObjectId | None]] = [("", old, new)]
    while pending:
        prefix, left, right = pending.pop()
        if left == right:
            continue
        before, after = _entries(guards[0], left, prefix), _entries(guards[1], right, prefix)
        for name in before.keys() | after.keys():
            _diff_name(prefix + name, before.get(name), after.get(name), changes, pending)
    return sorted(changes, key=lambda change: change.path)


def _diff_name(
    path: str,
    old: TreeEntry | None,
    new: TreeEntry | None,
    changes: list[Change],
    pending: list[tuple[str, ObjectId | None, ObjectId | None]],
) -> None:
    old_tree = old.id if old is not None and old.kind == "tree" else None
    new_tree = new.id if new is not None and new.kind == "tree" else None
    if old_tree or new_tree:
        pending.append((path + "/", old_tree, new_tree))
    change = compare_entries(path, None if old_tree else _at(path, old), None if new_tree else _at(path, new))
    if change is not None:
        changes.append(change)


def _at(path: str, entry: TreeEntry | None) -> TreeEntry | None:
    return None if entry is None else TreeEntry(path, entry.kind, entry.id, entry.size)


def _entries(guard: _Guard, tree: ObjectId | None, prefix: str) -> dict[str, TreeEntry]:
    return {} if tree is None else {entry.name: entry for entry in guard.enter(tree, prefix)}
