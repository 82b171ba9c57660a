"""What a pickle says about dtypes and arrays, believed only where it is plain: anything odd is refused."""

from __future__ import annotations

import re
from typing import Any

from mlstore.compare.models.nodes import Dict, Dtype, Global, Made, name_of
from mlstore.errors import CorruptArtifact

_PLAIN = re.compile(r"(b1|[iu][1248]|f2|f4|f8|f12|f16|c8|c16|c24|c32|[Mm]8|O8|O4|[SUV](0|[1-9][0-9]{0,9}))\Z")
_UNITS = frozenset(
    {b"generic", b"Y", b"M", b"W", b"D", b"h", b"m", b"s", b"ms", b"us", b"ns", b"ps", b"fs", b"as"}
)
_MOST_FIELDS = 1000
_LARGEST = 1 << 48


class Odd(CorruptArtifact):
    """An array is described in a way that numpy never writes: what follows cannot be located."""

    kind = "odd-array"


def dtype_of(value: Any, depth: int = 0) -> Dtype:
    """Read what stands for a ``numpy.dtype``; raises ``Odd``."""
    if depth > 8 or not isinstance(value, Made) or name_of(value.maker) != "numpy.dtype":
        raise Odd("a dtype is described in an unusual way")
    args, state = value.args, value.state
    if not args or type(args[0]) is not str or not _PLAIN.match(args[0]) or len(state) > 1:
        raise Odd("a dtype is described in an unusual way")
    if len(args) > 3 or any(type(flag) not in (bool, int) for flag in args[1:]) or value.items or value.pairs:
        raise Odd("a dtype is described in an unusual way")
    kind, width = args[0][0], int(args[0][1:])
    size = width * 4 if kind == "U" else width
    if not state:
        return Dtype(("|" if kind in "SVbO" or size == 1 else "<") + args[0], size, has_objects=kind == "O")
    return _with_state(kind, args[0], size, state[0], depth)


def _with_state(kind: str, text: str, size: int, state: Any, depth: int) -> Dtype:
    if type(state) is not tuple or not 8 <= len(state) <= 9 or state[0] not in (3, 4):
        raise Odd("a dtype has an unusual state")
    order, subarray, names, fields, itemsize = state[1:6]
    if order not in ("<", ">", "|", "=") or subarray is not None:
        raise Odd("a dtype has an unusual byte order or a subarray")
    if not (itemsize == -1 if kind not in "SUV" else itemsize == size) or type(itemsize) is not int:
        raise Odd("a dtype contradicts itself")
    if kind in "Mm":
        text += _unit(state)
    elif len(state) == 9 and state[8] is not None and state[8] != (None, None) and kind not in "SUV":
        raise Odd("a dtype has unusual metadata")
    if names is None and fields is None:
        return Dtype((order if order != "=" else "<") + text, size, has_objects=kind == "O")
    if kind != "V":
        raise Odd("a dtype has fields where none can be")
    return _structured(names, fields, text, size, depth)


def _unit(state: tuple[Any, ...]) -> str:
    meta = state[8] if len(state) == 9 else None
    if type(meta) is not tuple or len(meta) != 2 or type(meta[1]) is not tuple or len(meta[1]) != 4:
        raise Odd("a date's unit is described in an unusual way")
    name, count = meta[1][0], meta[1][1]
    name = name.encode("latin-1", "replace") if type(name) is str else name
    if type(name) is not bytes or name not in _UNITS or type(count) is not int or not 0 < count < 1 << 31:
        raise Odd("a date's unit is described in an unusual way")
    return "" if name == b"generic" else f"[{count if count > 1 else ''}{name.decode()}]"


def _structured(names: Any, fields: Any, text: str, size: int, depth: int) -> Dtype:
    by_name = fields.named() if isinstance(fields, Dict) else None
    if type(names) is not tuple or by_name is None or len(names) > _MOST_FIELDS or len(by_name) != len(names):
        raise Odd("a structured dtype is described in an unusual way")
    found = []
    for name in names:
        entry = by_name.get(name) if type(name) is str else None
        if type(entry) is not tuple or len(entry) != 2 or type(entry[1]) is not int:
            raise Odd("a field of a dtype is described in an unusual way")
        part = dtype_of(entry[0], depth + 1)
        if not 0 <= entry[1] <= size - part.size:
            raise Odd("a field of a dtype lies outside of it")
        found.append((name, part, entry[1]))
    return Dtype(f"|{text}", size, tuple(found), any(part.has_objects for _, part, _ in found))


def shape_of(value: Any, dtype: Dtype) -> tuple[tuple[int, ...], int]:
    """Read a shape, and give it with the number of bytes; raises ``Odd``."""
    if type(value) is int:  # protocol 5 with numpy 2 has a bare number for one dimension
        value = (value,)
    if type(value) is not tuple or len(value) > 64 or any(type(one) is not int or one < 0 for one in value):
        raise Odd("the shape of an array is unusual")
    total = dtype.size
    for one in value:
        total *= one
        if total > _LARGEST or one > _LARGEST:
            raise Odd("an array is impossibly large")
    return value, total


def numpy_of(dtype: Dtype) -> Any:
    """Give numpy's own dtype for one that was found to be plain."""
    import numpy as np

    if dtype.fields:
        return np.dtype(
            {
                "names": [name for name, _, _ in dtype.fields],
                "formats": [numpy_of(part) for _, part, _ in dtype.fields],
                "offsets": [offset for _, _, offset in dtype.fields],
                "itemsize": dtype.size,
            }
        )
    return np.dtype(dtype.text)


def is_wrapper(value: Any) -> bool:
    """Whether it is the class that joblib puts in the place of an array."""
    return isinstance(value, Global) and (value.module, value.name) == (
        "joblib.numpy_pickle",
        "NumpyArrayWrapper",
    )
