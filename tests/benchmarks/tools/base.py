"""What the benchmark asks of a tool: the commands for each verb, and where its things are."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tests.benchmarks.measure import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Commands = tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """The folders that one tool works in: `work` holds `data`, which is the tree that is kept."""

    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def data(self) -> Path:
        return self.work / "data"

    @property
    def store(self) -> Path:
        """The store of a tool that keeps it apart from the worktree."""
        return self.root / "store"

    @property
    def out(self) -> Path:
        """Where a tool restores to that does not restore in place."""
        return self.root / "out"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def make(self) -> None:
        for folder in (self.work, self.store, self.out, self.home):
            folder.mkdir(parents=True)


@dataclass(frozen=True, slots=True)
class Package:
    """Where a tool comes from: a Debian package, packages of the Python index, or neither."""

    debian: str = ""
    python: tuple[str, ...] = ()


class Tool:
    """A tool under test. A verb gives commands, which run in order; none means "it cannot do that"."""

    name: ClassVar[str]
    package: ClassVar[Package] = Package()
    program: ClassVar[str]
    restores_in_place: ClassVar[bool] = True
    clean: ClassVar[str] = ""  # what status says when nothing changed; empty when it has no such words
    stored: ClassVar[str] = ""  # folder of the place, in which the stored contents are
    verification: ClassVar[str] = ""  # what it checks unasked, in one line of the report
    how: ClassVar[str] = ""  # which commands stand for the verbs, where they are not obvious
    limit: ClassVar[bool] = False  # not a peer, but what the machine can do

    def __init__(self, folder: Path) -> None:
        """`folder` holds the virtual environments of the tools that have one."""
        self.folder = folder

    @property
    def place_name(self) -> str:
        return "limits" if self.limit else self.name

    def executable(self) -> str | None:
        """Give the path of the program, or None when it is not installed."""
        if self.package.python:
            path = self.folder / self.name / "bin" / self.program
            return str(path) if path.exists() else None
        return shutil.which(self.program)

    def environment(self, place: Place) -> dict[str, str]:
        """Make the variables that its commands see: a home of its own, no settings of whoever runs this."""
        programs = [str(self.folder / self.name / "bin")] if self.package.python else []
        return {
            "PATH": os.pathsep.join([*programs, os.environ.get("PATH", os.defpath)]),
            "HOME": str(place.home),
            "XDG_CACHE_HOME": str(place.home / ".cache"),
            "XDG_CONFIG_HOME": str(place.home / ".config"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "NO_COLOR": "1",
        }

    def target(self, place: Place) -> Path:
        """Give the tree that `restore` writes."""
        return place.data if self.restores_in_place else place.out / "data"

    def store(self, place: Place) -> tuple[Path, ...]:
        """Give the folders whose bytes and files count as its store."""
        return (place.store,)

    def command(self, place: Place, *arguments: str, cwd: Path | None = None) -> Command:
        """Give a command of this tool, in the worktree unless said otherwise."""
        return Command((self.program, *arguments), cwd or place.work)

    def init(self, place: Place) -> Commands:
        """Make an empty store for the worktree. Not timed."""
        return ()

    def record(self, place: Place, version: str) -> Commands:
        """Put the whole worktree into the store, as `version`."""
        return ()

    def mark(self, place: Place, version: str) -> Commands:
        """Do what makes the recorded version findable. Not timed."""
        return ()

    def status(self, place: Place, version: str) -> Commands:
        """Say whether the worktree differs from what was recorded last."""
        return ()

    def settle(self, place: Place, version: str) -> Commands:
        """Let the tool note what it would note at its next use anyway. Not timed."""
        return self.status(place, version)

    def switch(self, place: Place, version: str) -> Commands:
        """Bring the worktree from another version to this one."""
        return ()

    def restore(self, place: Place, version: str) -> Commands:
        """Write the whole tree where there is none."""
        return ()

    def verify(self, place: Place, version: str) -> Commands:
        """Read and check everything in the store."""
        return ()

    def version(self, place: Place, version: str = "") -> Commands:
        return (self.command(place, "--version"),)

    def help(self, place: Place, version: str = "") -> Commands:
        return (self.command(place, "--help"),)

    def commands(self, verb: str, place: Place, version: str) -> Commands:
        """Give the commands of a verb by its name."""
        verbs = {
            "init": lambda: self.init(place),
            "record": lambda: self.record(place, version),
            "mark": lambda: self.mark(place, version),
            "status": lambda: self.status(place, version),
            "settle": lambda: self.settle(place, version),
            "switch": lambda: self.switch(place, version),
            "restore": lambda: self.restore(place, version),
            "verify": lambda: self.verify(place, version),
            "version": lambda: self.version(place, version),
            "help": lambda: self.help(place, version),
        }
        return verbs[verb]()

    def largest_stored_file(self, place: Place) -> Path:
        """Give the file of the store in which the largest content is."""
        return max(self._stored_files(place), key=lambda path: path.stat().st_size)

    def _stored_files(self, place: Place) -> Iterator[Path]:
        return (p for p in (place.root / self.stored).rglob("*") if p.is_file() and not p.is_symlink())
