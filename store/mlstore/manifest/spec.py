"""The values that ``mlstore.toml`` declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from mlstore.model.patterns import matches


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input: a path pattern, and the key when only a value in the file counts."""

    text: str
    pattern: str
    key: str | None


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One declared stage.

    ``command`` is what is executed and recorded: the list as it is, or ``("sh", "-c", text)`` for a
    command that was given as one string (``shell`` is then true). ``line`` is that of its header. ``env``
    names the variables that ``reproduce`` passes on to the command.
    """

    name: str
    command: tuple[str, ...]
    shell: bool
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    line: int
    env: tuple[str, ...] = ()

    def writes(self, path: str) -> bool:
        """Whether *path* is one of its declared outputs."""
        return any(matches(pattern, path) for pattern in self.outputs)

    def reads(self, path: str) -> bool:
        """Whether *path* is one of its declared inputs, in whole or by a key."""
        return any(matches(spec.pattern, path) for spec in self.inputs)

    @property
    def display(self) -> str:
        """The command as a person would type it."""
        import shlex

        return self.command[2] if self.shell else shlex.join(self.command)


DATA_SUFFIXES = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".log", ".xml", ".svm"}
    | {".parquet", ".feather", ".arrow", ".npy", ".sqlite", ".db", ".tar", ".h5", ".hdf5"}
)
"""Formats of which later versions tend to share content: large ones are stored in chunks."""


@dataclass(frozen=True, slots=True)
class StorageSpec:
    """How large files are kept: patterns of those to cut into chunks, and of those to keep whole.

    What no pattern names goes by its suffix (``DATA_SUFFIXES`` in chunks, anything else whole).
    """

    chunk: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()

    def is_chunked(self, path: str) -> bool:
        """Whether a large file at *path* is to be cut into chunks."""
        if any(matches(pattern, path) for pattern in self.whole):
            return False
        if any(matches(pattern, path) for pattern in self.chunk):
            return True
        _, dot, suffix = path.rpartition("/")[2].rpartition(".")
        return dot + suffix.lower() in DATA_SUFFIXES


@dataclass(frozen=True, slots=True)
class CompareRule:
    """How artifacts whose path fits ``path`` are compared: by which comparator, by which key columns."""

    path: str
    comparator: str | None = None
    key: tuple[str, ...] = ()
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class CompareSpec:
    """How artifacts are compared: limits (None: the default), known globals, and rules by path."""

    rows: int | None = None
    memory: int | None = None
    allow: tuple[str, ...] = ()
    rules: tuple[CompareRule, ...] = ()

    def rule_for(self, path: str) -> CompareRule | None:
        """Give the rule for *path*: the last one that fits, as in .gitattributes."""
        for rule in reversed(self.rules):
            if matches(rule.path, path):
                return rule
        return None


Equal: TypeAlias = Literal["bytes", "content", "close", "parameters", "predictions", "metric"]
EQUAL_WORDS: tuple[str, ...] = get_args(Equal)


@dataclass(frozen=True, slots=True)
class GateRule:
    """What "equal" means for artifacts whose path fits ``path``.

    ``number`` counts the rules of the file from 1; 0 is the default that ``[gate]`` gives. ``rtol`` and
    ``atol`` are for ``close``, ``parameters`` and ``predictions``, ``on`` names the probe of ``predictions``,
    ``keys`` are those of ``metric`` with its bounds (None: none).
    """

    number: int = 0
    path: str = ""
    equal: Equal = "bytes"
    rtol: float = 0.0
    atol: float = 0.0
    on: str | None = None
    keys: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    max_change: float | None = None

    @property
    def name(self) -> str:
        """How findings call it."""
        return f"rule {self.number}" if self.number else "the default"

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON: what is not said is left out."""
        value: dict[str, Any] = {"path": self.path or "**", "equal": self.equal}
        if self.equal in TOLERANT:
            value |= {"rtol": self.rtol, "atol": self.atol}
        if self.on is not None:
            value["on"] = self.on
        if self.keys:
            value["key"] = list(self.keys)
        bounds = {"min": self.min, "max": self.max, "max_change": self.max_change}
        return value | {name: bound for name, bound in bounds.items() if bound is not None}


TOLERANT = frozenset({"close", "parameters", "predictions"})
"""The words that a tolerance belongs to."""


@dataclass(frozen=True, slots=True)
class GateSpec:
    """``[gate]``: what counts as equal where no rule fits, and the rules in the order of the file."""

    default: GateRule = field(default_factory=GateRule)
    rules: tuple[GateRule, ...] = ()

    def rules_for(self, path: str) -> tuple[GateRule, ...]:
        """Give the rules for *path*: the last one that fits, as in .gitattributes, else the default.

        Where that is a ``metric``, those before it that are too and name other keys count with it.
        """
        found: list[GateRule] = []
        keys: set[str] = set()
        for rule in reversed(self.rules):
            if not matches(rule.path, path):
                continue
            if not found or not keys.issuperset(rule.keys):
                found.append(rule)
                keys.update(rule.keys)
            if rule.equal != "metric":
                break
        return tuple(found) or (self.default,)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of ``mlstore.toml``: stages in the order of the file, storage, comparison, gate, the raw tables.

    ``env`` names the variables that ``reproduce`` passes on to the command of every stage.
    """

    stages: dict[str, StageSpec] = field(default_factory=dict)
    storage: StorageSpec = field(default_factory=StorageSpec)
    compare: CompareSpec = field(default_factory=CompareSpec)
    gate: GateSpec = field(default_factory=GateSpec)
    env: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
