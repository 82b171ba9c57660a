"""Inert stand-ins for what a pickle would make: they hold what is said, and do nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle wants imported.

    ``known`` when it is on the allow-list; ``allowed`` when that is only because somebody here said so.
    """

    module: str
    name: str
    known: bool
    allowed: bool = False

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False, repr=False)
class Made:
    """What calling ``maker`` would have given; ``state``, ``items`` and ``pairs`` were put in later."""

    maker: Any
    args: tuple[Any, ...]
    kwargs: Any = None
    state: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Dict:
    """A dictionary as its pairs: nothing is hashed."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def named(self) -> dict[str, Any] | None:
        """Give it as a dictionary when all keys are different plain texts."""
        if any(type(key) is not str for key, _ in self.pairs):
            return None
        found = dict(self.pairs)
        return found if len(found) == len(self.pairs) else None


@dataclass(slots=True, eq=False, repr=False)
class Set:
    """A set or frozen set as its items."""

    items: list[Any] = field(default_factory=list)


def name_of(value: Any) -> str:
    """Give ``module.name`` of a global, and nothing for any other value, which may be endless."""
    return str(value) if isinstance(value, Global) else ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What cannot be known without the program that loads the file: persistent ids, extension codes."""

    what: str


@dataclass(frozen=True, slots=True)
class Big:
    """Bytes or text too large to be kept."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Dtype:
    """A numpy dtype: its array-protocol text, bytes per item, and fields for a structured one."""

    text: str
    size: int
    fields: tuple[tuple[str, Dtype, int], ...] = ()
    has_objects: bool = False

    def __str__(self) -> str:
        if self.fields:
            return "{" + ", ".join(f"{name}: {dtype}" for name, dtype, _ in self.fields) + "}"
        return self.text


@dataclass(slots=True, eq=False, repr=False)
class Array:
    """An array's raw bytes: where they lie in the unpacked file, their hash, and themselves if few."""

    dtype: Dtype
    shape: tuple[int, ...]
    fortran: bool
    offset: int
    size: int
    digest: str
    data: bytes | None
