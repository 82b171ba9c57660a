"""Files of the worktree into the store, and how large ones are to be kept there."""

from __future__ import annotations

import os
from functools import cached_property

from mlstore.durable import storage_error
from mlstore.errors import ConfigError, InvalidPath, NotFoundError
from mlstore.index import Index
from mlstore.manifest import MANIFEST_NAME, StorageSpec, parse_manifest
from mlstore.model import validate_path
from mlstore.objects import SMALL, ObjectWriter
from mlstore.repository import Repository
from mlstore.worktree.clock import clock
from mlstore.worktree.content import HashedFile, open_with_status, read_file, settle
from mlstore.worktree.scan import Lookup


class Storer:
    """Puts files into the store within one transaction; the index is the caller's business.

    The index says which blob a path had before: a large file is compared with it.
    """

    def __init__(self, repo: Repository, index: Index, writer: ObjectWriter) -> None:
        self._repo = repo
        self._index = index
        self._writer = writer
        self._lookup = Lookup(repo.root)

    def store(self, path: str) -> HashedFile:
        """Store the file at *path*; raises ``Refused`` when it changes meanwhile."""
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

    @cached_property
    def _storage(self) -> StorageSpec:
        """``[storage]`` of the worktree's ``mlstore.toml``; one that cannot be read changes nothing here."""
        try:
            return parse_manifest(read_file(self._repo, MANIFEST_NAME).decode("utf-8")).storage
        except (ConfigError, NotFoundError, InvalidPath, UnicodeDecodeError):
            return StorageSpec()


def store_file(repo: Repository, path: str, writer: ObjectWriter) -> HashedFile:
    """Put one file into the store within a transaction."""
    return Storer(repo, repo.read_index(), writer).store(validate_path(path))
