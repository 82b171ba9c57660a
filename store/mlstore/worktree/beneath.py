"""``openat2``: a folder below another, opened in one call that follows no link and leads nowhere else.

Linux has it since 5.6. It is called by number, for the C library has no name for it; where the kernel does
not have it, or a sandbox forbids it, folders are opened one component at a time instead (``folders.py``).
Mount points may be crossed: a folder of data is often a volume of its own.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# The number is the same on every architecture that Linux has got since 2011, and on the older ones but Alpha.
_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RESOLVE = _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH
_TRIES = 64


@functools.cache
def open_beneath() -> Callable[[int, str, int], int] | None:
    """Give ``open(descriptor, path below it, flags) -> descriptor``, None where there is no such call.

    It raises ``OSError``: ``ELOOP`` for a link on the way, ``EXDEV`` for a path that leads out.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    class How(ctypes.Structure):
        """struct open_how of linux/openat2.h."""

        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return None
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)

    def open_below(folder: int, path: str, flags: int) -> int:
        how = How(flags, 0, _RESOLVE)
        name, code = os.fsencode(path), 0
        for _ in range(_TRIES):
            fd = int(call(_OPENAT2, folder, name, ctypes.byref(how), ctypes.sizeof(how)))
            if fd >= 0:
                return fd
            code = ctypes.get_errno()
            # The kernel says EAGAIN when something was renamed meanwhile and it cannot be sure.
            if code not in (errno.EAGAIN, errno.EINTR):
                break
        raise OSError(code, os.strerror(code), path)

    try:
        root = os.open("/", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(open_below(root, ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        finally:
            os.close(root)
    except OSError:  # ENOSYS: an older kernel; EPERM: a sandbox that does not know it
        return None
    return open_below
