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
from typing import Any

import pytest

# Of the command's tests those that verify: what a report says is tried there too.
WIDE = [
    "tests/store",
    *(
        f"tests/cli/test_{name}.py"
        for name in ("last_seen", "reports", "signing", "trust", "fsck_options", "clone")
    ),
]
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
    """Seconds of each test that passes; those that execute a line, by path and line.

    `later` are the tests that were measured after the first time, for they were not there then.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, frozenset[str]]]
    later: frozenset[str]


class New:
    """Leaves out the tests that are known."""

    def __init__(self, known: list[str]) -> None:
        self.known = frozenset(known)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid not in self.known]


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
    """Run all tests and write down what was found; where OUT is there, only those that it does not know."""
    from coverage import CoverageData

    nothing: dict[str, Any] = {"tests": [], "seconds": {}, "lines": {}, "later": []}
    found = json.loads(out.read_text()) if out.is_file() else nothing
    watch, new = Watch(), New(found["tests"])
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        os.environ["COVERAGE_FILE"] = str(Path(folder, "data"))
        measured = ["--cov=mlstore", "--cov-context=test", "--cov-report="]
        ignored = [f"--ignore={name}" for name in LEFT_OUT]
        pytest.main([*OPTIONS, *measured, *ignored, *WIDE], plugins=[watch, new])
        data = CoverageData(os.environ["COVERAGE_FILE"])
        data.read()
        first, seconds = len(found["tests"]), watch.passed()
        found["later"] += sorted(watch.seconds) if first else []
        found["tests"] += sorted(watch.seconds)
        found["seconds"] |= seconds
        number = {name: at for at, name in enumerate(found["tests"]) if at >= first and name in seconds}
        for path in data.measured_files():
            lines = found["lines"].setdefault(Path(path).relative_to(Path.cwd()).as_posix(), {})
            for line, contexts in data.contexts_by_lineno(path).items():
                tests = {context.rpartition("|")[0] for context in contexts} & number.keys()
                lines[str(line)] = [*lines.get(str(line), ()), *sorted(number[name] for name in tests)]
    out.write_text(json.dumps(found))


def read(path: Path) -> Measured:
    """What `measure` wrote."""
    raw = json.loads(path.read_text())
    names = raw["tests"]
    lines = {
        name: {int(line): frozenset(names[at] for at in tests) for line, tests in found.items()}
        for name, found in raw["lines"].items()
    }
    return Measured(raw["seconds"], lines, frozenset(raw["later"]))


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
