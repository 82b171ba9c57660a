"""The tracked files against the index, folder by folder: what ``stat`` proves unchanged is done with at once.

One listing and one open folder for all files of a folder, columns instead of objects, and no pattern read
as long as nothing lies there that is not tracked. A large worktree is looked at by two processes: the
time goes into system calls, and Python's lock would let threads make them only one at a time.
"""

from __future__ import annotations

import errno
import os
import stat
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from mlstore.durable import storage_error
from mlstore.hashing import checksum_bytes, checksum_fd
from mlstore.index.table import Table
from mlstore.worktree.clock import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlstore.index import Index

_DIR_FD = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd and os.listdir in os.supports_fd
_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | _CLOEXEC
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_INODE = 0x7FFFFFFFFFFFFFFF
_MODE = stat.S_IFMT(0o177777) | 0o100  # what kind of file it is, and whether its owner may execute it
_NEVER = -(1 << 63)
_WHOLE = 1 << 20  # files of at most this many bytes are read by one call

FORK_FROM = 6000
"""From this many tracked files on, a second process looks at half of them."""


class Folder(NamedTuple):
    """What the index has in one folder: the rows of its files, their names, the names of its folders."""

    path: str
    rows: range | list[int]
    names: list[str]
    folders: list[str]


class Found:
    """What a survey found, in values that travel between processes.

    ``suspects`` are the rows of files that are not what the index says, or that only a full look can
    tell; ``touched`` are rows whose content is that of the index, with (mtime, ctime, inode) and whether
    the file is executable. ``strangers`` names by folder what is there and not tracked.
    """

    __slots__ = ("strangers", "suspects", "touched")

    def __init__(self) -> None:
        self.suspects: list[int] = []
        self.touched: list[tuple[int, int, int, int, bool]] = []
        self.strangers: dict[str, list[str]] = {}

    def add(self, other: tuple[Any, ...]) -> None:
        """Take in what another process found."""
        suspects, touched, strangers = other
        self.suspects += suspects
        self.touched += touched
        for folder, names in strangers.items():
            self.strangers.setdefault(folder, []).extend(names)

    def as_tuple(self) -> tuple[Any, ...]:
        """Give it as plain values."""
        return self.suspects, self.touched, self.strangers


def survey(root: str, index: Index, *, listing: bool) -> Found:
    """Look at all tracked files; *listing* notes what lies beside them too.

    Raises ``StorageError`` for a folder that cannot be read: a file must not vanish unnoticed.
    """
    table = index.table
    folders = list(folders_of(table.paths))
    surveyor = _Surveyor(root, table, index.written_ns, listing=listing)
    if len(table.paths) < FORK_FROM or not _may_fork():
        surveyor.look(folders)
        return surveyor.found
    half = _middle(folders, len(table.paths) // 2)
    _look_in_two(surveyor, folders[:half], folders[half:])
    surveyor.found.suspects.sort()
    return surveyor.found


def folders_of(paths: list[str]) -> Iterator[Folder]:
    """Give the folders that the sorted *paths* make up, each before those in it."""
    stack = [("", 0, len(paths))]
    while stack:
        prefix, start, stop = stack.pop()
        names, rows, folders = _split(paths, prefix, start, stop, stack)
        yield Folder(prefix[:-1], rows, names, folders)


def _split(
    paths: list[str], prefix: str, start: int, stop: int, stack: list[tuple[str, int, int]]
) -> tuple[list[str], range | list[int], list[str]]:
    """Give names and rows of the files right below *prefix*, and the names of folders, which join *stack*."""
    cut = len(prefix)
    names = [path[cut:] for path in paths[start:stop]]
    if "/" not in "".join(names):  # the common case, without a loop
        return names, range(start, stop), []
    rows, direct, folders = [], [], []
    row = start
    while row < stop:
        name = names[row - start]
        folder, slash, _ = name.partition("/")
        if not slash:
            direct.append(name)
            rows.append(row)
            row += 1
            continue
        end = bisect_left(paths, f"{prefix}{folder}0", row, stop)  # "0" is what follows "/"
        folders.append(folder)
        stack.append((f"{prefix}{folder}/", row, end))
        row = end
    return direct, rows, folders


class _Surveyor:
    def __init__(self, root: str, table: Table, written_ns: int, *, listing: bool) -> None:
        self._base = root + os.sep
        self._table = table
        self._columns = _believed(table, written_ns), table.ctimes, table.inodes, table.sizes, table.kinds
        self._modes = (stat.S_IFREG, stat.S_IFREG | 0o100)
        self._listing = listing
        self._now = clock()
        self._real = {"": True}
        self.found = Found()

    def look(self, folders: list[Folder]) -> None:
        """Look at *folders*, each on its own: they may be any part of the worktree's."""
        for folder in folders:
            fd = self._open(folder.path)
            if fd is None:
                self.found.suspects += folder.rows
                continue
            try:
                self._look_in(folder, fd)
            finally:
                if fd >= 0:
                    os.close(fd)

    def _open(self, path: str) -> int | None:
        """Give a descriptor (-1 where the system has none for folders); None: no folder, or behind a link."""
        above = path.rpartition("/")[0]
        fd: int | None = None
        try:
            if self._is_real(above):
                if _DIR_FD:
                    fd = os.open(self._base + path, _FOLDER)
                elif not path or stat.S_ISDIR(os.lstat(self._base + path).st_mode):
                    fd = -1
                elif self._listing:
                    self._add_stranger(path)
        except OSError as exc:
            if exc.errno not in _NO_FOLDER:
                raise storage_error(exc, path or ".") from exc
            if exc.errno != errno.ENOENT and self._listing:
                self._add_stranger(path)  # a file or a link has taken the folder's place
        self._real[path] = fd is not None
        return fd

    def _is_real(self, path: str) -> bool:
        """Whether *path* and all above it are folders, not links to one."""
        known = self._real.get(path)
        if known is None:
            known = self._is_real(path.rpartition("/")[0])
            if known:
                try:
                    known = stat.S_ISDIR(os.lstat(self._base + path).st_mode)
                except (FileNotFoundError, NotADirectoryError):
                    known = False
            self._real[path] = known
        return known

    def _add_stranger(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        self.found.strangers.setdefault(above, []).append(name)

    def _look_in(self, folder: Folder, fd: int) -> None:
        if self._listing:
            try:
                listed = os.listdir(fd if fd >= 0 else self._base + folder.path)
            except OSError as exc:
                raise storage_error(exc, folder.path or ".") from exc
            strangers = set(listed).difference(folder.names, folder.folders)
            if strangers:
                self.found.strangers.setdefault(folder.path, []).extend(strangers)
        # The loop that counts: nothing in it but one system call and five comparisons.
        lstat, expected = os.stat, self._modes
        where = {"dir_fd": fd, "follow_symlinks": False} if fd >= 0 else {"follow_symlinks": False}
        names = folder.names if fd >= 0 else [f"{self._base}{folder.path}/{name}" for name in folder.names]
        columns = [_pick(column, folder.rows) for column in self._columns]
        for row, name, mtime, ctime, inode, size, kind in zip(folder.rows, names, *columns, strict=True):
            try:
                status = lstat(name, **where)
            except (FileNotFoundError, NotADirectoryError):
                self.found.suspects.append(row)
                continue
            except OSError as exc:
                raise storage_error(exc, self._table.paths[row]) from exc
            if (
                status.st_mtime_ns != mtime
                or status.st_ctime_ns != ctime
                or status.st_size != size
                or status.st_ino & _INODE != inode
                or status.st_mode & _MODE != expected[kind]
            ):
                self._look_closer(row, fd, status)

    def _look_closer(self, row: int, fd: int, status: os.stat_result) -> None:
        """Compare the content of a file whose stat data differs, if it may be that of the index."""
        if not stat.S_ISREG(status.st_mode):
            self.found.suspects.append(row)
            if self._listing and stat.S_ISDIR(status.st_mode):
                self._add_stranger(self._table.paths[row])
            return
        after = self._same_content(row, fd, status) if status.st_size == self._table.sizes[row] else None
        if after is None:
            self.found.suspects.append(row)
            return
        settled = after.st_mtime_ns < self._now and after.st_ctime_ns < self._now
        data = (after.st_mtime_ns, after.st_ctime_ns, after.st_ino & _INODE) if settled else (0, 0, 0)
        self.found.touched.append((row, *data, bool(after.st_mode & 0o100)))

    def _same_content(self, row: int, fd: int, before: os.stat_result) -> os.stat_result | None:
        """Give the ``fstat`` after reading a file whose xxh3-128 is that of the index, else None."""
        path = self._table.paths[row]
        try:
            if fd >= 0:
                file = os.open(path.rpartition("/")[2], _FILE, dir_fd=fd)
            else:
                file = os.open(self._base + path, _FILE)
        except OSError:
            return None  # gone meanwhile, or not for us to read: whoever looks at it in full says so
        try:
            size = before.st_size
            if size <= _WHOLE:
                data = os.read(file, size + 1)
                checksum = checksum_bytes(data) if len(data) == size else b""
            else:
                checksum = checksum_fd(file)
            after = os.fstat(file)
        except OSError as exc:
            raise storage_error(exc, path) from exc
        finally:
            os.close(file)
        unchanged = (
            checksum == self._table.checksums[16 * row : 16 * row + 16]
            and after.st_mtime_ns == before.st_mtime_ns
            and after.st_ctime_ns == before.st_ctime_ns
            and after.st_ino == before.st_ino
            and after.st_size == before.st_size
        )
        return after if unchanged else None


def _believed(table: Table, horizon: int) -> array[int]:
    """Give the mtimes, with one that no file has where stat data proves nothing (see ``Index``)."""
    mtimes, ctimes = table.mtimes, table.ctimes
    if not mtimes or (max(mtimes) < horizon and max(ctimes) < horizon and 0 not in ctimes):
        return mtimes
    return array(
        "q",
        (
            mtime if mtime < horizon and ctime < horizon and (mtime or ctime) else _NEVER
            for mtime, ctime in zip(mtimes, ctimes, strict=True)
        ),
    )


def _pick(column: Sequence[int], rows: range | list[int]) -> Sequence[int]:
    """Give the values of some rows: a copy of a stretch where they stand together."""
    return column[rows.start : rows.stop] if isinstance(rows, range) else [column[row] for row in rows]


def _middle(folders: list[Folder], rows: int) -> int:
    """Give how many of *folders* have about so many *rows*."""
    for at, folder in enumerate(folders):
        rows -= len(folder.rows)
        if rows <= 0:
            return at + 1
    return len(folders)


def _may_fork() -> bool:
    from mlstore._twin import may_fork

    return may_fork()


def _look_in_two(surveyor: _Surveyor, ours: list[Folder], others: list[Folder]) -> None:
    """Look at *ours* here and at *others* in a child; what goes wrong there is done again, and said, here."""
    import marshal

    from mlstore._twin import beside

    def theirs() -> bytes:
        surveyor.look(others)
        return marshal.dumps(surveyor.found.as_tuple())

    answer = beside(theirs, lambda: surveyor.look(ours))
    if answer is not None:
        surveyor.found.add(marshal.loads(answer))
    else:
        surveyor.look(others)
