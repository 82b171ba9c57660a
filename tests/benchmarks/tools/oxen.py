"""Oxen, through its Python package: it has no command of its own there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.tools.base import Commands, Package, Place, Tool

if TYPE_CHECKING:
    from tests.benchmarks.measure import Command

DRIVER = Path(__file__).with_name("oxen_driver.py")


class Oxen(Tool):
    """Oxen driven by a script of a few lines, whose start-up is in every figure as a command's would be."""

    name = "oxen"
    package = Package(python=("oxenai",))
    program = "python"
    clean = "clean"
    stored = "work/.oxen/versions"
    verification = "none when it writes files from its store"
    how = "its Python package in a script; add and commit are one process"

    def store(self, place: Place) -> tuple[Path, ...]:
        return (place.work / ".oxen",)

    def oxen(self, place: Place, *arguments: str) -> Command:
        return self.command(place, "-I", str(DRIVER), *arguments)

    def init(self, place: Place) -> Commands:
        return (self.oxen(place, "init"),)

    def record(self, place: Place, version: str) -> Commands:
        return (self.oxen(place, "record", version),)

    def mark(self, place: Place, version: str) -> Commands:
        return (self.oxen(place, "mark", version),)

    def status(self, place: Place, version: str) -> Commands:
        return (self.oxen(place, "status"),)

    def switch(self, place: Place, version: str) -> Commands:
        return (self.oxen(place, "switch", version),)

    def restore(self, place: Place, version: str) -> Commands:
        return (self.oxen(place, "restore"),)

    def version(self, place: Place, version: str = "") -> Commands:
        return (self.oxen(place, "version"),)

    def help(self, place: Place, version: str = "") -> Commands:
        return ()
