"""Which tests execute which line, and how long each takes: one run of the tests under coverage.

    python -m tests.mutation.measuring FILE

Runs in a copy of the tracked files, as `tests.mutation` starts it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

WIDE = "tests/store"
# Sweeps take minutes, and the others never reach what is changed, or only as their readers do.
LEFT_OUT = [
    "tests/store/verify/test_byte_flips.py",
    "tests/store/compare",
    "tests/store/pipeline",
    "tests/store/test_stateful.py",
    "tests/store/test_round_trip.py",
]
OPTIONS = ["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]


@dataclass(frozen=True)
class Measured:
    """Seconds of each test that passes; all that were seen; those that execute a line, by path and line."""

    seconds: dict[str, float]
    seen: frozenset[str]
    lines: dict[str, dict[int, frozenset[str]]]


class Watch:
    """Adds up how long each test took, and forgets those that do not pass."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.bad: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if not report.passed:
            self.bad.add(report.nodeid)

    def passed(self) -> dict[str, float]:
        return {name: round(time, 4) for name, time in self.seconds.items() if name not in self.bad}


def measure(out: Path) -> None:
    """Run the tests and write down what was found."""
    from coverage import CoverageData

    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        os.environ["COVERAGE_FILE"] = str(Path(folder, "data"))
        measured = ["--cov=mlstore", "--cov-context=test", "--cov-report="]
        ignored = [f"--ignore={name}" for name in LEFT_OUT]
        pytest.main([*OPTIONS, *measured, *ignored, WIDE], plugins=[watch])
        data = CoverageData(os.environ["COVERAGE_FILE"])
        data.read()
        seconds = watch.passed()
        names = sorted(seconds)
        number = {name: at for at, name in enumerate(names)}
        lines = {}
        for path in data.measured_files():
            found = {}
            for line, contexts in data.contexts_by_lineno(path).items():
                tests = {context.rpartition("|")[0] for context in contexts}
                found[line] = sorted(number[name] for name in tests if name in number)
            lines[Path(path).relative_to(Path.cwd()).as_posix()] = found
    out.write_text(
        json.dumps({"tests": names, "seconds": seconds, "seen": sorted(watch.seconds), "lines": lines})
    )


def read(path: Path) -> Measured:
    """What `measure` wrote."""
    raw = json.loads(path.read_text())
    names = raw["tests"]
    lines = {
        name: {int(line): frozenset(names[at] for at in tests) for line, tests in found.items()}
        for name, found in raw["lines"].items()
    }
    return Measured(raw["seconds"], frozenset(raw["seen"]), lines)


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
