"""What the machine can do: the plain programs that a row cannot beat by much."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.measure import Command
from tests.benchmarks.tools.base import Commands, Place, Tool

HASH_TREE = Path(__file__).with_name("hash_tree.py")


class Limit(Tool):
    """A yardstick. All of them share one place: they read the same worktree."""

    limit = True
    restores_in_place = False

    def executable(self) -> str | None:
        return sys.executable

    def settle(self, place: Place, version: str) -> Commands:
        return ()

    def version(self, place: Place, version: str = "") -> Commands:
        return ()

    def help(self, place: Place, version: str = "") -> Commands:
        return ()


class Copy(Limit):
    """`cp -r`; where something is recorded, with a sync of the copy's file system."""

    name = "cp"

    def record(self, place: Place, version: str) -> Commands:
        copy = str(place.store / version)
        return (Command(("cp", "-r", "data", copy), place.work), Command(("sync", "-f", copy), place.work))

    def switch(self, place: Place, version: str) -> Commands:
        return (Command(("cp", "-r", f"{place.store / version}/.", "data"), place.work),)

    def restore(self, place: Place, version: str) -> Commands:
        return (Command(("cp", "-r", str(place.store / version), "data"), place.out),)


class Tar(Limit):
    """`tar cf`, and a sync of that file."""

    name = "tar"

    def record(self, place: Place, version: str) -> Commands:
        archive = str(place.store / "data.tar")
        return (
            Command(("tar", "cf", archive, "data"), place.work),
            Command(("sync", archive), place.work),
        )

    def mark(self, place: Place, version: str) -> Commands:
        return (Command(("rm", str(place.store / "data.tar")), place.work),)


class Find(Limit):
    """`find` with size and time of every file."""

    name = "find"

    def status(self, place: Place, version: str) -> Commands:
        show = ("-printf", "%s %T@ %p\\n") if sys.platform == "linux" else ("-ls",)
        return (Command(("find", "data", *show), place.work),)


class Cat(Limit):
    """`cat` of every file to nowhere."""

    name = "cat"

    def status(self, place: Place, version: str) -> Commands:
        return (Command(("sh", "-c", "exec find data -type f -exec cat {} + >/dev/null"), place.work),)

    def verify(self, place: Place, version: str) -> Commands:
        return self.status(place, version)


class Blake3(Limit):
    """BLAKE3 of every file, on all threads."""

    name = "blake3"

    def verify(self, place: Place, version: str) -> Commands:
        return (Command((sys.executable, "-I", str(HASH_TREE), "data"), place.work),)


class Python(Limit):
    """Starting Python with nothing."""

    name = "python -I -S"

    def version(self, place: Place, version: str = "") -> Commands:
        return (Command((sys.executable, "-I", "-S", "-c", "pass"), place.work),)

    help = version

    def status(self, place: Place, version: str) -> Commands:
        return self.version(place)


class Click(Limit):
    """Starting Python and importing click, the library which parses the command line."""

    name = "import click"

    def version(self, place: Place, version: str = "") -> Commands:
        return (Command((sys.executable, "-c", "import click"), place.work),)

    help = version

    def status(self, place: Place, version: str) -> Commands:
        return self.version(place)
