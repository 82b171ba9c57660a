"""What a clone leaves out: blobs, by size; git's words for it (``blob:none``, ``blob:limit=64k``)."""

from __future__ import annotations

from typing import NamedTuple

from mlstore.errors import UsageError

_PREFIX = "blob:limit="
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Filter(NamedTuple):
    """Blobs of at least ``limit`` bytes are left out. Commits, trees and tags never are."""

    limit: int

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Read a filter as git writes it; raises ``UsageError``.

        >>> Filter.parse("blob:none"), Filter.parse("blob:limit=64k")
        (Filter(limit=0), Filter(limit=65536))
        """
        if text == "blob:none":
            return cls(0)
        number = text.removeprefix(_PREFIX).lower()
        unit = _UNITS.get(number[-1:], 1)
        digits = number if unit == 1 else number[:-1]
        if text.startswith(_PREFIX) and digits.isascii() and digits.isdigit() and len(digits) <= 18:
            return cls(int(digits) * unit)
        raise UsageError(
            f"'{text}' is not a filter",
            hint="'blob:none' leaves out all blobs, 'blob:limit=64k' those of 64 KiB and more",
        )

    def __str__(self) -> str:
        if self.limit == 0:
            return "blob:none"
        for letter, unit in reversed(_UNITS.items()):
            if self.limit % unit == 0:
                return f"{_PREFIX}{self.limit // unit}{letter}"
        return f"{_PREFIX}{self.limit}"

    def leaves_out(self, size: int) -> bool:
        """Whether a blob of *size* bytes is left out."""
        return size >= self.limit
