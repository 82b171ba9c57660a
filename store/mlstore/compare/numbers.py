"""Two runs of numbers beside each other: how far apart, where, and what is not a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlstore.compare.comparison import Settings

CHUNK = 1 << 20
"""Bytes of numbers that are looked at together."""


@dataclass(slots=True)
class Spread:
    """How two equally long runs of items differ.

    ``max_abs``, ``max_rel`` (relative to the old value) and ``sum_abs`` are over items that differ and are
    numbers on both sides; ``at`` is the flat index of the largest difference, ``first`` of the first one.
    ``beyond`` counts those outside of the tolerance; ``fortran`` says that the first index runs fastest. NaN
    equals NaN; NaN on one side only is counted in ``nan_added`` or ``nan_removed``.
    """

    count: int = 0
    differing: int = 0
    beyond: int = 0
    max_abs: float = 0.0
    max_rel: float = 0.0
    sum_abs: float = 0.0
    nan_added: int = 0
    nan_removed: int = 0
    first: int | None = None
    at: int | None = None
    fortran: bool = False

    @property
    def mean_abs(self) -> float:
        """The mean distance over all items, equal ones included."""
        return self.sum_abs / self.count if self.count else 0.0

    def update(self, old: Any, new: Any, settings: Settings) -> None:
        """Take in the next items: two flat numpy arrays of one length."""
        start, self.count = self.count, self.count + len(old)
        if old.dtype.names is not None:
            self._take_fields(old, new, start, settings)
            return
        where = _unequal(old, new)
        if where is None or not len(where):
            return
        self.differing += len(where)
        self._note_first(start + int(where[0]))
        if old.dtype.kind in "biufc" and new.dtype.kind in "biufc":
            self._take_numbers(old[where], new[where], where, start, settings)
        else:
            self.beyond += len(where)

    def _note_first(self, index: int) -> None:
        self.first = index if self.first is None else min(self.first, index)

    def _take_fields(self, old: Any, new: Any, start: int, settings: Settings) -> None:
        import numpy as np

        if old.dtype.names != new.dtype.names:
            self.differing, self.beyond = self.differing + len(old), self.beyond + len(old)
            self._note_first(start)
            return
        changed = np.zeros(len(old), bool)
        for name in old.dtype.names:
            part = Spread(start)
            one, other = (np.ascontiguousarray(side[name]).reshape(len(old), -1) for side in (old, new))
            if one.shape != other.shape:
                changed[:] = True
                continue
            items, others = one.reshape(-1), other.reshape(-1)
            part.update(items, others, settings)
            if part.differing:
                changed[_unequal(items, others) // one.shape[1]] = True
                self._merge(part)
        self.differing += int(changed.sum())
        if changed.any():
            self._note_first(start + int(changed.argmax()))

    def _merge(self, part: Spread) -> None:
        self.beyond += part.beyond
        self.sum_abs += part.sum_abs
        self.nan_added += part.nan_added
        self.nan_removed += part.nan_removed
        self.max_abs, self.max_rel = max(self.max_abs, part.max_abs), max(self.max_rel, part.max_rel)

    def _take_numbers(self, old: Any, new: Any, where: Any, start: int, settings: Settings) -> None:
        import numpy as np

        nan_old, nan_new = np.isnan(old), np.isnan(new)
        self.nan_added += int(nan_new.sum())
        self.nan_removed += int(nan_old.sum())
        lost = int((nan_old | nan_new).sum())
        self.beyond += lost
        if lost:
            both = ~(nan_old | nan_new)
            old, new, where = old[both], new[both], where[both]
        if not len(old):
            return
        with np.errstate(all="ignore"):
            distance = _distance(old, new)
            size = np.abs(old.astype(_wide(old.dtype)))
            relative = np.where(size > 0, distance / size, np.inf)
            # An infinite limit (rtol times infinity) lets nothing through.
            near = (distance <= settings.atol + settings.rtol * size) & np.isfinite(distance)
            self.beyond += int((~near).sum())
            largest = int(distance.argmax())
            if self.at is None or float(distance[largest]) > self.max_abs:
                self.max_abs, self.at = float(distance[largest]), start + int(where[largest])
            self.max_rel = max(self.max_rel, float(relative.max()))
            self.sum_abs += float(distance.sum())

    def describe(self, shape: tuple[int, ...] = ()) -> str:
        """Say it in a few words; *shape* turns flat indexes into places."""
        words = [f"{self.differing} of {self.count}"]
        if self.at is not None:
            words.append(f"max |d| = {self.max_abs:.3g} at {place(self.at, shape, self.fortran)}")
            words.append(f"mean |d| = {self.mean_abs:.3g}")
            words.append(f"max relative = {self.max_rel:.3g}")
        elif self.first is not None:
            words.append(f"first at {place(self.first, shape, self.fortran)}")
        if self.nan_added or self.nan_removed:
            words.append(f"NaN: {self.nan_added} new, {self.nan_removed} gone")
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON; what is infinite is text."""
        return {
            "count": self.count,
            "differing": self.differing,
            "beyond_tolerance": self.beyond,
            "max_abs": finite(self.max_abs),
            "max_rel": finite(self.max_rel),
            "mean_abs": finite(self.mean_abs),
            "nan_added": self.nan_added,
            "nan_removed": self.nan_removed,
        }


def finite(value: float) -> float | str:
    """Give a number that JSON can say, else its name."""
    return value if value - value == 0 else str(value)


def place(index: int, shape: tuple[int, ...], fortran: bool = False) -> str:
    """Give a flat index as ``[2, 0]`` in an array of that *shape*."""
    if len(shape) <= 1:
        return f"[{index}]"
    found = []
    for size in shape if fortran else reversed(shape):
        index, rest = divmod(index, size)
        found.append(rest)
    return str(found if fortran else found[::-1])


def _wide(dtype: Any) -> Any:
    import numpy as np

    return np.complex128 if dtype.kind == "c" else np.longdouble if dtype.itemsize > 8 else np.float64


def _unequal(old: Any, new: Any) -> Any:
    """Give the indexes at which items differ; NaN equals NaN."""
    import numpy as np

    if old.dtype.kind == "V" or new.dtype.kind == "V" or (old.dtype.kind in "Mm") != (new.dtype.kind in "Mm"):
        one, other = (np.frombuffer(side.tobytes(), np.uint8) for side in (old, new))
        same_size = len(one) == len(other) and len(old)
        rows = (one != other).reshape(len(old), -1).any(axis=1) if same_size else np.ones(len(old), bool)
        return np.flatnonzero(rows)
    if (old.dtype.kind in "SU") != (new.dtype.kind in "SU"):
        return np.arange(len(old))
    different = old != new
    if old.dtype.kind in "fcMm" and new.dtype.kind in "fcMm":
        nothing = np.isnat if old.dtype.kind in "Mm" else np.isnan
        different &= ~(nothing(old) & nothing(new))
    return np.flatnonzero(different)


def _distance(old: Any, new: Any) -> Any:
    import numpy as np

    kinds = {old.dtype.kind, new.dtype.kind}
    if kinds <= {"i"} or kinds <= {"u"}:
        # The difference of two 64-bit numbers may not fit: the larger less the smaller, without a sign, does.
        high, low = (side.astype(np.uint64) for side in (np.maximum(old, new), np.minimum(old, new)))
        return (high - low).astype(np.float64)
    wide = _wide(old.dtype if old.dtype.itemsize >= new.dtype.itemsize else new.dtype)
    if "c" in kinds:
        wide = np.complex128
    return np.abs(new.astype(wide) - old.astype(wide))
