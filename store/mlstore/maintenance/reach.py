"""What a store needs: all that refs, reflogs, the index and pins lead to.

Where a commit, tree or tag on the way cannot be read, nobody can say what it needed: the walk stops with
an error and nothing is collected.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlstore.errors import CorruptError, MlstoreError, NotFoundError, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.refs import TAGS
from mlstore.repository import Repository
from mlstore.verify.pins import read_lock


def find_needed(repo: Repository, *, logs_since: str) -> set[ObjectId]:
    """Give every object that is needed, reflog entries before *logs_since* (``YYYY-MM-DDT...``) not counted.

    Raises ``CorruptError`` or ``ObjectNotFound``, with a hint, where that cannot be known.
    """
    walk = _Walk(repo)
    try:
        for root in _roots(repo, logs_since):
            walk.follow(root)
        # These are blobs: they need nothing, and need not be readable.
        walk.found.update(entry.id for entry in repo.read_index().entries())
    except (CorruptError, ObjectNotFound) as exc:
        raise in_doubt(exc) from None
    return walk.found


def add_with_needs(repo: Repository, found: set[ObjectId], ids: Iterable[ObjectId]) -> None:
    """Add *ids*, and what can be found of what they need, to *found*."""
    walk = _Walk(repo)
    for object_id in ids:
        if object_id not in found:
            walk.follow(object_id, strict=False)
    found |= walk.found


def _roots(repo: Repository, logs_since: str) -> set[ObjectId]:
    refs, objects = repo.refs, repo.objects
    roots = set(refs.all().values())
    head = refs.head().commit
    if head is not None:
        roots.add(head)
    lock = read_lock(repo)
    # What is pinned or stood in a log once need not be here: another clone may have it.
    perhaps: set[ObjectId] = {pin.commit for pin in lock.pins.values()} if lock else set()
    for name in refs.logs():
        if not name.startswith("run/"):
            # What a tag named is kept whatever its age: it was golden, or was given to somebody.
            since = "" if name.startswith(TAGS) else logs_since
            perhaps.update(
                moved
                for entry in refs.reflog(name)
                if entry.time >= since
                for moved in (entry.old, entry.new)
                if moved is not None
            )
    return roots | {object_id for object_id in perhaps if object_id in objects}


class _Walk:
    """Follows commits, trees and tags, each once, without recursion."""

    def __init__(self, repo: Repository) -> None:
        self._objects = repo.objects
        self.found: set[ObjectId] = set()
        self._followed: set[ObjectId] = set()

    def follow(self, root: ObjectId, *, strict: bool = True) -> None:
        """Add all that *root* needs; not *strict* passes over what cannot be read."""
        pending = [(root, "")]
        while pending:
            object_id, kind = pending.pop()
            self.found.add(object_id)
            if kind == "blob" or object_id in self._followed:
                continue
            self._followed.add(object_id)
            try:
                pending += self._needs(object_id, kind or self._objects.kind(object_id))
            except (CorruptError, NotFoundError):
                if strict:
                    raise

    def _needs(self, object_id: ObjectId, kind: str) -> list[tuple[ObjectId, str]]:
        if kind == "commit":
            commit = self._objects.read_commit(object_id)
            needs = [(commit.tree, "tree"), *((parent, "commit") for parent in commit.parents)]
            if commit.stage is not None:
                needs += [(blob, "blob") for blob in commit.stage.outputs.values()]
                if commit.stage.environment is not None:
                    needs.append((commit.stage.environment, "blob"))
            return needs
        if kind == "tree":
            entries = self._objects.read_tree(object_id).entries
            return [(entry.id, "tree" if entry.kind == "tree" else "blob") for entry in entries]
        if kind == "tag":
            tag = self._objects.read_tag(object_id)
            return [(tag.target, tag.target_kind)]
        return []


def in_doubt(exc: MlstoreError) -> MlstoreError:
    """Give *exc* as the error of who cannot tell what is needed."""
    return type(exc)(
        f"what is needed cannot be told: {exc.message}",
        hint="'mlstore fsck' tells what is wrong; nothing was removed",
        **exc.data,
    )
