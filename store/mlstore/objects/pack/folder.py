"""All packs of a store: ``objects/pack/*.pack``, the newest looked at first."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from mlstore.durable import storage_errors
from mlstore.errors import CorruptError, CorruptFile, CorruptObject
from mlstore.hashing import ObjectFormat, ObjectId, is_object_id
from mlstore.objects.pack.codec import EntryKind, PackEntry
from mlstore.objects.pack.pack import Pack

SUFFIX = ".pack"
_RACY = 2_000_000_000  # nanoseconds: the coarsest clock of a file system in use
_TRIES = 5
# A process may have about a thousand files open. Large packs are not merged, so there may be many: beyond
# so many in all, they are opened for each read. Small ones stay open, as they may be merged and removed.
_MOST_OPEN = 200
_LARGE = 32 << 20
_HEX = frozenset("0123456789abcdef")


class PackFolder:
    """Finds objects in packs. Packs that appear or vanish (consolidated by another process) are noticed."""

    def __init__(self, root: Path, fmt: ObjectFormat) -> None:
        self.root = root
        self._format = fmt
        self._packs: dict[str, Pack] = {}
        self._seen: int | None = None
        self._racy = False
        self.broken: dict[str, CorruptFile] = {}

    def path(self, name: str) -> Path:
        """Where the pack called *name* stands."""
        return self.root / f"{name}{SUFFIX}"

    def packs(self) -> list[Pack]:
        """Give the packs that can be read; those that cannot are in ``broken``."""
        self._refresh()
        return list(self._packs.values())

    def _refresh(self) -> bool:
        """Look at the folder if it may have changed; says whether it did look."""
        with storage_errors(self.root):
            try:
                stamp = os.stat(self.root).st_mtime_ns
                if stamp == self._seen and not self._racy:
                    return False
                found = self._open_all()
            except (FileNotFoundError, NotADirectoryError):
                changed = bool(self._packs)
                self._packs, self._seen, self.broken = {}, None, {}
                return changed
        self._packs, self._seen = found, stamp
        # A folder that has only just changed may change again within one tick of the file system's clock.
        self._racy = time.time_ns() - stamp < _RACY
        return True

    def _open_all(self) -> dict[str, Pack]:
        found: dict[str, Pack] = {}
        for _ in range(_TRIES):
            self.broken, found, vanished = {}, {}, False
            for name, inode in self._names():
                pack = self._packs.get(name)
                if pack is None or pack.inode != inode:  # a damaged one may have been replaced by a good one
                    pack = self._open(name)
                    vanished |= pack is None and name not in self.broken
                if pack is not None:
                    found[name] = pack
                    if len(found) > _MOST_OPEN and pack.size > _LARGE and pack is not self._packs.get(name):
                        pack.close()
            if not vanished:
                break  # else it was consolidated meanwhile: what it held is in a pack that we did not see
        return found

    def _names(self) -> list[tuple[str, int]]:
        with os.scandir(self.root) as entries:
            found = [
                (entry.name.removesuffix(SUFFIX), entry.inode())
                for entry in entries
                if entry.name.endswith(SUFFIX)
            ]
        return sorted(pair for pair in found if is_object_id(pair[0]))

    def _open(self, name: str) -> Pack | None:
        try:
            return Pack(self.path(name), self._format.name)
        except FileNotFoundError:
            return None
        except CorruptFile as exc:
            self.broken[name] = exc
            return None

    def forget(self) -> None:
        """Look at the folder again next time: a pack was just published or removed here."""
        self._seen = None

    def find(self, object_id: ObjectId, *, again: bool = True) -> tuple[Pack, PackEntry] | None:
        """Give where *object_id* is, None when no pack holds it; a chunk only where there is no object.

        *again* looks at the folder once more before it says that there is no object: another process may
        have added a pack.
        """
        if self._seen is None:
            self._refresh()
        found = self._find(object_id)
        if (found is None or found[1].kind == EntryKind.CHUNK) and again and self._refresh():
            found = self._find(object_id)
        return found

    def find_part(self, object_id: ObjectId) -> tuple[Pack, PackEntry] | None:
        """As ``find``, for a recipe's part: a chunk is as good as an object."""
        return self.find(object_id, again=False) or self.find(object_id)

    def _find(self, object_id: ObjectId) -> tuple[Pack, PackEntry] | None:
        best: tuple[Pack, PackEntry] | None = None
        for pack in self._packs.values():
            entry = self._look(pack, object_id)
            if entry is not None:
                if entry.kind != EntryKind.CHUNK:
                    return pack, entry
                best = pack, entry  # a chunk's bytes are an object's too, but an object says so itself
        return best

    def copies(self, object_id: ObjectId) -> list[tuple[Pack, PackEntry]]:
        """Give every place where *object_id* is: when one is damaged another may be good."""
        found = []
        for pack in self._packs.values():
            entry = self._look(pack, object_id)
            if entry is not None:
                found.append((pack, entry))
        return found

    def _look(self, pack: Pack, object_id: ObjectId) -> PackEntry | None:
        try:
            return pack.find(object_id)
        except CorruptFile as exc:
            self.broken[pack.name] = exc  # told when something is missed; other packs still serve
            return None

    def holds(self, object_id: ObjectId) -> bool:
        """Whether a pack has the bytes themselves (no recipe), undamaged by their checksum.

        That is enough to share a chunk, and needs no decompression: bytes which are not those of their
        id, and were so when they were written, are found by whoever hashes the object.
        """
        if self.find(object_id, again=False) is None:
            return False
        for pack, entry in self.copies(object_id):
            if entry.kind != EntryKind.RECIPE:
                try:
                    pack.read_stored(entry)
                except CorruptError:
                    continue
                return True
        return False

    def read(self, object_id: ObjectId) -> bytes:
        """Give the bytes that packs hold under *object_id* (no recipe): a copy that is whole, if any is.

        Raises ``CorruptError`` when there is none. Whether they are what the id says is for the caller.
        """
        error: CorruptError | None = None
        data: bytes | None = None
        copies = [found for found in self.copies(object_id) if found[1].kind != EntryKind.RECIPE]
        for pack, entry in copies:
            try:
                data = pack.read(entry)
            except CorruptError as exc:
                error = exc
                continue
            if len(copies) == 1 or self._format.hash_bytes(data) == object_id:
                return data
        if data is not None:
            return data
        raise error or CorruptObject(f"object '{object_id}' is in no pack", id=object_id)

    def entries(self) -> Iterator[tuple[Pack, PackEntry]]:
        """Give every entry of every pack; an id may come more than once. Damaged packs go to ``broken``."""
        for pack in self.packs():
            try:
                for entry in pack.entries():
                    yield pack, entry
            except CorruptFile as exc:
                self.broken[pack.name] = exc

    def with_prefix(self, prefix: str) -> Iterator[PackEntry]:
        """Give the entries whose ids begin with *prefix* (hex digits)."""
        if not _HEX.issuperset(prefix):
            return
        if len(prefix) < 2:
            yield from (entry for _, entry in self.entries() if entry.id.startswith(prefix))
            return
        for pack in self.packs():
            try:
                yield from pack.with_prefix(prefix)
            except CorruptFile as exc:
                self.broken[pack.name] = exc

    def strangers(self) -> Iterator[Path]:
        """Give the files that are no packs."""
        try:
            names = sorted(os.listdir(self.root))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            path = self.root / name
            is_pack = name.endswith(SUFFIX) and is_object_id(name.removesuffix(SUFFIX))
            if not is_pack or path.is_symlink() or not path.is_file():
                yield path
