"""A model as a flat list: classes, parameters, fitted values and arrays, each under its path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlstore.compare.models.nodes import Array, Big, Dict, Dtype, Global, Made, Set, Unknown, name_of
from mlstore.compare.models.numpyio import Odd, dtype_of, numpy_of, shape_of

_PLAIN_NAME = re.compile(r"[^\W\d][\w<> -]*\Z")
_DEEPEST = 100
_MOST_VISITS = 2_000_000
_ARRAY_MAKERS = frozenset({"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"})
_BUFFER_MAKERS = frozenset({"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"})
_SCALAR_MAKERS = frozenset({"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"})
# Their items have names of their own, which are what people call them by.
_NAMED_PARTS = frozenset({"steps", "transformers", "transformer_list", "estimators"})
Plain = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: ``role`` is class, parameter, fitted, version or value."""

    path: str
    role: str
    value: Plain | Array

    def text(self) -> str:
        """Give the value as people write it."""
        if isinstance(self.value, Array):
            return f"{self.value.dtype}{list(self.value.shape)}"
        return repr(self.value) if isinstance(self.value, str) and self.role != "class" else str(self.value)


class Describer:
    """Walks through a model's nodes; ``missing`` says what was too deep or too much.

    ``structure`` has what the paths of leaves leave open: the kind of each container and object by its path,
    and the names of steps in their order. Two models with equal leaves in another structure are not the same.
    """

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.structure: list[tuple[str, str]] = []
        self._visits = 0
        self._above: set[int] = set()

    def leaves(self, value: Any, path: str = "", role: str = "value", depth: int = 0) -> Iterator[Leaf]:
        """Yield what is in *value*, in the order of the file."""
        self._visits += 1
        if depth > _DEEPEST or self._visits > _MOST_VISITS:
            if not self.missing:
                self.missing.append("parts of the model that are nested too deeply or are too many")
            return
        if value is None or isinstance(value, bool | int | float | str | Array):
            yield Leaf(path, role, value)
        elif isinstance(value, Global):
            yield Leaf(path, role, f"<{value}>")
        elif isinstance(value, bytes | bytearray):
            yield Leaf(path, role, f"<{len(value)} bytes {_digest(bytes(value))}>")
        elif isinstance(value, Big):
            yield Leaf(path, role, f"<{value.size} bytes {value.digest[:16]}>")
        elif isinstance(value, Unknown):
            yield Leaf(path, role, f"<{value.what}>")
        elif id(value) in self._above:
            yield Leaf(path, role, "<itself>")
        else:
            self._above.add(id(value))
            yield from self._parts(value, path, role, depth + 1)
            self._above.discard(id(value))

    def _parts(self, value: Any, path: str, role: str, depth: int) -> Iterator[Leaf]:
        if isinstance(value, Made):
            yield from self._made(value, path, role, depth)
        elif isinstance(value, Dict):
            if value.pairs:
                self.structure.append((path, "dict"))
            yield from self._pairs(value.pairs, path, role, depth)
        elif isinstance(value, Set):
            inner = (leaf for item in value.items for leaf in self.leaves(item, "", role, depth))
            texts = sorted(leaf.path + leaf.text() for leaf in inner)
            yield Leaf(path, role, "{" + ", ".join(texts) + "}")
        elif isinstance(value, list | tuple):
            if not value:
                yield Leaf(path, role, "[]")
            else:
                self.structure.append((path, type(value).__name__))
            for number, item in enumerate(value):
                yield from self.leaves(item, f"{path}[{number}]", role, depth)

    def _pairs(self, pairs: list[tuple[Any, Any]], path: str, role: str, depth: int) -> Iterator[Leaf]:
        if not pairs:
            yield Leaf(path, role, "{}")
        for key, item in pairs:
            if isinstance(key, str):
                yield from self.leaves(item, _below(path, key), role, depth)
                continue
            inner = ", ".join(leaf.path + leaf.text() for leaf in self.leaves(key, "", role, depth))
            yield from self.leaves(item, f"{path}[{inner}]", role, depth)

    def _made(self, value: Made, path: str, role: str, depth: int) -> Iterator[Leaf]:
        special = special_value(value)
        if special is not None:
            yield from self.leaves(special, path, role, depth)
            return
        maker, args = value.maker, value.args
        if name_of(maker) == "copyreg._reconstructor" and args:
            maker, args = args[0], args[3:]
        name = name_of(maker) or "<computed>"
        yield Leaf(path, "class", name)
        self.structure.append((path, _form(value)))
        for number, item in enumerate(args):
            yield from self.leaves(item, f"{path}({number})", role, depth)
        if isinstance(value.kwargs, Dict) and value.kwargs.pairs:
            yield from self._pairs(value.kwargs.pairs, path, role, depth)
        for state in value.state:
            yield from self._state(state, path, role, depth)
        for number, item in enumerate(value.items):
            yield from self.leaves(item, f"{path}[{number}]", role, depth)
        if value.pairs:
            yield from self._pairs(value.pairs, path, role, depth)

    def _state(self, state: Any, path: str, role: str, depth: int) -> Iterator[Leaf]:
        halves = state if type(state) is tuple and len(state) == 2 else (state,)
        if not all(isinstance(half, Dict) or half is None for half in halves):
            yield from self.leaves(state, f"{path}.<state>" if path else "<state>", role, depth)
            return
        for half in halves:
            for key, item in half.pairs if half is not None else []:
                name = key if isinstance(key, str) else "<key>"
                if name in _NAMED_PARTS and (parts := _named_parts(item)):
                    self.structure.append((_below(path, name), ", ".join(part for part, _ in parts)))
                    for part, inner in parts:
                        yield from self.leaves(inner, _below(path, part), role, depth)
                    continue
                yield from self.leaves(item, _below(path, name), _role_of(name, role), depth)


def _below(path: str, name: str) -> str:
    """Give the path of *name* below *path*: one that no other place has."""
    part = name if _PLAIN_NAME.match(name) else repr(name)
    return f"{path}.{part}" if path else part


def _form(value: Made) -> str:
    """Say by what ways an object is given its parts: the same values may come by another one."""
    kwargs = value.kwargs.pairs if isinstance(value.kwargs, Dict) else []
    names = sorted(str(key) for key, _ in kwargs)
    ways = [f"{len(value.state)} states"] if len(value.state) > 1 else []
    ways += [what for what, parts in (("items", value.items), ("pairs", value.pairs)) if parts]
    return (
        "object" + (f" of {', '.join(names)}" if names else "") + (f" with {', '.join(ways)}" if ways else "")
    )


def _role_of(name: str, role: str) -> str:
    if name == "_sklearn_version":
        return "version"
    if role == "fitted" or name.endswith("_") or name.startswith("_"):
        return "fitted"
    return "parameter"


def _named_parts(value: Any) -> list[tuple[str, Any]]:
    """Give (name, part) of a list of steps or transformers; nothing when it is no such list."""
    if not isinstance(value, list) or not value:
        return []
    found = []
    for item in value:
        if type(item) is not tuple or len(item) < 2 or type(item[0]) is not str:
            return []
        found.append((item[0], item[1]))
        found += [(f"{item[0]}.<{number}>", rest) for number, rest in enumerate(item[2:], 2)]
    names = [name for name, _ in found]
    return found if len(set(names)) == len(names) else []


def special_value(value: Made) -> Any:
    """Give the array, number or dtype that *value* would be; None when it is something else."""
    name = name_of(value.maker)
    try:
        if name == "numpy.dtype":
            return str(dtype_of(value))
        if name in _SCALAR_MAKERS and len(value.args) == 2:
            return _scalar(dtype_of(value.args[0]), value.args[1])
        if name in _ARRAY_MAKERS and len(value.state) == 1:
            state = value.state[0]
            if type(state) is tuple and len(state) == 5 and type(state[3]) in (bool, int):
                return _array(dtype_of(state[2]), state[1], bool(state[3]), state[4])
        if name in _BUFFER_MAKERS and len(value.args) == 4:
            data, dtype, shape, order = value.args
            return _array(dtype_of(dtype), shape, order == "F", data)
    except Odd:
        return None
    return None


def _array(dtype: Dtype, shape: Any, fortran: bool, data: Any) -> Any:
    sizes, total = shape_of(shape, dtype)
    if isinstance(data, Big) and data.size == total and not dtype.has_objects:
        return Array(dtype, sizes, fortran, -1, total, data.digest, None)
    if isinstance(data, str):  # written by Python 2
        data = data.encode("latin-1", "replace")
    if not isinstance(data, bytes) or len(data) != total or dtype.has_objects:
        return None
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return Array(dtype, sizes, fortran, -1, total, digest, data)


def _scalar(dtype: Dtype, data: Any) -> Plain:
    import numpy as np

    if isinstance(data, str):
        data = data.encode("latin-1", "replace")
    if not isinstance(data, bytes) or len(data) != dtype.size or not data:
        return None
    if dtype.has_objects or dtype.fields:
        return None
    item = np.frombuffer(data, numpy_of(dtype))[0].item()
    return item if isinstance(item, bool | int | float | str) else str(item)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
