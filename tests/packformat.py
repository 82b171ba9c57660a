"""A second implementation of the store's file formats, written from docs/format-packs.md alone.

It shares no line with the library, so it can say where an object lies and what it holds when the library is
what is being tested. It trusts what it reads: whether damage is noticed is the library's business.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import blake3
import xxhash
import zstandard

OBJECT, RECIPE, CHUNK = 0, 1, 2


class Entry(NamedTuple):
    """One entry of a pack; `stored` are its bytes as they lie in the file, from `offset` on."""

    id: str
    kind: int
    size: int
    zstd: bool
    stored: bytes
    offset: int = 0
    checksum: bytes = b""  # as the pack states it; none yet for an entry to be written

    def is_sound(self) -> bool:
        return xxhash.xxh3_64(self.stored).digest() == self.checksum

    def content(self) -> bytes:
        return zstandard.ZstdDecompressor().decompress(self.stored) if self.zstd else self.stored


def hash_of(name: str, data: bytes) -> str:
    return blake3.blake3(data).hexdigest() if name == "blake3" else hashlib.sha256(data).hexdigest()


def read_pack(data: bytes) -> list[Entry]:
    """Give the entries of a pack in the order of their ids."""
    count, index_at, index_sum, guard, zero, magic = struct.unpack("<QQ16s8sQ8s", data[-56:])
    assert (data[:8], zero, magic) == (b"MLSPACK1", 0, b"MLSPEND1")
    assert xxhash.xxh3_64(data[:16] + data[-56:-24]).digest() == guard
    assert xxhash.xxh3_128(data[index_at:-56]).digest() == index_sum
    ids_at = index_at + 4 * 256
    rows_at = ids_at + 32 * count
    found = []
    for at in range(count):
        row = struct.unpack_from("<QIQBBH8s", data, rows_at + 32 * at)
        offset, stored, size, encoding, kind, _, checksum = row
        object_id = data[ids_at + 32 * at : ids_at + 32 * (at + 1)].hex()
        found.append(
            Entry(object_id, kind, size, encoding == 1, data[offset : offset + stored], offset, checksum)
        )
    return found


def write_pack(entries: Iterable[Entry], object_format: str = "blake3") -> tuple[str, bytes]:
    """Give the name and the bytes of a pack of `entries`, whether or not they make sense."""
    body = b"MLSPACK1" + object_format.encode().ljust(8, b"\0")
    rows = []
    for entry in entries:
        checksum = entry.checksum or xxhash.xxh3_64(entry.stored).digest()
        numbers = (len(body), len(entry.stored), entry.size, entry.zstd, entry.kind, 0, checksum)
        rows.append((bytes.fromhex(entry.id), struct.pack("<QIQBBH8s", *numbers)))
        body += entry.stored
    rows.sort()
    fan_out = [sum(raw[0] <= first for raw, _ in rows) for first in range(256)]
    index = b"".join([struct.pack("<256I", *fan_out), *(raw for raw, _ in rows), *(row for _, row in rows)])
    return hash_of(object_format, index), body + index + footer(body, len(rows), index)


def footer(body: bytes, count: int, index: bytes) -> bytes:
    """Give the footer behind `body` (header and entries) and `index`."""
    start = struct.pack("<QQ16s", count, len(body), xxhash.xxh3_128(index).digest())
    return start + xxhash.xxh3_64(body[:16] + start).digest() + bytes(8) + b"MLSPEND1"


def recipe_of(parts: Iterable[tuple[str, int, int]]) -> bytes:
    """Give the bytes of a recipe of `(id, offset, length)`."""
    rows = (struct.pack("<32sQQ", bytes.fromhex(source), *where) for source, *where in parts)
    return b"mlstore recipe 1\n" + b"".join(rows)


Packs = dict[str, dict[str, Entry]]


def read_object(objects: Path, object_id: str, known: Packs | None = None) -> bytes:
    """Give an object's bytes out of the folder `objects`: a loose file, else the first pack that has it.

    Packs are read once and kept in `known`, for whoever reads many objects.
    """
    known = {} if known is None else known
    loose = objects / object_id[:2] / object_id[2:]
    if loose.exists():
        return loose.read_bytes()
    for pack in sorted((objects / "pack").glob("*.pack")):
        if pack.name not in known:
            known[pack.name] = {entry.id: entry for entry in read_pack(pack.read_bytes())}
        entry = known[pack.name].get(object_id)
        if entry is not None:
            content = entry.content()
            return follow(objects, content, known) if entry.kind == RECIPE else content
    raise KeyError(object_id)


def follow(objects: Path, recipe: bytes, known: Packs) -> bytes:
    """Give the bytes that a recipe makes."""
    header = b"mlstore recipe 1\n"
    assert recipe.startswith(header)
    whole = bytearray()
    for source, offset, length in struct.iter_unpack("<32sQQ", recipe[len(header) :]):
        whole += read_object(objects, source.hex(), known)[offset : offset + length]
    return bytes(whole)
