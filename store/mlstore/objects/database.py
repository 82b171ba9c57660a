"""The facade for reading: every byte that leaves it was hashed on the way."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlstore.durable import storage_errors
from mlstore.errors import CorruptObject, DecodeError
from mlstore.hashing import (
    Digest,
    ObjectFormat,
    ObjectId,
    digester_for,
    hash_fd,
    read_chunks,
)
from mlstore.model import Commit, Tag, Tree, decode_commit, decode_tag, decode_tree
from mlstore.objects.loose import LooseObjects

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.objects.writer import ObjectWriter

T = TypeVar("T")

METADATA_LIMIT = 256 << 20
"""No tree, commit or tag is larger (bytes): a bound on what a hostile store can make us hold."""

_HEADERS = {b"mlstore tree 1\n": "tree", b"mlstore commit 1\n": "commit", b"mlstore tag 1\n": "tag"}
_LONGEST_HEADER = max(map(len, _HEADERS))
_CACHE_SIZE = 4096


class ObjectDatabase:
    """The objects of one repository.

    Reading raises ``ObjectNotFound`` or ``CorruptObject`` (both name the id); ``stream`` raises
    the latter after its last chunk, so a caller must not act on the bytes before the end. Decoded
    commits and trees are kept in a bounded cache.
    """

    def __init__(self, root: Path, fmt: ObjectFormat, *, scratch: Path, fsync: bool = True) -> None:
        self.format = fmt
        self.fsync = fsync
        self._scratch = scratch
        self._loose = LooseObjects(root)
        self._decoded: OrderedDict[tuple[str, ObjectId], object] = OrderedDict()

    def __contains__(self, object_id: ObjectId) -> bool:
        return self._loose.contains(object_id)

    def size(self, object_id: ObjectId) -> int:
        """Give the object's size in bytes, without reading it."""
        return self._loose.size(object_id)

    def stream(self, object_id: ObjectId) -> Iterator[memoryview]:
        """Give the object's bytes chunk by chunk (each valid until the next), verified at the end."""
        fd = self._loose.open(object_id)
        try:
            size = os.fstat(fd).st_size
            digester = digester_for(self.format, size)
            chunks = read_chunks(fd, size)
            while True:
                with storage_errors(f"object {object_id}"):
                    chunk = next(chunks, None)
                if chunk is None:
                    break
                digester.update(chunk)
                yield chunk
        finally:
            os.close(fd)
        self._require(object_id, digester.digest())

    def read(self, object_id: ObjectId) -> bytes:
        """Give the object's bytes, verified. For a large blob use ``stream``."""
        return b"".join(map(bytes, self.stream(object_id)))

    def check(self, object_id: ObjectId) -> Digest:
        """Hash the stored bytes anew; raises ``CorruptObject`` when they are not what the id says."""
        fd = self._loose.open(object_id)
        try:
            with storage_errors(f"object {object_id}"):
                digest = hash_fd(self.format, fd)
        finally:
            os.close(fd)
        self._require(object_id, digest)
        return digest

    def _require(self, object_id: ObjectId, digest: Digest) -> None:
        if digest.id != object_id:
            raise CorruptObject(
                f"object '{object_id}' is corrupt: its bytes hash to '{digest.id}'",
                hint="'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
                id=object_id,
                actual=digest.id,
            )

    def kind(self, object_id: ObjectId) -> str:
        """Give blob, tree, commit or tag, by the first line of the object's bytes.

        A blob that holds the exact bytes of a tree has the tree's id and is that tree: identical
        bytes are one object.
        """
        fd = self._loose.open(object_id)
        try:
            with storage_errors(f"object {object_id}"):
                start = os.read(fd, _LONGEST_HEADER)
        finally:
            os.close(fd)
        return next((kind for header, kind in _HEADERS.items() if start.startswith(header)), "blob")

    def read_tree(self, object_id: ObjectId) -> Tree:
        """Give a tree; raises ``CorruptObject`` when the object is something else."""
        return self._read_as("tree", object_id, decode_tree)

    def read_commit(self, object_id: ObjectId) -> Commit:
        """Give a commit; raises ``CorruptObject`` when the object is something else."""
        return self._read_as("commit", object_id, decode_commit)

    def read_tag(self, object_id: ObjectId) -> Tag:
        """Give a tag; raises ``CorruptObject`` when the object is something else."""
        return self._read_as("tag", object_id, decode_tag)

    def _read_as(self, kind: str, object_id: ObjectId, decode: Callable[[bytes], T]) -> T:
        key = (kind, object_id)
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]  # type: ignore[return-value]
        if self.size(object_id) > METADATA_LIMIT:
            raise CorruptObject(f"object '{object_id}' is too large for a {kind}", id=object_id)
        try:
            value = decode(self.read(object_id))
        except DecodeError as exc:
            raise CorruptObject(f"object '{object_id}' is {exc.message}", id=object_id) from exc
        self._decoded[key] = value
        if len(self._decoded) > _CACHE_SIZE:
            self._decoded.popitem(last=False)
        return value

    def ids(self) -> Iterator[ObjectId]:
        """Give every id that has bytes in the store, in order."""
        return self._loose.ids()

    def with_prefix(self, prefix: str) -> list[ObjectId]:
        """Give the ids that begin with *prefix* (lowercase hex digits), in order."""
        return list(self._loose.ids(prefix))

    def strangers(self) -> Iterator[Path]:
        """Give the files under the objects' folder that are no objects."""
        return self._loose.strangers()

    @contextmanager
    def transaction(self) -> Iterator[ObjectWriter]:
        """Collect new objects; they become visible and durable together when the block ends well.

        When it raises, none of them does. Raises ``StorageError``.
        """
        from mlstore.objects.writer import ObjectWriter

        writer = ObjectWriter(self._loose, self.format, scratch=self._scratch, fsync=self.fsync)
        try:
            yield writer
            writer.publish()
        finally:
            writer.close()
