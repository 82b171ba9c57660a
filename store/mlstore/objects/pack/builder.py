"""Writing one pack, entry by entry, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from xxhash import xxh3_64_digest

from mlstore.durable import StagedFile, storage_errors
from mlstore.hashing import BytesLike, ObjectFormat, ObjectId
from mlstore.objects.pack.codec import (
    EntryKind,
    PackEntry,
    encode_footer,
    encode_header,
    encode_index,
)

_BUFFER: Final = 1 << 20


PackShare: TypeAlias = tuple[int, list[tuple[Any, ...]]]
"""What one process tells another of a pack: bytes so far, and the fields of its entries; plain values."""


class PackBuilder:
    """Collects entries into a staged file; ``finish`` adds the index and gives the pack's name."""

    def __init__(self, file: StagedFile, fmt: ObjectFormat) -> None:
        self.file = file
        self._format = fmt
        self._header = encode_header(fmt.name)
        self._entries: dict[ObjectId, PackEntry] = {}
        self._buffer: list[BytesLike] = [self._header]  # joined when there is enough for one large write
        self._waiting = 0
        self._size = len(self._header)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, object_id: ObjectId) -> bool:
        return object_id in self._entries

    def is_object(self, object_id: ObjectId) -> bool:
        """Whether the id is here as an object or recipe, not only as a chunk."""
        entry = self._entries.get(object_id)
        return entry is not None and entry.kind != EntryKind.CHUNK

    def agrees(self, entry: PackEntry) -> bool:
        """Whether *entry*, proved by its own hash unless it is a recipe, may stand for one that is here."""
        known = self._entries.get(entry.id)
        if known is None or EntryKind.RECIPE not in (known.kind, entry.kind):
            return True
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
        known = self._entries.get(object_id)
        if known is not None:
            if known.kind == EntryKind.CHUNK and kind == EntryKind.OBJECT:
                self._entries[object_id] = PackEntry(
                    object_id, known.offset, known.stored, size, known.compressed, kind, known.checksum
                )
            return
        length = len(stored)
        self._entries[object_id] = PackEntry(
            object_id, self._size, length, size, compressed, kind, xxh3_64_digest(stored)
        )
        self._size += length
        self._buffer.append(stored)
        self._waiting += length
        if self._waiting >= _BUFFER:
            self._flush()

    def hand_over(self) -> PackShare:
        """Write what waits and give what is known of the pack, for the process that goes on with it."""
        self._flush()
        return self._size, [
            (str(entry.id), *entry[1:5], int(entry.kind), entry.checksum) for entry in self._entries.values()
        ]

    def take_over(self, share: PackShare) -> None:
        """Go on where another process stopped, which has written to the same open file."""
        self._size, entries = share
        self._waiting = 0
        self._buffer.clear()
        for object_id, offset, stored, size, compressed, kind, checksum in entries:
            entry = PackEntry(
                ObjectId(object_id), offset, stored, size, compressed, EntryKind(kind), checksum
            )
            self._entries[entry.id] = entry

    def entries(self) -> Iterator[PackEntry]:
        """Give the entries in the order of their bytes."""
        yield from self._entries.values()

    def _flush(self) -> None:
        with storage_errors(self.file.path):
            self.file.write(b"".join(self._buffer))
        self._buffer.clear()
        self._waiting = 0

    def finish(self) -> str:
        """Write index and footer, close the file, and give the pack's name (without suffix)."""
        index = encode_index([entry for _, entry in sorted(self._entries.items())])
        self._buffer += [index, encode_footer(self._header, len(self._entries), self._size, index)]
        self._flush()
        self.file.close()
        return self._format.hash_bytes(index)
