"""Opening a file that may not be what its name promises: a link, a pipe, a device, one without an end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mlstore.durable.errors import storage_error
from mlstore.errors import CorruptFile, MlstoreError

_STORE = ".mlstore"
# A named pipe must not make us wait for its other end, and a link must not lead us elsewhere.
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_SAFE |= getattr(os, "O_BINARY", 0)
_NO_FILE = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR})


def open_regular(
    path: Path, flags: int = os.O_RDONLY, *, error: type[MlstoreError] = CorruptFile, mode: int = 0o666
) -> int:
    """Open the regular file *path* and give its descriptor.

    Raises *error* for what is no regular file, ``FileNotFoundError`` or ``NotADirectoryError`` where there is
    none, ``StorageError`` for all else.
    """
    try:
        fd = os.open(path, flags | _SAFE, mode)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as exc:
        if exc.errno in _NO_FILE:
            raise _no_file(path, error) from None
        raise storage_error(exc, path) from exc
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _no_file(path, error)
    return fd


def read_regular(path: Path, most: int, *, error: type[MlstoreError] = CorruptFile) -> bytes:
    """Give the bytes of the file *path*; raises as ``open_regular``, and *error* beyond *most* bytes."""
    fd = open_regular(path, error=error)
    try:
        data = bytearray()
        if os.fstat(fd).st_size <= most:
            while len(data) <= most and (piece := os.read(fd, 1 << 20)):
                data += piece
            if len(data) <= most:
                return bytes(data)
    except OSError as exc:
        raise storage_error(exc, path) from exc
    finally:
        os.close(fd)
    raise error(
        f"'{path.name}' is larger than {most >> 20} MiB, which no such file is",
        hint="look at what stands there, and put a good copy in its place",
        path=str(path),
    )


def no_link_on_the_way(folder: Path) -> None:
    """Refuse to write where a folder of the store is a link; raises ``CorruptFile``.

    Nothing of mlstore makes one: it would have us write outside of the store.
    """
    if _STORE not in folder.parts:
        return
    for place in (folder, *folder.parents):
        if place.name == _STORE:
            return
        if place.is_symlink():
            raise CorruptFile(
                f"'{place.name}' in the store is a link, not a folder",
                hint="mlstore writes into no folder that is a link: put the folder itself there",
                path=str(place),
            )


def _no_file(path: Path, error: type[MlstoreError]) -> MlstoreError:
    return error(
        f"'{path.name}' is a link, folder, pipe or device, not a file",
        hint="look at what stands there, and put a good copy of the file in its place",
        path=str(path),
    )
