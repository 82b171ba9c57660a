"""Arrays in ``.npy`` files: shape, dtype, how far their items are apart, and where; nothing is unpickled."""

from __future__ import annotations

from typing import Any, BinaryIO

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict
from mlstore.compare.npy import Header, read_header
from mlstore.compare.numbers import CHUNK, Spread
from mlstore.errors import CorruptArtifact

NAME = "array"


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two arrays. Measures: those of ``Spread.to_dict``, ``shape_changed``, ``dtype_changed``."""
    details = Details(settings)
    with old.open() as one, new.open() as other:
        measures = compare_files((one, other), (old.name, new.name), "array", details, settings)
    verdict = Verdict.DIFFERENT if details.count else Verdict.EQUIVALENT
    first = str(details.rows[0]) if details.rows else "arrays differ"
    summary = first if details.count else "the same array, written in another way"
    return Comparison(NAME, verdict, summary, details.rows[1:], details.omitted, measures)


def compare_files(
    files: tuple[BinaryIO, BinaryIO],
    names: tuple[str, str],
    label: str,
    details: Details,
    settings: Settings,
) -> dict[str, Any]:
    """Compare two open ``.npy`` files, and give the measures; raises ``CorruptArtifact``."""
    old, new = (read_header(file, name) for file, name in zip(files, names, strict=True))
    for header, name in ((old, names[0]), (new, names[1])):
        if header.dtype is None:
            raise CorruptArtifact(f"'{name}' holds Python objects (a pickle), which are not read here")
    form = f"{old.name}{list(old.shape)}", f"{new.name}{list(new.shape)}"
    same_type, same_shape = old.dtype == new.dtype, old.shape == new.shape
    measures: dict[str, Any] = {"shape_changed": not same_shape, "dtype_changed": not same_type}
    if not same_shape:
        details.add("changed", label, *form)
        _expect_end(files, (old, new), names, read=False)
        return measures
    spread = _spread(files, (old, new), names, settings)
    _expect_end(files, (old, new), names, read=True)
    measures |= spread.to_dict()
    if not same_type:
        details.add(
            "changed", label, *form, note=spread.describe(old.shape) if spread.differing else "same values"
        )
    elif spread.differing:
        details.add("changed", f"{label} {form[1]}", note=spread.describe(old.shape))
    return measures


def _spread(
    files: tuple[BinaryIO, BinaryIO],
    headers: tuple[Header, Header],
    names: tuple[str, str],
    settings: Settings,
) -> Spread:
    import numpy as np

    old, new = headers
    plain = len([size for size in old.shape if size > 1]) <= 1
    if old.fortran != new.fortran and not plain:
        return _across(files, headers, names, settings)
    spread = Spread(fortran=old.fortran and not plain)
    step = max(1, CHUNK // max(old.dtype.itemsize, new.dtype.itemsize, 1))
    for start in range(0, old.count, step) if old.dtype.itemsize and new.dtype.itemsize else ():
        count = min(step, old.count - start)
        one, other = (
            np.frombuffer(_exactly(file, count * header.dtype.itemsize, name), header.dtype)
            for file, header, name in zip(files, headers, names, strict=True)
        )
        spread.update(one, other, settings)
    return spread


def _across(
    files: tuple[BinaryIO, BinaryIO],
    headers: tuple[Header, Header],
    names: tuple[str, str],
    settings: Settings,
) -> Spread:
    """One runs by rows, the other by columns: they are compared in memory, if they fit."""
    import numpy as np

    if sum(header.count * header.dtype.itemsize for header in headers) > settings.memory:
        raise CorruptArtifact(
            "one array runs by rows and the other by columns, and they are too large for that"
        )
    sides = []
    for file, header, name in zip(files, headers, names, strict=True):
        data = _exactly(file, header.count * header.dtype.itemsize, name)
        order = "F" if header.fortran else "C"
        sides.append(np.frombuffer(data, header.dtype).reshape(header.shape, order=order).reshape(-1))  # type: ignore[call-overload]
    spread = Spread()
    spread.update(sides[0], sides[1], settings)
    return spread


def _exactly(file: BinaryIO, size: int, name: str) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise CorruptArtifact(f"'{name}' ends too early")
    return data


def _expect_end(
    files: tuple[BinaryIO, BinaryIO], headers: tuple[Header, Header], names: tuple[str, str], *, read: bool
) -> None:
    """Raise where a file is shorter or longer than its header says."""
    for file, header, name in zip(files, headers, names, strict=True):
        left = 0 if read else header.count * header.dtype.itemsize
        while left:
            piece = file.read(min(left, CHUNK))
            if not piece:
                raise CorruptArtifact(f"'{name}' ends too early")
            left -= len(piece)
        if file.read(1):
            raise CorruptArtifact(f"'{name}' has bytes behind its array")
