"""Folders that the worktree does not have yet, built aside as a whole: one rename for all that is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from mlstore.durable import Staging, spread_below, storage_errors
from mlstore.durable.files import create_file
from mlstore.hashing import checksum_bytes
from mlstore.index import IndexEntry, StatData, Table
from mlstore.model import TreeEntry
from mlstore.model.tree import EntryKind

_DEEP = 1024


@dataclass(slots=True)
class Top:
    """A folder that gets its place by one rename: where it is built, and rows for the files in it."""

    root: str
    rows: Table = field(default_factory=Table)


@dataclass(slots=True)
class _Place:
    """A folder that is built aside, and the top of its new tree."""

    folder: str
    top: Top
    has_folders: bool = False


class NewTrees:
    """Folders that the worktree does not have are built aside, whole: one rename for all that is in them."""

    def __init__(self, root: Path, staging: Staging) -> None:
        self._root = root
        self._staging = staging
        self._places: dict[str, _Place | None] = {"": None}
        self._spreading = False
        self._spread: list[str] = []
        self.tops: dict[str, Top] = {}

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
            return _Place(below, above.top)
        try:
            os.lstat(self._root / folder)
        except FileNotFoundError:
            top = self.tops[folder] = Top(str(self._staging.new_folder()))
            return _Place(top.root, top)
        except NotADirectoryError:
            pass
        return None

    def write(self, path: str, data: bytes, entry: TreeEntry) -> IndexEntry:
        """Write the blob of *entry* into a new folder; raises ``StorageError``."""
        place, name = self._place_of(path)
        with storage_errors(path):
            known = StatData.of(create_file(f"{place.folder}{os.sep}{name}", data, mode_of(entry.kind)))
        return IndexEntry(path, entry.kind, entry.id, len(data), checksum_bytes(data), known)

    def add(self, rows: Table) -> None:
        """Note that files were written, by whichever process."""
        done, tops = 0, [self._place_of(path)[0].top for path in rows.paths]
        for _, group in groupby(tops, key=id):
            stop = done + len(list(group))
            tops[done].rows.copy_rows(rows, done, stop)
            done = stop

    def clear(self, paths: Iterable[str]) -> None:
        """Remove what another process may have written of *paths*."""
        for path in paths:
            place, name = self._place_of(path)
            with storage_errors(path), suppress(FileNotFoundError):
                os.unlink(f"{place.folder}{os.sep}{name}")

    def staged(self, top: str, path: str) -> str:
        """Give where a file of the new folder *top* was written."""
        return self.tops[top].root + os.sep + path[len(top) + 1 :]

    def _place_of(self, path: str) -> tuple[_Place, str]:
        folder, _, name = path.rpartition("/")
        place = self._places[folder]
        assert place is not None
        return place, name


def mode_of(kind: EntryKind) -> int:
    """Give the mode to create a file with, from which the umask takes its part."""
    return 0o777 if kind == "executable" else 0o666
