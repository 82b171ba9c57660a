"""Where mlstore has to stand. All of this is data; the report says what was measured, and if it is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Metric = Literal["seconds", "store", "files", "growth", "peak"]
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on one figure of mlstore, alone or against others.

    `metric` is the wall time of the row, the store's bytes or files after it, the store's growth by it, or
    the peak memory (bytes; of all rows when `row` is empty). With `over` the figure is a ratio: `at_most`
    bounds mlstore / other, `at_least` bounds other / mlstore, for the best of the others that was measured.
    `over` can be `bytes`: those of the files that are kept.
    """

    workload: str
    row: str
    text: str
    metric: Metric = "seconds"
    over: tuple[str, ...] = ()
    at_most: float | None = None
    at_least: float | None = None


def no_slower(workload: str, row: str, factor: float, other: str, name: str = "") -> Goal:
    return Goal(workload, row, f"<= {factor} x {name or other}", over=(other,), at_most=factor)


def faster(workload: str, row: str, factor: float, *others: str, text: str = "") -> Goal:
    words = text or f">= {factor:g} x faster than {', '.join(others)}"
    return Goal(workload, row, words, over=others, at_least=factor)


EVERY_OTHER = ("git", "git-lfs", "git-annex", "dvc", "oxen", "restic", "borg")

GOALS = (
    no_slower("W1", "first", 2.0, "tar", "`tar cf` + sync"),
    faster("W1", "first", 5, "restic"),
    faster("W1", "first", 12, "git"),
    faster("W1", "first", 20, "dvc"),
    no_slower("W1", "status", 2.5, "git"),
    faster("W1", "status", 4, "oxen"),
    faster("W1", "status", 12, "dvc"),
    no_slower("W1b", "status", 2.0, "git"),
    no_slower("W1", "touched", 1.2, "git"),
    no_slower("W1", "switch", 1.5, "git"),
    faster("W1", "switch", 1, *EVERY_OTHER[1:], text="faster than all others"),
    no_slower("W1", "restore", 1.0, "git"),
    no_slower("W1", "restore", 1.0, "cp", "`cp -r`"),
    no_slower("W1", "verify", 0.5, "git", "`git fsck`"),
    faster("W1", "verify", 6, "restic"),
    Goal("W1", "first", "store <= 1.06 x the bytes", "store", ("bytes",), at_most=1.06),
    Goal("W1", "first", "store <= 20 files", "files", at_most=20),
    no_slower("W2", "first", 1.25, "cp", "`cp` + sync"),
    faster("W2", "first", 2, "dvc"),
    Goal("W2", "second", "<= 1.5 s where `cp` + sync takes 1.8", over=("cp",), at_most=round(1.5 / 1.8, 2)),
    Goal("W2", "second", "store grows <= 4 MB", "growth", at_most=4 * MB),
    no_slower("W2", "restore", 1.15, "cp", "`cp`"),
    faster("W2", "restore", 1, "dvc", text="faster than DVC"),
    no_slower("W2", "verify", 1.5, "blake3", "BLAKE3 on all threads"),
    faster("W2", "verify", 4, "model-signing"),
    no_slower("W2", "touched", 2.0, "cat", "`cat`"),
    faster("W3", "first", round(1.5 / 0.8, 2), "dvc", text="<= 0.8 s where DVC takes 1.5"),
    faster("W3", "second", round(0.67 / 0.5, 2), "borg", text="<= 0.5 s where borg takes 0.67"),
    faster(
        "W3",
        "verify",
        round(0.66 / 0.25, 2),
        "model-signing",
        text="<= 0.25 s where model-signing takes 0.66",
    ),
    Goal("W3", "first", "store below restic's", "store", ("restic",), at_most=1.0),
    Goal("W3", "second", "growth below restic's", "growth", ("restic",), at_most=1.0),
    Goal("W4", "versions", "store below every peer's", "store", EVERY_OTHER, at_most=1.0),
    *(
        Goal(w, "", "peak memory < 150 MB in all rows", "peak", at_most=150 * MB)
        for w in ("W1", "W1b", "W2", "W3", "W4")
    ),
    Goal("start", "version", "--version <= 25 ms", at_most=0.025),
    Goal("start", "status", "<= 70 ms where `import click` takes 45", over=("import click",), at_most=1.56),
)
