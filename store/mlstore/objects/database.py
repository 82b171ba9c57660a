"""The facade for reading: every byte that leaves it was hashed on the way."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mlstore import durable
from mlstore.errors import (
    CorruptError,
    CorruptFile,
    CorruptObject,
    DecodeError,
    MlstoreError,
    NotFoundError,
    ObjectNotFound,
    StorageError,
)
from mlstore.hashing import Digest, ObjectFormat, ObjectId, digest_bytes, digester_for, hash_path
from mlstore.model.canonical import LARGEST
from mlstore.objects.loose import LooseObjects, missing
from mlstore.objects.pack import EntryKind, Pack, PackEntry, PackFolder
from mlstore.objects.pack.folder import SUFFIX
from mlstore.objects.source import LooseSource, PackedSource, RecipeSource, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.durable import StagedFile
    from mlstore.model import Commit, Tag, Tree
    from mlstore.objects.writer import ObjectWriter

T = TypeVar("T")

_HEADERS = {b"mlstore tree 1\n": "tree", b"mlstore commit 1\n": "commit", b"mlstore tag 1\n": "tag"}
_LONGEST_HEADER = max(map(len, _HEADERS))
_CACHE_SIZE = 4096
_MANY = 64  # objects from which on the indexes of packs are read through rather than searched


class ObjectDatabase:
    """The objects of one repository.

    Reading raises ``ObjectNotFound`` or ``CorruptObject`` (both name the id); ``stream`` raises
    the latter after its last chunk, so a caller must not act on the bytes before the end. Decoded
    commits and trees are kept in a bounded cache. Where an object is both loose and in a pack, the
    loose one is read: that is where a healed copy goes. *pack* False keeps every object loose.
    """

    def __init__(
        self, root: Path, fmt: ObjectFormat, *, scratch: Path, fsync: bool = True, pack: bool = True
    ) -> None:
        self.format = fmt
        self.fsync = fsync
        self.scratch = scratch
        self.elsewhere: str | None = None  # where to look for what is not here
        self._pack = pack
        self.loose = LooseObjects(root)
        self.packs = PackFolder(root / "pack", fmt)
        self._decoded: OrderedDict[tuple[str, ObjectId], object] = OrderedDict()
        self._sound_indexes: set[str] = set()
        self._proved: dict[ObjectId, bytes] = {}

    def __contains__(self, object_id: ObjectId) -> bool:
        return self.loose.contains(object_id) or self._find_packed(object_id) is not None

    def absent(self, object_ids: Iterable[ObjectId]) -> list[ObjectId]:
        """Give those of *object_ids* that are not in the store: for many, faster than one by one."""
        missing = set(object_ids)
        if len(missing) >= _MANY:
            for pack in self.packs.packs():
                with contextlib.suppress(CorruptFile):
                    missing.difference_update(pack.objects_among(missing))
        return sorted(object_id for object_id in missing if object_id not in self)

    def _find_packed(self, object_id: ObjectId) -> PackEntry | None:
        """Give the entry of a packed object: a chunk is none."""
        found = self.packs.find(object_id)
        return found[1] if found is not None and found[1].kind != EntryKind.CHUNK else None

    def size(self, object_id: ObjectId) -> int:
        """Give the object's size in bytes, without reading it."""
        size = self.loose.size_if_there(object_id)
        if size is not None:
            return size
        entry = self._find_packed(object_id)
        if entry is None:
            raise self._not_found(object_id)
        return entry.size

    def open_source(self, object_id: ObjectId) -> Source:
        """Give the object's raw bytes, unproved; close it after use. For whoever hashes them himself."""
        fd = self.loose.open_if_there(object_id)
        if fd is not None:
            return LooseSource(fd, self.loose.path(object_id))
        entry = self._find_packed(object_id)
        if entry is None:
            raise self._not_found(object_id)
        if entry.kind == EntryKind.RECIPE:
            return self._open_recipe(object_id)
        return PackedSource(self.packs, entry)

    def _open_recipe(self, object_id: ObjectId) -> Source:
        error: CorruptError | None = None
        for pack, entry in self.packs.copies(object_id):
            if entry.kind == EntryKind.RECIPE:
                try:
                    return RecipeSource(object_id, pack, entry, self.open_part)
                except CorruptError as exc:
                    error = exc
        raise error or self._not_found(object_id)

    def open_part(self, object_id: ObjectId) -> Source:
        """Give the raw bytes of a recipe's part: a chunk, or an object that is no recipe itself."""
        fd = self.loose.open_if_there(object_id)
        if fd is not None:
            return LooseSource(fd, self.loose.path(object_id))
        found = self.packs.find_part(object_id)
        if found is None:
            raise self._not_found(object_id)
        if found[1].kind == EntryKind.RECIPE:
            raise CorruptObject(f"object '{object_id}' is a recipe and part of one", id=object_id)
        return PackedSource(self.packs, found[1])

    def _not_found(self, object_id: ObjectId) -> MlstoreError:
        """Give the error for an object that is nowhere: a damaged pack may be why."""
        for name, exc in self.packs.broken.items():
            return _lost(object_id, name, exc)
        for pack in self.packs.packs():
            if pack.name not in self._sound_indexes:
                try:
                    pack.check_index()
                except CorruptFile as exc:
                    return _lost(object_id, pack.name, exc)
                self._sound_indexes.add(pack.name)
        return missing(object_id, self.elsewhere)

    def stream(self, object_id: ObjectId) -> Iterator[bytes]:
        """Give the object's bytes chunk by chunk, verified at the end."""
        source = self.open_source(object_id)
        try:
            digester = digester_for(self.format, source.size)
            for chunk in source.chunks():
                digester.update(chunk)
                yield chunk
        finally:
            source.close()
        self._require(object_id, digester.digest())

    def clone(self, object_id: ObjectId, target: StagedFile) -> Digest | None:
        """Make *target*, empty, a copy that shares its blocks with a loose object; None where that cannot be.

        The copy was hashed: raises ``CorruptObject`` when its bytes are not what the id says.
        """
        fd = self.loose.open_if_there(object_id)
        if fd is None:
            return None
        try:
            if not durable.clone_file(fd, target.fd):
                return None
        finally:
            os.close(fd)
        digest = hash_path(self.format, target.path)
        self._require(object_id, digest)
        return digest

    def read(self, object_id: ObjectId) -> bytes:
        """Give the object's bytes, verified. For a large blob use ``stream``."""
        return b"".join(self.stream(object_id))

    def fetch(self, object_ids: Iterable[ObjectId], most: int) -> Iterator[tuple[ObjectId, bytes]]:
        """Give many objects, each once and verified, in the order in which they are read fastest.

        Those of more than *most* bytes are left out: each that is given is held whole.
        """
        from mlstore.objects.fetch import fetch

        return fetch(self, object_ids, most)

    def check(self, object_id: ObjectId) -> Digest:
        """Hash the stored bytes anew; raises ``CorruptObject`` when they are not what the id says."""
        source = self.open_source(object_id)
        try:
            digester = digester_for(self.format, source.size)
            for chunk in source.chunks():
                digester.update(chunk)
        finally:
            source.close()
        digest = digester.digest()
        self._require(object_id, digest)
        return digest

    def _require(self, object_id: ObjectId, digest: Digest) -> None:
        if digest.id != object_id:
            raise CorruptObject(
                f"object '{object_id}' is corrupt: its bytes hash to '{digest.id}'",
                hint="'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
                id=object_id,
                actual=digest.id,
            )

    def is_damaged(self, path: Path) -> bool:
        """Whether the loose object or pack at *path*, in this store, is gone or not what its name says."""
        try:
            if path.suffix == SUFFIX:
                Pack(path, self.format.name).check()
            else:
                self.check(ObjectId(path.parent.name + path.name))
        except (CorruptError, FileNotFoundError, NotFoundError):
            return True
        return False

    def kind(self, object_id: ObjectId) -> str:
        """Give blob, tree, commit or tag, by the first line of the object's bytes.

        A blob that holds the exact bytes of a tree has the tree's id and is that tree: identical
        bytes are one object.
        """
        start = self._proved.get(object_id)
        if start is None:
            source = self.open_source(object_id)
            try:
                start = source.read_at(0, _LONGEST_HEADER)
            finally:
                source.close()
        return next((kind for header, kind in _HEADERS.items() if start.startswith(header)), "blob")

    def read_tree(self, object_id: ObjectId) -> Tree:
        """Give a tree; raises ``CorruptObject`` when the object is something else."""
        from mlstore.model.tree import decode_tree

        return self._read_as("tree", object_id, decode_tree)

    def read_commit(self, object_id: ObjectId) -> Commit:
        """Give a commit; raises ``CorruptObject`` when the object is something else."""
        from mlstore.model.commit import decode_commit

        return self._read_as("commit", object_id, decode_commit)

    def read_tag(self, object_id: ObjectId) -> Tag:
        """Give a tag; raises ``CorruptObject`` when the object is something else."""
        from mlstore.model.tag import decode_tag

        return self._read_as("tag", object_id, decode_tag)

    def _read_as(self, kind: str, object_id: ObjectId, decode: Callable[[bytes], T]) -> T:
        key = (kind, object_id)
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]  # type: ignore[return-value]
        data = self._proved.pop(object_id, None)
        if data is None and self._size_as_metadata(object_id) > LARGEST[kind]:
            raise CorruptObject(f"object '{object_id}' is too large for a {kind}", id=object_id)
        try:
            value = decode(self.read(object_id) if data is None else data)
        except DecodeError as exc:
            raise CorruptObject(f"object '{object_id}' is {exc.message}", id=object_id) from exc
        self._decoded[key] = value
        if len(self._decoded) > _CACHE_SIZE:
            self._decoded.popitem(last=False)
        return value

    def _size_as_metadata(self, object_id: ObjectId) -> int:
        try:
            return self.size(object_id)
        except ObjectNotFound:
            raise missing(object_id) from None  # what a clone leaves out are blobs: this one is lost

    def remember(self, proved: dict[ObjectId, bytes]) -> None:
        """Take bytes of trees, commits and tags that were hashed just now, so that they are not read again.

        Each is let go of when it is decoded.
        """
        self._proved = proved

    def ids(self) -> Iterator[ObjectId]:
        """Give every id that has bytes in the store, each once, in order. Chunks are no objects."""
        packed = {entry.id for _, entry in self.packs.entries() if entry.kind != EntryKind.CHUNK}
        if not packed:
            yield from self.loose.ids()
            return
        packed.update(self.loose.ids())
        yield from sorted(packed)

    def with_prefix(self, prefix: str) -> list[ObjectId]:
        """Give the ids that begin with *prefix* (lowercase hex digits), in order."""
        found = set(self.loose.ids(prefix))
        found.update(entry.id for entry in self.packs.with_prefix(prefix) if entry.kind != EntryKind.CHUNK)
        return sorted(found)

    def strangers(self) -> Iterator[Path]:
        """Give the files under the objects' folder that are no objects."""
        yield from self.loose.strangers()
        yield from self.packs.strangers()

    @contextmanager
    def transaction(self) -> Iterator[ObjectWriter]:
        """Collect new objects; they become visible and durable together when the block ends well.

        When it raises, none of them does. Raises ``StorageError``.
        """
        from mlstore.objects.writer import ObjectWriter

        writer = ObjectWriter(self, scratch=self.scratch, fsync=self.fsync, pack=self._pack)
        try:
            yield writer
            packed = writer.publish()
        finally:
            writer.close()
        if packed:
            self._consolidate()

    def _consolidate(self) -> None:
        """Merge small packs when there are too many; that it cannot be done now is no failure."""
        from mlstore.objects.pack.consolidate import consolidate

        with contextlib.suppress(StorageError, CorruptError):
            consolidate(
                self.packs,
                self.format,
                scratch=self.scratch,
                lock=self.scratch.parent / "locks" / "packs",
                fsync=self.fsync,
            )

    def check_packs(self) -> Iterator[PackCheck]:
        """Check every pack's index, and the copies of objects that are not read because there is another."""
        first: dict[ObjectId, Pack] = {}
        loose = set(self.loose.ids())
        told = set()
        for pack in self.packs.packs():
            told.add(pack.name)
            try:
                pack.check_index()
                entries = list(pack.entries())
            except CorruptError as exc:
                yield PackCheck(pack.name, exc)
                continue
            spares: list[CorruptError] = []
            for entry in entries:
                other = first.setdefault(entry.id, pack)
                if other is not pack or entry.id in loose:
                    spares += _damage_in(entry.id, {other, pack})
            yield PackCheck(
                pack.name, None, [entry.id for entry in entries if entry.kind == EntryKind.CHUNK], spares
            )
        for name, error in sorted(self.packs.broken.items()):
            if name not in told:
                yield PackCheck(name, error)

    def check_chunk(self, chunk_id: ObjectId) -> int:
        """Hash a chunk's bytes anew and give their number; raises ``CorruptObject``."""
        data = self.packs.read(chunk_id)
        self._require(chunk_id, digest_bytes(self.format, data))
        return len(data)


def _lost(object_id: ObjectId, name: str, exc: CorruptFile) -> CorruptObject:
    return CorruptObject(
        f"object '{object_id}' cannot be found, and {exc.message}", hint=exc.hint, id=object_id, pack=name
    )


class PackCheck(NamedTuple):
    """What a look at one pack gave: damage to all of it, its chunks, and damage to copies nobody reads."""

    name: str
    error: CorruptError | None
    chunks: Sequence[ObjectId] = ()
    spares: Sequence[CorruptError] = ()


def _damage_in(object_id: ObjectId, packs: Iterable[Pack]) -> Iterator[CorruptError]:
    for pack in packs:
        try:
            entry = pack.find(object_id)
            if entry is not None:
                pack.read(entry)
        except CorruptError as exc:
            yield exc
