"""fsync and its relatives.

``syncfs`` writes out a whole file system in one call: for a batch of files that is ten times cheaper
than one fsync each, and after it a rename and a second ``syncfs`` the batch survives power loss. It
reports write errors since Linux 5.8; elsewhere, and where it is missing, each file is synced by itself.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

_SYNC_FILE_RANGE_WRITE = 2


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file_system(folder: Path) -> bool:
    """Write out the file system of *folder*; False where that cannot be done (nothing was synced)."""
    call = _syncfs()
    if call is None:
        return False
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if call(fd) != 0:
            import ctypes

            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(fd)
    return True


def start_writeback(fd: int, offset: int, length: int) -> None:
    """Ask the system to begin writing out a range of a file; a hint, which promises nothing."""
    call = _sync_file_range()
    if call is not None:
        call(fd, offset, length, _SYNC_FILE_RANGE_WRITE)


@cache
def _sync_file_range() -> Any:
    call = _of_libc("sync_file_range")
    if call is not None:
        import ctypes

        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call


@cache
def _syncfs() -> Any:
    return _of_libc("syncfs") if _kernel() >= (5, 8) else None


def _of_libc(name: str) -> Any:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return None


def _kernel() -> tuple[int, ...]:
    if not hasattr(os, "uname"):
        return (0,)
    parts = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
