"""Disks that can be cut off: a file system in a file, and what is left of it when the power fails.

ext4 and xfs are told to forget what they have not written yet (``FS_IOC_SHUTDOWN`` without flushing the log)
and mounted again. btrfs knows no such call: there the image is copied under the mounted file system, which is
what a machine finds after the power came back, and the copy is mounted.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_NO_LOG_FLUSH = 2
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Kind:
    """A file system: how it is made and mounted, and how small it may be (bytes).

    The long ``commit`` intervals see to it that a slow machine saves nothing by chance.
    """

    make: tuple[str, ...]
    size: int
    options: str = ""
    by_copy: bool = False


KINDS = {
    "ext4": Kind(("mkfs.ext4", "-q", "-F"), 64 * _MIB, "commit=300"),
    # Without it a file that replaces another is not written out before its new name is: the harder case.
    "ext4 noauto_da_alloc": Kind(("mkfs.ext4", "-q", "-F"), 64 * _MIB, "commit=300,noauto_da_alloc"),
    "xfs": Kind(("mkfs.xfs", "-q", "-f"), 300 * _MIB),
    "btrfs": Kind(("mkfs.btrfs", "-q", "-f", "-M"), 128 * _MIB, "commit=300", by_copy=True),
}
TOOLS = ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "eatmydata", "losetup")


def why_not() -> str | None:
    """Why the power cannot be cut here, None when it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "only root may mount the file systems that lose power"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return None if os.path.exists("/dev/loop-control") else "this machine has no loop devices"


class Disk:
    """A mounted file system of its own, gone again when the block ends, whatever happened in it."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.root = folder / "mounted"
        self._image = folder / "image"
        self._kind = kind

    def __enter__(self) -> Disk:
        self.root.mkdir()
        with self._image.open("wb") as file:
            file.truncate(self._kind.size)
        subprocess.run([*self._kind.make, self._image], check=True, capture_output=True)
        try:
            self._mount()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        subprocess.run(["umount", "-l", self.root], check=False, capture_output=True)
        self._release()

    def _release(self) -> None:
        listed = subprocess.run(
            ["losetup", "-j", self._image, "-n", "-O", "NAME"], check=True, capture_output=True, text=True
        )
        for device in listed.stdout.split():
            subprocess.run(["losetup", "-d", device], check=False, capture_output=True)
        self._image.unlink()

    def _mount(self) -> None:
        options = ",".join(filter(None, ["loop", self._kind.options]))
        subprocess.run(["mount", "-o", options, self._image, self.root], check=True, capture_output=True)

    def flush(self) -> None:
        """Write out everything: what was there before the command that is tried."""
        subprocess.run(["sync", "-f", self.root], check=True)

    def lose_power(self) -> None:
        """Lose all that is not on the disk at this moment, and start again."""
        if self._kind.by_copy:
            self._mount_a_copy()
        else:
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
            finally:
                os.close(fd)
            subprocess.run(["umount", self.root], check=True)
            self._mount()

    def _mount_a_copy(self) -> None:
        left = self._image.with_name(f"{self._image.name}-")
        subprocess.run(["cp", "--sparse=always", self._image, left], check=True)
        subprocess.run(["umount", self.root], check=True)
        self._release()
        # The kernel remembers a btrfs by its id, which the copy shares, and how far it had come.
        subprocess.run(["btrfs", "device", "scan", "--forget"], check=False, capture_output=True)
        self._image = left
        self._mount()
