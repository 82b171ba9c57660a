"""What a walk through a pickle finds: the globals it names, what is suspicious, what could not be seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare.models.known import DANGEROUS_MODULES, DANGEROUS_NAMES, is_known
from mlstore.compare.models.nodes import Array, Dtype, Global
from mlstore.compare.models.source import Source, TooLarge

_MOST_NOTES = 1000
_PER_VALUE = 120


@dataclass(frozen=True, slots=True)
class Note:
    """Something suspicious: ``kind`` is a stable word, ``offset`` counts in the unpacked bytes."""

    kind: str
    text: str
    offset: int

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {"kind": self.kind, "text": self.text, "offset": self.offset}


@dataclass(slots=True)
class Use:
    """One global: how often it is named, where first, and whether it is called."""

    value: Global
    offset: int
    behind_arrays: int
    count: int = 0
    called: bool = False


@dataclass(slots=True)
class Trace:
    """The findings of a walk over one file, and the memory that is left to it."""

    memory: int
    operations: int
    allow: frozenset[str] = frozenset()
    globals: dict[tuple[str, str], Use] = field(default_factory=dict)
    notes: dict[tuple[str, str], Note] = field(default_factory=dict)
    arrays: int = 0
    pickles: int = 0
    protocol: int = 0
    kept: int = 0

    def spend(self, size: int = 0) -> None:
        """Count a value of *size* bytes against the limits; raises ``TooLarge``."""
        self.memory -= size + _PER_VALUE
        if self.memory < 0:
            raise TooLarge("it makes more than the memory that a comparison may take")

    def tick(self) -> None:
        """Count one operation; raises ``TooLarge``."""
        self.operations -= 1
        if self.operations < 0:
            raise TooLarge("it has more operations than the limit allows")

    def note(self, kind: str, text: str, offset: int) -> None:
        """Take down something suspicious, once."""
        if len(self.notes) < _MOST_NOTES:
            self.notes.setdefault((kind, text), Note(kind, text, offset))

    def name(self, module: str, name: str, offset: int) -> Global:
        """Take down that the file names a global."""
        use = self.globals.get((module, name))
        if use is None:
            self.spend(2 * (len(module) + len(name)) + 500)
            known = is_known(module, name)
            allowed = not known and self._is_allowed(module, name)
            use = Use(Global(module, name, known or allowed, allowed), offset, self.arrays)
            self.globals[module, name] = use
        use.count += 1
        return use.value

    def _is_allowed(self, module: str, name: str) -> bool:
        # The list may come from the same folder as the model: what runs code is told whatever it says.
        return f"{module}.{name}" in self.allow and not is_dangerous(Global(module, name, known=False))

    def call(self, value: Global) -> None:
        """Take down that a global is called."""
        use = self.globals.get((value.module, value.name))
        if use is not None:
            use.called = True

    def take_array(
        self, source: Source, dtype: Dtype, shape: tuple[int, ...], fortran: bool, size: int
    ) -> Array:
        """Read an array's raw bytes from the file: small ones are kept, all are hashed."""
        self.arrays += 1
        offset = source.offset
        keep = self.kept + size <= self.memory // 4
        hasher, parts = hashlib.blake2b(digest_size=16), []
        for piece in source.raw(size):
            hasher.update(piece)
            if keep:
                parts.append(bytes(piece))
        if keep:
            self.kept += size
            self.spend(size)
        data = b"".join(parts) if keep else None
        self.spend()
        return Array(dtype, shape, fortran, offset, size, hasher.hexdigest(), data)


def is_dangerous(value: Global) -> bool:
    """Whether it is known to run commands or code, rather than merely unknown."""
    top = value.module.partition(".")[0]
    return top in DANGEROUS_MODULES or f"{value.module}.{value.name}" in DANGEROUS_NAMES
