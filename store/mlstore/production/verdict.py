"""What is said of one artifact when it is read (schema ``mlstore.load/1``), and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from mlstore.config import MODES
from mlstore.errors import NotVerified, UsageError
from mlstore.hashing import ObjectId

Mode: TypeAlias = Literal["enforce", "warn"]
"""``enforce`` raises where bytes differ, ``warn`` says so and goes on with the bytes that it has hashed."""

OnVerdict: TypeAlias = Callable[[dict[str, Any]], object]
"""Is given every verdict as JSON-ready data before anything follows from it; if it raises, that is all."""


@dataclass(frozen=True, slots=True)
class ArtifactVerdict:
    """How the bytes of *path* compare with what *at* records; ``offset`` is the first byte that differs.

    ``source`` says where they came from: ``worktree`` or ``store``.
    """

    path: str
    at: str
    commit: ObjectId
    expected: ObjectId
    actual: ObjectId
    size: int
    source: Literal["worktree", "store"]
    offset: int | None = None

    @property
    def ok(self) -> bool:
        """Whether they are the same."""
        return self.actual == self.expected

    @property
    def message(self) -> str:
        """It in words."""
        if self.ok:
            return f"'{self.path}' is what '{self.at}' holds"
        where = f", first at byte {self.offset}" if self.offset is not None else ""
        return f"'{self.path}' is not what '{self.at}' holds: it differs{where}"

    def to_dict(self, mode: Mode) -> dict[str, Any]:
        """Give it as JSON-ready data, with what *mode* makes of it."""
        return {
            "schema": "mlstore.load/1",
            "ok": self.ok,
            "verdict": "match" if self.ok else "differs",
            "mode": mode,
            "used": self.ok or mode == "warn",
            "message": self.message,
            **asdict(self),
        }

    def error(self) -> NotVerified:
        """Give the error for bytes that are not the same."""
        return NotVerified(
            self.message,
            hint=f"restore it with 'mlstore checkout {self.at} -- {self.path}', or find out who changed it",
            path=self.path,
            expected=self.expected,
            actual=self.actual,
            offset=self.offset,
        )


def parse_mode(word: str) -> Mode:
    """Read a mode; raises ``UsageError`` for any other word."""
    if word not in MODES:
        raise UsageError(f"'{word}' is not a mode", hint="it is 'enforce' or 'warn'")
    return "warn" if word == "warn" else "enforce"


def warn(message: str, verdict: dict[str, Any]) -> None:
    """Log that something goes on all the same, with the *verdict* as ``record.verdict``.

    The logger ``mlstore`` has no handler of its own on purpose: where nobody set up logging, Python shows it.
    """
    import logging

    logging.getLogger("mlstore").warning(
        "%s; it is used all the same (mode 'warn')", message, extra={"verdict": verdict}
    )
