"""Bringing objects back from where good copies were found. What comes in was hashed: nothing else counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mlstore.durable import Staging, storage_errors
from mlstore.errors import CorruptError, InvalidPath, NotFoundError, StorageError
from mlstore.hashing import ObjectId
from mlstore.maintenance.sources import FoundFile, Search, chunk_in
from mlstore.manifest import StorageSpec
from mlstore.objects import SMALL, ObjectDatabase
from mlstore.objects.mend import Mender
from mlstore.objects.pack import EntryKind
from mlstore.objects.recipe import Part
from mlstore.repository import Repository
from mlstore.repository.snapshot import make_trees

if TYPE_CHECKING:
    from mlstore.objects import ObjectWriter
    from mlstore.verify import Finding


_Wanted: TypeAlias = dict[ObjectId, int | None]
_Recipes: TypeAlias = dict[ObjectId, list[Part]]


@dataclass(frozen=True, slots=True)
class Healed:
    """An object (or chunk) that is back: where its bytes came from, what it is, and a path that needs it."""

    id: ObjectId
    source: str
    type: str | None = None
    size: int | None = None
    path: str | None = None
    commit: str | None = None

    def named(self, finding: Finding) -> Healed:
        """Take over what the finding knew of it."""
        return replace(
            self,
            type=self.type or finding.type,
            size=finding.size if self.size is None else self.size,
            path=finding.path,
            commit=finding.commit,
        )


class Healer:
    """Looks for good copies of what is missed, and puts them into the store (not if *dry_run*)."""

    def __init__(self, repo: Repository, mender: Mender, search: Search, *, dry_run: bool) -> None:
        self._repo = repo
        self._mender = mender
        self._search = search
        self._dry_run = dry_run
        self.healed: dict[ObjectId, Healed] = {}

    def heal(self, missed: dict[ObjectId, int | None]) -> set[ObjectId]:
        """Bring back what of *missed* (with sizes in bytes) is found; gives which."""
        recipes = self._mender.unmade()
        wanted = {one: size for one, size in missed.items() if one not in self.healed}
        if not self._dry_run:
            wanted = {one: size for one, size in wanted.items() if not self._is_sound(one)}
        wanted |= {one: sum(part.length for part in parts) for one, parts in recipes.items()}
        before = set(self.healed)
        if wanted:
            with self._storing() as writer:
                self._from_index(wanted, writer)
                self._from_chunks(wanted, writer)
                self._from_stores(wanted.keys() - recipes.keys(), wanted, writer)
            self._heal_parts(wanted, recipes)
            with self._storing() as writer:
                self._from_stores(wanted.keys() & recipes.keys(), wanted, writer)
                self._from_files(wanted, recipes, writer)
        return set(self.healed) - before

    def _is_sound(self, object_id: ObjectId) -> bool:
        try:
            self._repo.objects.check(object_id)
        except (CorruptError, NotFoundError, StorageError):
            return False
        return True

    @contextmanager
    def _storing(self) -> Iterator[ObjectWriter | None]:
        if self._dry_run:
            yield None
            return
        with self._repo.objects.transaction() as writer:
            yield writer

    def _note(self, wanted: _Wanted, object_id: ObjectId, source: str, what: str | None = None) -> None:
        self.healed[object_id] = Healed(object_id, source, what, wanted.pop(object_id, None))

    # parts of recipes

    def _heal_parts(self, wanted: _Wanted, recipes: _Recipes) -> None:
        """Bring back chunks that other stores have: what is made of them is whole again then."""
        if self._dry_run or not recipes:
            return
        absent = self._mender.absent_parts(part for parts in recipes.values() for part in parts)
        self._mender.add_chunks(self._chunks_in_stores(absent - wanted.keys(), wanted))
        for object_id in [one for one in recipes if self._is_sound(one)]:
            if object_id in wanted:
                self._note(wanted, object_id, "its parts")
            del recipes[object_id]

    def _chunks_in_stores(self, absent: set[ObjectId], wanted: _Wanted) -> Iterator[tuple[ObjectId, bytes]]:
        for name, store in self._search.stores():
            for chunk_id in sorted(absent - self.healed.keys()):
                data = chunk_in(store, chunk_id)
                if data is not None:
                    self._note(wanted, chunk_id, name, "chunk")
                    yield chunk_id, data

    def _cut(self, found: FoundFile, parts: list[Part], wanted: _Wanted) -> bool:
        """Take the missing chunks of a recipe out of a file that is its object; says whether that was all."""
        absent = self._mender.absent_parts(parts)

        def chunks() -> Iterator[tuple[ObjectId, bytes]]:
            start = 0
            for source, _, length in parts:
                if source in absent and source not in self.healed and length <= SMALL:
                    os.lseek(found.fd, start, os.SEEK_SET)
                    data = os.read(found.fd, length)
                    if self._repo.format.hash_bytes(data) == source:
                        self._note(wanted, source, self._label(found.path), "chunk")
                        yield source, data
                start += length

        self._mender.add_chunks(chunks())
        os.lseek(found.fd, 0, os.SEEK_SET)
        return self._is_sound(found.id)

    # objects

    def _from_index(self, wanted: _Wanted, writer: ObjectWriter | None) -> None:
        """Make trees from what is staged: those of HEAD, where nothing else is."""
        with suppress(CorruptError, InvalidPath):
            entries = self._repo.read_index().snapshot().values()
            for tree_id, (data, _) in make_trees(self._repo.format, entries).trees.items():
                if tree_id in wanted:
                    if writer is not None:
                        writer.add_bytes(data)
                    self._note(wanted, tree_id, "index", "tree")

    def _from_chunks(self, wanted: _Wanted, writer: ObjectWriter | None) -> None:
        """Make objects of what this store has as chunks only: that may have been what was damaged."""
        for object_id in sorted(wanted):
            found = self._repo.objects.packs.find_part(object_id)
            if found is not None and found[1].kind == EntryKind.CHUNK:
                data = chunk_in(self._repo.objects, object_id)
                if data is not None:
                    if writer is not None:
                        writer.add_bytes(data)
                    self._note(wanted, object_id, "its own chunk")

    def _from_stores(self, chosen: Iterable[ObjectId], wanted: _Wanted, writer: ObjectWriter | None) -> None:
        chosen = sorted(chosen)
        for name, store in self._search.stores():
            for object_id in [one for one in chosen if one in wanted]:
                with suppress(CorruptError, NotFoundError):
                    self._copy(store, object_id, writer)
                    self._note(wanted, object_id, name)

    def _copy(self, store: ObjectDatabase, object_id: ObjectId, writer: ObjectWriter | None) -> None:
        """Copy an object out of another store; raises ``CorruptError`` or ``NotFoundError``."""
        if writer is None:
            store.check(object_id)
        elif store.size(object_id) <= SMALL:
            writer.add_bytes(store.read(object_id))
        else:
            with Staging(self._repo.scratch, fsync=False) as staging:
                file = staging.new_file(0o600)
                try:
                    for data in store.stream(object_id):
                        with storage_errors(file.path):
                            file.write(data)
                finally:
                    file.close()
                with open(file.path, "rb", buffering=0) as whole:
                    writer.add_fd(whole.fileno())

    def _from_files(self, wanted: _Wanted, recipes: _Recipes, writer: ObjectWriter | None) -> None:
        for found in self._search.files(wanted):
            if writer is not None:
                parts = recipes.get(found.id)
                if parts is None or not self._cut(found, parts, wanted):
                    chunked = StorageSpec().is_chunked(found.path.name) and parts is None
                    if writer.add_fd(found.fd, chunked=chunked).id != found.id:
                        continue  # it changed since it was hashed
            self._note(wanted, found.id, self._label(found.path))

    def _label(self, path: Path) -> str:
        for root in (self._repo.store, self._repo.root):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return str(path)
