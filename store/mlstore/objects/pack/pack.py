"""Reading one pack: by ``pread`` only, so that a truncated file is an error and not a crash."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import xxhash

from mlstore.durable import storage_error
from mlstore.errors import CorruptObject
from mlstore.hashing import ObjectId
from mlstore.objects.pack.codec import (
    FAN_OUT,
    FOOTER,
    HEADER_SIZE,
    ID_SIZE,
    ROW,
    EntryKind,
    PackEntry,
    corrupt,
    decode_footer,
    decode_row,
)

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_WINDOW = 8192  # entries listed at a time


class Pack:
    """An open pack. Opening checks header and footer; each entry is checked when it is read."""

    def __init__(self, path: Path, format_name: str) -> None:
        self.path = path
        self.name = path.name.removesuffix(".pack")
        self._mutex = threading.Lock()
        self._buckets: dict[int, tuple[int, bytes]] = {}
        self._fan_out: tuple[int, ...] | None = None
        try:
            self._fd = os.open(path, _FLAGS)
            self.size = os.fstat(self._fd).st_size
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise storage_error(exc, path) from exc
        try:
            header = self._read(0, HEADER_SIZE)
            footer = self._read(max(0, self.size - FOOTER.size), FOOTER.size)
            self._footer = decode_footer(self.name, header, footer, self.size, format_name)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._footer.count

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()

    # looking up

    def find(self, object_id: ObjectId) -> PackEntry | None:
        """Give the entry of *object_id*, None when the pack does not hold it: two small reads."""
        raw = bytes.fromhex(object_id)
        start, ids = self._bucket(raw[0])
        at = ids.find(raw)
        while at >= 0 and at % ID_SIZE:
            at = ids.find(raw, at + 1)
        if at < 0:
            return None
        return self._row(object_id, start + at // ID_SIZE)

    def entries(self) -> Iterator[PackEntry]:
        """Give all entries, sorted by id."""
        yield from self._range(0, len(self))

    def with_prefix(self, prefix: str) -> Iterator[PackEntry]:
        """Give the entries whose ids begin with *prefix* (two hex digits or more)."""
        start, ids = self._bucket(int(prefix[:2], 16))
        for entry in self._range(start, start + len(ids) // ID_SIZE):
            if entry.id.startswith(prefix):
                yield entry

    def _range(self, start: int, stop: int) -> Iterator[PackEntry]:
        ids_at = self._footer.index_offset + FAN_OUT.size
        rows_at = ids_at + len(self) * ID_SIZE
        for first in range(start, stop, _WINDOW):
            count = min(_WINDOW, stop - first)
            ids = self._read(ids_at + first * ID_SIZE, count * ID_SIZE).hex()
            rows = self._read(rows_at + first * ROW.size, count * ROW.size)
            for at in range(count):
                object_id = ObjectId(ids[64 * at : 64 * at + 64])
                row = rows[ROW.size * at : ROW.size * (at + 1)]
                yield decode_row(self.name, object_id, row, self._footer.index_offset)

    def _bucket(self, first: int) -> tuple[int, bytes]:
        """Give the number of the first entry whose id begins with this byte, and all such ids."""
        known = self._buckets.get(first)
        if known is None:
            fan_out = self._read_fan_out()
            start, stop = (fan_out[first - 1] if first else 0), fan_out[first]
            ids_at = self._footer.index_offset + FAN_OUT.size
            known = start, self._read(ids_at + start * ID_SIZE, (stop - start) * ID_SIZE)
            self._buckets[first] = known
        return known

    def _read_fan_out(self) -> tuple[int, ...]:
        if self._fan_out is None:
            fan_out = FAN_OUT.unpack(self._read(self._footer.index_offset, FAN_OUT.size))
            if any(one > other for one, other in pairwise(fan_out)):
                raise corrupt(self.name, "its fan-out is not in order")
            if fan_out[-1] != len(self):
                raise corrupt(self.name, "its fan-out does not fit its length")
            self._fan_out = fan_out
        return self._fan_out

    def _row(self, object_id: ObjectId, number: int) -> PackEntry:
        rows_at = self._footer.index_offset + FAN_OUT.size + len(self) * ID_SIZE
        row = self._read(rows_at + number * ROW.size, ROW.size)
        return decode_row(self.name, object_id, row, self._footer.index_offset)

    # bytes

    def read(self, entry: PackEntry) -> bytes:
        """Give the entry's bytes (a recipe's own bytes for a recipe), decompressed.

        Raises ``CorruptObject`` when the stored bytes are damaged; whether they are the object that
        they claim to be is for the caller to hash.
        """
        stored = self._read(entry.offset, entry.stored)
        if xxhash.xxh3_64_digest(stored) != entry.checksum:
            raise self._damaged(entry, "its stored bytes are damaged")
        if not entry.compressed:
            return stored
        return self._decompress(entry, stored)

    def _decompress(self, entry: PackEntry, stored: bytes) -> bytes:
        import zstandard

        # A recipe's own size is not in the row; chunks and small objects are bounded by theirs.
        limit = entry.size if entry.kind != EntryKind.RECIPE else RECIPE_LIMIT
        try:
            declared = zstandard.frame_content_size(stored)
            if not 0 <= declared <= limit:
                raise self._damaged(entry, "it would be larger than it says")
            data = zstandard.ZstdDecompressor().decompress(stored, max_output_size=limit)
        except zstandard.ZstdError:
            raise self._damaged(entry, "it cannot be decompressed") from None
        return data

    def read_stored(self, entry: PackEntry) -> bytes:
        """Give the entry's bytes as they are stored, checked: to be copied into another pack."""
        stored = self._read(entry.offset, entry.stored)
        if xxhash.xxh3_64_digest(stored) != entry.checksum:
            raise self._damaged(entry, "its stored bytes are damaged")
        return stored

    def check_index(self) -> None:
        """Check the whole index against its checksum; raises ``CorruptFile``."""
        checksum = xxhash.xxh3_128()
        at, stop = self._footer.index_offset, self._footer.index_offset + self._footer.index_size
        while at < stop:
            part = self._read(at, min(1 << 20, stop - at))
            checksum.update(part)
            at += len(part)
        if checksum.digest() != self._footer.index_checksum:
            raise corrupt(self.name, "its index is damaged")
        before = ""
        for entry in self.entries():
            if entry.id <= before:
                raise corrupt(self.name, "its ids are not in order")
            before = entry.id

    def _damaged(self, entry: PackEntry, reason: str) -> CorruptObject:
        return CorruptObject(
            f"object '{entry.id}' in pack '{self.name[:10]}' is corrupt: {reason}",
            hint="'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
            id=entry.id,
        )

    def _read(self, offset: int, size: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                data = os.pread(self._fd, size, offset)
            else:  # Windows: one position for all threads
                with self._mutex:
                    os.lseek(self._fd, offset, os.SEEK_SET)
                    data = os.read(self._fd, size)
        except OSError as exc:
            raise storage_error(exc, self.path) from exc
        if len(data) != size:
            raise corrupt(self.name, "it is truncated")
        return data


RECIPE_LIMIT = 64 << 20
"""No recipe's own bytes are more."""
