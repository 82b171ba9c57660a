"""Looking into one artifact, whatever it is, without executing anything in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Settings

if TYPE_CHECKING:
    from mlstore.compare.models.inspect import Inspection


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
    from mlstore.compare.opaque import entropy
    from mlstore.compare.registry import choose

    settings = settings or Settings()
    kind = choose(side, side, wanted).name
    if kind == "model":
        found = inspect_model(side, settings)
        packing = (("compression", found.codec), ("protocol", str(found.protocol)))
        return Look(side.name, kind, side.size, found.verdict, packing, found.missing, found)
    facts: tuple[tuple[str, str], ...] = ()
    if kind == "bytes":
        facts = (("entropy", f"{entropy(side.head(1 << 16)):.1f} bits a byte"),)
    return Look(side.name, kind, side.size, "known", facts)
