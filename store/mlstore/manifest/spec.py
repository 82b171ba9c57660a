"""The values that ``mlstore.toml`` declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
    command that was given as one string (``shell`` is then true). ``line`` is that of its header.
    """

    name: str
    command: tuple[str, ...]
    shell: bool
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    line: int

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


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of ``mlstore.toml``: the stages in the order of the file, and the raw tables."""

    stages: dict[str, StageSpec] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
