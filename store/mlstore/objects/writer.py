"""The facade for writing: one transaction of new objects."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlstore.durable import StagedFile, Staging, storage_errors
from mlstore.errors import CorruptObject
from mlstore.hashing import (
    BytesLike,
    Digest,
    ObjectFormat,
    ObjectId,
    digest_bytes,
    digester_for,
    hash_fd,
    read_chunks,
)
from mlstore.model import Commit, Tag, Tree, encode_commit, encode_tag, encode_tree
from mlstore.objects.loose import LooseObjects

# Up to this size a file is read whole and hashed before anything is written: most adds of small
# files meet an object that is there already.
_SMALL = 1 << 20


class ObjectWriter:
    """Takes in objects; ``ObjectDatabase.transaction`` publishes them.

    An object that the store has already is not written again, but its stored bytes are hashed: a
    damaged copy is replaced by the good one.
    """

    def __init__(self, loose: LooseObjects, fmt: ObjectFormat, *, scratch: Path, fsync: bool) -> None:
        self._loose = loose
        self._format = fmt
        self._staging = Staging(scratch, fsync=fsync)
        self._pending: dict[ObjectId, Path] = {}
        self._known: set[ObjectId] = set()

    def add_bytes(self, data: BytesLike) -> ObjectId:
        """Add *data* and give its id."""
        object_id = self._format.hash_bytes(data)
        if not self._have(object_id):
            staged = self._staging.new_file()
            self._write(staged, object_id, [data])
        return object_id

    def add_fd(self, fd: int) -> Digest:
        """Add what *fd* holds from its position to the end; memory does not grow with the file."""
        status = os.fstat(fd)
        regular = stat.S_ISREG(status.st_mode)
        size = status.st_size if regular else _SMALL + 1  # a pipe does not tell how much will come
        if size <= _SMALL:
            return self._add_small(fd, size)
        staged = self._staging.new_file()
        digester = digester_for(self._format, size)
        try:
            for chunk in read_chunks(fd, size):
                digester.update(chunk)
                with storage_errors(staged.path):
                    staged.write(chunk)
        finally:
            staged.close()
        digest = digester.digest()
        if self._have(digest.id):
            staged.path.unlink()
        else:
            self._pending[digest.id] = staged.path
        return digest

    def _add_small(self, fd: int, size: int) -> Digest:
        data = b"".join(map(bytes, read_chunks(fd, size)))
        digest = digest_bytes(self._format, data)
        if not self._have(digest.id):
            self._write(self._staging.new_file(), digest.id, [data])
        return digest

    def add_tree(self, tree: Tree) -> ObjectId:
        """Add a tree."""
        return self.add_bytes(encode_tree(tree))

    def add_commit(self, commit: Commit) -> ObjectId:
        """Add a commit."""
        return self.add_bytes(encode_commit(commit))

    def add_tag(self, tag: Tag) -> ObjectId:
        """Add an annotated tag."""
        return self.add_bytes(encode_tag(tag))

    def _have(self, object_id: ObjectId) -> bool:
        if object_id in self._pending or object_id in self._known:
            return True
        if self._loose.contains(object_id) and not self._is_corrupt(self._loose.path(object_id)):
            self._known.add(object_id)
            return True
        return False

    def _is_corrupt(self, path: Path) -> bool:
        expected = path.parent.name + path.name
        try:
            fd = self._loose.open(ObjectId(expected))
        except CorruptObject:
            return True
        try:
            with storage_errors(path):
                return hash_fd(self._format, fd).id != expected
        finally:
            os.close(fd)

    def _write(self, staged: StagedFile, object_id: ObjectId, chunks: list[BytesLike]) -> None:
        try:
            with storage_errors(staged.path):
                for chunk in chunks:
                    staged.write(chunk)
        finally:
            staged.close()
        self._pending[object_id] = staged.path

    def publish(self) -> None:
        """Make everything that was added visible, durably."""
        moves = ((staged, self._loose.path(object_id)) for object_id, staged in self._pending.items())
        self._staging.publish(moves, is_corrupt=self._is_corrupt)
        self._pending.clear()

    def close(self) -> None:
        """Drop what was not published."""
        self._staging.discard()
