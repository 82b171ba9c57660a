"""Reading one pack: by ``pread`` only, so that a truncated file is an error and not a crash."""

from __future__ import annotations

import errno
import os
import stat
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import add, lt
from pathlib import Path
from typing import NamedTuple

import xxhash

from mlstore.durable import storage_error
from mlstore.errors import CorruptObject
from mlstore.hashing import ObjectId, object_format
from mlstore.objects.pack.codec import (
    ENTRY_LIMIT,
    FAN_OUT,
    FOOTER,
    HEADER_SIZE,
    ID_SIZE,
    KIND_AT,
    ROW,
    EntryKind,
    PackEntry,
    corrupt,
    decode_footer,
    decode_row,
    decompress,
)

READ_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)
# A named pipe under a pack's name must not make us wait for its writer.
READ_FLAGS |= getattr(os, "O_NONBLOCK", 0)
SMALL_ENTRY = 16 << 10  # bytes; hashing less is over before a thread has begun
_WINDOW = 8192  # entries listed at a time
_LARGEST_BUCKET = 1 << 15  # ids read at a time when one is looked for


class PackIndex(NamedTuple):
    """A checked index: ids and rows by number, as they are in the file, and the numbers by place."""

    ids: bytes
    rows: bytes
    order: array[int]
    offsets: array[int]
    ends: array[int]


class Pack:
    """An open pack. Opening checks header and footer; each entry is checked when it is read."""

    def __init__(self, path: Path, format_name: str) -> None:
        self.path = path
        self.name = path.name.removesuffix(".pack")
        self._mutex = threading.Lock()
        self._buckets: dict[int, tuple[int, bytes]] = {}
        self._fan_out: tuple[int, ...] | None = None
        self.format_name = format_name
        self._format = object_format(format_name)
        self._fd = -1
        self._fd = self._open()
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise corrupt(self.name, "it is no regular file")
            self.inode, self.size = status.st_ino, status.st_size
            header = self._read(0, HEADER_SIZE)
            footer = self._read(max(0, self.size - FOOTER.size), FOOTER.size)
            self._footer = decode_footer(self.name, header, footer, self.size, format_name)
        except BaseException:
            self.close()
            raise

    def _open(self) -> int:
        try:
            return os.open(self.path, READ_FLAGS)
        except FileNotFoundError:
            raise
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise corrupt(self.name, "it is no regular file") from None
            raise storage_error(exc, self.path) from exc

    def __len__(self) -> int:
        return self._footer.count

    @property
    def is_of_small(self) -> bool:
        """Whether its entries are so small, on average, that no thread is worth starting for one."""
        return self.size < SMALL_ENTRY * len(self)

    def close(self) -> None:
        """Close the file; whoever reads on opens it again for each read. Not while others are reading."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()

    # looking up

    def find(self, object_id: ObjectId) -> PackEntry | None:
        """Give the entry of *object_id*, None when the pack does not hold it: two small reads."""
        number = self.number(object_id)
        return None if number is None else self._row(object_id, number)

    def number(self, object_id: ObjectId) -> int | None:
        """Give the place of *object_id* among the ids, from 0, None when the pack does not hold it."""
        raw = bytes.fromhex(object_id)
        start, ids = self._ids_around(raw)
        at = ids.find(raw)
        while at >= 0 and at % ID_SIZE:
            at = ids.find(raw, at + 1)
        return None if at < 0 else start + at // ID_SIZE

    def entries(self) -> Iterator[PackEntry]:
        """Give all entries, sorted by id."""
        yield from self._range(0, len(self))

    def objects_among(self, object_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Give those of *object_ids* that are here as objects or recipes, not only as chunks."""
        wanted, found = set(object_ids), set[ObjectId]()
        for first in range(0, len(self), _WINDOW):
            raw, rows = self.columns(first, min(_WINDOW, len(self) - first))
            text, width = raw.hex(), 2 * ID_SIZE
            here = (
                ObjectId(text[width * at : width * (at + 1)])
                for at, kind in enumerate(rows[KIND_AT :: ROW.size])
                if kind < EntryKind.CHUNK
            )
            found |= wanted.intersection(here)
        return found

    def locate(self, object_ids: Iterable[ObjectId]) -> Iterator[PackEntry]:
        """Give the entries of those of *object_ids* that are here: one pass over the whole index."""
        for raw, row in self._located(object_ids):
            yield decode_row(self.name, ObjectId(raw.hex()), row, self._footer.index_offset)

    def _located(self, object_ids: Iterable[ObjectId]) -> Iterator[tuple[bytes, bytes]]:
        wanted = set(map(bytes.fromhex, object_ids))
        ids_at = self._footer.index_offset + FAN_OUT.size
        rows_at = ids_at + len(self) * ID_SIZE
        for first in range(0, len(self), _WINDOW):
            count = min(_WINDOW, len(self) - first)
            ids = self._read(ids_at + first * ID_SIZE, count * ID_SIZE)
            raw = [ids[at : at + ID_SIZE] for at in range(0, len(ids), ID_SIZE)]
            if wanted.isdisjoint(raw):
                continue
            rows = self._read(rows_at + first * ROW.size, count * ROW.size)
            for number, found in enumerate(raw):
                if found in wanted:
                    yield found, rows[ROW.size * number : ROW.size * (number + 1)]

    def with_prefix(self, prefix: str) -> Iterator[PackEntry]:
        """Give the entries whose ids begin with *prefix* (two hex digits or more)."""
        for entry in self._range(*self._bounds(int(prefix[:2], 16))):
            if entry.id.startswith(prefix):
                yield entry

    def _range(self, start: int, stop: int) -> Iterator[PackEntry]:
        for first in range(start, stop, _WINDOW):
            count = min(_WINDOW, stop - first)
            raw_ids, rows = self.columns(first, count)
            ids = raw_ids.hex()
            for at in range(count):
                object_id = ObjectId(ids[64 * at : 64 * at + 64])
                row = rows[ROW.size * at : ROW.size * (at + 1)]
                yield decode_row(self.name, object_id, row, self._footer.index_offset)

    def _bounds(self, first: int) -> tuple[int, int]:
        """Give from which entry to which the ids begin with this byte."""
        fan_out = self._read_fan_out()
        return (fan_out[first - 1] if first else 0), fan_out[first]

    def _ids_around(self, raw: bytes) -> tuple[int, bytes]:
        """Give the ids of the bucket of *raw*, or of the stretch of it where it would be; and their start."""
        known = self._buckets.get(raw[0])
        if known is not None:
            return known
        start, stop = self._bounds(raw[0])
        ids_at = self._footer.index_offset + FAN_OUT.size
        whole = stop - start <= _LARGEST_BUCKET
        while stop - start > _LARGEST_BUCKET:
            middle = (start + stop) // 2
            if self._read(ids_at + middle * ID_SIZE, ID_SIZE) <= raw:
                start = middle
            else:
                stop = middle
        found = start, self._read(ids_at + start * ID_SIZE, (stop - start) * ID_SIZE)
        if whole:
            self._buckets[raw[0]] = found
        return found

    def _read_fan_out(self) -> tuple[int, ...]:
        if self._fan_out is None:
            fan_out = FAN_OUT.unpack(self._read(self._footer.index_offset, FAN_OUT.size))
            if any(one > other for one, other in pairwise(fan_out)):
                raise corrupt(self.name, "its fan-out is not in order")
            if fan_out[-1] != len(self):
                raise corrupt(self.name, "its fan-out does not fit its length")
            self._fan_out = fan_out
        return self._fan_out

    def entry(self, number: int) -> PackEntry:
        """Give the entry that stands at *number* in the index."""
        return self._row(ObjectId(self.columns(number, 1)[0].hex()), number)

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
        stored = self.read_stored(entry)
        return self._decompress(entry, stored) if entry.compressed else stored

    def _decompress(self, entry: PackEntry, stored: bytes) -> bytes:
        try:
            return decompress(stored, None if entry.kind == EntryKind.RECIPE else entry.size)
        except ValueError as exc:
            raise self._damaged(entry, str(exc)) from None

    def read_run(self, entries: Sequence[PackEntry]) -> Iterator[tuple[ObjectId, bytes]]:
        """Give the bytes of entries that lie close together, in the order of their offsets: one read for all.

        An entry whose bytes are damaged for certain is left out; the others are for the caller to hash.
        """
        start, last = entries[0].offset, entries[-1]
        block = self._read(start, last.offset + last.stored - start)
        for entry in entries:
            at = entry.offset - start
            data = block[at : at + entry.stored]
            if entry.compressed:
                try:
                    data = self._decompress(entry, data)
                except CorruptObject:
                    continue
            yield entry.id, data

    def read_stored(self, entry: PackEntry) -> bytes:
        """Give the entry's bytes as they are stored, checked: to be copied into another pack."""
        stored = self._read(entry.offset, entry.stored)
        if xxhash.xxh3_64_digest(stored) != entry.checksum:
            raise self._damaged(entry, "its stored bytes are damaged")
        return stored

    def check(self) -> None:
        """Check everything against its checksums, the index first; raises ``CorruptError``."""
        self.check_index()
        for entry in self.entries():
            self.read_stored(entry)

    def check_index(self) -> None:
        """Check the whole index: its checksum, the pack's name, order, and that no byte is left over.

        Raises ``CorruptFile``.
        """
        self._check_index_hashes()
        self._check_rows()

    def _check_index_hashes(self) -> None:
        checksum, hasher = xxhash.xxh3_128(), self._format.new()
        at, stop = self._footer.index_offset, self._footer.index_offset + self._footer.index_size
        while at < stop:
            part = self._read(at, min(1 << 20, stop - at))
            checksum.update(part)
            hasher.update(part)
            at += len(part)
        if checksum.digest() != self._footer.index_checksum:
            raise corrupt(self.name, "its index is damaged")
        if hasher.hexdigest() != self.name:
            raise corrupt(self.name, "its index is that of another pack")

    def _check_rows(self) -> tuple[array[int], array[int], array[int]]:
        """Check ids and rows; gives the numbers of the entries by place, and where each begins and ends."""
        fan_out = self._read_fan_out()
        before, counts, offsets, ends = b"", Counter[int](), array("Q"), array("Q")
        for first in range(0, len(self), _WINDOW):
            ids, rows = self.columns(first, min(_WINDOW, len(self) - first))
            each = [before, *(ids[at : at + ID_SIZE] for at in range(0, len(ids), ID_SIZE))]
            if not all(map(lt, each, each[1:])):
                raise corrupt(self.name, "its ids are not in order")
            before = each[-1]
            counts.update(ids[::ID_SIZE])
            self._check_row_values(ids, rows, offsets, ends)
        if tuple(accumulate(counts[byte] for byte in range(256))) != fan_out:
            raise corrupt(self.name, "its fan-out does not fit its ids")
        # An entry without bytes stands where the one after it begins.
        places = [2 * offset + (end > offset) for offset, end in zip(offsets, ends, strict=True)]
        order = sorted(range(len(self)), key=places.__getitem__)
        end = HEADER_SIZE
        for number in order:
            if offsets[number] != end:
                raise corrupt(self.name, "its entries do not stand back to back")
            end = ends[number]
        if end != self._footer.index_offset:
            raise corrupt(self.name, "its entries do not stand back to back")
        return array("I", order), offsets, ends

    def _check_row_values(self, ids: bytes, rows: bytes, offsets: array[int], ends: array[int]) -> None:
        limit = self._footer.index_offset
        starts, stored, sizes, encodings, kinds, _ = zip(*ROW.iter_unpack(rows), strict=True)
        odd: Iterable[int] = range(len(starts))
        if (
            min(starts) >= HEADER_SIZE
            and max(map(add, starts, stored)) <= limit
            and max(sizes) <= ENTRY_LIMIT
        ):
            # An object as it is, within the pack, is the common case; of the others each is looked at.
            odd = [
                number
                for number, (encoding, kind) in enumerate(zip(encodings, kinds, strict=True))
                if encoding or kind or stored[number] != sizes[number]
            ]
        for number in odd:
            object_id = ObjectId(ids[number * ID_SIZE : (number + 1) * ID_SIZE].hex())
            decode_row(self.name, object_id, rows[number * ROW.size : (number + 1) * ROW.size], limit)
        offsets.extend(starts)
        ends.extend(map(add, starts, stored))

    def columns(self, first: int, count: int) -> tuple[bytes, bytes]:
        """Give the ids and the rows of *count* entries from number *first* on, as they are in the file."""
        ids_at = self._footer.index_offset + FAN_OUT.size
        rows_at = ids_at + len(self) * ID_SIZE
        return (
            self._read(ids_at + first * ID_SIZE, count * ID_SIZE),
            self._read(rows_at + first * ROW.size, count * ROW.size),
        )

    def read_index(self) -> PackIndex:
        """Give the whole index, checked as ``check_index`` does; raises ``CorruptFile``."""
        self._check_index_hashes()
        return PackIndex(*self.columns(0, len(self)), *self._check_rows())

    def _damaged(self, entry: PackEntry, reason: str) -> CorruptObject:
        return damaged(self.name, entry.id, reason)

    def _read(self, offset: int, size: int) -> bytes:
        if self._fd >= 0:
            data = self._read_from(self._fd, offset, size)
        else:
            try:
                fd = self._open()
            except FileNotFoundError:
                raise corrupt(self.name, "it was removed") from None
            try:
                data = self._read_from(fd, offset, size)
            finally:
                os.close(fd)
        if len(data) != size:
            raise corrupt(self.name, "it is truncated")
        return data

    def _read_from(self, fd: int, offset: int, size: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                return os.pread(fd, size, offset)
            with self._mutex:  # Windows: one position for all threads
                os.lseek(fd, offset, os.SEEK_SET)
                return os.read(fd, size)
        except OSError as exc:
            raise storage_error(exc, self.path) from exc


def damaged(name: str, object_id: ObjectId, reason: str) -> CorruptObject:
    """Give the error about an entry of the pack called *name*."""
    return CorruptObject(
        f"object '{object_id}' in pack '{name[:10]}' is corrupt: {reason}",
        hint="'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
        id=object_id,
    )
