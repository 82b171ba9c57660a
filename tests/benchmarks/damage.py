"""One byte flipped in the store: who notices? And how often does each tool sync when it records?"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Command, run
from tests.benchmarks.runner import Match
from tests.benchmarks.workloads import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.runner import Contender
    from tests.benchmarks.tools import Tool
    from tests.benchmarks.workloads import Workload

SYNC_CALLS = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync")
TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Damage:
    """What a tool said and did about a flipped byte, and how many syncs one add and commit made."""

    status: str
    restoring: str
    verification: str
    syncs: int | None

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def examine(tool: Tool, workload: Workload, scratch: Path) -> Damage | None:
    """Flip one byte of a small store and ask the tool; None if it keeps no copy of anything.

    Each question gets a store of its own: some tools move what they find damaged out of the way.
    """
    with recorded(tool, workload, scratch) as one:
        if not tool.commands("restore", one.place, "v1"):
            return None
        syncs = record_and_count_syncs(one)
        flip_a_byte(tool.largest_stored_file(one.place))
        status, restoring = ask_status(one), ask_restore(one, workload)
    with recorded(tool, workload, scratch) as one:
        record_and_count_syncs(one)
        flip_a_byte(tool.largest_stored_file(one.place))
        return Damage(status, restoring, ask_verify(one), syncs)


@contextmanager
def recorded(tool: Tool, workload: Workload, scratch: Path) -> Iterator[Contender]:
    """Give the tool with an empty store and the tree beside it; all of it goes at the end."""
    match = Match(workload, [tool], scratch, TIMEOUT)
    match.set_up()
    try:
        yield match.contenders[0]
    finally:
        match.clean_up()


def record_and_count_syncs(one: Contender) -> int | None:
    """Record version 1 under strace, and count what it synced; None without strace."""
    count: int | None = None
    env = one.tool.environment(one.place)
    strace = shutil.which("strace")
    log = one.place.root / "strace"
    for command in one.tool.commands("record", one.place, "v1"):
        argv = command.argv
        if strace:
            argv = (strace, "-f", "-qq", "-e", f"trace={','.join(SYNC_CALLS)}", "-o", str(log), *argv)
        ran = run(Command(argv, command.cwd), env, TIMEOUT)
        if not ran.ok:
            raise RuntimeError(f"{one.tool.name}: {ran.complaint()}")
        if strace:
            calls = re.findall(rf"\b(?:{'|'.join(SYNC_CALLS)})\(", log.read_text(errors="replace"))
            count = (count or 0) + len(calls)
    one.step("mark", "v1", TIMEOUT)
    one.step("settle", "v1", TIMEOUT)
    return count


def flip_a_byte(path: Path) -> None:
    """Change one byte in the middle, as a failing disk does: name, size, mode and time stay."""
    stat = path.stat()
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(stat.st_size // 2)
        byte = file.read(1)[0]
        file.seek(stat.st_size // 2)
        file.write(bytes([byte ^ 0x10]))
    path.chmod(stat.st_mode & 0o777)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def ask_status(one: Contender) -> str:
    """Ask for the status of the worktree: none of its files has changed, so 'clean' is not a lie."""
    if not one.tool.clean:
        return "-"
    step = one.step("status", "v1", TIMEOUT)
    return "clean" if step.state == "ok" and one.tool.clean in step.output else "says so"


def ask_restore(one: Contender, workload: Workload) -> str:
    """Have the tree restored, and compare every byte."""
    target = one.tool.target(one.place)
    shutil.rmtree(target, ignore_errors=True)
    step = one.step("restore", "v1", TIMEOUT)
    found, expected = read_tree(target), workload.versions["v1"]
    if step.state == "ok":
        return "exit 0, right bytes" if found == expected else "**exit 0, wrong bytes**"
    wrong = [path for path in found if found[path] != expected.get(path)]
    return "refuses, but leaves a wrong file behind" if wrong else "refuses"


def ask_verify(one: Contender) -> str:
    """Have the store verified."""
    if not one.tool.commands("verify", one.place, "v1"):
        return "**has none**"
    return "found" if one.step("verify", "v1", TIMEOUT).state != "ok" else "**not noticed**"
