"""Measure commands (wall, CPU, peak memory) and folders (bytes and files on disk)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LAUNCHER = Path(__file__).with_name("launch.py")
READ_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and the folder that it runs in."""

    argv: tuple[str, ...]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Usage:
    """What one step used. Seconds; `peak` is the resident memory of its largest process, in bytes."""

    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    peak: int = 0
    background: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Give the usage of two steps, one after the other."""
        return Usage(
            self.wall + other.wall,
            self.user + other.user,
            self.system + other.system,
            max(self.peak, other.peak),
            self.background + other.background,
        )

    def to_json(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended; `late` means that it was stopped at its time limit."""

    command: Command
    status: int
    late: bool
    usage: Usage
    output: str

    @property
    def ok(self) -> bool:
        return self.status == 0 and not self.late

    def complaint(self) -> str:
        """One line about why it is not ok."""
        if self.late:
            return f"'{self.command.argv[0]}' was stopped at the time limit"
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return f"exit {self.status}: {lines[-1] if lines else 'no message'}"[:200]


def run(command: Command, env: Mapping[str, str], timeout: float) -> Ran:
    """Run a command to its end or its time limit, whatever its status; keep output and errors together."""
    with tempfile.TemporaryDirectory() as scratch:
        report, output = Path(scratch, "report"), Path(scratch, "output")
        with output.open("wb") as sink:
            subprocess.run(
                [sys.executable, "-I", "-S", str(LAUNCHER), str(report), str(timeout), *command.argv],
                cwd=command.cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                check=True,
            )
        result = json.loads(report.read_text())
        text = output.read_text(encoding="utf-8", errors="replace")
    status, late = result.pop("status"), result.pop("late", False)
    return Ran(command, status, late, Usage(**result), text)


@dataclass(frozen=True, slots=True)
class Disk:
    """What a folder occupies: bytes in allocated blocks, and regular files."""

    bytes: int
    files: int


def disk(folders: Iterable[Path]) -> Disk:
    """Add up the folders; a file with two names counts once. Call after a sync: blocks are allocated late."""
    seen: set[tuple[int, int]] = set()
    size = 0
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                stat = os.lstat(os.path.join(parent, name))
                if (stat.st_dev, stat.st_ino) not in seen:
                    seen.add((stat.st_dev, stat.st_ino))
                    size += stat.st_blocks * 512
    return Disk(size, len(seen))


def warm(folders: Iterable[Path]) -> None:
    """Read every file once, so that the next command finds it in the page cache (as far as it fits)."""
    buffer = bytearray(READ_SIZE)
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                try:
                    with open(os.path.join(parent, name), "rb", buffering=0) as file:
                        while file.readinto(buffer):
                            pass
                except OSError:
                    continue  # a dangling link, a socket: nothing to warm
