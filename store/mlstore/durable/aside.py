"""Putting damaged files aside: nothing of them is lost, and nothing that stood elsewhere is replaced."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from mlstore.durable.errors import storage_errors
from mlstore.durable.files import CREATE, make_folder
from mlstore.durable.sync import sync_folder

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


def set_aside(path: Path, new: Path, *, fsync: bool = True) -> None:
    """Move whatever stands at *path* (a file, link, pipe or folder) to *new*, where nothing may stand.

    After a crash it is at one place or at the other. Fine when nothing is at *path*. Raises ``StorageError``.
    """
    with storage_errors(path):
        if not os.path.lexists(path):
            return
        _require_free(new, fsync=fsync)
        os.rename(path, new)
        if fsync:
            sync_folder(new.parent)
            sync_folder(path.parent)


def keep_copy(path: Path, new: Path, *, fsync: bool = True) -> None:
    """Give the file at *path* a second name (where there are no hard links, a copy), durably.

    For what is about to be replaced. *path* stays as it is. Raises ``StorageError``.
    """
    with storage_errors(path):
        _require_free(new, fsync=fsync)
        try:
            os.link(path, new)
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            _copy(path, new, fsync=fsync)
        if fsync:
            sync_folder(new.parent)


def _require_free(new: Path, *, fsync: bool) -> None:
    make_folder(new.parent, fsync=fsync)
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))


def _copy(path: Path, new: Path, *, fsync: bool) -> None:
    fd = os.open(new, CREATE, 0o444)
    with open(path, "rb") as source, open(fd, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        if fsync:
            os.fsync(target.fileno())
