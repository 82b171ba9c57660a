"""mlstore itself, as its installed command."""

from __future__ import annotations

import os
from pathlib import Path

from tests.benchmarks.tools.base import Commands, Place, Tool


class Mlstore(Tool):
    """mlstore with all of its defaults, durable writes among them; verification is `fsck`."""

    name = "mlstore"
    program = "mlstore"
    clean = "nothing to commit"
    stored = "work/.mlstore/objects"
    verification = "checks the hash of every byte that it reads, before a file takes its place"
    how = "verification is `fsck`, which hashes every object"

    def executable(self) -> str | None:
        path = self.folder / self.name / "bin" / self.program
        return str(path) if path.exists() else None

    def environment(self, place: Place) -> dict[str, str]:
        env = super().environment(place)
        env["PATH"] = os.pathsep.join([str(self.folder / self.name / "bin"), env["PATH"]])
        return env | {"MLSTORE_AUTHOR_NAME": "Ada Lovelace", "MLSTORE_AUTHOR_EMAIL": "ada@example.org"}

    def store(self, place: Place) -> tuple[Path, ...]:
        return (place.work / ".mlstore",)

    def init(self, place: Place) -> Commands:
        return (self.command(place, "init"),)

    def record(self, place: Place, version: str) -> Commands:
        return (self.command(place, "add", "-A"), self.command(place, "commit", "-q", "-m", version))

    def mark(self, place: Place, version: str) -> Commands:
        return (self.command(place, "tag", version),)

    def status(self, place: Place, version: str) -> Commands:
        return (self.command(place, "status"),)

    def switch(self, place: Place, version: str) -> Commands:
        return (self.command(place, "checkout", "-q", version),)

    def restore(self, place: Place, version: str) -> Commands:
        return (self.command(place, "restore", "."),)

    def verify(self, place: Place, version: str) -> Commands:
        return (self.command(place, "fsck"),)
