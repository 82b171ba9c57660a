"""Time and memory against size: 10^3 to 10^6 files, one file of 1 to 8 GiB; a line is the goal."""

from __future__ import annotations

FILES = (1_000, 10_000, 100_000, 1_000_000)
GIB = (1, 2, 4, 8)


def workloads(most_files: int, most_gib: int) -> list[str]:
    """Name the workloads up to these sizes, small ones first."""
    files = [f"files-{n}" for n in FILES if n <= most_files]
    return files + [f"gib-{n}" for n in GIB if n <= most_gib]


def size_of(workload: str) -> int:
    """Give the number in a workload's name: files, or GiB."""
    return int(workload.partition("-")[2])
