"""What the store has already, as one transaction needs to know it: there, sound, relied on from now on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mlstore.errors import CorruptError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.objects.pack import EntryKind

if TYPE_CHECKING:
    from mlstore.objects.database import ObjectDatabase

StockReport: TypeAlias = tuple[list[str], list[str]]
"""What one process tells another: known ids, and packs that are relied on; plain values."""


class Stock:
    """Objects that need not be written again. Each that is asked for is hashed, once.

    ``known`` are those found sound, ``damaged`` those whose stored bytes are not right: a good copy is to
    take their place.
    """

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        self.known: set[ObjectId] = set()
        self.damaged: set[ObjectId] = set()
        self._shared: set[Path] = set()  # packs with something that is relied on
        self._loose_ids: set[ObjectId] | None = None
        self._has_packs = False

    def has(self, object_id: ObjectId) -> bool:
        """Whether the store has these bytes, undamaged; they are relied on then."""
        if object_id in self.known:
            return True
        if self._is_stored(object_id) and self._is_sound(object_id):
            self.known.add(object_id)
            return True
        return False

    def shares(self, chunk_id: ObjectId) -> bool:
        """Whether a pack has a chunk; all packs that do are relied on then."""
        packs = self._database.packs
        if not packs.holds(chunk_id):
            return False
        self._shared.update(pack.path for pack, _ in packs.copies(chunk_id))
        return True

    def _is_stored(self, object_id: ObjectId) -> bool:
        """Whether the store had the object when this transaction began to ask: no system call for each."""
        if object_id in self._loose():
            return True
        if not self._has_packs:
            return False
        found = self._database.packs.find(object_id, again=False)
        if found is None or found[1].kind == EntryKind.CHUNK:
            return False
        self._shared.add(found[0].path)
        return True

    def _loose(self) -> set[ObjectId]:
        if self._loose_ids is None:
            self._loose_ids = set(self._database.loose.ids())
            self._has_packs = bool(self._database.packs.packs())
        return self._loose_ids

    def _is_sound(self, object_id: ObjectId) -> bool:
        try:
            self._database.check(object_id)
        except NotFoundError:
            return False
        except CorruptError:
            self.damaged.add(object_id)
            return False
        return True

    # what is relied on

    def folders(self) -> set[Path]:
        """Where it stands: the name that it has there may not be on disk yet."""
        return {path.parent for path in self._paths()}

    def freshen(self) -> None:
        """Date it anew, so that a collection takes it for something in use."""
        for path in self._paths():
            with contextlib.suppress(OSError):  # gone into another pack, or somebody else's
                os.utime(path)

    def _paths(self) -> set[Path]:
        loose = self.known & self._loose_ids if self._loose_ids else ()
        return {self._database.loose.path(object_id) for object_id in loose} | self._shared

    def report(self) -> StockReport:
        """Tell another process what is relied on."""
        return sorted(map(str, self.known)), sorted(map(str, self._shared))

    def take(self, report: StockReport) -> None:
        """Take in what another process relies on."""
        known, shared = report
        self.known.update(map(ObjectId, known))
        self._shared.update(map(Path, shared))
        self._loose()  # which of them are loose decides where they stand
