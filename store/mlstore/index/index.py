"""The index as its users see it: a sorted map from path to entry, with the stat cache."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from mlstore.hashing import ObjectId
from mlstore.index.codec import decode_index, encode_index
from mlstore.index.table import EXECUTABLE, IndexEntry, StatData, StatResult, Table
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
        if not self._is_known(entry):
            self._table.tree = None
        self._changed[entry.path] = entry
        self.dirty = True

    def set_rows(self, rows: Table) -> None:
        """As ``set`` for many entries, in the order of their paths; the caller lets go of *rows*."""
        if not rows.paths:
            return
        self._merge()
        self._fresh.update(rows.paths)
        self.dirty = True
        count = range(len(rows.paths))
        if self._table.tree and all(self._is_known(rows.entry(row)) for row in count):
            rows.tree = self._table.tree
        if not self._table.paths or self._table.paths == rows.paths:
            self._table, self._rows = rows, None
            return
        self._table.tree = rows.tree
        self._fold((path, rows.entry(row)) for row, path in zip(count, rows.paths, strict=True))

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
        return dict(zip(self.paths(), self._table.tree_entries(), strict=True))

    def is_unchanged(self, path: str, status: StatResult) -> bool:
        """Whether ``stat`` alone proves that the file at *path* is what it was when it was hashed."""
        if path in self._changed:
            entry = self._changed[path]
            return entry is not None and entry.stat == StatData.of(status) and _mode_fits(entry, status)
        row = self._row_of(path)
        return row is not None and self.row_is_unchanged(row, status)

    def row_is_unchanged(self, row: int, status: StatResult) -> bool:
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
        self._fold(sorted(self._changed.items()))
        self._changed = {}

    def _fold(self, changes: Iterable[tuple[str, IndexEntry | None]]) -> None:
        """Put *changes*, sorted by path, into the columns; what lies between two of them moves at once."""
        old, new = self._table, Table(tree=self._table.tree)
        done = 0
        for path, entry in changes:
            at = bisect_left(old.paths, path, done)
            new.copy_rows(old, done, at)
            done = at + (old.paths[at : at + 1] == [path])
            if entry is not None:
                new.append(entry)
        new.copy_rows(old, done, len(old.paths))
        self._table, self._rows = new, None

    def _is_known(self, entry: IndexEntry) -> bool:
        known = self.get(entry.path)
        return known is not None and known.id == entry.id and known.kind == entry.kind


def _mode_fits(entry: IndexEntry, status: StatResult) -> bool:
    return bool(status.st_mode & 0o100) == (entry.kind == "executable")
