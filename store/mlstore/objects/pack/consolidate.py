"""Few packs instead of many: small ones are merged when there are too many, as an LSM tree does.

Entries are copied as they are stored, each checked on the way; the merged pack is published before the
old ones go. A reader that had an old pack open goes on reading it, one that misses it looks again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mlstore.durable import FileLock, Staging, remove_file
from mlstore.errors import CorruptError, Locked
from mlstore.hashing import ObjectFormat
from mlstore.objects.pack.builder import PackBuilder
from mlstore.objects.pack.codec import EntryKind, PackEntry
from mlstore.objects.pack.folder import PackFolder
from mlstore.objects.pack.pack import Pack

MOST_PACKS: Final = 24
_SMALL_PACK: Final = 32 << 20  # bytes: merging is cheap, and each byte is moved only a few times
_MOST_BYTES: Final = 256 << 20


def consolidate(folder: PackFolder, fmt: ObjectFormat, *, scratch: Path, lock: Path, fsync: bool) -> int:
    """Merge the small packs when they are more than ``MOST_PACKS``; gives how many were merged.

    Does nothing when another process is at it. Raises ``StorageError``; nothing is lost then.
    """
    if len(_small(folder.packs())) <= MOST_PACKS:
        return 0
    try:
        with FileLock(lock, purpose="merging packs", wait=0):
            folder.forget()
            return _merge(folder, _choose(folder.packs()), fmt, scratch=scratch, fsync=fsync)
    except Locked:
        return 0


def _small(packs: list[Pack]) -> list[Pack]:
    return sorted((pack for pack in packs if pack.size <= _SMALL_PACK), key=lambda pack: pack.size)


def _choose(packs: list[Pack]) -> list[Pack]:
    chosen, total = [], 0
    for pack in _small(packs):
        total += pack.size
        if total > _MOST_BYTES:
            break
        chosen.append(pack)
    return chosen


def _merge(folder: PackFolder, packs: list[Pack], fmt: ObjectFormat, *, scratch: Path, fsync: bool) -> int:
    merged: list[Pack] = []
    with Staging(scratch, fsync=fsync) as staging:
        builder = PackBuilder(staging.new_file(), fmt)
        try:
            for pack in packs:
                if _copy(pack, builder, fmt):
                    merged.append(pack)
            if len(merged) < 2:
                return 0
            name = builder.finish()
        finally:
            builder.file.close()
        staging.publish([(builder.file.path, folder.path(name))], is_corrupt=lambda path: False)
    folder.forget()
    for pack in merged:
        if pack.name != name:
            remove_file(pack.path, fsync=False)
    folder.forget()
    return len(merged)


def _copy(pack: Pack, builder: PackBuilder, fmt: ObjectFormat) -> bool:
    """Copy all entries of *pack*; a pack with damage in it is left as it is, for ``fsck`` to tell."""
    try:
        pack.check_index()
        entries = sorted(pack.entries(), key=_place)
        for entry in entries:
            # Of two copies one goes: it may not be the good one, whatever the checksums say.
            data = pack.read(entry)
            if entry.kind != EntryKind.RECIPE and fmt.hash_bytes(data) != entry.id:
                return False
            if not builder.agrees(entry):
                return False
    except CorruptError:
        return False
    for entry in entries:
        builder.add(
            entry.id,
            pack.read_stored(entry),
            size=entry.size,
            compressed=entry.compressed,
            kind=entry.kind,
        )
    return True


def _place(entry: PackEntry) -> int:
    return entry.offset
