"""Folders that the worktree does not have yet, built aside as a whole: one rename for all that is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlstore.durable import Staging, spread_below, storage_errors
from mlstore.durable.files import create_file
from mlstore.hashing import Digest, ObjectId
from mlstore.index import StatData

_DEEP = 1024


class Written(NamedTuple):
    """A file that was put into the worktree: its digest, and its stat data right after."""

    digest: Digest
    stat: StatData


@dataclass(slots=True)
class _Place:
    """A folder that is built aside, and the files of its new tree: path, staged file, what is written."""

    folder: str
    files: list[tuple[str, str, Written]]
    has_folders: bool = False


class NewTrees:
    """Folders that the worktree does not have are built aside, whole: one rename for all that is in them."""

    def __init__(self, root: Path, staging: Staging) -> None:
        self._root = root
        self._staging = staging
        self._places: dict[str, _Place | None] = {"": None}
        self._spreading = False
        self._spread: list[str] = []
        self.tops: dict[str, tuple[Path, list[tuple[str, str, Written]]]] = {}

    def spread(self) -> None:
        """Have what is built from now on spread over the disk: many files may just have been removed."""
        self._spreading = True
        spread_below(self._staging.scratch)  # for the folder in which all is staged

    def gather(self) -> None:
        """Leave no trace of that in what becomes the user's."""
        for folder in self._spread:
            spread_below(folder, on=False)
        self._spread.clear()

    def place(self, folder: str) -> _Place | None:
        """Give where the files of *folder* are to be written, None for a folder that is there already."""
        if folder not in self._places:
            # Where it would lie too deep below the staging folder its files take the ordinary way.
            deep = len(folder) > _DEEP or folder.count("/") > _DEEP // 16
            self._places[folder] = None if deep else self._make(folder)
        return self._places[folder]

    def _make(self, folder: str) -> _Place | None:
        parent, _, name = folder.rpartition("/")
        above = self.place(parent)
        if above is not None:
            if self._spreading and not above.has_folders:
                spread_below(above.folder)
                self._spread.append(above.folder)
                above.has_folders = True
            below = f"{above.folder}{os.sep}{name}"
            os.mkdir(below)
            return _Place(below, above.files)
        try:
            os.lstat(self._root / folder)
        except FileNotFoundError:
            path = self._staging.new_folder()
            place = _Place(str(path), [])
            self.tops[folder] = path, place.files
            return place
        except NotADirectoryError:
            pass
        return None

    def write(self, path: str, data: bytes, digest: Digest, mode: int) -> Written:
        """Write a file into a new folder; raises ``StorageError``."""
        place, name = self._place_of(path)
        with storage_errors(path):
            return Written(digest, StatData.of(create_file(f"{place.folder}{os.sep}{name}", data, mode)))

    def add(self, path: str, written: Written) -> None:
        """Note that a file was written, by whichever process."""
        place, name = self._place_of(path)
        place.files.append((path, f"{place.folder}{os.sep}{name}", written))

    def clear(self, paths: Iterable[str]) -> None:
        """Remove what another process may have written of *paths*."""
        for path in paths:
            place, name = self._place_of(path)
            with storage_errors(path), suppress(FileNotFoundError):
                os.unlink(f"{place.folder}{os.sep}{name}")

    def _place_of(self, path: str) -> tuple[_Place, str]:
        folder, _, name = path.rpartition("/")
        place = self._places[folder]
        assert place is not None
        return place, name


def as_plain(written: Written) -> tuple[Any, ...]:
    """Give it as plain values, for another process."""
    digest, known = written
    return (str(digest.id), *digest[1:], *known)


def from_plain(values: tuple[Any, ...]) -> Written:
    """Read what ``as_plain`` gave."""
    object_id, size, checksum, *known = values
    return Written(Digest(ObjectId(object_id), size, checksum), StatData(*known))
