"""How a sweep goes: which points, from which state, and how much of it where."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.faults.killing import Done, Server
    from tests.faults.workloads import Workload

# Read here: conftest hides the first from the commands. Under CI nothing is skipped that root can do.
ALL = bool(os.environ.get("MLSTORE_ALL_CRASH_POINTS"))
CI = bool(os.environ.get("CI"))
MANY = ALL or CI
A_PART = 20


def fresh(workload: Workload) -> Path:
    """A new copy of the repository to start in."""
    root = workload.template.with_name("work")
    if root.exists():
        shutil.rmtree(root)
    shutil.copytree(workload.template, root)
    return root


def chosen(found: list[tuple[str, int]], part: int) -> list[tuple[str, int]]:
    """All points; or a part, spread over the whole run, with the first and the last of each call."""
    if ALL or len(found) <= part:
        return found
    keep = set(found[:: -(-len(found) // part)])
    keep.update({point[0]: point for point in found}.values())
    keep.update({point[0]: point for point in reversed(found)}.values())
    return [point for point in found if point in keep]


def good(server: Server, root: Path, where: str, *argv: str) -> str:
    """Run a command that has to end well; gives what it printed."""
    done = server.run(argv, root)
    assert done.status == 0, f"{where}: '{' '.join(argv)}' gave {done}"
    return done.out


def says_it_in_one_line(done: Done) -> bool:
    """Whether there is one line about the error, and no word of a bug."""
    lines = [line for line in done.err.splitlines() if not line.startswith("hint: ")]
    return len(lines) == 1 and lines[0].startswith("error: ") and "internal error" not in lines[0]


def report(capsys: pytest.CaptureFixture[str], workload: Workload, text: str) -> None:
    """Say how many points were tried, also when all is well."""
    with capsys.disabled():
        print(f"\n'mlstore {' '.join(workload.argv)}': {text}")
