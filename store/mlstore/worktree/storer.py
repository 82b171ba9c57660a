"""Files of the worktree into the store, and how large ones are to be kept there."""

from __future__ import annotations

import marshal
import os
import stat
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from mlstore._progress import Progress
from mlstore._twin import LOOK_UP_EVERY, beside, may_fork, stop_if_alone
from mlstore.durable import storage_error
from mlstore.errors import ConfigError, InvalidPath, NotFoundError
from mlstore.index import Index, StatData, StatResult, Table
from mlstore.manifest import LARGEST_MANIFEST, MANIFEST_NAME, StorageSpec, parse_manifest
from mlstore.model import validate_path
from mlstore.objects import SMALL, ObjectWriter
from mlstore.repository import Repository
from mlstore.worktree.clock import clock
from mlstore.worktree.content import (
    READ,
    HashedFile,
    kind_of,
    open_with_status,
    read_file,
    settle,
)
from mlstore.worktree.scan import Lookup

if TYPE_CHECKING:
    from mlstore.objects.pack import PackBuilder

FORK_FROM = 4000
"""From this many files to store on, a second process takes half of them."""


class Storer:
    """Puts files into the store within one transaction; the index is the caller's business.

    The index says which blob a path had before: a large file is compared with it.
    """

    def __init__(self, repo: Repository, index: Index, writer: ObjectWriter) -> None:
        self._repo = repo
        self._index = index
        self._writer = writer
        self._lookup = Lookup(repo.root)
        self._base = f"{repo.root}{os.sep}"

    def store_all(self, files: Sequence[tuple[str, StatResult]], progress: Progress | None = None) -> Table:
        """Store many files, given with what ``lstat`` said of them; gives rows for the index in their order.

        Where there are many small ones a second process takes half of them: each costs a few system calls and
        a little Python, during which threads would wait for each other.
        """
        told = progress or (lambda _path, _size: None)
        half = len(files) // 2 if len(files) >= FORK_FROM and self._writer.may_share and may_fork() else None
        stored = Table()  # columns: one object for each of a million files would take all the memory

        def here(some: Iterable[tuple[str, StatResult]]) -> None:
            for path, seen in some:
                stored.append(self.store(path, seen).as_index_entry())
                told(path, seen.st_size)

        if half is None:
            here(files)
            return stored
        share = self._writer.open_share()
        answer = beside(lambda: self._fill(share, files[half:]), lambda: here(files[:half]))
        if answer is None:  # what went wrong there goes wrong here again, and is said
            self._writer.drop_share(share)
            here(files[half:])
            return stored
        columns, left, report = marshal.loads(answer)
        self._writer.take_share(share, report)
        theirs = []
        for at, (path, seen) in enumerate(files[half:]):
            if at not in left:
                theirs.append(path)
                told(path, seen.st_size)
        filled, done = Table.of_columns(theirs, columns), 0
        for number, at in enumerate(sorted(left)):
            stored.copy_rows(filled, done, at - number)
            done = at - number
            here([files[half + at]])
        stored.copy_rows(filled, done, len(theirs))
        return stored

    def _fill(self, share: PackBuilder, files: Sequence[tuple[str, StatResult]]) -> bytes:
        """In a child: store small files that are what was seen; any other is left to the parent."""
        self._writer.fill_share(share)
        rows, left = Table(), set()
        for at, (path, seen) in enumerate(files):
            if at % LOOK_UP_EVERY == 0:
                stop_if_alone()
            found = self._store_seen(path, seen) if seen.st_size <= SMALL else None
            if found is None:
                left.add(at)
            else:
                rows.append(found.as_index_entry())
        return marshal.dumps((rows.columns(), left, self._writer.report_share()))

    def store(self, path: str, seen: StatResult | None = None) -> HashedFile:
        """Store the file at *path*; raises ``Refused`` when it changes meanwhile.

        *seen* is what ``lstat`` said of it a moment ago, for whoever has it.
        """
        if seen is not None and seen.st_size <= SMALL:
            found = self._store_seen(path, seen)
            if found is not None:
                return found
        now = clock()
        fd, before = open_with_status(self._repo, path, self._lookup)
        try:
            if before.st_size <= SMALL:
                digest = self._writer.add_fd(fd)
            else:
                known = self._index.get(path)
                digest = self._writer.add_fd(
                    fd, chunked=self._storage.is_chunked(path), base=known.id if known else None
                )
            return settle(path, before, digest, os.fstat(fd), now)
        except OSError as exc:
            raise storage_error(exc, path) from exc
        finally:
            os.close(fd)

    def _store_seen(self, path: str, seen: StatResult) -> HashedFile | None:
        """Store a small file with four system calls; None where it is not what was seen.

        Whoever calls takes the long way then, which tells a file that changes from one that had changed.
        """
        if not self._lookup.is_real_folder(path[: max(0, path.rfind("/"))]):
            return None
        now = clock()
        try:
            fd = os.open(self._base + path, READ)
        except OSError:
            return None
        try:
            data = os.read(fd, seen.st_size + 1)
            after = os.fstat(fd)
        except OSError:
            return None
        finally:
            os.close(fd)
        mtime, ctime = after.st_mtime_ns, after.st_ctime_ns
        if (
            mtime != seen.st_mtime_ns
            or ctime != seen.st_ctime_ns
            or after.st_ino != seen.st_ino
            or not len(data) == after.st_size == seen.st_size
            or not stat.S_ISREG(after.st_mode)
        ):
            return None
        known = None if mtime >= now or ctime >= now else StatData.of(after)
        return HashedFile(path, kind_of(after), self._writer.add_small(data), known)

    @cached_property
    def _storage(self) -> StorageSpec:
        """``[storage]`` of the worktree's ``mlstore.toml``; one that cannot be read changes nothing here."""
        try:
            return parse_manifest(
                read_file(self._repo, MANIFEST_NAME, LARGEST_MANIFEST).decode("utf-8")
            ).storage
        except (ConfigError, NotFoundError, InvalidPath, UnicodeDecodeError):
            return StorageSpec()


def store_file(repo: Repository, path: str, writer: ObjectWriter) -> HashedFile:
    """Put one file into the store within a transaction."""
    return Storer(repo, repo.read_index(), writer).store(validate_path(path))
