"""Stored bytes, wherever they are: whole in a loose file, in a pack, or as a recipe of parts.

A source gives raw bytes and proves nothing: the database hashes what it hands on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from mlstore.durable import storage_error
from mlstore.errors import CorruptError, CorruptObject, DecodeError, NotFoundError
from mlstore.hashing import PIECE, ObjectId
from mlstore.objects.pack import Pack, PackEntry, PackFolder

if TYPE_CHECKING:
    from mlstore.objects.recipe import Part


class Source(Protocol):
    """The bytes of one object."""

    size: int

    def chunks(self) -> Iterator[bytes]:
        """Give all bytes from the start."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Give the *length* bytes from *offset* on; fewer where the object ends."""

    def close(self) -> None:
        """Let go of what is open."""


Opener: TypeAlias = Callable[[ObjectId], Source]


class LooseSource:
    """A loose object: the file's bytes are the object's."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path
        self.size = os.fstat(fd).st_size

    def chunks(self) -> Iterator[bytes]:
        """Read the file piece by piece."""
        try:
            os.lseek(self._fd, 0, os.SEEK_SET)
            while data := os.read(self._fd, min(PIECE, self.size + 1)):
                yield data
        except OSError as exc:
            raise storage_error(exc, self._path) from exc

    def read_at(self, offset: int, length: int) -> bytes:
        """Read a range."""
        try:
            if hasattr(os, "pread"):
                return os.pread(self._fd, length, offset)
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, length)
        except OSError as exc:
            raise storage_error(exc, self._path) from exc

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class PackedSource:
    """An object or chunk that lies in packs as one entry each."""

    def __init__(self, packs: PackFolder, entry: PackEntry) -> None:
        self._packs = packs
        self._entry = entry
        self.size = entry.size

    def chunks(self) -> Iterator[bytes]:
        """Read the entry in one go: entries are small."""
        yield self._packs.read(self._entry.id)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read a range of the entry."""
        return self._packs.read(self._entry.id)[offset : offset + length]

    def close(self) -> None:
        """Nothing is held open here."""


class RecipeSource:
    """An object that is made of parts; *opener* gives their sources, a few of which are kept open."""

    def __init__(self, object_id: ObjectId, pack: Pack, entry: PackEntry, opener: Opener) -> None:
        from mlstore.objects.recipe import decode_recipe, starts_of

        self._id = object_id
        self.size = entry.size
        self._opener = opener
        self._open: dict[ObjectId, Source] = {}
        try:
            self.parts = decode_recipe(pack.read(entry), object_id, entry.size)
        except DecodeError as exc:
            raise CorruptObject(f"object '{object_id}' is {exc.message}", id=object_id) from None
        self._starts = starts_of(self.parts)

    def chunks(self) -> Iterator[bytes]:
        """Read part after part, large ones in pieces."""
        for part in self.parts:
            yield from self._part(part, part.offset, part.offset + part.length)

    def _part(self, part: Part, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            try:
                data = self._source(part.source).read_at(start, min(PIECE, stop - start))
            except NotFoundError:
                raise self._damaged(f"its part '{part.source}' is missing") from None
            except CorruptError as exc:
                raise self._damaged(exc.message) from None
            if not data:
                raise self._damaged(f"its part '{part.source}' is too short")
            yield data
            start += len(data)

    def _damaged(self, reason: str) -> CorruptObject:
        return CorruptObject(
            f"object '{self._id}' is corrupt: {reason}",
            hint="'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
            id=self._id,
        )

    def _source(self, object_id: ObjectId) -> Source:
        known = self._open.get(object_id)
        if known is None:
            if len(self._open) >= 8:
                self.close()
            known = self._open[object_id] = self._opener(object_id)
        return known

    def read_at(self, offset: int, length: int) -> bytes:
        """Read a range across the parts."""
        from mlstore.objects.recipe import select

        found: list[bytes] = []
        for part in select(self.parts, self._starts, offset, length):
            found += self._part(part, part.offset, part.offset + part.length)
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        """Close the sources of the parts."""
        for source in self._open.values():
            source.close()
        self._open = {}
