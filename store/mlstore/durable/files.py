"""Single files of the store: replaced whole, appended line by line, removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlstore.durable.errors import storage_error, storage_errors
from mlstore.durable.reading import no_link_on_the_way, open_regular
from mlstore.durable.sync import sync_folder
from mlstore.hashing import BytesLike

SINGLE_FILE = "file-"
"""How the names of files that are about to replace others begin."""

CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def write_all(fd: int, data: BytesLike) -> None:
    """Write every byte of *data*: one ``write`` may take less than it was given."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def create_file(path: str, data: BytesLike, mode: int) -> os.stat_result:
    """Make a new file that holds *data*, not synced, and give its ``fstat``; raises ``OSError``."""
    fd = os.open(path, CREATE, mode)
    try:
        if os.write(fd, data) != len(data):
            os.lseek(fd, 0, os.SEEK_SET)
            write_all(fd, data)
        return os.fstat(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, fsync: bool = True) -> None:
    """Create *folder* and what is missing above it, durably; fine when it is there."""
    no_link_on_the_way(folder)
    if folder.is_dir():
        return
    with storage_errors(folder):
        make_folder(folder.parent, fsync=fsync)
        try:
            os.mkdir(folder)
        except FileExistsError:
            return
        if fsync:
            sync_folder(folder.parent)


def replace_file(path: Path, data: bytes, *, scratch: Path, fsync: bool = True, mode: int = 0o666) -> None:
    """Make *path* hold *data*: readers see the old bytes or the new ones, never a mix.

    The bytes are written into the folder *scratch* (same file system) first; the caller holds the write
    lock where others sweep that folder. Raises ``StorageError``; *path* is then unchanged.
    """
    make_folder(path.parent, fsync=fsync)
    temporary = scratch / f"{SINGLE_FILE}{os.urandom(8).hex()}"
    with storage_errors(path):
        scratch.mkdir(exist_ok=True)
        fd = os.open(temporary, CREATE, mode)
        try:
            try:
                write_all(fd, data)
                if fsync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if fsync:
            sync_folder(path.parent)


def append_line(path: Path, line: bytes, *, fsync: bool = True) -> None:
    """Append *line* (no line break in it) to *path*, durably.

    A tail without line break, left by a writer that died, is closed first so that it can never run
    into the new line; readers skip lines that they cannot parse.
    """
    make_folder(path.parent, fsync=fsync)
    with storage_errors(path):
        created = not path.exists()
        fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            size = os.fstat(fd).st_size
            if size and _last_byte(fd, size) != b"\n":
                line = b"\n" + line
            write_all(fd, line + b"\n")
            if fsync:
                os.fsync(fd)
        finally:
            os.close(fd)
        if created and fsync:
            sync_folder(path.parent)


def _last_byte(fd: int, size: int) -> bytes:
    os.lseek(fd, size - 1, os.SEEK_SET)
    return os.read(fd, 1)


def files_below(folder: Path) -> Iterator[Path]:
    """Give every file below *folder*, in no order; a folder that is not there has none.

    Links are files. Raises ``StorageError`` for a folder that cannot be read: whoever took it for an empty
    one would take what only its files lead to for garbage.
    """

    def fail(exc: OSError) -> None:
        if not isinstance(exc, (FileNotFoundError, NotADirectoryError)):
            raise storage_error(exc)

    for base, folders, files in os.walk(folder, onerror=fail):
        for name in files:
            yield Path(base, name)
        for name in folders:
            if os.path.islink(os.path.join(base, name)):
                yield Path(base, name)


def move_folder(old: Path, new: Path, *, fsync: bool = True) -> None:
    """Give the folder *old* the name *new* (same file system), durably, in one step.

    Raises ``StorageError``, also when there is something at *new* already.
    """
    with storage_errors(new):
        os.rename(old, new)
        if fsync:
            sync_folder(new.parent)
            sync_folder(old.parent)


def remove_folder(path: Path) -> None:
    """Remove the folder *path* and all below it; fine when it is gone or no folder. Not made durable."""
    if path.is_dir() and not path.is_symlink():
        with storage_errors(path):
            import shutil

            shutil.rmtree(path)


def remove_empty_folder(path: Path) -> None:
    """Remove the folder *path* if there is nothing in it. Not made durable."""
    with suppress(OSError):
        os.rmdir(path)


def remove_file(path: Path, *, fsync: bool = True) -> None:
    """Remove *path*, durably; fine when it is gone."""
    with storage_errors(path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        if fsync:
            sync_folder(path.parent)
