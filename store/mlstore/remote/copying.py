"""Objects from one database into another: every byte hashed on the way, none linked."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mlstore._progress import Progress
from mlstore.errors import CorruptObject
from mlstore.hashing import ObjectId
from mlstore.objects import SMALL, ObjectDatabase, ObjectWriter
from mlstore.objects.source import RecipeSource


def copy_objects(
    source: ObjectDatabase, writer: ObjectWriter, ids: Iterable[ObjectId], progress: Progress | None
) -> int:
    """Add the objects *ids* of *source* to *writer* and give their bytes; memory does not grow with them.

    Raises ``ObjectNotFound`` for one that is not there, ``CorruptObject`` for one with other bytes.
    """
    left, size = set(ids), 0
    for object_id, data in source.fetch(left.copy(), SMALL):
        _require(object_id, writer.add_bytes(data))
        left.discard(object_id)
        size += len(data)
        if progress is not None:
            progress(object_id, len(data))
    for object_id in sorted(left):
        copied = _copy_large(source, writer, object_id)
        size += copied
        if progress is not None:
            progress(object_id, copied)
    return size


def _copy_large(source: ObjectDatabase, writer: ObjectWriter, object_id: ObjectId) -> int:
    fd = source.loose.open_if_there(object_id)
    if fd is not None:
        try:
            digest = writer.add_fd(fd)  # shares blocks where the file system can: a copy all the same
        finally:
            os.close(fd)
        _require(object_id, digest.id)
        return digest.size
    for chunked in (_is_chunked(source, object_id), False):
        found = writer.add_stream(source.stream(object_id), source.size(object_id), chunked=chunked)
        if found is not None:
            _require(object_id, found.id)
            return found.size
    raise AssertionError("without chunks there is always a digest")


def _is_chunked(source: ObjectDatabase, object_id: ObjectId) -> bool:
    opened = source.open_source(object_id)
    opened.close()
    return isinstance(opened, RecipeSource)


def _require(object_id: ObjectId, actual: ObjectId) -> None:
    if actual != object_id:
        raise CorruptObject(
            f"object '{object_id}' is corrupt: its bytes hash to '{actual}'",
            hint="'mlstore fsck' in the repository that is cloned tells who needs it",
            id=object_id,
            actual=actual,
        )
