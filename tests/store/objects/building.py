"""Databases and packs for the tests of the object store, put together without the code under test."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import zstandard
from tests import stored
from tests.packformat import CHUNK, OBJECT, RECIPE, Entry, hash_of, recipe_of, write_pack

from mlstore.hashing import ObjectId, object_format
from mlstore.objects import ObjectDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def database(folder: Path, name: str = "blake3", *, pack: bool = True) -> ObjectDatabase:
    """The database in FOLDER, as a process that has just started sees it."""
    scratch = folder / "tmp"
    return ObjectDatabase(folder / "objects", object_format(name), scratch=scratch, fsync=False, pack=pack)


def entry(data: bytes, kind: int = OBJECT, *, zstd: bool = False, name: str = "blake3") -> Entry:
    """An honest entry for DATA."""
    kept = zstandard.ZstdCompressor(level=1).compress(data) if zstd else data
    return Entry(hash_of(name, data), kind, len(data), zstd, kept)


def recipe(data: bytes, parts: Iterable[tuple[str, int, int]], *, zstd: bool = False) -> Entry:
    """An honest entry for DATA as a recipe of PARTS (id, offset, length)."""
    made = entry(recipe_of(parts), RECIPE, zstd=zstd)
    return made._replace(id=hash_of("blake3", data), size=len(data))


def place(folder: Path, entries: Iterable[Entry], name: str = "blake3") -> Path:
    """Put a pack of ENTRIES into the database in FOLDER."""
    pack_name, data = write_pack(entries, name)
    return stored.put_pack(folder / "objects" / "pack", pack_name, data)


def small_pack() -> tuple[list[Entry], dict[ObjectId, bytes]]:
    """A bit of everything that a pack may hold, and the objects in it."""
    first, second = b"first chunk, " * 3, b"and the second one" * 30
    whole = first + second[3:40] + first
    parts = [(hash_of("blake3", first), 0, 39), (hash_of("blake3", second), 3, 37)]
    parts.append((hash_of("blake3", first), 0, 39))
    text = b"text that is long enough to be compressed, " * 9
    entries = [
        entry(b""),
        entry(b"plain"),
        entry(text, zstd=True),
        entry(first, CHUNK),
        entry(second, CHUNK, zstd=True),
        recipe(whole, parts),
    ]
    contents = {ObjectId(hash_of("blake3", data)): data for data in (b"", b"plain", text, whole)}
    return entries, contents


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that nothing compresses."""
    return random.Random(seed).randbytes(size)


def table(size: int, seed: int = 0) -> bytes:
    """At least SIZE bytes of CSV, which differ from seed to seed and shrink by compression."""
    rng = random.Random(seed)
    rows = []
    total = 0
    while total < size:
        rows.append(b"%d,%.6f,%s\n" % (rng.randrange(10**6), rng.random(), rng.choice((b"yes", b"no"))))
        total += len(rows[-1])
    return b"".join(rows)


def files(folder: Path) -> dict[str, int]:
    """Every file below the objects' folder with its size."""
    root = folder / "objects"
    return {
        path.relative_to(root).as_posix(): path.stat().st_size for path in root.rglob("*") if path.is_file()
    }


def size_of(folder: Path) -> int:
    """The bytes that the objects take."""
    return sum(files(folder).values())
