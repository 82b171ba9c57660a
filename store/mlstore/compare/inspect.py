"""Looking into one artifact, whatever it is, without executing anything in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Settings
from mlstore.errors import CorruptArtifact

if TYPE_CHECKING:
    from mlstore.compare.models.inspect import Inspection
    from mlstore.compare.npy import Header

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What an artifact is: ``facts`` as lines of (name, text), and for a model its ``inspection``.

    ``verdict`` is ``known`` (seen whole, nothing remarkable), ``suspicious``, or ``incomplete`` (damaged, or
    more than the limits allow: ``missing`` says what). No word here means that loading it is safe.
    """

    name: str
    kind: str
    size: int
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    inspection: Inspection | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        found: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "size": self.size,
            "verdict": self.verdict,
            "facts": dict(self.facts),
            "missing": list(self.missing),
        }
        if self.inspection is not None:
            found["model"] = self.inspection.to_dict()
        return found | self.data


def inspect_artifact(side: Artifact, settings: Settings | None = None, wanted: str | None = None) -> Look:
    """Look into an artifact; damage is told in the answer.

    *wanted* names the kind when content and suffix do not tell. Raises ``ConfigError`` for one that does not
    exist.
    """
    from mlstore.compare.models.inspect import inspect_model
    from mlstore.compare.registry import choose

    settings = settings or Settings()
    kind = choose(side, side, wanted).name
    if kind == "model":
        found = inspect_model(side, settings)
        packing = (("compression", found.codec), ("protocol", str(found.protocol)))
        return Look(side.name, kind, side.size, found.verdict, packing, found.missing, found)
    facts: tuple[tuple[str, str], ...] = ()
    try:
        facts = _FACTS[kind](side, settings) if kind in _FACTS else ()
    except CorruptArtifact as exc:
        return Look(side.name, kind, side.size, "incomplete", missing=(exc.message,))
    if any(name == "objects" for name, _ in facts):
        why = "it holds Python objects (a pickle)"
        return Look(side.name, kind, side.size, "suspicious", facts, (why,))
    return Look(side.name, kind, side.size, "known", facts)


def _array_facts(side: Artifact, _settings: Settings) -> Facts:
    from mlstore.compare.npy import read_header

    with side.open() as file:
        return _header_facts(read_header(file, side.name))


def _header_facts(header: Header) -> Facts:
    facts = (("dtype", header.name), ("shape", str(list(header.shape))))
    return (*facts, ("objects", "pickled")) if header.dtype is None else facts


def _archive_facts(side: Artifact, settings: Settings) -> Facts:
    from mlstore.compare.archives import headers

    found = headers(side, settings)
    texts = [(name, f"{header.name}{list(header.shape)}") for name, header in found[: settings.rows]]
    if len(found) > len(texts):
        texts.append(("more", str(len(found) - len(texts))))
    if any(header.dtype is None for _, header in found):
        texts.append(("objects", "pickled"))
    return tuple(texts)


def _table_facts(side: Artifact, settings: Settings) -> Facts:
    from mlstore.compare.tables.readers import open_table

    return (("columns", ", ".join(open_table(side, settings).columns)),)


def _columnar_facts(side: Artifact, settings: Settings) -> Facts:
    from mlstore.compare.tables.columnar import Columnar

    table = Columnar(side, settings)
    columns = zip(table.columns, table.dtypes or (), strict=True)
    return (*((name, str(value)) for name, value in table.form.items()),
            ("columns", ", ".join(f"{name}: {dtype}" for name, dtype in columns)))  # fmt: skip


def _configuration_facts(side: Artifact, settings: Settings) -> Facts:
    from mlstore.compare.configuration import load
    from mlstore.compare.keyed import flatten

    return (("keys", str(len(flatten(load(side, settings))))),)


def _byte_facts(side: Artifact, _settings: Settings) -> Facts:
    from mlstore.compare.opaque import entropy

    return (("entropy", f"{entropy(side.head(1 << 16)):.1f} bits a byte"),)


_FACTS: dict[str, Callable[[Artifact, Settings], Facts]] = {
    "array": _array_facts,
    "arrays": _archive_facts,
    "table": _table_facts,
    "columnar": _columnar_facts,
    "configuration": _configuration_facts,
    "bytes": _byte_facts,
}
