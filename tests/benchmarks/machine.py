"""Say which machine this is, and which versions of the tools are on it."""

from __future__ import annotations

import json
import os
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.measure import run
from tests.benchmarks.results import write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.runner import Match
    from tests.benchmarks.tools import Tool


def has(program: str) -> bool:
    return shutil.which(program) is not None


def describe(folder: Path) -> dict[str, str]:
    """Name what the figures depend on. Nothing that tells whose machine it is."""
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "file system": file_system(folder),
        "Python": platform.python_version(),
        "day": datetime.now(UTC).date().isoformat(),
    }


def add_note(path: Path, note: str) -> None:
    """Put a remark of whoever measured beside the facts, until the next measurement."""
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_json(path, facts | {"note": note})


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def file_system(folder: Path) -> str:
    """Name the type of the file system, as far as the system tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    types = {line.split()[1]: line.split()[2] for line in mounts.read_text().splitlines()}
    inside = [point for point in types if folder.resolve().is_relative_to(point)]
    return types[max(inside, key=len)] if inside else "unknown"


def versions(tools: Sequence[Tool], match: Match) -> dict[str, str]:
    """Ask every tool for its version: the first word of its first line that begins with a digit."""
    found = {}
    for one in match.contenders:
        if one.tool.limit or one.tool not in tools:
            continue
        for command in one.tool.version(one.place):
            first = run(command, one.tool.environment(one.place), 60).output.strip().partition("\n")[0]
            words = [word for word in first.replace("git-lfs/", "").split() if word[:1].isdigit()]
            found[one.tool.name] = words[0] if words else first
    return found
