"""Many files made visible at once: written aside, synced together, then given their names.

A ``Staging`` is a folder of its own under ``.mlstore/tmp``. Its owner holds a lock inside it; a folder
whose lock nobody holds belongs to a dead process, and ``sweep`` removes it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from mlstore.durable.errors import storage_errors
from mlstore.durable.files import CREATE, SINGLE_FILE, make_folder, write_all
from mlstore.durable.locks import try_lock
from mlstore.durable.reading import no_link_on_the_way
from mlstore.durable.sync import sync_file_system, sync_folder
from mlstore.hashing import BytesLike

_LOCK_NAME = "owner.lock"
_UNLOCKED_GRACE = 3600.0
# From this many files on, one syncfs beats one fsync each.
_BATCH_FROM = 4
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


class StagedFile:
    """A new file in a staging folder, open for writing."""

    __slots__ = ("fd", "path")

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self.fd = os.open(path, CREATE, mode)

    def write(self, data: BytesLike) -> None:
        """Append *data*."""
        write_all(self.fd, data)

    def close(self) -> None:
        """Close the file; it stays where it is until it is published."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Staging:
    """A folder for files that are not yet visible; everything left in it is dropped at the end.

    *fsync* False leaves out every sync: for throw-away stores.
    """

    def __init__(self, scratch: Path, *, fsync: bool = True) -> None:
        self.scratch = scratch
        self._fsync = fsync
        self._folder: Path | None = None
        self._lock = -1
        self._count = 0

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def new_file(self, mode: int = 0o444) -> StagedFile:
        """Open a new file; raises ``StorageError``."""
        with storage_errors(self.scratch):
            if self._folder is None:
                self._folder = self._open_folder()
            self._count += 1
            return StagedFile(self._folder / f"{self._count:x}", mode)

    def new_folder(self) -> Path:
        """Make a new folder, for a whole tree that gets its place by one rename; raises ``StorageError``."""
        with storage_errors(self.scratch):
            if self._folder is None:
                self._folder = self._open_folder()
            self._count += 1
            path = self._folder / f"{self._count:x}"
            path.mkdir()
            return path

    def _open_folder(self) -> Path:
        no_link_on_the_way(self.scratch)
        self.scratch.mkdir(exist_ok=True)
        while True:
            folder = self.scratch / f"staging-{os.urandom(8).hex()}"
            folder.mkdir()
            lock = folder / _LOCK_NAME
            # Where a sweep comes between these lines the folder is going or gone: take another.
            with suppress(FileNotFoundError):
                self._lock = os.open(lock, CREATE, 0o600)
                if try_lock(self._lock) and lock.exists():
                    return folder
                os.close(self._lock)
                self._lock = -1

    def publish(
        self,
        moves: Iterable[tuple[Path, Path]],
        *,
        is_corrupt: Callable[[Path], bool],
        reused: Iterable[Path] = (),
    ) -> None:
        """Give staged files their final names: ``(staged, final)`` pairs, all or (after a crash) some.

        A final name that exists is left alone, unless *is_corrupt* says that its bytes are damaged:
        then the good copy takes its place. *reused* are folders with files that were there before and
        that the caller relies on: whoever put them there may have died before their names were on disk.
        Raises ``StorageError``.
        """
        pairs = list(moves)
        touched = {place for folder in reused for place in (folder, folder.parent)}
        if not (pairs or touched):
            return
        checked: set[Path] = set()
        with storage_errors(self.scratch):
            self._sync_files([staged for staged, _ in pairs])
            for staged, final in pairs:
                if final.parent not in checked:
                    no_link_on_the_way(final.parent)
                    checked.add(final.parent)
                if final.parent not in touched and not final.parent.is_dir():
                    final.parent.mkdir(parents=True, exist_ok=True)
                    touched.add(final.parent.parent)
                touched.add(final.parent)
                _give_name(staged, final, is_corrupt)
            self._sync_names(touched)

    def _sync_files(self, files: list[Path]) -> None:
        if not (self._fsync and files) or (len(files) >= _BATCH_FROM and sync_file_system(self.scratch)):
            return
        for path in files:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _sync_names(self, folders: set[Path]) -> None:
        if not self._fsync or (len(folders) >= _BATCH_FROM and sync_file_system(self.scratch)):
            return
        for folder in sorted(folders):
            sync_folder(folder)

    def discard(self) -> None:
        """Drop what was not published."""
        if self._folder is not None:
            _remove_tree(self._folder)
            self._folder = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def move_files(
    moves: Iterable[tuple[Path, Path]], *, is_corrupt: Callable[[Path], bool], fsync: bool = True
) -> None:
    """Give files of the store other places: ``(old, new)`` pairs, durably. Folders are made as needed.

    After a crash each file is at one place or at both. A file that is at the new place already stays, unless
    *is_corrupt* says that it is damaged. Raises ``StorageError``.
    """
    touched: set[Path] = set()
    for old, new in moves:
        with storage_errors(old):
            make_folder(new.parent, fsync=fsync)
            _give_name(old, new, is_corrupt)
            touched |= {old.parent, new.parent}
    if fsync:
        for folder in sorted(touched):
            with storage_errors(folder):
                sync_folder(folder)


def _give_name(staged: Path, final: Path, is_corrupt: Callable[[Path], bool]) -> None:
    try:
        os.link(staged, final)
    except FileExistsError:
        if is_corrupt(final):
            os.replace(staged, final)
            return
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        if not final.exists() or is_corrupt(final):
            os.replace(staged, final)  # a file system without hard links
            return
    os.unlink(staged)


def _remove_tree(folder: Path) -> None:
    """Remove a staging folder, its lock last: whoever dies halfway leaves one that can be swept."""
    with suppress(OSError):
        for name in sorted(os.listdir(folder), key=_LOCK_NAME.__eq__):
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                import shutil

                shutil.rmtree(path)
            else:
                path.unlink()
        os.rmdir(folder)


def sweep(scratch: Path) -> None:
    """Remove what dead processes left in *scratch*; never fails, never touches what is in use.

    The caller holds the write lock, under which all single files are written: those are nobody's now.
    """
    try:
        if scratch.is_symlink():
            return  # what it leads to is not ours
        names = os.listdir(scratch)
    except OSError:
        return
    for name in names:
        path = scratch / name
        with suppress(OSError):
            _sweep_one(path)


def _sweep_one(path: Path) -> None:
    old = time.time() - path.lstat().st_mtime > _UNLOCKED_GRACE
    if path.is_symlink() or not path.is_dir():
        if old or path.name.startswith(SINGLE_FILE):
            path.unlink()
        return
    try:
        fd = os.open(path / _LOCK_NAME, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        # Its owner is between making the folder and locking it, or died there or while removing it.
        _remove_tree(path) if old else os.rmdir(path)  # which an empty one lets itself be
        return
    try:
        # Held while the folder goes: an owner who comes for the lock now sees that it is too late.
        if try_lock(fd):
            _remove_tree(path)
    finally:
        os.close(fd)
