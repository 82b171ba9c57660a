"""Bytes that nothing is known about: size, first difference, how dense they are."""

from __future__ import annotations

import math
from collections import Counter

from mlstore.compare.artifact import Artifact
from mlstore.compare.binary import first_difference
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict

NAME = "bytes"
_SAMPLE = 1 << 16
_DENSE = 7.5


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two files byte by byte.

    Measures: ``first_difference`` (offset), ``old_size``, ``new_size``, ``old_entropy``, ``new_entropy``
    (bits a byte).
    """
    found = first_difference(old.pieces(), new.pieces())
    if found is None:
        return Comparison(NAME, Verdict.EQUAL, "the same bytes")
    details = Details(settings)
    if found.old is None or found.new is None:
        details.add("length", f"equal up to offset {found.offset}", note="there one of them ends")
    else:
        details.add("changed", f"byte at offset {found.offset}", f"0x{found.old:02x}", f"0x{found.new:02x}")
    if old.size != new.size:
        details.add("changed", "size", f"{old.size}", f"{new.size} bytes")
    dense = [entropy(side.head(_SAMPLE)) for side in (old, new)]
    if min(dense) >= _DENSE:
        hint = "compressed or encrypted: one change inside changes everything behind it"
        details.add("dense", "both are dense", note=hint)
    elif abs(dense[0] - dense[1]) > 1:
        details.add("changed", "entropy", f"{dense[0]:.1f}", f"{dense[1]:.1f} bits a byte")
    return Comparison(
        NAME,
        Verdict.DIFFERENT,
        f"bytes differ, first at offset {found.offset}",
        details.rows,
        details.omitted,
        {
            "first_difference": found.offset,
            "old_size": old.size,
            "new_size": new.size,
            "old_entropy": round(dense[0], 3),
            "new_entropy": round(dense[1], 3),
        },
    )


def entropy(data: bytes) -> float:
    """Give the bits of information in each byte, 0 to 8: text has 4 to 5, compressed data nearly 8."""
    if not data:
        return 0.0
    total = len(data)
    return max(0.0, -sum(n / total * math.log2(n / total) for n in Counter(data).values()))
