"""The clean environment: what every command needs, and what ``mlstore.toml`` declares."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlstore.compare import diff_environments, load_environment
from mlstore.errors import ConfigError, CorruptError
from mlstore.hashing import ObjectId
from mlstore.history import Block, manifest_at
from mlstore.manifest import Manifest
from mlstore.pipeline.environment import EnvironmentProbe
from mlstore.pipeline.reproduction.scratch import Scratch
from mlstore.repository import Repository

_ALWAYS = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")
# Scratch folders are no checkout of git's, and who asked about the interpreter explains no result.
_BESIDE_THE_POINT = ("git", "source")


@dataclass(frozen=True, slots=True)
class CleanEnvironment:
    """``values`` is what the command gets; ``passed`` names what was declared and set, ``unset`` the rest."""

    values: dict[str, str]
    passed: tuple[str, ...]
    unset: tuple[str, ...]

    @classmethod
    def make(
        cls, environ: Mapping[str, str], declared: tuple[str, ...], scratch: Scratch
    ) -> CleanEnvironment:
        """Take from *environ* what is needed and *declared*; home and temporary files go into *scratch*."""
        values = {
            "PATH": environ.get("PATH", os.defpath),
            "HOME": str(scratch.home),
            "LANG": environ.get("LANG", "C.UTF-8"),
            "TMPDIR": str(scratch.tmp),
            "TZ": "UTC",
        }
        passed = tuple(name for name in declared if name in environ)
        values.update((name, environ[name]) for name in passed)
        return cls(values, passed, tuple(name for name in declared if name not in environ))

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that every command gets, whether declared or not."""
        return _ALWAYS


def declared_variables(manifest: Manifest | None, stage: str) -> tuple[str, ...]:
    """Give the variables that *manifest* declares for *stage*, each once."""
    if manifest is None:
        return ()
    own = manifest.stages[stage].env if stage in manifest.stages else ()
    return tuple(dict.fromkeys((*manifest.env, *own)))


def readable_manifest(repo: Repository, tree: ObjectId) -> Manifest | None:
    """Give the ``mlstore.toml`` of *tree*, None where it is not there or cannot be used."""
    try:
        return manifest_at(repo, tree)
    except (ConfigError, CorruptError):
        return None


def recorded_environment(repo: Repository, block: Block) -> dict[str, Any] | None:
    """Give the environment that *block* records, None when it records none."""
    blob = block.stage.environment
    return None if blob is None else load_environment(repo.objects.read(blob))


def current_environment(repo: Repository, block: Block, values: Mapping[str, str]) -> dict[str, Any]:
    """Describe the environment in which the command of *block* runs now."""
    data = EnvironmentProbe(repo.root, values).capture(block.stage.command)
    return {key: value for key, value in load_environment(data).items() if key not in _BESIDE_THE_POINT}


def environment_changes(recorded: Mapping[str, Any] | None, now: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell what differs between the recorded environment and *now*, the likeliest cause first."""
    if recorded is None:
        return ()
    known = {key: value for key, value in recorded.items() if key not in _BESIDE_THE_POINT}
    return tuple(diff_environments(known, now))
