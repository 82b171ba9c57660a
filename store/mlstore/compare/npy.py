"""The headers of ``.npy`` files: read as literals, dtypes by an allow-list, nothing is unpickled."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from mlstore.errors import CorruptArtifact

MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 20
_PLAIN = re.compile(
    r"[<>|=]?(?:b1|[?]|[iu][1248]|f2|f4|f8|f12|f16|c8|c16|c24|c32|[SUaV][0-9]{1,9}|[Mm]8(?:\[[0-9]{0,9}[a-zA-Z]{1,7}\])?)\Z"
)
_OBJECT = re.compile(r"[<>|=]?O[0-9]?\Z")
_MOST_ITEMS = 1 << 60
_MOST_FIELDS = 10_000


@dataclass(frozen=True, slots=True)
class Header:
    """What a ``.npy`` file says of itself; ``dtype`` is numpy's, None for an array of objects (a pickle)."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: Any
    name: str
    version: tuple[int, int]

    @property
    def count(self) -> int:
        """How many items there are."""
        total = 1
        for size in self.shape:
            total *= size
        return total


def read_header(file: BinaryIO, name: str) -> Header:
    """Read the header, leaving *file* at the first item; raises ``CorruptArtifact``."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != MAGIC or start[6] not in (1, 2, 3) or start[7]:
        raise CorruptArtifact(f"'{name}' is not a .npy file of a known version")
    width = 2 if start[6] == 1 else 4
    size = int.from_bytes(file.read(width), "little")
    if size > _LONGEST_HEADER:
        raise CorruptArtifact(f"'{name}' has a header of {size} bytes")
    text = file.read(size)
    if len(text) < size:
        raise CorruptArtifact(f"'{name}' ends within its header")
    try:
        value = ast.literal_eval(text.decode("utf-8" if start[6] == 3 else "latin-1").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise CorruptArtifact(f"'{name}' has a header that is no literal") from None
    return _header(value, name, (start[6], start[7]))


def _header(value: Any, name: str, version: tuple[int, int]) -> Header:
    if not isinstance(value, dict) or value.keys() != {"descr", "fortran_order", "shape"}:
        raise CorruptArtifact(f"'{name}' has a header with other keys than it should")
    shape, fortran = value["shape"], value["fortran_order"]
    sizes = isinstance(shape, tuple) and all(type(size) is int and 0 <= size < _MOST_ITEMS for size in shape)
    if not sizes or type(fortran) is not bool or len(shape) > 64:
        raise CorruptArtifact(f"'{name}' has an impossible shape")
    dtype = dtype_of(value["descr"], name)
    header = Header(shape, fortran, dtype, "object" if dtype is None else dtype.str, version)
    if header.count >= _MOST_ITEMS:
        raise CorruptArtifact(f"'{name}' has an impossible shape")
    return header


def dtype_of(descr: Any, name: str, depth: int = 0) -> Any:
    """Give numpy's dtype for a plain description, None for objects; raises ``CorruptArtifact``."""
    import numpy as np

    try:
        if isinstance(descr, str) and _OBJECT.match(descr):
            return None
        if isinstance(descr, str) and _PLAIN.match(descr):
            return np.dtype(descr)
        if isinstance(descr, list) and 0 < len(descr) <= _MOST_FIELDS and depth < 8:
            fields = [_field(one, name, depth) for one in descr]
            return None if any(field is None for field in fields) else np.dtype(fields)
    except (TypeError, ValueError, OverflowError, SyntaxError):
        pass
    raise CorruptArtifact(f"'{name}' has a dtype that is not known: {str(descr)[:80]}")


def _field(value: Any, name: str, depth: int) -> Any:
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        raise ValueError("no field")
    label = value[0]
    if isinstance(label, tuple) and len(label) == 2:  # (title, name)
        label = label[1]
    inner = dtype_of(value[1], name, depth + 1)
    if not isinstance(label, str):
        raise TypeError("no name")
    if inner is None:
        return None
    if len(value) == 2:
        return (label, inner)
    sizes = value[2] if isinstance(value[2], tuple) else (value[2],)
    if not all(type(size) is int and 0 <= size < 1 << 31 for size in sizes):
        raise ValueError("no shape")
    return (label, inner, sizes)
