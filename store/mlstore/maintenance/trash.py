"""The trash: ``.mlstore/trash/TIME-NUMBER/``, each laid out as ``objects`` is.

What a collection takes out stands there until it expires, so that it can be undone. Nothing reads it.
"""

from __future__ import annotations

import calendar
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlstore.durable import files_below, move_files, remove_folder
from mlstore.objects import ObjectDatabase
from mlstore.repository import Repository

_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class TrashBag:
    """What one collection took out."""

    path: Path
    moment: float

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.lstat().st_size for file in self.files())

    def files(self) -> list[Path]:
        """Give the files in it, sorted."""
        return sorted(file for file in files_below(self.path) if not file.is_symlink())


def trash_bags(repo: Repository) -> list[TrashBag]:
    """Give what is in the trash, the newest first. Folders with other names are nobody's business."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in sorted(os.listdir(repo.store / "trash"), reverse=True):
            with suppress(ValueError):
                parsed = time.strptime(name.partition("-")[0], _STAMP)
                found.append(TrashBag(repo.store / "trash" / name, calendar.timegm(parsed)))
    return found


def new_bag(repo: Repository, now: float) -> Path:
    """Give the folder for what is to be taken out now; it is not made yet."""
    stamp = time.strftime(_STAMP, time.gmtime(now))
    taken = {bag.path.name for bag in trash_bags(repo)}
    number = 0
    while f"{stamp}-{number:04}" in taken:
        number += 1
    return repo.store / "trash" / f"{stamp}-{number:04}"


def restore_bag(repo: Repository, bag: TrashBag) -> int:
    """Put everything back where it was and give the number of objects that came back.

    The caller holds the write lock. What the store has by now stays as it is, if it is sound.
    """
    held = ObjectDatabase(bag.path, repo.format, scratch=repo.scratch)
    ids = set(held.ids())
    files = bag.files()
    for file in files:
        os.utime(file)  # they were asked for just now: not to be collected at once
    moves = [(file, repo.store / "objects" / file.relative_to(bag.path)) for file in files]
    move_files(moves, is_corrupt=repo.objects.is_damaged, fsync=repo.fsync)
    repo.objects.packs.forget()
    remove_folder(bag.path)
    return len(ids)


def empty_trash(repo: Repository, before: float) -> int:
    """Remove for good what was taken out before a moment (seconds since the epoch); gives the bytes freed."""
    freed = 0
    for bag in trash_bags(repo):
        if bag.moment < before:
            freed += bag.size
            remove_folder(bag.path)
    return freed
