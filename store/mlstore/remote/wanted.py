"""What a clone takes along: all that the refs lead to, but for the blobs that a filter leaves out.

Some small blobs are part of the record rather than of the data, and every clone has them: the environments
of blocks, each commit's ``mlstore.toml``, the configurations that stages read by key, and notes. Without them
nobody could say which stages there are, whether a key that counts was changed, or what was noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlstore.hashing import ObjectId
from mlstore.manifest import MANIFEST_NAME
from mlstore.model import Commit
from mlstore.repository import Filter, Repository, find_entry
from mlstore.repository.snapshot import iter_files

RECORD_LIMIT = 1 << 20
"""Bytes: a configuration that is larger is left out as any other blob."""


@dataclass(slots=True)
class Wanted:
    """Ids by what they are. ``blobs`` and ``left_out`` have the sizes that the trees say (bytes)."""

    metadata: set[ObjectId] = field(default_factory=set)
    blobs: dict[ObjectId, int] = field(default_factory=dict)
    left_out: dict[ObjectId, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many bytes the blobs have."""
        return sum(self.blobs.values())


def find_wanted(
    repo: Repository, roots: Iterable[ObjectId], chosen: Filter | None, *, notes: Iterable[ObjectId] = ()
) -> Wanted:
    """Follow *roots* (commits, tags, whatever a ref points to) and say what a clone needs.

    *notes* are those of the roots that refs of notes point to.
    Raises ``ObjectNotFound`` or ``CorruptObject``: what cannot be read cannot be cloned.
    """
    walk = _Walk(repo)
    for root in roots:
        walk.follow(root)
    walk.add_records()
    found = Wanted(walk.metadata, walk.blobs)
    if chosen is not None:
        kept = walk.explicit | walk.records() | _notes_below(repo, notes)
        found.left_out = {
            blob: size for blob, size in walk.blobs.items() if chosen.leaves_out(size) and blob not in kept
        }
        found.blobs = {blob: size for blob, size in walk.blobs.items() if blob not in found.left_out}
    return found


def _notes_below(repo: Repository, tips: Iterable[ObjectId]) -> set[ObjectId]:
    trees = [repo.objects.read_commit(tip).tree for tip in tips if repo.objects.kind(tip) == "commit"]
    entries = [entry for tree in trees for entry in iter_files(repo.objects, tree)]
    return {entry.id for entry in entries if entry.size <= RECORD_LIMIT}


class _Walk:
    """Follows commits, trees and tags, each once, without recursion."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._objects = repo.objects
        self.metadata: set[ObjectId] = set()
        self.blobs: dict[ObjectId, int] = {}
        self.explicit: set[ObjectId] = set()  # blobs that a ref or tag names: git takes these along too
        self._commits: list[Commit] = []

    def follow(self, root: ObjectId) -> None:
        pending = [(root, self._objects.kind(root))]
        while pending:
            object_id, kind = pending.pop()
            if object_id in self.metadata:
                continue
            if kind == "blob":
                self.explicit.add(object_id)
                self.blobs[object_id] = self._objects.size(object_id)
                continue
            self.metadata.add(object_id)
            if kind == "commit":
                commit = self._objects.read_commit(object_id)
                self._commits.append(commit)
                pending += [(commit.tree, "tree"), *((parent, "commit") for parent in commit.parents)]
            elif kind == "tree":
                pending += self._below(object_id)
            else:
                tag = self._objects.read_tag(object_id)
                pending.append((tag.target, tag.target_kind))

    def _below(self, tree: ObjectId) -> list[tuple[ObjectId, str]]:
        found = []
        for entry in self._objects.read_tree(tree).entries:
            if entry.kind == "tree":
                found.append((entry.id, "tree"))
            else:
                self.blobs[entry.id] = entry.size
        return found

    def records(self) -> set[ObjectId]:
        """Give the blobs that are part of the record."""
        found: set[ObjectId] = set()
        for commit in self._commits:
            paths = {MANIFEST_NAME}
            if commit.stage is not None:
                paths |= {path for path, _, key in (s.partition("#") for s in commit.stage.inputs) if key}
                if commit.stage.environment is not None:
                    found.add(commit.stage.environment)
            for path in paths:
                entry = find_entry(self._objects, commit.tree, path)
                if entry is not None and entry.kind != "tree" and entry.size <= RECORD_LIMIT:
                    found.add(entry.id)
        return found

    def add_records(self) -> None:
        """Add the blobs that only blocks name: their environments, and what they claim to have written."""
        for commit in self._commits:
            stage = commit.stage
            if stage is None:
                continue
            if stage.environment is not None and stage.environment not in self.blobs:
                self.blobs[stage.environment] = self._objects.size(stage.environment)
            for blob in stage.outputs.values():
                if blob not in self.blobs and blob in self._objects:
                    self.blobs[blob] = self._objects.size(blob)
