"""The index in memory: columns, because one object per file would cost more than all else."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from mlstore.hashing import ObjectId
from mlstore.model.tree import EntryKind, TreeEntry

FILE: Final = 0
EXECUTABLE: Final = 1
_KINDS: tuple[EntryKind, ...] = ("file", "executable")


class FileStatus(NamedTuple):
    """What anyone asks of an ``os.stat_result``, under the same names and in a third of its memory."""

    st_mode: int
    st_ino: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStatus:
        """Take it from a stat result."""
        return cls(status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


StatResult: TypeAlias = os.stat_result | FileStatus


class StatData(NamedTuple):
    """What ``stat`` said of a file when it was last hashed: times in ns, size in bytes."""

    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int

    @classmethod
    def of(cls, status: StatResult) -> StatData:
        """Take it from a stat result."""
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_ino & 0x7FFFFFFFFFFFFFFF, status.st_size)


class IndexEntry(NamedTuple):
    """One tracked file.

    ``size`` (bytes) and ``checksum`` (xxh3-128, 16 bytes) are those of the content that ``id`` names.
    ``stat`` None means that nothing is known about the file in the worktree: look at its content.
    """

    path: str
    kind: EntryKind
    id: ObjectId
    size: int
    checksum: bytes
    stat: StatData | None

    def as_tree_entry(self) -> TreeEntry:
        """Give it as an entry of a snapshot (the name is the whole path)."""
        return TreeEntry(self.path, self.kind, self.id, self.size)


class Table:
    """The columns of an index, row by row in the order of paths.

    ``tree`` is the tree that the rows are known to equal, so that nobody has to read it to compare.
    """

    __slots__ = ("checksums", "ctimes", "ids", "inodes", "kinds", "mtimes", "paths", "sizes", "tree")

    def __init__(self, paths: list[str] | None = None, tree: ObjectId | None = None) -> None:
        self.paths = paths if paths is not None else []
        self.mtimes = array("q")
        self.ctimes = array("q")
        self.inodes = array("q")
        self.sizes = array("q")
        self.kinds = bytearray()
        self.ids = bytearray()
        self.checksums = bytearray()
        self.tree = tree

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def append(self, entry: IndexEntry) -> None:
        """Add *entry* as the last row."""
        stat = entry.stat
        self.paths.append(entry.path)
        # No stat data is stored as mtime 0: no file that is looked at again has it and a ctime of 0.
        self.mtimes.append(stat.mtime_ns if stat else 0)
        self.ctimes.append(stat.ctime_ns if stat else 0)
        self.inodes.append(stat.inode if stat else 0)
        self.sizes.append(entry.size)
        self.kinds.append(_KINDS.index(entry.kind))
        self.ids += bytes.fromhex(entry.id)
        self.checksums += entry.checksum

    def copy_rows(self, other: Table, start: int, stop: int) -> None:
        """Add the rows of *other* from *start* up to *stop* behind the last one."""
        for name in ("paths", "mtimes", "ctimes", "inodes", "sizes", "kinds"):
            getattr(self, name).extend(getattr(other, name)[start:stop])
        self.ids += other.ids[32 * start : 32 * stop]
        self.checksums += other.checksums[16 * start : 16 * stop]

    def sorted(self) -> Table:
        """Give the rows in the order of their paths."""
        paths = self.paths
        order = sorted(range(len(paths)), key=paths.__getitem__)
        return self if order == list(range(len(paths))) else self.pick(order)

    def pick(self, rows: Sequence[int]) -> Table:
        """Give some rows, in this order."""
        found = Table([self.paths[row] for row in rows])
        for name in ("mtimes", "ctimes", "inodes", "sizes"):
            column = getattr(self, name)
            getattr(found, name).extend([column[row] for row in rows])
        found.kinds += bytes([self.kinds[row] for row in rows])
        found.ids += b"".join([self.ids[32 * row : 32 * row + 32] for row in rows])
        found.checksums += b"".join([self.checksums[16 * row : 16 * row + 16] for row in rows])
        return found

    def columns(self) -> tuple[Any, ...]:
        """Give all but the paths in values that travel between processes."""
        numbers = (self.mtimes, self.ctimes, self.inodes, self.sizes)
        return (*(column.tobytes() for column in numbers), self.kinds, self.ids, self.checksums)

    @classmethod
    def of_columns(cls, paths: list[str], columns: tuple[Any, ...]) -> Table:
        """Read what ``columns`` gave."""
        table = cls(paths)
        for column, data in zip(
            (table.mtimes, table.ctimes, table.inodes, table.sizes), columns[:4], strict=True
        ):
            column.frombytes(data)
        table.kinds, table.ids, table.checksums = map(bytearray, columns[4:])
        return table

    def tree_entries(self) -> Iterator[TreeEntry]:
        """Give the rows as entries of a snapshot, in their order."""
        ids = self.ids.hex()
        return map(
            TreeEntry._make,
            zip(
                self.paths,
                map(_KINDS.__getitem__, self.kinds),
                (ids[at : at + 64] for at in range(0, len(ids), 64)),
                self.sizes,
                strict=True,
            ),
        )

    def entry(self, row: int) -> IndexEntry:
        """Give row *row* as an entry."""
        size = self.sizes[row]
        stat = None
        if self.mtimes[row] or self.ctimes[row]:
            stat = StatData(self.mtimes[row], self.ctimes[row], self.inodes[row], size)
        return IndexEntry(
            path=self.paths[row],
            kind=_KINDS[self.kinds[row]],
            id=ObjectId(self.ids[32 * row : 32 * row + 32].hex()),
            size=size,
            checksum=bytes(self.checksums[16 * row : 16 * row + 16]),
            stat=stat,
        )

    def forget_stat(self, row: int) -> None:
        """Drop what is known about the file of *row*: its content will be looked at."""
        self.mtimes[row] = self.ctimes[row] = self.inodes[row] = 0
