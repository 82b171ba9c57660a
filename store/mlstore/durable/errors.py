"""Operating-system errors in the words of the exception tree."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mlstore.errors import StorageError

_HINTS = {
    errno.ENOSPC: "free some space and run the command again: nothing was lost",
    errno.EDQUOT: "free some of your quota and run the command again: nothing was lost",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "check the owner and the permissions of the folder",
    errno.EPERM: "check the owner and the permissions of the folder",
    errno.EIO: "the disk reported an error: check it before you go on",
    errno.EFBIG: "the file is larger than the file system or the process limit allows",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def storage_error(exc: OSError, path: object = None) -> StorageError:
    """Give *exc* as a ``StorageError`` that names the file."""
    subject = path if path is not None else exc.filename
    reason = (exc.strerror or str(exc)).lower()
    return StorageError(
        f"'{subject}': {reason}" if subject is not None else reason,
        hint=_HINTS.get(exc.errno or 0),
        errno=exc.errno,
        path=str(subject) if subject is not None else None,
    )


@contextmanager
def storage_errors(path: object = None) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``StorageError`` about *path*."""
    try:
        yield
    except OSError as exc:
        raise storage_error(exc, path) from exc
