"""Folders whose subfolders ext4 spreads over the disk, instead of putting them beside each other.

ext4 gives a new file an inode near its folder's, and none that was freed within the last minutes: it looks at
each of those again for every file that is made. So where 20,000 files were just removed, making 20,000 takes
ten to thirty times as long as elsewhere on the same disk. Below a folder with the flag "top of folder
hierarchies" (chattr(1), T) each new folder gets a place of its own, elsewhere.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "linux":
    import fcntl

    # linux/fs.h: _IOR('f', 1, long) and _IOW('f', 2, long); the kernel reads and writes an int.
    _GET_FLAGS = 0x80086601
    _SET_FLAGS = 0x40086602
    _TOP_OF_HIERARCHY = 0x00020000  # FS_TOPDIR_FL

    def spread_below(folder: str | Path, *, on: bool = True) -> None:
        """Ask for the subfolders of *folder* to be spread (*on* False: no longer).

        A hint: where the file system knows no such thing, nothing happens.
        """
        with suppress(OSError):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                flags = bytearray(8)
                fcntl.ioctl(fd, _GET_FLAGS, flags)
                old = int.from_bytes(flags[:4], sys.byteorder)
                new = old | _TOP_OF_HIERARCHY if on else old & ~_TOP_OF_HIERARCHY
                if new != old:
                    fcntl.ioctl(fd, _SET_FLAGS, new.to_bytes(4, sys.byteorder) + bytes(4))
            finally:
                os.close(fd)

else:

    def spread_below(folder: str | Path, *, on: bool = True) -> None:
        """Do nothing: other systems have no such hint."""
