"""Many small objects at once: in the order in which they lie in packs, by large reads, each verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from mlstore.errors import CorruptError
from mlstore.hashing import ObjectId
from mlstore.objects.pack import EntryKind, Pack, PackEntry

if TYPE_CHECKING:
    from mlstore.objects.database import ObjectDatabase

_RUN: Final = 2 << 20  # bytes read at a time
_GAP: Final = 64 << 10  # bytes between two entries that are read along rather than skipped
_SCAN_FROM: Final = 32  # one id in so many of a pack's: below that, its index is searched, not read through


def fetch(
    database: ObjectDatabase, object_ids: Iterable[ObjectId], most: int
) -> Iterator[tuple[ObjectId, bytes]]:
    """Give each object of *object_ids* once, in any order; one that is larger than *most* bytes is left out.

    Each is held whole. The bytes were hashed. Whatever is not in a pack as it is, or is damaged there, is
    read as ``read`` does, which finds another copy or raises ``ObjectNotFound`` or ``CorruptObject``.
    """
    wanted = set(object_ids)
    for pack in database.packs.packs():
        if not wanted:
            return
        try:
            entries = [
                entry
                for entry in _located(pack, wanted)
                if entry.kind == EntryKind.OBJECT and entry.size <= most
            ]
            entries.sort(key=_offset)
            for run in _runs(entries):
                for object_id, data in pack.read_run(run):
                    if object_id in wanted and database.format.hash_bytes(data) == object_id:
                        wanted.discard(object_id)
                        yield object_id, data
        except CorruptError:
            continue  # what it held is looked for elsewhere
    for object_id in sorted(wanted):
        if database.size(object_id) <= most:
            yield object_id, database.read(object_id)


def _offset(entry: PackEntry) -> int:
    return entry.offset


def _located(pack: Pack, wanted: set[ObjectId]) -> Iterable[PackEntry]:
    if len(wanted) * _SCAN_FROM > len(pack):
        return pack.locate(wanted)
    return [entry for entry in map(pack.find, sorted(wanted)) if entry is not None]


def _runs(entries: list[PackEntry]) -> Iterator[list[PackEntry]]:
    run: list[PackEntry] = []
    for entry in entries:
        if run:
            last = run[-1]
            end = entry.offset + entry.stored
            if entry.offset - (last.offset + last.stored) > _GAP or end - run[0].offset > _RUN:
                yield run
                run = []
        run.append(entry)
    if run:
        yield run
