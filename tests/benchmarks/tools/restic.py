"""restic: deduplicating, compressing, encrypting backup."""

from __future__ import annotations

from tests.benchmarks.tools.base import Commands, Package, Place, Tool


class Restic(Tool):
    """restic with a repository in a local folder."""

    name = "restic"
    package = Package(debian="restic")
    program = "restic"
    restores_in_place = False
    stored = "store/data"
    verification = "checks hash and authentication of every chunk that it reads"
    how = (
        "`restic backup data`; status is `backup --dry-run`; switching is `restore` over the worktree; "
        "verification is `check --read-data`; it encrypts, always"
    )

    def environment(self, place: Place) -> dict[str, str]:
        return super().environment(place) | {
            "RESTIC_REPOSITORY": str(place.store),
            "RESTIC_PASSWORD": "benchmark",
        }

    def init(self, place: Place) -> Commands:
        return (self.command(place, "init"),)

    def record(self, place: Place, version: str) -> Commands:
        return (self.command(place, "backup", "--tag", version, "data"),)

    def status(self, place: Place, version: str) -> Commands:
        return (self.command(place, "backup", "--dry-run", "data"),)

    def settle(self, place: Place, version: str) -> Commands:
        return (self.command(place, "backup", "--tag", "settle", "data"),)

    def switch(self, place: Place, version: str) -> Commands:
        return (self.command(place, "restore", "latest", "--tag", version, "--target", str(place.work)),)

    def restore(self, place: Place, version: str) -> Commands:
        return (self.command(place, "restore", "latest", "--tag", version, "--target", str(place.out)),)

    def verify(self, place: Place, version: str) -> Commands:
        return (self.command(place, "check", "--read-data"),)

    def version(self, place: Place, version: str = "") -> Commands:
        return (self.command(place, "version"),)
