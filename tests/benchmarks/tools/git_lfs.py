"""git-lfs: every file of the tree goes through it."""

from __future__ import annotations

from tests.benchmarks.tools.base import Commands, Package, Place
from tests.benchmarks.tools.git import Git


class GitLfs(Git):
    """git with the LFS filter on all of `data`."""

    name = "git-lfs"
    package = Package(debian="git-lfs")
    program = "git-lfs"
    stored = "work/.git/lfs/objects"
    verification = "none when it writes files from its store"
    how = "`git lfs track 'data/**'`; verification is `git fsck` and `git lfs fsck`"

    def init(self, place: Place) -> Commands:
        return (
            *super().init(place),
            self.git(place, "lfs", "install", "--local"),
            self.git(place, "lfs", "track", "data/**"),
        )

    def verify(self, place: Place, version: str) -> Commands:
        return (self.git(place, "fsck"), self.git(place, "lfs", "fsck"))

    def help(self, place: Place, version: str = "") -> Commands:
        return ()  # it shows a manual page
