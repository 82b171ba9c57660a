"""``mlstore.toml`` as it lies in the worktree."""

from __future__ import annotations

from dataclasses import dataclass

from mlstore.errors import ConfigError, PathNotFound
from mlstore.manifest import LARGEST_MANIFEST, MANIFEST_NAME, Manifest, parse_manifest
from mlstore.pipeline.graph import StageGraph
from mlstore.repository import Repository
from mlstore.worktree import read_file

_EXAMPLE = (
    'a stage is written as [stages.train] with command, inputs and outputs, like outputs = ["model.joblib"]'
)


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration that a run goes by: its exact bytes, the stages, and their graph."""

    data: bytes
    manifest: Manifest
    graph: StageGraph


def read_declared(repo: Repository) -> Declared:
    """Read the stages; raises ``ConfigError`` when there are none, or none that can run."""
    declared = find_declared(repo)
    if declared is None:
        raise ConfigError(
            f"there is no '{MANIFEST_NAME}' in '{repo.root}'", hint=_EXAMPLE, file=MANIFEST_NAME
        )
    if not declared.manifest.stages:
        raise ConfigError(f"'{MANIFEST_NAME}' declares no stages", hint=_EXAMPLE, file=MANIFEST_NAME)
    return declared


def find_declared(repo: Repository) -> Declared | None:
    """As ``read_declared``, None when there is no such file; it may declare no stages."""
    try:
        data = read_file(repo, MANIFEST_NAME, LARGEST_MANIFEST)
    except PathNotFound:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(
            f"'{MANIFEST_NAME}' is not UTF-8 text",
            hint="save it as UTF-8, or restore it with 'mlstore restore'",
            file=MANIFEST_NAME,
        ) from None
    manifest = parse_manifest(text)
    return Declared(data, manifest, StageGraph.build(manifest))
