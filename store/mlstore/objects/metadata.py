"""A database that gives commits, trees and tags, and refuses to read a blob: what needs one is told so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar

from mlstore.errors import ObjectNotFound
from mlstore.hashing import Digest, ObjectId
from mlstore.objects.database import ObjectDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.durable import StagedFile
    from mlstore.objects.source import Source

T = TypeVar("T")


class MetadataDatabase(ObjectDatabase):
    """The objects of *whole* without its blobs: reading one raises ``ObjectNotFound``.

    That an object is there, and how large it is, can still be asked: for that no byte of it is read.
    """

    def __init__(self, whole: ObjectDatabase) -> None:
        super().__init__(whole.loose.root, whole.format, scratch=whole.scratch, fsync=whole.fsync)
        self._whole = whole
        self.packs = whole.packs  # what they have read of their indexes need not be read again

    def open_source(self, object_id: ObjectId) -> Source:
        """Refuse."""
        self._refuse(object_id)

    def clone(self, object_id: ObjectId, target: StagedFile) -> Digest | None:
        """Refuse."""
        self._refuse(object_id)

    def fetch(self, object_ids: Iterable[ObjectId], most: int) -> Iterator[tuple[ObjectId, bytes]]:
        """Refuse, unless nothing is asked for."""
        for object_id in object_ids:
            self._refuse(object_id)
        return iter(())

    def kind(self, object_id: ObjectId) -> str:
        """Give the kind by the first line: for what a ref or the user names."""
        return self._whole.kind(object_id)

    def _read_as(self, kind: str, object_id: ObjectId, decode: Callable[[bytes], T]) -> T:
        return self._whole._read_as(kind, object_id, decode)

    def _refuse(self, object_id: ObjectId) -> NoReturn:
        raise ObjectNotFound(
            f"blob '{object_id}' is not read", hint="this looks at commits and trees only", id=object_id
        )
