"""Writing one pack, entry by entry, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from typing import Final, TypeAlias

from xxhash import xxh3_64_digest

from mlstore.durable import StagedFile, storage_errors
from mlstore.hashing import BytesLike, ObjectFormat, ObjectId
from mlstore.objects.pack.codec import (
    ID_SIZE,
    KIND_AT,
    ROW,
    EntryKind,
    PackEntry,
    decode_row,
    encode_footer,
    encode_header,
    encode_index,
    encode_row,
)

_BUFFER: Final = 1 << 20


PackShare: TypeAlias = tuple[int, bytes, bytes]
"""What one process tells another of a pack: bytes so far, its ids, and their rows, back to back."""


class PackBuilder:
    """Collects entries into a staged file; ``finish`` adds the index and gives the pack's name."""

    def __init__(self, file: StagedFile, fmt: ObjectFormat) -> None:
        self.file = file
        self._format = fmt
        self._header = encode_header(fmt.name)
        # Rows as the file will have them: a large import holds one for each of its files.
        self._rows: dict[ObjectId, bytes] = {}
        self._buffer: list[BytesLike] = [self._header]  # joined when there is enough for one large write
        self._waiting = 0
        self._size = len(self._header)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, object_id: ObjectId) -> bool:
        return object_id in self._rows

    def is_object(self, object_id: ObjectId) -> bool:
        """Whether the id is here as an object or recipe, not only as a chunk."""
        row = self._rows.get(object_id)
        return row is not None and row[KIND_AT] != EntryKind.CHUNK

    def agrees(self, entry: PackEntry) -> bool:
        """Whether *entry*, proved by its own hash unless it is a recipe, may stand for one that is here."""
        row = self._rows.get(entry.id)
        if row is None or EntryKind.RECIPE not in (row[KIND_AT], entry.kind):
            return True
        known = self._entry(entry.id, row)
        return known.kind == entry.kind and known.checksum == entry.checksum and known.size == entry.size

    @property
    def size(self) -> int:
        """Bytes so far, the index not counted."""
        return self._size

    def add(
        self,
        object_id: ObjectId,
        stored: BytesLike,
        *,
        size: int,
        compressed: bool = False,
        kind: EntryKind = EntryKind.OBJECT,
    ) -> None:
        """Append an entry whose *stored* bytes (as they are, or zstd) make up *size* bytes.

        An id that is here already is left alone, but an object replaces a chunk of the same bytes.
        """
        known = self._rows.get(object_id)
        if known is not None:
            if known[KIND_AT] == EntryKind.CHUNK and kind == EntryKind.OBJECT:
                self._rows[object_id] = encode_row(
                    self._entry(object_id, known)._replace(size=size, kind=kind)
                )
            return
        length = len(stored)
        self._rows[object_id] = ROW.pack(
            self._size, length, size, compressed, kind.value, xxh3_64_digest(stored)
        )
        self._size += length
        self._buffer.append(stored)
        self._waiting += length
        if self._waiting >= _BUFFER:
            self._flush()

    def hand_over(self) -> PackShare:
        """Write what waits and give what is known of the pack, for the process that goes on with it."""
        self._flush()
        return self._size, bytes.fromhex("".join(self._rows)), b"".join(self._rows.values())

    def take_over(self, share: PackShare) -> None:
        """Go on where another process stopped, which has written to the same open file."""
        self._size, raw_ids, rows = share
        self._waiting = 0
        self._buffer.clear()
        ids = raw_ids.hex()
        for at in range(len(raw_ids) // ID_SIZE):
            object_id = ObjectId(ids[2 * ID_SIZE * at : 2 * ID_SIZE * (at + 1)])
            self._rows[object_id] = rows[ROW.size * at : ROW.size * (at + 1)]

    def ids(self) -> KeysView[ObjectId]:
        """Give the ids of the entries in the order of their bytes."""
        return self._rows.keys()

    def entries(self) -> Iterator[PackEntry]:
        """Give the entries in the order of their bytes."""
        for object_id, row in self._rows.items():
            yield self._entry(object_id, row)

    def _entry(self, object_id: ObjectId, row: bytes) -> PackEntry:
        return decode_row(self.file.path.name, object_id, row, self._size)

    def _flush(self) -> None:
        with storage_errors(self.file.path):
            self.file.write(b"".join(self._buffer))
        self._buffer.clear()
        self._waiting = 0

    def finish(self) -> str:
        """Write index and footer, close the file, and give the pack's name (without suffix)."""
        index = encode_index(self._rows)
        self._buffer += [index, encode_footer(self._header, len(self._rows), self._size, index)]
        self._flush()
        self.file.close()
        return self._format.hash_bytes(index)
