"""borg: deduplicating, compressing backup."""

from __future__ import annotations

import uuid

from tests.benchmarks.tools.base import Commands, Package, Place, Tool


class Borg(Tool):
    """borg with a repository in a local folder."""

    name = "borg"
    package = Package(debian="borgbackup")
    program = "borg"
    restores_in_place = False
    stored = "store/data"
    verification = "checks the hash of every chunk that it reads"
    how = (
        "without encryption, its fastest mode; status is another `borg create`; switching is `extract` over "
        "the worktree; verification is `check --verify-data`"
    )

    def environment(self, place: Place) -> dict[str, str]:
        return super().environment(place) | {
            "BORG_REPO": str(place.store),
            "BORG_BASE_DIR": str(place.home),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }

    def init(self, place: Place) -> Commands:
        return (self.command(place, "init", "--encryption", "none"),)

    def record(self, place: Place, version: str) -> Commands:
        return (self.command(place, "create", f"::{version}", "data"),)

    def status(self, place: Place, version: str) -> Commands:
        return (self.command(place, "create", f"::status-{uuid.uuid4().hex}", "data"),)

    def switch(self, place: Place, version: str) -> Commands:
        return (self.command(place, "extract", f"::{version}"),)

    def restore(self, place: Place, version: str) -> Commands:
        return (self.command(place, "extract", f"::{version}", cwd=place.out),)

    def verify(self, place: Place, version: str) -> Commands:
        return (self.command(place, "check", "--verify-data"),)
