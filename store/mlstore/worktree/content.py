"""Reading files of the worktree: never through a link, never while they change."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from mlstore.durable import storage_error
from mlstore.errors import ConfigError, InvalidPath, PathNotFound, Refused
from mlstore.hashing import Digest, hash_fd
from mlstore.index import Index, IndexEntry, StatData, StatResult
from mlstore.model import TreeEntry
from mlstore.model.tree import EntryKind
from mlstore.repository import Repository
from mlstore.worktree.clock import clock
from mlstore.worktree.scan import Lookup, special_kind

READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# A named pipe must not make us wait for its writer.
READ |= getattr(os, "O_NONBLOCK", 0)


class HashedFile(NamedTuple):
    """A file's content and mode at one moment, and its stat data from the same moment.

    ``stat`` is None when the file changed so recently that the same clock tick could hide another
    change ("racily clean").
    """

    path: str
    kind: EntryKind
    digest: Digest
    stat: StatData | None

    def as_index_entry(self) -> IndexEntry:
        """Give it as an entry of the index."""
        return IndexEntry(
            self.path, self.kind, self.digest.id, self.digest.size, self.digest.checksum, self.stat
        )

    def as_tree_entry(self) -> TreeEntry:
        """Give it as an entry of a snapshot."""
        return TreeEntry(self.path, self.kind, self.digest.id, self.digest.size)


def kind_of(status: StatResult) -> EntryKind:
    """Give ``executable`` when the owner may execute the file, as git does, else ``file``."""
    return "executable" if status.st_mode & 0o100 else "file"


def open_file(repo: Repository, path: str) -> int:
    """Open the regular file at *path* for reading and give its descriptor.

    Raises ``PathNotFound``, ``InvalidPath`` (a symlink or special file) or ``StorageError``.
    """
    return open_with_status(repo, path)[0]


def open_with_status(repo: Repository, path: str, lookup: Lookup | None = None) -> tuple[int, os.stat_result]:
    """As ``open_file``, with the ``fstat``; a shared *lookup* remembers which folders are real ones."""
    if not (lookup or Lookup(repo.root)).is_real_folder(path.rpartition("/")[0]):
        raise _not_there(path)
    try:
        fd = os.open(f"{repo.root}{os.sep}{path}", READ)
    except (FileNotFoundError, NotADirectoryError):
        raise _not_there(path) from None
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_file(path, os.lstat(repo.root / path)) from None
        raise storage_error(exc, path) from exc
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise _no_file(path, status)
    return fd, status


def _not_there(path: str) -> PathNotFound:
    return PathNotFound(f"'{path}' is not there", hint="'mlstore status' shows what is", path=path)


def _no_file(path: str, status: os.stat_result) -> InvalidPath:
    return InvalidPath(
        f"'{path}' is a {special_kind(status)}, not a file",
        hint="mlstore keeps regular files only: replace it by the file, or list it in .mlstoreignore",
        path=path,
    )


def hash_path(repo: Repository, path: str, lookup: Lookup | None = None) -> HashedFile:
    """Hash the file at *path*; raises ``Refused`` when it changes meanwhile."""
    now = clock()
    fd, before = open_with_status(repo, path, lookup)
    try:
        return settle(path, before, hash_fd(repo.format, fd), os.fstat(fd), now)
    except OSError as exc:
        raise storage_error(exc, path) from exc
    finally:
        os.close(fd)


def settle(path: str, before: os.stat_result, digest: Digest, after: os.stat_result, now: int) -> HashedFile:
    """Give a file's digest with its stat data; raises ``Refused`` when it changed while it was read.

    *before* and *after* are its ``fstat`` on either side of the reading, *now* is ``clock()`` before.
    """
    data = StatData.of(after)
    if StatData.of(before) != data or digest.size != after.st_size:
        raise Refused(
            f"'{path}' changed while it was read", hint="try again when nothing writes to it", path=path
        )
    racy = data.mtime_ns >= now or data.ctime_ns >= now
    return HashedFile(path, kind_of(after), digest, None if racy else data)


def read_file(repo: Repository, path: str, most: int | None = None) -> bytes:
    """Give the bytes of the file at *path*; raises ``ConfigError`` beyond *most* bytes."""
    fd = open_file(repo, path)
    with os.fdopen(fd, "rb") as file:
        if most is not None and os.fstat(fd).st_size > most:
            raise ConfigError(
                f"'{path}' is larger than {most >> 20} MiB, which no such file is",
                hint="look at what stands there",
                file=path,
            )
        try:
            return file.read()
        except OSError as exc:
            raise storage_error(exc, path) from exc


class ContentCache:
    """What the files of the worktree hold now, reading only those whose stat data changed.

    *trusted* True hashes every file whatever ``stat`` says: for whoever is about to say "verified".
    """

    def __init__(self, repo: Repository, index: Index | None = None, *, trusted: bool = False) -> None:
        self._repo = repo
        self._index = None if trusted else (index if index is not None else repo.read_index())
        self._lookup = Lookup(repo.root)
        self._known: dict[str, HashedFile | None] = {}

    def refresh(self) -> None:
        """Look at folders anew: a command may have made or removed some since they were last seen."""
        self._lookup = Lookup(self._repo.root)

    def entry(self, path: str) -> TreeEntry | None:
        """Give the file at *path* as a snapshot's entry; None when there is no regular file."""
        status = self._lookup.status(path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        if self._index is not None:
            indexed = self._index.get(path)
            if indexed is not None and self._index.is_unchanged(path, status):
                return indexed.as_tree_entry()
        known = self._known.get(path)
        if known is None or known.stat is None or known.stat != StatData.of(status):
            known = hash_path(self._repo, path, self._lookup)
            self._known[path] = known
        return known.as_tree_entry()

    def hashed(self, path: str) -> HashedFile | None:
        """Give what ``entry`` read of *path*, None when it did not have to read it."""
        return self._known.get(path)


def stat_if_settled(status: StatResult, now: int | None = None) -> StatData | None:
    """Give the stat data to remember, None when the file is so new that it could still change unseen."""
    horizon = clock() if now is None else now
    data = StatData.of(status)
    return None if data.mtime_ns >= horizon or data.ctime_ns >= horizon else data
