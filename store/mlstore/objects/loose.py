"""Loose objects: one file each, ``ab/cdef...``, the exact bytes, mode 0444.

``b3sum`` (or ``sha256sum``) over them agrees with their names.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from mlstore.durable import storage_error
from mlstore.errors import CorruptError, CorruptObject, NotFoundError, ObjectNotFound, StorageError
from mlstore.hashing import ObjectId, is_object_id, object_format, read_chunks

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# A named pipe under an object's name must not make us wait for its writer.
_READ |= getattr(os, "O_NONBLOCK", 0)


class LooseObjects:
    """The folder of loose objects."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._base = f"{root}{os.sep}"

    def _place(self, object_id: ObjectId) -> str:
        return f"{self._base}{object_id[:2]}{os.sep}{object_id[2:]}"

    def path(self, object_id: ObjectId) -> Path:
        """Where the object stands, or would stand."""
        return self.root / object_id[:2] / object_id[2:]

    def contains(self, object_id: ObjectId) -> bool:
        """Whether there is a file for the object; says nothing about its bytes.

        Raises ``StorageError`` where the disk does not say: that is not the same as no.
        """
        path = self._place(object_id)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as exc:
            raise storage_error(exc, path) from exc
        return True

    def open(self, object_id: ObjectId) -> int:
        """Give a descriptor open for reading.

        Raises ``ObjectNotFound``, or ``CorruptObject`` for what is no regular file: links are not followed.
        """
        path = self._place(object_id)
        try:
            fd = os.open(path, _READ)
        except (FileNotFoundError, NotADirectoryError):
            raise missing(object_id) from None
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise _no_file(object_id) from None
            raise storage_error(exc, path) from exc
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise _no_file(object_id)
        return fd

    def open_if_there(self, object_id: ObjectId) -> int | None:
        """As ``open``, but None for an object that is not here."""
        try:
            return self.open(object_id)
        except ObjectNotFound:
            return None

    def size_if_there(self, object_id: ObjectId) -> int | None:
        """Give the number of bytes on disk, None for an object that is not here."""
        try:
            return os.lstat(self._place(object_id)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        """Give the ids that begin with *prefix*, in order. Files with other names are no objects."""
        for folder in self._folders(prefix[:2]):
            for name in sorted(_listdir(self.root / folder)):
                object_id = folder + name
                if object_id.startswith(prefix) and is_object_id(object_id):
                    yield ObjectId(object_id)

    def _folders(self, prefix: str) -> list[str]:
        if len(prefix) == 2:
            return [prefix]
        return sorted(name for name in _listdir(self.root) if len(name) == 2 and name.startswith(prefix))

    def strangers(self) -> Iterator[Path]:
        """Give the files that do not belong here: wrong names, links, folders."""
        for folder in sorted(_listdir(self.root)):
            base = self.root / folder
            if base.is_symlink() or not base.is_dir():
                yield base
                continue
            if folder == "pack":
                continue
            for name in sorted(_listdir(base)):
                path = base / name
                if not is_object_id(folder + name) or path.is_symlink() or not path.is_file():
                    yield path


def check_file(
    task: tuple[str, ObjectId, str], tell: Callable[[int], None] | None = None, parallel: bool = False
) -> tuple[ObjectId, int, str | None, str | None]:
    """Hash a loose object: (folder, id, format) -> (id, size, what is wrong, the id that it has)."""
    root, object_id, format_name = task
    try:
        fd = LooseObjects(Path(root)).open(object_id)
    except (CorruptError, NotFoundError, StorageError) as exc:
        return object_id, 0, exc.message.partition("' ")[2] or exc.message, None
    try:
        hasher, size = object_format(format_name).new(parallel=parallel), 0
        for chunk in read_chunks(fd, os.fstat(fd).st_size):
            hasher.update(chunk)
            size += len(chunk)
            if tell is not None:
                tell(len(chunk))
    except OSError as exc:
        return object_id, 0, f"it cannot be read: {(exc.strerror or str(exc)).lower()}", None
    finally:
        os.close(fd)
    actual = hasher.hexdigest()
    if actual == object_id:
        return object_id, size, None, None
    return object_id, size, f"its bytes hash to '{actual}'", actual


def missing(object_id: ObjectId, elsewhere: str | None = None) -> ObjectNotFound:
    """Give the error for an object that is not there; *elsewhere* says where it may be."""
    return ObjectNotFound(
        f"object '{object_id}' is {'not in this store' if elsewhere else 'missing'}",
        hint=elsewhere or "'mlstore fsck' lists who needs it; 'mlstore add' of a good copy heals it",
        id=object_id,
    )


def _no_file(object_id: ObjectId) -> CorruptObject:
    return CorruptObject(
        f"object '{object_id}' is a link, folder or device, not a file",
        hint="remove what stands there, then 'mlstore add' a good copy",
        id=object_id,
    )


def _listdir(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
