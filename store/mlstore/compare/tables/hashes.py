"""One hash of 64 bits for every row: in memory while they are few, else in an unnamed temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

_CHUNK = 1 << 18


class Hashes:
    """A list of hashes that is only appended to, and read by slices."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, hashes: list[bytes]) -> None:
        """Append hashes of eight bytes each."""
        self._count += len(hashes)
        self._memory += b"".join(hashes)
        if len(self._memory) > self._most:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
            self._file.seek(0, 2)
            self._file.write(self._memory)
            self._memory = bytearray()

    def slice(self, start: int, stop: int) -> Any:
        """Give the hashes from *start* to *stop* as a numpy array."""
        import numpy as np

        if self._file is None:
            return np.frombuffer(bytes(self._memory[start * 8 : stop * 8]), np.uint64)
        if self._memory:
            self._file.seek(0, 2)
            self._file.write(self._memory)
            self._memory = bytearray()
        self._file.seek(start * 8)
        return np.frombuffer(self._file.read((stop - start) * 8), np.uint64)

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[Any]:
        """Yield slices that together are the hashes from *start* to *stop*."""
        stop = self._count if stop is None else stop
        for at in range(start, stop, _CHUNK):
            yield self.slice(at, min(at + _CHUNK, stop))

    def close(self) -> None:
        """Give back the temporary file."""
        if self._file is not None:
            self._file.close()


def common_ends(old: Hashes, new: Hashes) -> tuple[int, int]:
    """Give how many rows are the same at the start and, not counting those, at the end."""
    most = min(len(old), len(new))
    front = 0
    while front < most:
        size = min(_CHUNK, most - front)
        same = old.slice(front, front + size) == new.slice(front, front + size)
        if not same.all():
            front += int(same.argmin())
            break
        front += size
    back, most = 0, most - front
    while back < most:
        size = min(_CHUNK, most - back)
        ends = [side.slice(len(side) - back - size, len(side) - back) for side in (old, new)]
        same = (ends[0] == ends[1])[::-1]
        if not same.all():
            back += int(same.argmin())
            break
        back += size
    return front, back


def count_surplus(old: Hashes, new: Hashes, span: tuple[int, int, int, int], most: int) -> tuple[int, int]:
    """Count, as sets with repetition, the rows of ``old[i1:i2]`` that ``new[j1:j2]`` has not, and back.

    It goes through the hashes once for every part of their range, so that no more than *most* are held.
    """
    import numpy as np

    i1, i2, j1, j2 = span
    parts = 1 << max(0, (max(i2 - i1, j2 - j1) // max(1, most)).bit_length())
    removed = added = 0
    for part in range(parts):
        sides = []
        for side, start, stop in ((old, i1, i2), (new, j1, j2)):
            chunks = [chunk[chunk % np.uint64(parts) == part] for chunk in side.chunks(start, stop)]
            sides.append(np.concatenate(chunks) if chunks else np.empty(0, np.uint64))
        names, inverse = np.unique(np.concatenate(sides), return_inverse=True)
        counts = [np.bincount(half, minlength=len(names)) for half in np.split(inverse, [len(sides[0])])]
        surplus = counts[0] - counts[1]
        removed += int(surplus[surplus > 0].sum())
        added -= int(surplus[surplus < 0].sum())
    return removed, added
