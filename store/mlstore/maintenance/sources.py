"""Where good copies may be: folders of files, other stores, the trash. They are read, hashed, never trusted.

Files are chosen by their size first; only what has the size of something that is missed is read. Nothing of
what was seen is kept, so a search needs no more memory for a large folder than for a small one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlstore.errors import CorruptError, NotFoundError, StorageError
from mlstore.hashing import ObjectId, hash_fd
from mlstore.maintenance.trash import trash_bags
from mlstore.objects import SMALL, ObjectDatabase
from mlstore.repository import STORE_NAME, Repository

_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file whose bytes are those of an object. ``fd`` stands at its start, and is closed by the search."""

    id: ObjectId
    path: Path
    fd: int


@dataclass(slots=True)
class Search:
    """Looks for objects in *folders*, in the stores in them, and in the trash of *repo* itself.

    ``unread`` are folders and files that could not be read.
    """

    repo: Repository
    folders: list[Path]
    unread: list[str] = field(default_factory=list)

    def stores(self) -> Iterator[tuple[str, ObjectDatabase]]:
        """Give the object databases, each with what to call it."""
        for bag in trash_bags(self.repo):
            yield f"trash of {bag.path.name}", self._database(bag.path)
        for folder in self.folders:
            for root in (folder / STORE_NAME / "objects", folder / "objects"):
                if root.is_dir() and not root.samefile(self.repo.store / "objects"):
                    yield str(folder), self._database(root)

    def _database(self, root: Path) -> ObjectDatabase:
        return ObjectDatabase(root, self.repo.format, scratch=self.repo.scratch, fsync=False)

    def files(self, wanted: Mapping[ObjectId, int | None]) -> Iterator[FoundFile]:
        """Give files that are one of *wanted* (with its size in bytes; None: at most 1 MiB), as they come.

        *wanted* may lose what was found meanwhile. A file is hashed whole before it is given.
        """
        for folder in self.folders:
            for path in self._walk(folder):
                sizes = {size for size in wanted.values() if size is not None}
                found = self._look_at(path, sizes, wanted) if wanted else None
                if found is not None:
                    try:
                        yield found
                    finally:
                        os.close(found.fd)

    def _walk(self, folder: Path) -> Iterator[str]:
        def note(exc: OSError) -> None:
            if not isinstance(exc, FileNotFoundError):
                self.unread.append(str(exc.filename))

        for base, folders, names in os.walk(folder, onerror=note):
            folders[:] = sorted(name for name in folders if name != STORE_NAME)
            for name in sorted(names):
                yield os.path.join(base, name)

    def _look_at(
        self, path: str, sizes: Collection[int], wanted: Mapping[ObjectId, int | None]
    ) -> FoundFile | None:
        try:
            status = os.lstat(path)
            unknown = status.st_size <= SMALL and None in wanted.values()
            if not stat.S_ISREG(status.st_mode) or not (status.st_size in sizes or unknown):
                return None
            fd = os.open(path, _READ)
        except FileNotFoundError:
            return None
        except OSError:
            self.unread.append(path)
            return None
        try:
            found = hash_fd(self.repo.format, fd).id if stat.S_ISREG(os.fstat(fd).st_mode) else None
            if found is not None and found in wanted:
                os.lseek(fd, 0, os.SEEK_SET)
                return FoundFile(found, Path(path), fd)
        except OSError:
            self.unread.append(path)
        os.close(fd)
        return None


def chunk_in(database: ObjectDatabase, chunk_id: ObjectId) -> bytes | None:
    """Give the bytes of a chunk that *database* has, proved; None where it has none."""
    with suppress(CorruptError, NotFoundError, StorageError):
        data = (
            database.packs.read(chunk_id)
            if database.packs.find_part(chunk_id) is not None
            else database.read(chunk_id)
        )
        if database.format.hash_bytes(data) == chunk_id:
            return data
    return None
