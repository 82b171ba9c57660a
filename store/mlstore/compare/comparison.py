"""What every comparator answers: the verdict, one line, and details that are capped."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Any

_LONGEST_TEXT = 200


class Verdict(enum.StrEnum):
    """How two artifacts relate.

    ``INCOMPLETE`` is for what differs in bytes and could not be read whole, with no difference found so far:
    it never means that they agree.
    """

    EQUAL = "equal"
    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and choices of a comparison.

    ``rows`` is how many details are kept, ``memory`` how many bytes a comparison may hold at a time (the
    order of magnitude: Python's own overhead comes on top), ``unpacked`` how many bytes a compressed file may
    grow to. Numbers within ``atol + rtol * |old|`` of each other are counted as close, and still are told as
    changed. ``key`` names the columns that identify a row of a table, ``delimiter`` what separates its cells.
    ``allow`` holds exact ``module.name`` of globals that a pickle may name beyond those known here; what is
    known to run code or commands cannot be allowed.
    """

    rows: int = 20
    memory: int = 256 << 20
    unpacked: int = 16 << 30
    rtol: float = 0.0
    atol: float = 0.0
    key: tuple[str, ...] = ()
    delimiter: str | None = None
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Detail:
    """One difference: ``kind`` is a stable word, ``where`` names the place; None stands for "not there"."""

    kind: str
    where: str
    old: str | None = None
    new: str | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.old is None and self.new is None:
            text = f"{self.where} {self.kind}"
        elif self.old is None:
            text = f"{self.where} {self.kind}: {self.new}"
        elif self.new is None:
            text = f"{self.where} {self.kind}: {self.old}"
        else:
            arrow = f"{self.where} {self.old} -> {self.new}"
            text = arrow if self.kind == "changed" else f"{self.where} {self.kind}: {self.old} -> {self.new}"
        return f"{text} ({self.note})" if self.note else text

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "kind": self.kind,
            "where": self.where,
            "old": self.old,
            "new": self.new,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer of a comparator.

    ``summary`` is one line; ``details`` are the first differences, ``omitted`` how many more there are.
    ``measures`` are numbers for machines (plain JSON values), their keys documented by each comparator.
    ``complete`` is False when something could not be looked at: ``missing`` says what.
    """

    comparator: str
    verdict: Verdict
    summary: str
    details: tuple[Detail, ...] = ()
    omitted: int = 0
    measures: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything was looked at."""
        return not self.missing

    def lines(self) -> list[str]:
        """Give it as lines for people: the summary first."""
        lines = [self.summary, *map(str, self.details)]
        if self.omitted:
            lines.append(f"and {self.omitted} more")
        return lines + [f"not looked at: {what}" for what in self.missing]

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON, schema ``mlstore.comparison/1``."""
        return {
            "schema": "mlstore.comparison/1",
            "comparator": self.comparator,
            "verdict": str(self.verdict),
            "complete": self.complete,
            "summary": self.summary,
            "details": [detail.to_dict() for detail in self.details],
            "omitted": self.omitted,
            "measures": self.measures,
            "missing": list(self.missing),
        }

    def with_missing(self, *what: str) -> Comparison:
        """Give the same, not having looked at *what*: what seemed to agree is then incomplete."""
        verdict = Verdict.INCOMPLETE if self.verdict is Verdict.EQUIVALENT and what else self.verdict
        return replace(self, verdict=verdict, missing=(*self.missing, *what))


class Details:
    """Collects details up to a limit and counts the rest; long texts are cut."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.rows
        self._rows: list[Detail] = []
        self.count = 0

    def add(
        self, kind: str, where: str, old: str | None = None, new: str | None = None, note: str = ""
    ) -> None:
        """Take in one difference."""
        self.count += 1
        if len(self._rows) < self._most:
            self._rows.append(Detail(kind, clip(where), clip(old), clip(new), clip(note)))

    def count_more(self, number: int) -> None:
        """Count differences that were not looked at one by one."""
        self.count += number

    @property
    def rows(self) -> tuple[Detail, ...]:
        """The first of them."""
        return tuple(self._rows)

    @property
    def omitted(self) -> int:
        """How many there are beyond those."""
        return self.count - len(self._rows)


def clip(text: Any) -> Any:
    """Cut a long text, and say so; None stays None."""
    if text is None or len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}... ({len(text)} characters)"


def plural(number: int, word: str) -> str:
    """Give ``1 row``, ``2 rows``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
