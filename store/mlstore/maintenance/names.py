"""What objects were called: the path and commit that a blob was last seen at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from mlstore.errors import CorruptError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.objects import ObjectDatabase

_SHORT = 10


class Named(NamedTuple):
    """An object's kind (``blob``, ``tree``, ``commit``, ``tag``) and what is known of where it was."""

    kind: str
    name: str | None


def name_objects(objects: ObjectDatabase, ids: Collection[ObjectId]) -> dict[ObjectId, Named]:
    """Name what of *ids* can be named: a commit by its message, a blob or tree as ``path@commit``.

    Only commits that are among *ids* are looked into, the newest first; a file that was added and never
    committed has no name.
    """
    kinds = {object_id: _kind(objects, object_id) for object_id in ids}
    found = {object_id: Named(kind, None) for object_id, kind in kinds.items()}
    commits = []
    for object_id, kind in kinds.items():
        try:
            if kind == "commit":
                commit = objects.read_commit(object_id)
                commits.append((commit.height, object_id, commit.tree))
                found[object_id] = Named(kind, commit.message.partition("\n")[0])
            elif kind == "tag":
                found[object_id] = Named(kind, objects.read_tag(object_id).name)
        except (CorruptError, NotFoundError):
            continue
    _name_files(objects, sorted(commits, reverse=True), found)
    return found


def _kind(objects: ObjectDatabase, object_id: ObjectId) -> str:
    try:
        return objects.kind(object_id)
    except (CorruptError, NotFoundError):
        return "blob"


def _name_files(
    objects: ObjectDatabase,
    commits: Iterable[tuple[int, ObjectId, ObjectId]],
    found: dict[ObjectId, Named],
) -> None:
    seen: set[ObjectId] = set()
    for _, commit_id, root in commits:
        pending = [(root, "")]
        while pending:
            tree_id, base = pending.pop()
            if tree_id in seen:
                continue
            seen.add(tree_id)
            try:
                entries = objects.read_tree(tree_id).entries
            except (CorruptError, NotFoundError):
                continue
            for entry in entries:
                path = base + entry.name
                if entry.id in found and found[entry.id].name is None:
                    found[entry.id] = Named(found[entry.id].kind, f"{path}@{commit_id[:_SHORT]}")
                if entry.kind == "tree":
                    pending.append((entry.id, path + "/"))
        if root in found:
            found[root] = Named("tree", f"@{commit_id[:_SHORT]}")
