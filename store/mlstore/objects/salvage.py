"""What is still good in a damaged pack, proved entry by entry.

A pack is named by the hash of its index, so an index that is found by whatever means can be proved. One
that is damaged itself is a hint of where entries may be: what counts is the hash of an entry's own bytes.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import xxhash

from mlstore.durable import storage_errors
from mlstore.errors import DecodeError
from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.objects.pack.codec import (
    END_MAGIC,
    ENTRY_LIMIT,
    FAN_OUT,
    FOOTER,
    HEADER_SIZE,
    ID_SIZE,
    ROW,
    EntryKind,
    PackEntry,
    decompress,
)
from mlstore.objects.pack.pack import READ_FLAGS
from mlstore.objects.recipe import HEADER as RECIPE_HEADER
from mlstore.objects.recipe import LARGEST_FILE, Part, read_parts
from mlstore.objects.unindexed import find_pieces, is_metadata

_PIECE: Final = 1 << 20
_STRIDE: Final = ID_SIZE + ROW.size  # an entry more in the index is so many bytes
_MOST_ENDS: Final = 1024


class Sound(NamedTuple):
    """An entry that may be kept: ``stored`` are its bytes as they lie in the pack.

    A recipe (with its ``parts``) that is not ``proved`` may be that of another object than it says.
    """

    entry: PackEntry
    stored: bytes
    parts: list[Part] | None = None
    proved: bool = True


class Damaged(NamedTuple):
    """An entry that may not; ``id`` is the one that the index gave it."""

    id: ObjectId
    kind: int
    reason: str


class Index(NamedTuple):
    """The ids and rows of a pack, and where in it they begin.

    They are ``proved`` where they are those that the pack was written with.
    """

    start: int

    ids: bytes
    rows: bytes
    proved: bool


class Wreck:
    """A damaged pack, read without believing any of it. Raises ``StorageError`` where the disk refuses."""

    def __init__(self, path: Path, fmt: ObjectFormat) -> None:
        self.path = path
        self.name = path.name.removesuffix(".pack")
        self._format = fmt
        self._size = 0

    def entries(self, wanted: Mapping[ObjectId, int | None]) -> Iterator[Sound | Damaged]:
        """Judge every entry that can be found, in the order of their bytes.

        Where the index is not proved, what has the bytes of one of *wanted* (ids with sizes in bytes, as far
        as they are known) counts as that object.
        """
        if not self.path.is_file() or self.path.is_symlink():
            return  # a link, folder or pipe under a pack's name
        with storage_errors(self.path):
            fd = os.open(self.path, READ_FLAGS)
            try:
                status = os.fstat(fd)
                self._size = status.st_size
                if stat.S_ISREG(status.st_mode):
                    index = self._index(fd)
                    if index is not None:
                        yield from self._judge_rows(fd, index, wanted)
                    else:
                        yield from self._without_index(fd, wanted)
            finally:
                os.close(fd)

    # the index

    def _index(self, fd: int) -> Index | None:
        hint: Index | None = None
        for start, count in self._places(fd):
            found = self._read_index(fd, start, count)
            if found is not None and found.proved:
                return found
            hint = hint or found
        return hint

    def _places(self, fd: int) -> Iterator[tuple[int, int]]:
        """Give where an index may begin, and of how many entries: what footers say, then what fits."""
        for end in self._ends(fd):
            count, start = FOOTER.unpack(_read(fd, end - FOOTER.size, FOOTER.size))[:2]
            if start + FAN_OUT.size + count * _STRIDE + FOOTER.size == end:
                yield start, count
        # The last number of the fan-out is that of the entries: it stands where only that number can.
        end = at = self._size - FOOTER.size - 4
        while at >= HEADER_SIZE:
            first = max(at - _PIECE + _STRIDE, HEADER_SIZE)
            block = _read(fd, first, at + 4 - first)
            for place in range(at, first - 1, -_STRIDE):
                count = (end - place) // _STRIDE
                if struct.unpack_from("<I", block, place - first)[0] == count:
                    yield place + 4 - FAN_OUT.size, count
            at -= _PIECE

    def _ends(self, fd: int) -> Iterator[int]:
        """Give where the file may have ended: behind it, bytes may have been appended."""
        told, at = 0, self._size
        while at > HEADER_SIZE and told < _MOST_ENDS:
            first = max(0, at - _PIECE)
            block = _read(fd, first, at - first)
            found = block.rfind(END_MAGIC)
            while found >= 0 and told < _MOST_ENDS:
                end = first + found + len(END_MAGIC)
                if end >= HEADER_SIZE + FOOTER.size:
                    told += 1
                    yield end
                found = block.rfind(END_MAGIC, 0, found)
            at = first + len(END_MAGIC) - 1 if first else 0

    def _read_index(self, fd: int, start: int, count: int) -> Index | None:
        size = FAN_OUT.size + count * _STRIDE
        if start < HEADER_SIZE or start + size > self._size:
            return None
        hasher = self._format.new()
        for at in range(start, start + size, _PIECE):
            hasher.update(_read(fd, at, min(_PIECE, start + size - at)))
        ids_at = start + FAN_OUT.size
        ids = _read(fd, ids_at, count * ID_SIZE)
        rows = _read(fd, ids_at + len(ids), count * ROW.size)
        return Index(start, ids, rows, hasher.hexdigest() == self.name)

    # the entries

    def _without_index(self, fd: int, wanted: Mapping[ObjectId, int | None]) -> Iterator[Sound]:
        for piece in find_pieces(partial(_read, fd), self._size, self._format, wanted):
            if not piece.data.startswith(RECIPE_HEADER):  # nothing says of which object
                size, length = len(piece.data), len(piece.stored)
                entry = PackEntry(piece.id, 0, length, size, piece.compressed, EntryKind.OBJECT, b"")
                yield Sound(entry, piece.stored)

    def _judge_rows(
        self, fd: int, index: Index, wanted: Mapping[ObjectId, int | None]
    ) -> Iterator[Sound | Damaged]:
        # In the order of their bytes: a pack of which nothing is lost is then written again as it was.
        rows = sorted(enumerate(ROW.iter_unpack(index.rows)), key=lambda numbered: numbered[1][:2])
        taken: list[tuple[int, int]] = []
        damaged: dict[ObjectId, Damaged] = {}
        for number, row in rows:
            object_id = ObjectId(index.ids[number * ID_SIZE : (number + 1) * ID_SIZE].hex())
            found = self._judge_row(fd, object_id, row, None if index.proved else wanted)
            if isinstance(found, Sound):
                taken.append((row[0], row[0] + row[1]))
                yield found
            else:
                damaged[object_id] = found
        if damaged and not index.proved:
            for sound in self._between(fd, taken, index.start, wanted.keys() | damaged.keys(), [*damaged]):
                damaged.pop(sound.entry.id, None)
                yield sound
        yield from damaged.values()

    def _between(
        self,
        fd: int,
        taken: list[tuple[int, int]],
        end: int,
        wanted: Collection[ObjectId],
        claimed: list[ObjectId],
    ) -> Iterator[Sound]:
        """Give what stands between the entries that were found: entries leave no byte out."""
        nothing = self._format.hash_bytes(b"")
        if nothing in wanted:
            yield Sound(PackEntry(nothing, 0, 0, 0, False, EntryKind.OBJECT, b""), b"")
        at = HEADER_SIZE
        for start, stop in [*sorted(taken), (end, end)]:
            if 0 < start - at <= ENTRY_LIMIT:
                stored = _read(fd, at, start - at)
                for data, compressed in _contents(stored, 0, proved=False):
                    if data.startswith(RECIPE_HEADER):
                        with suppress(DecodeError):
                            yield self._recipe(claimed[0], stored, data, compressed, None)
                        break
                    object_id = self._format.hash_bytes(data)
                    if object_id in wanted or is_metadata(data):
                        kind = EntryKind.OBJECT
                        yield Sound(
                            PackEntry(object_id, 0, len(stored), len(data), compressed, kind, b""), stored
                        )
                        break
            at = max(at, stop)

    def _judge_row(
        self,
        fd: int,
        object_id: ObjectId,
        row: tuple[int, int, int, int, int, bytes],
        wanted: Mapping[ObjectId, int | None] | None,
    ) -> Sound | Damaged:
        offset, length = row[:2]
        if not HEADER_SIZE <= offset <= self._size - length or length > ENTRY_LIMIT:
            return Damaged(object_id, row[4], "it is not in the file")
        try:
            stored = _read(fd, offset, length)
        except OSError as exc:
            return Damaged(object_id, row[4], f"it cannot be read: {(exc.strerror or str(exc)).lower()}")
        return self._judge(object_id, row, stored, wanted)

    def _judge(
        self,
        object_id: ObjectId,
        row: tuple[int, int, int, int, int, bytes],
        stored: bytes,
        wanted: Collection[ObjectId] | None,
    ) -> Sound | Damaged:
        """Judge one entry; *wanted* is None where the index is proved and need not be doubted."""
        _, _, size, encoding, kind, checksum = row
        untouched = xxhash.xxh3_64_digest(stored) == checksum
        if wanted is None and not untouched:
            return Damaged(object_id, kind, "its stored bytes are damaged")
        for data, compressed in _contents(stored, encoding, wanted is None):
            if data.startswith(RECIPE_HEADER) if wanted is not None else kind == EntryKind.RECIPE:
                with suppress(DecodeError):
                    return self._recipe(object_id, stored, data, compressed, size if wanted is None else None)
                continue
            actual = self._format.hash_bytes(data)
            asked_for = wanted is not None and actual in wanted
            # Where the checksum fits it is the id in the index that is damaged.
            if actual == object_id or asked_for or (wanted is not None and untouched):
                what = EntryKind.CHUNK if kind == EntryKind.CHUNK and not asked_for else EntryKind.OBJECT
                return Sound(PackEntry(actual, 0, len(stored), len(data), compressed, what, b""), stored)
        return Damaged(object_id, kind, "its bytes are not what they are called")

    def _recipe(
        self, object_id: ObjectId, stored: bytes, data: bytes, compressed: bool, size: int | None
    ) -> Sound:
        """Give a recipe that can be read; whether it makes its object is for others to see."""
        parts = read_parts(data, object_id)
        total = sum(part.length for part in parts)
        if total > LARGEST_FILE or (size is not None and size != total):
            raise DecodeError("a recipe whose parts do not make up its size")
        entry = PackEntry(object_id, 0, len(stored), total, compressed, EntryKind.RECIPE, b"")
        return Sound(entry, stored, parts, size is not None)


def _contents(stored: bytes, encoding: int, proved: bool) -> Iterator[tuple[bytes, bool]]:
    """Give what *stored* may be: as the row says, and (where that proves nothing) the other way too."""
    for compressed in (bool(encoding), not encoding) if not proved else (bool(encoding),):
        if not compressed:
            yield stored, False
            continue
        with suppress(ValueError):
            yield decompress(stored, None), True


def _read(fd: int, offset: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, size)
