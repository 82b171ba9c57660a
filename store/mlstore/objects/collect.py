"""Taking objects out of a store that nothing needs, and putting loose ones into packs.

What is needed is for the caller to know, who keeps every writer out meanwhile. Nothing is removed before
what stays has been written and synced; a pack with damage in it is left as it is, for ``fsck`` to tell.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mlstore._progress import Progress, watched
from mlstore.durable import FileLock, Staging, move_files, remove_empty_folder, remove_file
from mlstore.errors import CorruptError, CorruptObject, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.objects.compress import Compressor
from mlstore.objects.database import ObjectDatabase
from mlstore.objects.pack import EntryKind, Pack, PackBuilder, PackEntry
from mlstore.objects.pack.consolidate import consolidate, keep_date
from mlstore.objects.recipe import decode_recipe
from mlstore.objects.writer import SMALL


class StoredItem(NamedTuple):
    """Something that takes room: an object, recipe or chunk; ``stored`` are its bytes on disk."""

    id: ObjectId
    kind: EntryKind
    size: int
    stored: int

    @property
    def is_object(self) -> bool:
        """Whether it is an object of its own, not only a part of some."""
        return self.kind != EntryKind.CHUNK


@dataclass(slots=True)
class Swept:
    """What a sweep took out (objects, and bytes on disk with chunks), and the packs it had to leave."""

    objects: int = 0
    bytes: int = 0
    untouched: list[CorruptError] = field(default_factory=list)

    def count(self, item: StoredItem) -> None:
        """Count something that goes."""
        self.objects += item.is_object
        self.bytes += item.stored


class Collector:
    """Works on one store; its *database* must not be written to by anybody else meanwhile.

    *scratch* is where new packs are written, *lock* the file that whoever merges packs holds. *progress* is
    told of every pack that was looked through and every loose object that was moved.
    """

    def __init__(
        self,
        database: ObjectDatabase,
        *,
        scratch: Path,
        lock: Path,
        fsync: bool,
        progress: Progress | None = None,
    ) -> None:
        self._progress = progress
        self._database = database
        self._scratch = scratch
        self._lock = lock
        self._fsync = fsync
        database.packs.forget()

    # looking

    def written_since(self, moment: int) -> Iterator[ObjectId]:
        """Give the objects that were written or used since *moment* (nanoseconds since the epoch)."""
        for object_id, status in self._loose():
            if status.st_mtime_ns >= moment:
                yield object_id
        for pack in self._packs():
            if _date(pack) >= moment:
                yield from (entry.id for entry in pack.entries() if entry.kind != EntryKind.CHUNK)

    def recipes(self) -> Iterator[tuple[ObjectId, Callable[[], set[ObjectId]]]]:
        """Give each recipe's id, and how to read which chunks and objects it is made of.

        Reading raises ``CorruptError``. An id comes more than once if there are several recipes for it.
        """
        for pack in self._packs():
            for entry in pack.entries():
                if entry.kind == EntryKind.RECIPE:
                    yield entry.id, partial(_sources, pack, entry)

    def unneeded(self, needed: Collection[ObjectId], before: int) -> Iterator[StoredItem]:
        """Give what is not among *needed* and was not used since *before*."""
        for object_id, status in self._loose():
            if object_id not in needed and status.st_mtime_ns < before:
                yield StoredItem(object_id, EntryKind.OBJECT, status.st_size, status.st_size)
        for pack in self._packs():
            if _date(pack) < before:
                for entry in pack.entries():
                    if entry.id not in needed:
                        yield _item(entry)

    def items(self) -> Iterator[StoredItem]:
        """Give everything that is stored; a copy that is not read is given too."""
        return self.unneeded((), 1 << 63)

    def _loose(self) -> Iterator[tuple[ObjectId, os.stat_result]]:
        for object_id in self._database.loose.ids():
            with suppress(FileNotFoundError):
                yield object_id, os.lstat(self._database.loose.path(object_id))

    def _packs(self) -> list[Pack]:
        """Give all packs; one that cannot be read could hold anything: raises ``CorruptFile``."""
        packs = self._database.packs.packs()
        for error in self._database.packs.broken.values():
            raise error
        return packs

    # removing

    def sweep(self, needed: Collection[ObjectId], before: int, trash: Path | None) -> Swept:
        """Take out what ``unneeded`` gives: into *trash*, a folder laid out as the store's own, or for good.

        Raises ``StorageError``; what was taken out by then is in the trash.
        """
        swept = Swept()
        with FileLock(self._lock, purpose="collecting garbage"):
            self._sweep_loose(needed, before, trash, swept)
            packs = [(pack.name, pack) for pack in self._packs() if _date(pack) < before]
            for _, pack in watched(self._progress, packs, lambda pack: pack.size):
                self._sweep_pack(pack, needed, trash, swept)
        self._database.packs.forget()
        return swept

    def _sweep_loose(
        self, needed: Collection[ObjectId], before: int, trash: Path | None, swept: Swept
    ) -> None:
        going = []
        for object_id, status in self._loose():
            if object_id not in needed and status.st_mtime_ns < before:
                going.append(object_id)
                swept.count(StoredItem(object_id, EntryKind.OBJECT, status.st_size, status.st_size))
        self._drop([self._database.loose.path(object_id) for object_id in going], trash)

    def _drop(self, files: list[Path], trash: Path | None) -> None:
        root = self._database.loose.root
        if trash is None:
            for path in files:
                remove_file(path, fsync=False)
        else:
            moves = [(path, trash / path.relative_to(root)) for path in files]
            move_files(moves, is_corrupt=lambda _: True, fsync=self._fsync)
        for folder in {path.parent for path in files} - {self._database.packs.root}:
            remove_empty_folder(folder)

    def _sweep_pack(self, pack: Pack, needed: Collection[ObjectId], trash: Path | None, swept: Swept) -> None:
        try:
            pack.check_index()
            going = [_item(entry) for entry in pack.entries() if entry.id not in needed]
            if 0 < len(going) < len(pack):
                self._split(pack, needed, trash)
        except CorruptError as exc:
            swept.untouched.append(exc)
            return
        if len(going) == len(pack):
            self._drop([pack.path], trash)
        for item in going:
            swept.count(item)

    def _split(self, pack: Pack, needed: Collection[ObjectId], trash: Path | None) -> None:
        """Write what stays and what goes into a pack each, then remove the old one."""
        fmt = self._database.format
        with Staging(self._scratch, fsync=self._fsync) as staging:
            staying = PackBuilder(staging.new_file(), fmt)
            going = PackBuilder(staging.new_file(), fmt)
            try:
                for entry in sorted(pack.entries(), key=lambda entry: entry.offset):
                    if entry.id in needed:
                        _copy(pack, entry, staying)
                    elif trash is not None:
                        _copy(pack, entry, going)
                moves = [(staying.file.path, self._database.packs.path(staying.finish()))]
                if trash is not None:
                    moves.append((going.file.path, trash / "pack" / f"{going.finish()}.pack"))
            finally:
                staying.file.close()
                going.file.close()
            for staged, _ in moves:
                keep_date(staged, [pack])
            staging.publish(moves, is_corrupt=lambda _: True)
        remove_file(pack.path, fsync=False)

    # packing

    def pack_loose(self) -> int:
        """Put the small loose objects into packs; gives how many. Damaged ones stay, for ``fsck`` to tell."""
        packed: list[Path] = []
        compressor = Compressor()
        newest = 0
        with Staging(self._scratch, fsync=self._fsync) as staging:
            builder: PackBuilder | None = None
            try:
                small = [
                    (object_id, status) for object_id, status in self._loose() if status.st_size <= SMALL
                ]
                for object_id, status in watched(self._progress, small, lambda status: status.st_size):
                    data = self._movable(ObjectId(object_id))
                    if data is None:
                        continue
                    if builder is None:
                        builder = PackBuilder(staging.new_file(), self._database.format)
                    stored, compressed = compressor.try_on(data)
                    builder.add(ObjectId(object_id), stored, size=len(data), compressed=compressed)
                    packed.append(self._database.loose.path(ObjectId(object_id)))
                    newest = max(newest, status.st_mtime_ns)
                if builder is None:
                    return 0
                name = builder.finish()
            finally:
                if builder is not None:
                    builder.file.close()
            os.utime(builder.file.path, ns=(newest, newest))
            moves = [(builder.file.path, self._database.packs.path(name))]
            staging.publish(moves, is_corrupt=lambda _: True)
        self._database.packs.forget()
        self._drop(packed, None)
        return len(packed)

    def _movable(self, object_id: ObjectId) -> bytes | None:
        """Give a loose object's bytes if they may be read from a pack instead."""
        # Where a pack has it too that copy may be the damaged one, for which this is the cure.
        if self._database.packs.find(object_id) is not None:
            return None
        try:
            return self._database.read(object_id)
        except (CorruptObject, NotFoundError):
            return None

    def merge_packs(self, *, large: bool) -> int:
        """Merge the small packs into one, with *large* the others too; gives how many were merged."""
        return consolidate(
            self._database.packs,
            self._database.format,
            scratch=self._scratch,
            lock=self._lock,
            fsync=self._fsync,
            most=1,
            large=large,
        )


def _item(entry: PackEntry) -> StoredItem:
    return StoredItem(entry.id, entry.kind, entry.size, entry.stored)


def _sources(pack: Pack, entry: PackEntry) -> set[ObjectId]:
    return {part.source for part in decode_recipe(pack.read(entry), entry.id, entry.size)}


def _copy(pack: Pack, entry: PackEntry, builder: PackBuilder) -> None:
    stored = pack.read_stored(entry)
    builder.add(entry.id, stored, size=entry.size, compressed=entry.compressed, kind=entry.kind)


def _date(pack: Pack) -> int:
    """When *pack* was written or used last; now, where it is gone meanwhile."""
    try:
        return os.stat(pack.path).st_mtime_ns
    except FileNotFoundError:
        return 1 << 62
