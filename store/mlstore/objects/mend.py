"""Mending the object database: damaged files go aside, what is sound in them stays, good bytes come in.

At every moment what was readable before is readable: a damaged pack goes aside after its sound entries were
published in a new one. Nothing is ever removed. The caller keeps every writer out meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlstore.durable import FileLock, Staging, keep_copy, set_aside
from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.objects.compress import Compressor
from mlstore.objects.database import ObjectDatabase
from mlstore.objects.pack import EntryKind, PackBuilder
from mlstore.objects.recipe import Part, decode_recipe
from mlstore.objects.salvage import Damaged, Sound, Wreck

_PIECE: Final = 1 << 20


@dataclass(slots=True)
class Salvaged:
    """What became of one damaged pack: the entries (objects, recipes, chunks) kept, and the others.

    ``recipes`` are those of the kept that are such, with their parts.
    """

    pack: str
    kept: list[ObjectId] = field(default_factory=list)
    lost: list[Damaged] = field(default_factory=list)
    recipes: dict[ObjectId, list[Part]] = field(default_factory=dict)


class Mender:
    """Works on one store. *aside* is the folder that damaged files go to, laid out as ``.mlstore`` is."""

    def __init__(
        self, database: ObjectDatabase, *, scratch: Path, lock: Path, fsync: bool, aside: Path
    ) -> None:
        self._database = database
        self._format = database.format
        self._scratch = scratch
        self._lock = lock
        self._fsync = fsync
        self._aside = aside

    def _place(self, path: Path) -> Path:
        return self._aside / "objects" / path.relative_to(self._database.loose.root)

    def set_aside(self, path: Path) -> Path:
        """Move a damaged file (or what is no file) of the objects' folder aside; gives where it is now."""
        place = self._place(path)
        set_aside(path, place, fsync=self._fsync)
        self._database.packs.forget()
        return place

    # packs

    def look(self, name: str, wanted: Mapping[ObjectId, int | None]) -> Salvaged:
        """Say what ``rescue`` would keep; nothing is changed."""
        found = Salvaged(name)
        for entry in Wreck(self._database.packs.path(name), self._format).entries(wanted):
            if isinstance(entry, Damaged):
                found.lost.append(entry)
            else:
                found.kept.append(entry.entry.id)
                if entry.parts is not None:
                    found.recipes[entry.entry.id] = entry.parts
        return found

    def rescue(
        self, name: str, wanted: Mapping[ObjectId, int | None], without: Collection[ObjectId] = ()
    ) -> Salvaged:
        """Publish what is sound in a damaged pack as a new one, then set the old one aside.

        *wanted* are objects that are missed: where the pack's index cannot be believed, what has their bytes
        counts as them. Recipes of objects in *without* are left behind. Raises ``StorageError``.
        """
        found = Salvaged(name)
        path = self._database.packs.path(name)
        doubtful: list[Sound] = []
        with FileLock(self._lock, purpose="mending packs"):
            entries = Wreck(path, self._format).entries(wanted)
            replaced = self._publish(name, self._trusted(entries, doubtful, without, found), found)
            # Their parts are in place by now, so it can be seen which object they make.
            replaced |= self._publish(name, self._proved(doubtful, wanted, found), found)
            if not replaced:
                self.set_aside(path)
        self._database.packs.forget()
        return found

    @staticmethod
    def _trusted(
        entries: Iterable[Sound | Damaged],
        doubtful: list[Sound],
        without: Collection[ObjectId],
        found: Salvaged,
    ) -> Iterator[Sound]:
        for entry in entries:
            if isinstance(entry, Damaged):
                found.lost.append(entry)
            elif entry.parts is not None and entry.entry.id in without:
                continue
            elif entry.proved:
                yield entry
            else:
                doubtful.append(entry)

    def _proved(
        self, doubtful: Iterable[Sound], wanted: Mapping[ObjectId, int | None], salvaged: Salvaged
    ) -> Iterator[Sound]:
        """Give recipes of a damaged index under the id of what they make: theirs, or one that is missed."""
        for found in doubtful:
            entry = found.entry
            try:
                actual = self._made_of(found.parts or [])
                is_proved = actual == entry.id or actual in wanted
            except MlstoreError:
                # A part is missing: whether it makes its object will be seen when that comes back.
                actual, is_proved = entry.id, entry.id in wanted
            if is_proved:
                yield found._replace(entry=entry._replace(id=actual))
            else:
                salvaged.lost.append(Damaged(entry.id, entry.kind, "its index is damaged"))

    def _made_of(self, parts: Iterable[Part]) -> ObjectId:
        """Give the id of what the parts make."""
        hasher = self._format.new()
        for part in parts:
            source = self._database.open_part(part.source)
            try:
                for at in range(0, part.length, _PIECE):
                    hasher.update(source.read_at(part.offset + at, min(_PIECE, part.length - at)))
            finally:
                source.close()
        return ObjectId(hasher.hexdigest())

    def _publish(self, old: str, entries: Iterable[Sound], found: Salvaged) -> bool:
        """Write a pack of *entries*; says whether it took the place of the *old* one, byte for byte."""
        path = self._database.packs.path(old)
        with Staging(self._scratch, fsync=self._fsync) as staging:
            builder: PackBuilder | None = None
            try:
                for entry, stored, *_ in entries:
                    builder = builder or PackBuilder(staging.new_file(), self._format)
                    builder.add(
                        entry.id, stored, size=entry.size, compressed=entry.compressed, kind=entry.kind
                    )
                    found.kept.append(entry.id)
                if builder is None:
                    return False
                name = builder.finish()
            finally:
                if builder is not None:
                    builder.file.close()
            with suppress(OSError):  # no younger than it is: what is old may be collected
                status = os.lstat(path)
                os.utime(builder.file.path, ns=(status.st_mtime_ns, status.st_mtime_ns))
            if name == old:
                keep_copy(path, self._place(path), fsync=self._fsync)
            moves = [(builder.file.path, self._database.packs.path(name))]
            staging.publish(moves, is_corrupt=self._database.is_damaged)
        self._database.packs.forget()
        return name == old

    # recipes and chunks

    def unmade(self) -> dict[ObjectId, list[Part]]:
        """Give the recipes of which a part is nowhere, or too short, with all their parts."""
        found: dict[ObjectId, list[Part]] = {}
        there: dict[ObjectId, int | None] = {}
        for pack, entry in self._database.packs.entries():
            if entry.kind != EntryKind.RECIPE or self._database.loose.contains(entry.id):
                continue
            try:
                parts = decode_recipe(pack.read(entry), entry.id, entry.size)
            except CorruptError:
                continue
            if any(not self._reaches(part, there) for part in parts):
                found[entry.id] = parts
        return found

    def _reaches(self, part: Part, there: dict[ObjectId, int | None]) -> bool:
        if part.source not in there:
            try:
                source = self._database.open_part(part.source)
            except (CorruptError, NotFoundError):
                there[part.source] = None
            else:
                there[part.source] = source.size
                source.close()
        size = there[part.source]
        return size is not None and part.offset + part.length <= size

    def absent_parts(self, parts: Iterable[Part]) -> set[ObjectId]:
        """Give what *parts* need and the store has not."""
        there: dict[ObjectId, int | None] = {}
        return {part.source for part in parts if not self._reaches(part, there)}

    def add_chunks(self, chunks: Iterable[tuple[ObjectId, bytes]]) -> None:
        """Publish chunks, each proved by the caller, in one pack."""
        compressor = Compressor()
        with Staging(self._scratch, fsync=self._fsync) as staging:
            builder = PackBuilder(staging.new_file(), self._format)
            try:
                for chunk_id, data in chunks:
                    stored, compressed = compressor.try_on(data)
                    builder.add(chunk_id, stored, size=len(data), compressed=compressed, kind=EntryKind.CHUNK)
                if not len(builder):
                    return
                name = builder.finish()
            finally:
                builder.file.close()
            moves = [(builder.file.path, self._database.packs.path(name))]
            staging.publish(moves, is_corrupt=self._database.is_damaged)
        self._database.packs.forget()

    def unneeded_recipes(self) -> dict[str, set[ObjectId]]:
        """Give, by pack, the recipes that cannot be made while their object is sound elsewhere."""
        found: dict[str, set[ObjectId]] = {}
        there: dict[ObjectId, int | None] = {}
        for pack, entry in self._database.packs.entries():
            if entry.kind != EntryKind.RECIPE or not self._database.loose.contains(entry.id):
                continue
            with suppress(CorruptError):
                parts = decode_recipe(pack.read(entry), entry.id, entry.size)
                if any(not self._reaches(part, there) for part in parts):
                    found.setdefault(pack.name, set()).add(entry.id)
        return found
