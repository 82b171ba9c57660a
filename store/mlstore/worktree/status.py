"""What differs between HEAD, the index and the worktree.

Where ``stat`` agrees with the index no file is opened. Where it does not, the size and then an xxh3-128
fingerprint tell a touched file from a changed one, and the stat cache is brought up to date.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlstore.errors import CannotRun, PathNotFound
from mlstore.hashing import ObjectId
from mlstore.index import Index, IndexEntry
from mlstore.model import TreeEntry
from mlstore.refs import Head
from mlstore.repository import Change, Repository, Snapshot, diff_snapshots, read_snapshot
from mlstore.worktree.content import ContentCache, fingerprint, kind_of, stat_if_settled
from mlstore.worktree.scan import Lookup, scan


@dataclass(frozen=True, slots=True)
class Status:
    """``staged``: index against HEAD; ``unstaged``: worktree against index; ``untracked`` paths, sorted.

    A folder without any tracked file stands in ``untracked`` once, as ``folder/``, unless all are
    asked for. ``special`` names what can never be tracked (path -> symlink, named pipe...).
    """

    head: Head
    staged: list[Change] = field(default_factory=list)
    unstaged: list[Change] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    special: dict[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing differs among the tracked files."""
        return not self.staged and not self.unstaged


def status(repo: Repository, *, untracked: str = "normal") -> Status:
    """Compare HEAD, index and worktree; *untracked* is ``normal``, ``all`` or ``no``.

    Raises ``CorruptFile``, ``CorruptObject`` or ``StorageError``: a damaged store is never "clean".
    """
    head = repo.refs.head()
    index = repo.read_index()
    staged = staged_changes(repo, head, index)
    found = scan(repo)
    walker = _Comparison(repo, index)
    unstaged = list(walker.changes(found.files))
    tracked = set(index.paths())
    loose = [path for path in (*found.files, *found.special) if path not in tracked]
    walker.save_refreshed()
    return Status(
        head=head,
        staged=staged,
        unstaged=unstaged,
        untracked=_shown(loose, tracked, untracked),
        special={path: kind for path, kind in found.special.items() if path not in tracked},
    )


def staged_changes(repo: Repository, head: Head, index: Index) -> list[Change]:
    """Compare the index with HEAD's tree, without reading it when the index is known to equal it."""
    if head.commit is None:
        return diff_snapshots({}, index.snapshot())
    tree = repo.objects.read_commit(head.commit).tree
    if index.tree == tree and tree in repo.objects:
        return []
    return diff_snapshots(read_snapshot(repo.objects, tree), index.snapshot())


def unstaged_changes(repo: Repository, paths: list[str] | None = None) -> list[Change]:
    """Compare the worktree with the index; only at or below *paths* (repository paths) if given."""
    walker = _Comparison(repo, repo.read_index())
    changes = list(walker.changes(None))
    walker.save_refreshed()
    return [change for change in changes if is_below(change.path, paths)]


def tracked_changes(
    repo: Repository, tree: ObjectId | None, paths: list[str] | None = None, *, trusted: bool = False
) -> list[Change]:
    """Compare the worktree's files with *tree*: those of the tree and those that are tracked.

    *trusted* True hashes every file, whatever ``stat`` says.
    """
    expected = read_snapshot(repo.objects, tree)
    index = repo.read_index()
    cache = ContentCache(repo, index, trusted=trusted)
    wanted = {path for path in (*expected, *index.paths()) if is_below(path, paths)}
    actual: Snapshot = {}
    for path in wanted:
        entry = cache.entry(path)
        if entry is not None:
            actual[path] = entry
    return diff_snapshots({path: entry for path, entry in expected.items() if path in wanted}, actual)


def is_below(path: str, paths: list[str] | None) -> bool:
    """Whether *path* is one of *paths* or lies below one; None and "" mean everything."""
    if paths is None:
        return True
    return any(base in ("", path) or path.startswith(f"{base}/") for base in paths)


class _Comparison:
    """Worktree against index, noting which stat data could be brought up to date."""

    def __init__(self, repo: Repository, index: Index) -> None:
        self._repo = repo
        self._index = index
        self._refreshed: list[IndexEntry] = []

    def changes(self, files: dict[str, os.stat_result] | None) -> Iterator[Change]:
        """Give the changes; *files* is a scan, without it every tracked file is looked up."""
        lookup = Lookup(self._repo.root)
        index = self._index
        table = index.table
        for row, path in enumerate(table.paths):
            # Not in the scan: gone, ignored, or no regular file.
            found = files.get(path) if files is not None else None
            if found is None:
                found = lookup.status(path)
            if found is not None and index.row_is_unchanged(row, found):
                continue
            change = self._look(table.entry(row), found)
            if change is not None:
                yield change

    def _look(self, entry: IndexEntry, found: os.stat_result | None) -> Change | None:
        old = entry.as_tree_entry()
        if found is None or not stat.S_ISREG(found.st_mode):
            return Change(entry.path, "deleted", old, None)
        try:
            if found.st_size == entry.size:
                checksum, found = fingerprint(self._repo, entry.path)
                if checksum == entry.checksum:
                    return self._touched(entry, old, found)
            new = ContentCache(self._repo, self._index, trusted=True).entry(entry.path)
        except PathNotFound:
            new = None
        if new is None:
            return Change(entry.path, "deleted", old, None)
        return Change(entry.path, "modified", old, new)

    def _touched(self, entry: IndexEntry, old: TreeEntry, found: os.stat_result) -> Change | None:
        kind = kind_of(found)
        if kind != entry.kind:
            return Change(entry.path, "mode", old, TreeEntry(entry.path, kind, entry.id, entry.size))
        settled = stat_if_settled(found)
        if settled is not None:
            self._refreshed.append(
                IndexEntry(entry.path, entry.kind, entry.id, entry.size, entry.checksum, settled)
            )
        return None

    def save_refreshed(self) -> None:
        """Write the new stat data, if nobody else is writing and the store lets us: it is only a cache."""
        if not self._refreshed:
            return
        try:
            with self._repo.write_lock("status", wait=0):
                index = self._repo.read_index()
                for entry in self._refreshed:
                    current = index.get(entry.path)
                    if current is not None and current.id == entry.id and current.kind == entry.kind:
                        index.set(entry)
                self._repo.save_index(index)
        except CannotRun:
            return


def _shown(loose: list[str], tracked: set[str], how: str) -> list[str]:
    if how == "no":
        return []
    if how == "all":
        return sorted(loose)
    known = {""}
    for path in tracked:
        folder = path.rpartition("/")[0]
        while folder not in known:
            known.add(folder)
            folder = folder.rpartition("/")[0]
    shown = set()
    for path in loose:
        parts = path.split("/")
        folder = ""
        for part in parts[:-1]:
            folder = f"{folder}/{part}" if folder else part
            if folder not in known:
                shown.add(folder + "/")
                break
        else:
            shown.add(path)
    return sorted(shown)
