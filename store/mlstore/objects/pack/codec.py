"""The pack file.

Like an SSTable it is written in one pass and published by one rename; a reader needs the footer, then
two small reads for each object. All numbers are little-endian::

    16 bytes  header: magic "MLSPACK1", the object format's name padded with zero bytes to 8
    ...       the entries' stored bytes, back to back
    index:
      256 * 4   fan-out: how many ids have a first byte of at most 0, 1, ... 255
      n * 32    ids, sorted
      n * 32    rows, in the order of the ids:
                  8  offset of the stored bytes from the start of the file
                  4  number of stored bytes
                  8  number of bytes of the object itself
                  1  encoding: 0 as it is, 1 zstd
                  1  kind: 0 object, 1 recipe of an object, 2 chunk (a part of objects, none itself)
                  2  zero
                  8  xxh3-64 of the stored bytes (big-endian digest)
    56 bytes  footer:
                  8  n
                  8  offset of the index
                 16  xxh3-128 of the index (big-endian digest)
                  8  xxh3-64 of the header and the footer up to here
                  8  zero
                  8  magic "MLSPEND1"

The file's name is the hash (in the object format) of its index.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Mapping
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

import xxhash

from mlstore.errors import CorruptFile
from mlstore.hashing import BytesLike, ObjectId

MAGIC: Final = b"MLSPACK1"
END_MAGIC: Final = b"MLSPEND1"
HEADER_SIZE: Final = 16
FAN_OUT: Final = struct.Struct("<256I")
ID_SIZE: Final = 32
KIND_AT: Final = 21  # where a row says what kind of entry it is
ROW: Final = struct.Struct("<QIQBB2x8s")
FOOTER: Final = struct.Struct("<QQ16s8s8x8s")
COUNT_LIMIT: Final = 1 << 28
ENTRY_LIMIT: Final = 64 << 20
"""No entry's stored bytes are more, nor what they decompress to: a bound on what a pack can make us hold."""


class EntryKind(IntEnum):
    """What an entry is."""

    OBJECT = 0
    RECIPE = 1
    CHUNK = 2


class PackEntry(NamedTuple):
    """One entry: ``offset`` and ``stored`` (bytes) say where it is, ``size`` how large the object is."""

    id: ObjectId
    offset: int
    stored: int
    size: int
    compressed: bool
    kind: EntryKind
    checksum: bytes


class Footer:
    """Where the index is, how many entries it has, and its xxh3-128."""

    __slots__ = ("count", "index_checksum", "index_offset")

    def __init__(self, count: int, index_offset: int, index_checksum: bytes) -> None:
        self.count = count
        self.index_offset = index_offset
        self.index_checksum = index_checksum

    @property
    def index_size(self) -> int:
        """Bytes of the index."""
        return FAN_OUT.size + self.count * (ID_SIZE + ROW.size)


def encode_header(format_name: str) -> bytes:
    """Give the first bytes of a pack."""
    return MAGIC + format_name.encode().ljust(8, b"\0")


def encode_row(entry: PackEntry) -> bytes:
    """Give the row of *entry*, which its id is no part of."""
    return ROW.pack(
        entry.offset, entry.stored, entry.size, entry.compressed, entry.kind.value, entry.checksum
    )


def encode_index(rows: Mapping[ObjectId, bytes]) -> bytes:
    """Give the index of the entries whose *rows* these are."""
    ids = sorted(rows)
    counts = [0] * 256
    for object_id in ids:
        counts[int(object_id[:2], 16)] += 1
    parts = [FAN_OUT.pack(*accumulate(counts)), bytes.fromhex("".join(ids))]
    parts += map(rows.__getitem__, ids)
    return b"".join(parts)


def encode_footer(header: bytes, count: int, index_offset: int, index: bytes) -> bytes:
    """Give the last bytes of a pack."""
    checksum = xxhash.xxh3_128_digest(index)
    guarded = header + struct.pack("<QQ16s", count, index_offset, checksum)
    return FOOTER.pack(count, index_offset, checksum, xxhash.xxh3_64_digest(guarded), END_MAGIC)


def decode_footer(name: str, header: bytes, footer: bytes, size: int, format_name: str) -> Footer:
    """Read the ends of the pack called *name*, *size* bytes long; raises ``CorruptFile``."""
    if header != encode_header(format_name):
        raise corrupt(name, "it does not begin like a pack of this repository")
    if len(footer) != FOOTER.size:
        raise corrupt(name, "it is too short")
    count, index_offset, checksum, _, _ = FOOTER.unpack(footer)
    guarded = header + struct.pack("<QQ16s", count, index_offset, checksum)
    canonical = FOOTER.pack(count, index_offset, checksum, xxhash.xxh3_64_digest(guarded), END_MAGIC)
    if footer != canonical:
        raise corrupt(name, "its footer is damaged")
    found = Footer(count, index_offset, checksum)
    if count > COUNT_LIMIT or index_offset < HEADER_SIZE:
        raise corrupt(name, "its footer makes no sense")
    if index_offset + found.index_size + FOOTER.size != size:
        raise corrupt(name, "its length is wrong")
    return found


def decode_row(name: str, object_id: ObjectId, row: bytes, index_offset: int) -> PackEntry:
    """Read the row of one id; raises ``CorruptFile`` when it points outside of the entries."""
    offset, stored, size, encoding, kind, checksum = ROW.unpack(row)
    if encoding > 1 or kind > EntryKind.CHUNK or size >= 1 << 63:
        raise corrupt(name, "an entry is of an unknown kind")
    if offset < HEADER_SIZE or offset + stored > index_offset:
        raise corrupt(name, "an entry points outside of it")
    if stored > ENTRY_LIMIT or (kind != EntryKind.RECIPE and size > ENTRY_LIMIT):
        raise corrupt(name, "an entry is too large")
    if not encoding and kind != EntryKind.RECIPE and stored != size:
        raise corrupt(name, "an entry has two sizes")
    return PackEntry(object_id, offset, stored, size, bool(encoding), EntryKind(kind), checksum)


_threads = threading.local()


class Decompressor:
    """Undoes the compression of entries, one after another. Not for several threads."""

    def __init__(self) -> None:
        import zstandard

        self._module = zstandard
        self._decompressor = zstandard.ZstdDecompressor()

    def __call__(self, stored: BytesLike, size: int | None) -> bytes:
        """Give the bytes in one frame, *size* of them where that is known (for a recipe it is not).

        Raises ``ValueError`` with the reason; never makes room for more than an entry may have.
        """
        try:
            declared = self._module.frame_content_size(stored)
            if not 0 <= declared <= ENTRY_LIMIT or (size is not None and declared != size):
                raise ValueError("it would be of another size than it says")
            return self._decompressor.decompress(stored, allow_extra_data=False)
        except self._module.ZstdError:
            raise ValueError("it cannot be decompressed") from None


def decompress(stored: BytesLike, size: int | None) -> bytes:
    """Decompress one entry; see ``Decompressor``. May be used from any thread."""
    mine: Decompressor | None = getattr(_threads, "decompressor", None)
    if mine is None:
        mine = _threads.decompressor = Decompressor()
    return mine(stored, size)


def corrupt(name: str, reason: str) -> CorruptFile:
    """Give the error about the pack called *name*."""
    return CorruptFile(
        f"pack '{name[:10]}' is damaged: {reason}",
        hint="'mlstore fsck' lists what it held; restore the file from a copy of the store",
        path=f"objects/pack/{name}.pack",
    )
