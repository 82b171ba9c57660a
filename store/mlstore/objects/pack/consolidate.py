"""Few packs instead of many: small ones are merged when there are too many, as an LSM tree does.

Entries are copied as they are stored, each checked on the way; the merged pack is published before the
old ones go. A reader that had an old pack open goes on reading it, one that misses it looks again.
"""

from __future__ import annotations

import contextlib
import os
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
_LARGE_PACK: Final = 1 << 30


def consolidate(
    folder: PackFolder,
    fmt: ObjectFormat,
    *,
    scratch: Path,
    lock: Path,
    fsync: bool,
    most: int = MOST_PACKS,
    large: bool = False,
) -> int:
    """Merge the small packs when they are more than *most*; gives how many were merged.

    *large* merges larger packs too, up to the size of one. Does nothing when another process is at it.
    Raises ``StorageError``; nothing is lost then.
    """
    smallest = _LARGE_PACK if large else _SMALL_PACK
    if len(_below(folder.packs(), smallest)) <= most:
        return 0
    try:
        with FileLock(lock, purpose="merging packs", wait=0):
            folder.forget()
            groups = _group(_below(folder.packs(), smallest), _LARGE_PACK if large else _MOST_BYTES)
            groups = groups if large else groups[:1]
            return sum(_merge(folder, group, fmt, scratch=scratch, fsync=fsync) for group in groups)
    except Locked:
        return 0


def _below(packs: list[Pack], size: int) -> list[Pack]:
    return sorted((pack for pack in packs if pack.size <= size), key=lambda pack: pack.size)


def _group(packs: list[Pack], most: int) -> list[list[Pack]]:
    """Put *packs*, the smallest first, into groups of at most so many bytes."""
    groups: list[list[Pack]] = [[]]
    total = 0
    for pack in packs:
        total += pack.size
        if total > most:
            groups.append([])
            total = pack.size
        groups[-1].append(pack)
    return groups


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
        keep_date(builder.file.path, merged)
        # One that stands there already may be the damaged one that the packs merged here replaced.
        staging.publish([(builder.file.path, folder.path(name))], is_corrupt=lambda _: True)
    folder.forget()
    for pack in merged:
        if pack.name != name:
            remove_file(pack.path, fsync=False)
    folder.forget()
    return len(merged)


def keep_date(path: Path, packs: list[Pack]) -> None:
    """Date a new pack as the youngest of those that it stands for: what is old may be collected."""
    with contextlib.suppress(OSError):
        newest = max(os.stat(pack.path).st_mtime_ns for pack in packs)
        os.utime(path, ns=(newest, newest))


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
