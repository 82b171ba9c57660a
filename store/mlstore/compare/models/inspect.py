"""Looking into a model file without executing it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Settings
from mlstore.compare.models.describe import Describer, Leaf
from mlstore.compare.models.machine import Machine
from mlstore.compare.models.nodes import Array
from mlstore.compare.models.source import Source
from mlstore.compare.models.trace import Note, Trace, Use, is_dangerous
from mlstore.compare.models.unpack import codec_of, unpack
from mlstore.errors import CorruptArtifact

_MOST_OPERATIONS = 50_000_000
_PLAUSIBLE = re.compile(r"[A-Za-z_][\w.]*\Z")
_MOST_PICKLES = 100


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a model file holds.

    ``missing`` says why it could not be seen whole (empty: it was); then nothing here may be read as "that is
    all". ``unknown`` are the globals outside of the allow-list, ``notes`` whatever else is suspicious.
    """

    name: str
    codec: str
    protocol: int
    pickles: int
    globals: tuple[Use, ...]
    notes: tuple[Note, ...]
    missing: tuple[str, ...]
    leaves: tuple[Leaf, ...] = field(default=(), repr=False)
    structure: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def unknown(self) -> tuple[Use, ...]:
        """The globals outside of the allow-list, dangerous ones first."""
        found = [use for use in self.globals if not use.value.known]
        return tuple(sorted(found, key=lambda use: (not is_dangerous(use.value), use.offset)))

    @property
    def suspicious(self) -> bool:
        """Whether it names something outside of the allow-list, or is built in an unusual way."""
        return bool(self.notes) or bool(self.unknown)

    @property
    def verdict(self) -> str:
        """``incomplete``, ``suspicious`` or ``known``: there is no word for safe."""
        return "incomplete" if self.missing else "suspicious" if self.suspicious else "known"

    def warnings(self) -> list[str]:
        """Say in lines what is suspicious or was not seen."""
        lines = [describe_use(use) for use in self.unknown]
        lines += [f"{note.text} (offset {note.offset})" for note in self.notes]
        return lines + [f"not seen whole: {what}" for what in self.missing]

    def versions(self) -> list[str]:
        """The scikit-learn versions that are recorded in it."""
        return sorted({str(leaf.value) for leaf in self.leaves if leaf.role == "version"})

    def to_dict(self, most: int = 1000) -> dict[str, Any]:
        """Give it for JSON, at most *most* values."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "compression": self.codec,
            "protocol": self.protocol,
            "pickles": self.pickles,
            "sklearn_versions": self.versions(),
            "globals": [
                {
                    "module": use.value.module,
                    "name": use.value.name,
                    "known": use.value.known,
                    "allowed": use.value.allowed,
                    "dangerous": is_dangerous(use.value) and not use.value.known,
                    "called": use.called,
                    "count": use.count,
                    "offset": use.offset,
                }
                for use in self.globals
            ],
            "notes": [note.to_dict() for note in self.notes],
            "missing": list(self.missing),
            "values": [leaf_to_dict(leaf) for leaf in self.leaves[:most]],
            "values_omitted": max(0, len(self.leaves) - most),
        }


def describe_use(use: Use) -> str:
    """Say what an unknown global is and where it stands."""
    what = "runs code, commands or files" if is_dangerous(use.value) else "is not on the allow-list"
    verb = "calls" if use.called else "names"
    behind = f", behind {use.behind_arrays} array{'s' * (use.behind_arrays > 1)}" if use.behind_arrays else ""
    return f"it {verb} '{use.value}', which {what} (offset {use.offset}{behind})"


def leaf_to_dict(leaf: Leaf) -> dict[str, Any]:
    """Give one value for JSON; an array by its shape, dtype, hash and range."""
    from mlstore.compare.models.arrays import range_of

    if not isinstance(leaf.value, Array):
        value = leaf.value
        plain = value if not isinstance(value, float) or value - value == 0 else str(value)
        if isinstance(plain, int) and abs(plain) >= 1 << 63:
            plain = hex(plain)
        return {"path": leaf.path, "role": leaf.role, "value": plain}
    array = leaf.value
    low, high = range_of(array)
    return {
        "path": leaf.path,
        "role": leaf.role,
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "hash": array.digest,
        "min": low,
        "max": high,
    }


def inspect_model(side: Artifact, settings: Settings | None = None) -> Inspection:
    """Walk through a model file; damage and limits are told in ``missing``, never raised."""
    settings = settings or Settings()
    trace = Trace(settings.memory, _MOST_OPERATIONS, settings.allow)
    missing: list[str] = []
    codec = codec_of(side.head(8))
    root: Any = None
    with side.open() as file:
        source = Source(unpack(file, settings.memory), settings.unpacked)
        try:
            root = Machine(source, trace).run()
            _look_behind(source, trace)
        except CorruptArtifact as exc:
            missing.append(exc.message)
    if trace.arrays and codec == "raw":
        _look_without_arrays(side, trace, settings)
    describer = Describer()
    leaves = tuple(describer.leaves(root)) if trace.pickles else ()
    return Inspection(
        side.name,
        codec,
        trace.protocol,
        trace.pickles,
        tuple(sorted(trace.globals.values(), key=lambda use: use.offset)),
        tuple(trace.notes.values()),
        (*missing, *describer.missing),
        leaves,
        tuple(describer.structure),
    )


def _look_behind(source: Source, trace: Trace) -> None:
    """See what stands behind the first pickle: nothing should."""
    while not source.at_end():
        start = source.offset
        if trace.pickles >= _MOST_PICKLES:
            trace.note("several-pickles", "it holds very many pickles", start)
            raise CorruptArtifact("very many pickles stand one behind the other")
        source.swap_frame((b"", 0))
        before = trace.pickles
        try:
            Machine(source, trace).run()
        except CorruptArtifact:
            trace.note("trailing-bytes", "bytes that are no pickle stand behind it", start)
            raise
        finally:
            if trace.pickles > before:
                trace.note("several-pickles", "another pickle stands behind the first", start)
    if source.trailing:
        text = f"{source.trailing} bytes stand behind its compressed part"
        trace.note("trailing-bytes", text, source.offset)


def _look_without_arrays(side: Artifact, trace: Trace, settings: Settings) -> None:
    """Read the file once more as ``pickle.load`` would, which takes the arrays' bytes for opcodes.

    It fails there soon, unless somebody has put opcodes into the array.
    """
    other = Trace(trace.memory, _MOST_OPERATIONS, settings.allow)
    with side.open() as file, contextlib.suppress(CorruptArtifact):
        Machine(Source(unpack(file, settings.memory), settings.unpacked), other, joblib=False).run()
    for key, use in other.globals.items():
        if key not in trace.globals and not use.value.known and _PLAUSIBLE.match(use.value.module):
            where = "hidden in the bytes of an array: 'pickle.load' would run it, 'joblib.load' would not"
            trace.note("hidden-opcodes", f"it names '{use.value}', {where}", use.offset)
