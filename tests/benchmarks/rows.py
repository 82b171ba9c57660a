"""What is measured: for each workload, the list of its rows. All of this is data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Before = Literal["nothing", "settle", "touch", "apply", "empty"]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured step. The steps of a workload build on each other, in order.

    `verb` is the method of the tool, `version` its argument and what the worktree holds afterwards. What
    `before` names is done first and not timed: `settle` lets the tool note what it likes, `touch` gives every
    file a new time, `apply` brings the worktree to `version`, `empty` removes the tree that is restored.
    A row that changes nothing can be repeated. Rows with one `key` are summed up in reports.
    """

    key: str
    title: str
    verb: str
    version: str = "v1"
    before: tuple[Before, ...] = ()
    repeat: int = 1
    shown: bool = True

    @property
    def name(self) -> str:
        """Tell rows of one key apart."""
        return self.key if self.verb != "record" else f"{self.key}:{self.version}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A workload with its rows; `limits` are the plain programs that show what the machine can do."""

    workload: str
    title: str
    rows: tuple[Row, ...]
    limits: tuple[str, ...] = ("tar", "cp", "find", "cat", "blake3")
    peers: tuple[str, ...] | None = None


FIRST = Row("first", "first add + commit", "record")
STATUS = Row("status", "status, nothing changed", "status", before=("settle",), repeat=5)
TOUCHED = Row("touched", "status after touching all", "status", before=("touch",))
RESTORE = Row("restore", "restore all into an empty tree", "restore", "v2", before=("empty",))
VERIFY = Row("verify", "full verification", "verify")

STANDARD = (
    FIRST,
    STATUS,
    TOUCHED,
    VERIFY,
    Row("second", "add + commit of version 2", "record", "v2", before=("settle", "apply")),
    Row("switch", "switch to version 1", "switch", "v1", before=("settle",)),
    Row("back", "switch back to version 2", "switch", "v2"),
    RESTORE,
    Row("verify-two", "full verification, two versions", "verify", "v2"),
)

TEN = "add + commit of ten versions, sum"
VERSIONS = (
    Row("versions", TEN, "record"),
    *(Row("versions", TEN, "record", f"v{number}", before=("apply",)) for number in range(2, 11)),
)

START = (
    Row("first", "", "record", shown=False),
    Row("version", "version", "version", repeat=11),
    Row("help", "help", "help", repeat=11),
    Row("status", "status of five files", "status", before=("settle",), repeat=11),
)

GROWTH = (
    FIRST,
    Row("status", "status, nothing changed", "status", before=("settle",), repeat=3),
    Row("restore", "restore all into an empty tree", "restore", "v1", before=("empty",)),
    Row("verify", "full verification", "verify", "v1"),
)

PLANS = {
    plan.workload: plan
    for plan in (
        Plan("W1", "20,000 files of 4 KB in 200 folders; version 2 changes 1% of them", STANDARD),
        Plan("W1b", "100,000 files of 1 KB in 200 folders; version 2 changes 1% of them", STANDARD),
        Plan("W2", "one file of 2 GiB, random bytes; version 2 has 1 MiB more in its middle", STANDARD),
        Plan(
            "W3",
            "a project: 300 MB CSV, 50 MB npy, 100 MB joblib, 500 small files; version 2 adds 1,000 rows in "
            "the middle of the CSV and changes 5 small files",
            STANDARD,
        ),
        Plan(
            "W4",
            "ten versions of a CSV that grows from 50 MB to 140 MB",
            (*VERSIONS, Row("restore", "restore version 10", "restore", "v10", before=("empty",))),
            limits=("cp",),
        ),
        Plan("start", "start-up", START, limits=("python -I -S", "import click")),
    )
}


def growth_plan(workload: str) -> Plan:
    """Give the rows that are measured at each size."""
    return Plan(workload, workload, GROWTH)
