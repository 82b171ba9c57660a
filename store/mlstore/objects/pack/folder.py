"""All packs of a store: ``objects/pack/*.pack``, the newest looked at first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mlstore.errors import CorruptError, CorruptFile, CorruptObject
from mlstore.hashing import ObjectFormat, ObjectId, is_object_id
from mlstore.objects.pack.codec import EntryKind, PackEntry
from mlstore.objects.pack.pack import Pack

SUFFIX = ".pack"


class PackFolder:
    """Finds objects in packs. Packs that appear or vanish (consolidated by another process) are noticed."""

    def __init__(self, root: Path, fmt: ObjectFormat) -> None:
        self.root = root
        self._format = fmt
        self._packs: dict[str, Pack] = {}
        self._seen: int | None = None
        self.broken: dict[str, CorruptFile] = {}

    def path(self, name: str) -> Path:
        """Where the pack called *name* stands."""
        return self.root / f"{name}{SUFFIX}"

    def packs(self) -> list[Pack]:
        """Give the packs that can be read; those that cannot are in ``broken``."""
        self._refresh()
        return list(self._packs.values())

    def _refresh(self) -> bool:
        """Look at the folder if it changed; says whether it did."""
        try:
            stamp = os.stat(self.root).st_mtime_ns
        except FileNotFoundError:
            changed = bool(self._packs)
            self._packs = {}
            return changed
        if stamp == self._seen:
            return False
        names = [name.removesuffix(SUFFIX) for name in os.listdir(self.root) if name.endswith(SUFFIX)]
        found: dict[str, Pack] = {}
        self.broken = {}
        for name in sorted(filter(is_object_id, names)):
            pack = self._packs.get(name) or self._open(name)
            if pack is not None:
                found[name] = pack
        self._packs = found
        self._seen = stamp
        return True

    def _open(self, name: str) -> Pack | None:
        try:
            return Pack(self.path(name), self._format.name)
        except FileNotFoundError:
            return None  # consolidated meanwhile: what it held is in another pack
        except CorruptFile as exc:
            self.broken[name] = exc
            return None

    def forget(self) -> None:
        """Look at the folder again next time: a pack was just published or removed here."""
        self._seen = None

    def find(self, object_id: ObjectId, *, again: bool = True) -> tuple[Pack, PackEntry] | None:
        """Give where *object_id* is, None when no pack holds it.

        *again* looks at the folder once more before it says so: another process may have added a pack.
        """
        if self._seen is None:
            self._refresh()
        found = self._find(object_id)
        if found is None and again and self._refresh():
            found = self._find(object_id)
        return found

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
        """Whether a pack has the bytes themselves (no recipe), undamaged by their checksum."""
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
        """Give the bytes that packs hold under *object_id* (no recipe), from the first copy that is whole.

        Raises ``CorruptError`` when there is none. Whether they are what the id says is for the caller.
        """
        error: CorruptError | None = None
        for pack, entry in self.copies(object_id):
            if entry.kind != EntryKind.RECIPE:
                try:
                    return pack.read(entry)
                except CorruptError as exc:
                    error = exc
        raise error or CorruptObject(f"object '{object_id}' is in no pack", id=object_id)

    def entries(self) -> Iterator[tuple[Pack, PackEntry]]:
        """Give every entry of every pack; an id may come more than once."""
        for pack in self.packs():
            for entry in pack.entries():
                yield pack, entry

    def with_prefix(self, prefix: str) -> Iterator[PackEntry]:
        """Give the entries whose ids begin with *prefix* (hex digits)."""
        for pack in self.packs():
            if len(prefix) >= 2:
                yield from pack.with_prefix(prefix)
            else:
                yield from (entry for entry in pack.entries() if entry.id.startswith(prefix))

    def strangers(self) -> Iterator[Path]:
        """Give the files that are no packs."""
        try:
            names = sorted(os.listdir(self.root))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            path = self.root / name
            if not (name.endswith(SUFFIX) and is_object_id(name.removesuffix(SUFFIX))) or path.is_symlink():
                yield path
