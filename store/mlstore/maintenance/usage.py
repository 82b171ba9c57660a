"""What takes the space: by path and stage, with and without what versions share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlstore.durable import files_below
from mlstore.errors import CorruptError, InvalidRevision, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.history import walk
from mlstore.history.revision import peel
from mlstore.maintenance.repair import QUARANTINE
from mlstore.maintenance.trash import trash_bags
from mlstore.model import Commit
from mlstore.refs import NOTES
from mlstore.repository import Repository, measure
from mlstore.repository.extent import Extent


@dataclass(slots=True)
class PathUsage:
    """One path (or stage): ``versions`` different contents, ``size`` bytes one by one, ``stored`` on disk.

    Bytes that several versions or paths share are counted for the one that had them first.
    """

    name: str
    stage: str | None
    versions: int = 0
    size: int = 0
    stored: int = 0


@dataclass(slots=True)
class Usage:
    """All of a store, in bytes on disk; ``paths`` sorted by what they take.

    ``history`` is commits, trees, tags, notes and environments; ``other`` what no branch, tag or HEAD leads
    to (staged, in a reflog, or garbage), and copies; ``overhead`` is the packs' indexes; ``quarantine`` what
    ``fsck --repair`` found damaged and kept.
    """

    paths: list[PathUsage] = field(default_factory=list)
    history: int = 0
    other: int = 0
    overhead: int = 0
    trash: int = 0
    quarantine: int = 0

    @property
    def total(self) -> int:
        """Bytes on disk of objects, trash and quarantine."""
        stored = sum(path.stored for path in self.paths)
        return stored + self.history + self.other + self.overhead + self.trash + self.quarantine

    def by_stage(self) -> list[PathUsage]:
        """Give the paths put together by the stage that writes them; None are the others."""
        found: dict[str | None, PathUsage] = {}
        for path in self.paths:
            sum_ = found.setdefault(path.stage, PathUsage(path.stage or "", path.stage))
            sum_.versions += path.versions
            sum_.size += path.size
            sum_.stored += path.stored
        return sorted(found.values(), key=_largest_first)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data (schema ``mlstore.du/1``)."""
        rows = [
            {"path": p.name, "stage": p.stage, "versions": p.versions, "size": p.size, "stored": p.stored}
            for p in self.paths
        ]
        return {
            "paths": rows,
            "history": self.history,
            "other": self.other,
            "overhead": self.overhead,
            "trash": self.trash,
            "quarantine": self.quarantine,
            "total": self.total,
        }


def measure_usage(repo: Repository) -> Usage:
    """Attribute every byte of the store.

    Reads all commits and trees. Raises ``CorruptError`` or ``ObjectNotFound`` where that cannot be done.
    """
    return _Measure(repo).run()


class _Measure:
    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._collector = repo.collector()
        self._left: dict[ObjectId, int] = {}
        self._copies = 0
        self._recipes = {object_id: read_parts() for object_id, read_parts in self._collector.recipes()}
        self._paths: dict[str, PathUsage] = {}
        self._history = 0
        self._trees: set[tuple[str, ObjectId]] = set()
        self._extents: dict[ObjectId, Extent] = {}
        self._seen: set[tuple[str, ObjectId]] = set()

    def run(self) -> Usage:
        stored = self._take_stock()
        for commit_id, commit in self._commits():
            self._take_commit(commit_id, commit)
        for commit_id, commit in self._note_commits():
            self._take_notes(commit_id, commit)
        usage = Usage(sorted(self._paths.values(), key=_largest_first), self._history)
        usage.other = sum(self._left.values()) + self._copies
        usage.overhead = _size_of(self._repo.store / "objects") - stored
        usage.trash = sum(bag.size for bag in trash_bags(self._repo))
        usage.quarantine = _size_of(self._repo.store / QUARANTINE)
        return usage

    def _take_stock(self) -> int:
        total = 0
        for item in self._collector.items():
            total += item.stored
            if item.id in self._left:
                self._copies += item.stored
                continue
            self._left[item.id] = item.stored
        return total

    def _commits(self) -> list[tuple[ObjectId, Commit]]:
        """Give all commits that refs lead to, parents first: what is shared belongs to the first."""
        tips = {self._repo.refs.head().commit}
        for ref, target in self._repo.refs.all().items():
            if ref.startswith(NOTES):
                continue
            self._take_tags(target)
            with suppress(CorruptError, InvalidRevision, ObjectNotFound):
                tips.add(peel(self._repo, target, "commit", ref))
        found = list(walk(self._repo, [tip for tip in tips if tip is not None]))
        return sorted(found, key=lambda pair: (pair[1].height, pair[0]))

    def _note_commits(self) -> Iterator[tuple[ObjectId, Commit]]:
        return walk(self._repo, list(self._repo.refs.all(NOTES).values()))

    def _take_notes(self, commit_id: ObjectId, commit: Commit) -> None:
        """Notes are history: nobody knows them by the paths that they have in their trees."""
        self._history += self._take(commit_id)
        measure(self._repo.objects, commit.tree, self._extents)
        pending = [commit.tree]
        while pending:
            tree_id = pending.pop()
            if ("notes", tree_id) in self._trees:
                continue
            self._trees.add(("notes", tree_id))
            self._history += self._take(tree_id)
            for entry in self._repo.objects.read_tree(tree_id).entries:
                if entry.kind == "tree":
                    pending.append(entry.id)
                else:
                    self._history += self._take(entry.id)

    def _take_tags(self, target: ObjectId) -> None:
        while self._repo.objects.kind(target) == "tag":
            self._history += self._take(target)
            target = self._repo.objects.read_tag(target).target

    def _take_commit(self, commit_id: ObjectId, commit: Commit) -> None:
        self._history += self._take(commit_id)
        outputs: dict[str, ObjectId] = {}
        if commit.stage is not None:
            outputs = commit.stage.outputs
            if commit.stage.environment is not None:
                self._history += self._take(commit.stage.environment)
        measure(self._repo.objects, commit.tree, self._extents)  # raises for what nobody expands
        pending = [("", commit.tree)]
        while pending:
            base, tree_id = pending.pop()
            if (base, tree_id) in self._trees:
                continue
            self._trees.add((base, tree_id))
            self._history += self._take(tree_id)
            for entry in self._repo.objects.read_tree(tree_id).entries:
                path = base + entry.name
                if entry.kind == "tree":
                    pending.append((path + "/", entry.id))
                else:
                    self._take_file(path, entry.id, entry.size)
        for path in outputs:
            if path in self._paths and commit.stage is not None:
                self._paths[path].stage = commit.stage.name

    def _take_file(self, path: str, object_id: ObjectId, size: int) -> None:
        if (path, object_id) in self._seen:
            return
        self._seen.add((path, object_id))
        usage = self._paths.setdefault(path, PathUsage(path, None))
        usage.versions += 1
        usage.size += size
        usage.stored += self._take(object_id) + sum(map(self._take, self._recipes.get(object_id, ())))

    def _take(self, object_id: ObjectId) -> int:
        return self._left.pop(object_id, 0)


def _largest_first(usage: PathUsage) -> tuple[int, str]:
    return -usage.stored, usage.name


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in files_below(folder))
