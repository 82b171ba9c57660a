"""Arrays inside of models: their range, and how far two of them are apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Settings
from mlstore.compare.models.nodes import Array
from mlstore.compare.models.numpyio import numpy_of
from mlstore.compare.models.source import Source
from mlstore.compare.models.unpack import unpack
from mlstore.compare.numbers import CHUNK, Spread


def range_of(array: Array) -> tuple[Any, Any]:
    """Give the least and the largest number, None where there is none or the bytes were not kept."""
    import numpy as np

    if array.data is None or array.dtype.fields or not array.size:
        return None, None
    values = np.frombuffer(array.data, numpy_of(array.dtype))
    if values.dtype.kind not in "biuf":
        return None, None
    values = values[~np.isnan(values)]
    if not len(values):
        return None, None
    bounds = values.min().item(), values.max().item()
    low, high = (value if value - value == 0 else str(value) for value in bounds)
    return low, high


def compare_arrays(
    old: Array, old_side: Artifact, new: Array, new_side: Artifact, settings: Settings
) -> Spread | None:
    """Compare two arrays of one shape, item by item; None when their bytes cannot be reached."""
    import numpy as np

    if old.shape != new.shape or any(one.data is None and one.offset < 0 for one in (old, new)):
        return None
    if old.fortran != new.fortran and len([size for size in old.shape if size > 1]) > 1:
        if old.data is None or new.data is None:
            return None
        spread = Spread()
        flat = [_whole(one).reshape(-1) for one in (old, new)]
        spread.update(flat[0], flat[1], settings)
        return spread
    spread = Spread(fortran=old.fortran)
    items = max(1, CHUNK // max(old.dtype.size, new.dtype.size, 1))
    pieces = [_pieces(one, side, items * one.dtype.size, settings) for one, side in
              ((old, old_side), (new, new_side))]  # fmt: skip
    for one, other in zip(*pieces, strict=True):
        spread.update(
            np.frombuffer(one, numpy_of(old.dtype)), np.frombuffer(other, numpy_of(new.dtype)), settings
        )
    return spread


def _whole(array: Array) -> Any:
    import numpy as np

    values = np.frombuffer(array.data or b"", numpy_of(array.dtype))
    return values.reshape(array.shape, order="F" if array.fortran else "C")


def _pieces(array: Array, side: Artifact, size: int, settings: Settings) -> Iterator[bytes]:
    """Yield the array's bytes in pieces of *size*: kept ones from memory, others from the file again."""
    if not size:
        return
    if array.data is not None:
        for start in range(0, array.size, size):
            yield array.data[start : start + size]
        return
    with side.open() as file:
        source = Source(unpack(file, settings.memory), settings.unpacked)
        for _ in source.raw(array.offset):
            pass
        left = array.size
        while left:
            yield source.raw_bytes(min(size, left), size)
            left -= min(size, left)
