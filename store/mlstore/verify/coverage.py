"""How much of the content was hashed, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlstore._progress import format_size

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many blobs were needed, hashed, not to be had (``absent``), passed over (``left``), and in bytes.

    A size that no tree states counts as nothing.
    """

    blobs: int = 0
    bytes: int = 0
    hashed: int = 0
    hashed_bytes: int = 0
    absent: int = 0
    absent_bytes: int = 0
    left: int = 0
    left_bytes: int = 0
    sample: str | None = None
    budget: float | None = None
    seed: str | None = None

    @property
    def partial(self) -> str | None:
        """What a verdict has to say beside itself, None where every blob was hashed."""
        if self.left:
            share = 100 * self.hashed / self.blobs
            return f"sampled: {self.hashed} of {self.blobs} blobs, {share:.1f}%"
        return f"dataless: {self.hashed} of {self.blobs} blobs hashed" if self.absent else None

    def skipped(self, *, dataless: bool, files: bool, again: str) -> dict[str, str]:
        """Say of every blob that was needed and not hashed why, and how much that is.

        *files* says whether the files of the worktree were hashed, *again* are the options that look at the
        same blobs.
        """
        told = {}
        if self.absent:
            why = "were not read" if dataless else "are not in this store"
            instead = "worktree files were hashed instead" if files else "nothing else was"
            told["content"] = f"{_count(self.absent)}, {format_size(self.absent_bytes)} {why}; {instead}"
        if self.left:
            size = f"{format_size(self.left_bytes)} of {format_size(self.bytes)}"
            told["sample"] = f"{self.left} of {_count(self.blobs)}, {size}; '{again}' takes the same order"
        return told


def skipped_keys(selectors: Sequence[str]) -> dict[str, str]:
    """Say which inputs by key could not be looked at."""
    if not selectors:
        return {}
    names = ", ".join(f"'{selector}'" for selector in selectors[:_SHOWN])
    more = f" and {len(selectors) - _SHOWN} more" if selectors[_SHOWN:] else ""
    return {"keys": f"{names}{more}: the files that they are in are not here"}


def _count(blobs: int) -> str:
    return f"{blobs} blob{'s' if blobs != 1 else ''}"
