"""git-annex: files become links into its store, which is its default."""

from __future__ import annotations

from tests.benchmarks.tools.base import Commands, Package, Place
from tests.benchmarks.tools.git import Git


class GitAnnex(Git):
    """git with the contents of files in the annex."""

    name = "git-annex"
    package = Package(debian="git-annex")
    program = "git-annex"
    stored = "work/.git/annex/objects"
    verification = "none: files of the worktree are links into the store, and nothing is copied"
    how = "`git annex add .`, `git commit`; files are links, so switching and restoring copy nothing"

    def init(self, place: Place) -> Commands:
        return (*super().init(place), self.git(place, "annex", "init", "-q"))

    def record(self, place: Place, version: str) -> Commands:
        return (self.git(place, "annex", "add", "-q", "."), self.git(place, "commit", "-q", "-m", version))

    def verify(self, place: Place, version: str) -> Commands:
        return (self.git(place, "annex", "fsck", "-q"),)

    def version(self, place: Place, version: str = "") -> Commands:
        return (self.command(place, "version"),)
