"""git, and what the tools that stand on git share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.measure import Command
from tests.benchmarks.tools.base import Commands, Package, Place, Tool

if TYPE_CHECKING:
    from pathlib import Path


class Git(Tool):
    """git itself, with all of its defaults: it packs its store in the background when it thinks fit."""

    name = "git"
    package = Package(debian="git")
    program = "git"
    clean = "nothing to commit"
    stored = "work/.git/objects"
    verification = "checks an object's zlib stream and hash when it reads it"
    how = (
        "verification is `fsck`; the packing that it starts in the background after a large commit is waited "
        "for and not counted"
    )

    def environment(self, place: Place) -> dict[str, str]:
        author = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.org"}
        people = {f"GIT_{who}_{key}": author[key] for who in ("AUTHOR", "COMMITTER") for key in author}
        return super().environment(place) | people | {"GIT_CONFIG_NOSYSTEM": "1"}

    def store(self, place: Place) -> tuple[Path, ...]:
        return (place.work / ".git",)

    def git(self, place: Place, *arguments: str) -> Command:
        """Give a command of git itself, also for a tool that stands on git."""
        return Command(("git", *arguments), place.work)

    def init(self, place: Place) -> Commands:
        return (self.git(place, "init", "-q"),)

    def record(self, place: Place, version: str) -> Commands:
        return (self.git(place, "add", "-A"), self.git(place, "commit", "-q", "-m", version))

    def mark(self, place: Place, version: str) -> Commands:
        return (self.git(place, "tag", version),)

    def status(self, place: Place, version: str) -> Commands:
        return (self.git(place, "status"),)

    def switch(self, place: Place, version: str) -> Commands:
        return (self.git(place, "checkout", "-q", version),)

    def restore(self, place: Place, version: str) -> Commands:
        return (self.git(place, "restore", "."),)

    def verify(self, place: Place, version: str) -> Commands:
        return (self.git(place, "fsck"),)
