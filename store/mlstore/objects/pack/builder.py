"""Writing one pack, entry by entry, in one pass."""

from __future__ import annotations

from typing import Final

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
