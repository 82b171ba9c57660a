"""DVC: git for the metadata, a cache for the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.tools.base import Commands, Package, Place
from tests.benchmarks.tools.git import Git

if TYPE_CHECKING:
    from pathlib import Path


class Dvc(Git):
    """DVC on git, with the folder `data` as one tracked output."""

    name = "dvc"
    package = Package(python=("dvc",))
    program = "dvc"
    clean = "up to date"
    stored = "work/.dvc/cache"
    verification = "none: it takes the mode 0444 of a cached file for a proof"
    how = "`dvc add data`, `git add -A`, `git commit`; switching is `git checkout`, `dvc checkout`"

    def environment(self, place: Place) -> dict[str, str]:
        return super().environment(place) | {
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(place.home / "site-cache"),
        }

    def store(self, place: Place) -> tuple[Path, ...]:
        return (place.work / ".git", place.work / ".dvc")

    def init(self, place: Place) -> Commands:
        return (*super().init(place), self.command(place, "init", "-q"))

    def record(self, place: Place, version: str) -> Commands:
        return (self.command(place, "add", "-q", "data"), *super().record(place, version))

    def status(self, place: Place, version: str) -> Commands:
        return (self.command(place, "status"),)

    def switch(self, place: Place, version: str) -> Commands:
        return (*super().switch(place, version), self.command(place, "checkout", "-q"))

    def restore(self, place: Place, version: str) -> Commands:
        return (self.command(place, "checkout", "-q"),)

    def verify(self, place: Place, version: str) -> Commands:
        return ()
