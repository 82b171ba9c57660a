"""The index as its users see it: a sorted map from path to entry, with the stat cache."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mlstore.hashing import ObjectId
from mlstore.index.codec import decode_index, encode_index
from mlstore.index.table import EXECUTABLE, IndexEntry, StatData, Table
from mlstore.model.tree import TreeEntry


class Index:
    """The tracked files.

    *written_ns* is the mtime of the index file itself. A file whose mtime or ctime is not older than
    that may have changed within the clock's granularity after it was hashed ("racily clean", as git
    calls it): its stat data is not believed, here and in every later version of the index.
    """

    def __init__(self, table: Table | None = None, written_ns: int = 0) -> None:
        self._table = table or Table()
        self._rows: dict[str, int] | None = None
        self._changed: dict[str, IndexEntry | None] = {}
        self._written_ns = written_ns
        self._fresh: set[str] = set()  # set since the file was read: their stat data is from now
        self.dirty = False
        self.stamp: tuple[int, ...] = ()
        """Which file it was read from, as ``Repository.index_stamp`` tells it."""

    @property
    def written_ns(self) -> int:
        """The mtime of the file that this was read from, in ns; 0 for a new one."""
        return self._written_ns

    @classmethod
    def load(cls, data: bytes, written_ns: int) -> Index:
        """Read an index file's *data*; raises ``CorruptFile``."""
        return cls(decode_index(data), written_ns)

    def dump(self) -> bytes:
        """Give the bytes of the index file."""
        self._merge()
        table = self._table
        horizon = self._written_ns
        if horizon and max((*table.mtimes, *table.ctimes), default=0) >= horizon:
            for row, (mtime, ctime) in enumerate(zip(table.mtimes, table.ctimes, strict=True)):
                # What was racy stays unbelieved: the new file's own mtime would make it look safe.
                if (mtime >= horizon or ctime >= horizon) and table.paths[row] not in self._fresh:
                    table.forget_stat(row)
        return encode_index(table)

    @property
    def table(self) -> Table:
        """The columns, with all changes merged in."""
        self._merge()
        return self._table

    def __len__(self) -> int:
        self._merge()
        return len(self._table.paths)

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def get(self, path: str) -> IndexEntry | None:
        """Give the entry of *path*, or None."""
        if path in self._changed:
            return self._changed[path]
        row = self._row_of(path)
        return None if row is None else self._table.entry(row)

    def paths(self) -> list[str]:
        """Give all paths, sorted."""
        self._merge()
        return self._table.paths

    def entries(self) -> Iterator[IndexEntry]:
        """Give all entries in the order of their paths."""
        self._merge()
        return map(self._table.entry, range(len(self._table.paths)))

    def set(self, entry: IndexEntry) -> None:
        """Add *entry*, or replace the one that has its path."""
        known = self.get(entry.path)
        if known is None or known.id != entry.id or known.kind != entry.kind:
            self._table.tree = None
        self._changed[entry.path] = entry
        self.dirty = True

    def remove(self, path: str) -> None:
        """Drop *path*; fine when it is not there."""
        if self.get(path) is not None:
            self._table.tree = None
            self._changed[path] = None
            self.dirty = True

    @property
    def tree(self) -> ObjectId | None:
        """The tree that the entries are known to equal, None when nobody knows."""
        return self._table.tree

    def mark_tree(self, tree: ObjectId) -> None:
        """Note that the entries, as they are now, equal *tree*."""
        if self._table.tree != tree:
            self._table.tree = tree
            self.dirty = True

    def snapshot(self) -> dict[str, TreeEntry]:
        """Give the entries as a snapshot: tree entries by path, sorted."""
        return {entry.path: entry.as_tree_entry() for entry in self.entries()}

    def is_unchanged(self, path: str, status: os.stat_result) -> bool:
        """Whether ``stat`` alone proves that the file at *path* is what it was when it was hashed."""
        if path in self._changed:
            entry = self._changed[path]
            return entry is not None and entry.stat == StatData.of(status) and _mode_fits(entry, status)
        row = self._row_of(path)
        return row is not None and self.row_is_unchanged(row, status)

    def row_is_unchanged(self, row: int, status: os.stat_result) -> bool:
        """As ``is_unchanged``, for a row of ``table`` (call ``table`` first)."""
        table = self._table
        mtime = table.mtimes[row]
        ctime = table.ctimes[row]
        return (
            status.st_mtime_ns == mtime
            and status.st_ctime_ns == ctime
            and status.st_size == table.sizes[row]
            and status.st_ino & 0x7FFFFFFFFFFFFFFF == table.inodes[row]
            and mtime < self._written_ns
            and ctime < self._written_ns
            and bool(mtime or ctime)  # both 0: nothing is known
            and bool(status.st_mode & 0o100) == (table.kinds[row] == EXECUTABLE)
        )

    def refresh(self, row: int, mtime_ns: int, ctime_ns: int, inode: int) -> None:
        """Note new stat data for a row of ``table``, whose file still has the content that its id names."""
        table = self._table
        table.mtimes[row], table.ctimes[row], table.inodes[row] = mtime_ns, ctime_ns, inode
        self._fresh.add(table.paths[row])
        self.dirty = True

    # inside

    def _row_of(self, path: str) -> int | None:
        if self._rows is None:
            self._rows = {name: row for row, name in enumerate(self._table.paths)}
        return self._rows.get(path)

    def _merge(self) -> None:
        """Fold the changes into the columns."""
        if not self._changed:
            return
        self._fresh.update(self._changed)
        changed = dict(sorted(self._changed.items()))
        old, new = self._table, Table(tree=self._table.tree)
        pending = iter([*changed.items(), None])
        upcoming = next(pending)
        for row, path in enumerate(old.paths):
            while upcoming is not None and upcoming[0] <= path:
                if upcoming[1] is not None:
                    new.append(upcoming[1])
                upcoming = next(pending)
            if path not in changed:
                new.copy_row(old, row)
        while upcoming is not None:
            if upcoming[1] is not None:
                new.append(upcoming[1])
            upcoming = next(pending)
        self._table = new
        self._rows = None
        self._changed = {}


def _mode_fits(entry: IndexEntry, status: os.stat_result) -> bool:
    return bool(status.st_mode & 0o100) == (entry.kind == "executable")
