"""Trees that are done with: moved out of the way at once, removed when nothing is being measured.

ext4 gives away no inode that was freed within the last minutes, and looks at each of those again for every
file that is created: 20,000 files are created in 0.7 s, and in 10 to 35 s right after as many were removed
beside them. So whoever comes after a removal would pay for it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

LARGE = 1 << 20  # files from this size (bytes) on are few and take the room: they go at once
ROOM = 12 << 30  # bytes that have to be free
MANY = 1000  # files whose removal is felt
SETTLED = 360  # seconds after which ext4 gives a freed inode away again, at the latest (fs/ext4/ialloc.c)


class Aside:
    """A folder for what is done with. `take` moves a tree there, `empty` removes all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, tree: Path) -> None:
        """Move a tree away, if it is there; only its large files are removed at once."""
        if not tree.exists():
            return
        for parent, _, names in os.walk(tree):
            for name in names:
                path = os.path.join(parent, name)
                if os.lstat(path).st_size >= LARGE:
                    writable(Path(parent))
                    os.unlink(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        writable(tree)
        tree.rename(self.folder / os.urandom(8).hex())
        if shutil.disk_usage(self.folder).free < ROOM:
            self.empty()

    def empty(self) -> None:
        """Remove everything that was taken, and note when, if it was much."""
        count = 0
        for parent, _, names in os.walk(self.folder):
            writable(Path(parent))
            count += len(names)
        shutil.rmtree(self.folder, ignore_errors=True)
        if count >= MANY:
            self._note.touch()

    @property
    def _note(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-at")

    def unsettled(self) -> float:
        """For how many seconds yet what was removed will be felt."""
        if not self._note.exists():
            return 0
        return max(0.0, SETTLED - (time.time() - self._note.stat().st_mtime))

    def settle(self, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait until what was removed is not felt any more."""
        if seconds := self.unsettled():
            say(f"waiting {seconds:.0f} s, for many files were just removed")
            sleep(seconds)


def writable(folder: Path) -> None:
    """Let a folder be changed: git-annex takes that away from its own."""
    mode = folder.stat().st_mode
    if mode & 0o300 != 0o300:
        folder.chmod(mode | 0o300)
