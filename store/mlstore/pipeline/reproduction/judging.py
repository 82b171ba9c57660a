"""Outputs of a re-run, judged against the record and against each other."""

from __future__ import annotations

from pathlib import Path

from mlstore.compare import Artifact, choices_for, compare_artifacts
from mlstore.errors import ConfigError
from mlstore.hashing import ObjectId, hash_path
from mlstore.history import Block
from mlstore.manifest import CompareSpec
from mlstore.pipeline.reproduction.clean import readable_manifest
from mlstore.pipeline.reproduction.result import Judged
from mlstore.repository import Repository


class Judge:
    """Judges the outputs of one block."""

    def __init__(self, repo: Repository, block: Block) -> None:
        self._repo = repo
        manifest = readable_manifest(repo, block.commit.tree)
        self._compare = manifest.compare if manifest is not None else CompareSpec()

    def against_record(self, path: str, expected: ObjectId, file: Path) -> tuple[ObjectId, Judged]:
        """Judge *file* by the recorded blob *expected*; gives its id too."""
        actual = hash_path(self._repo.format, file).id
        if actual == expected:
            return actual, Judged("equal", "the same bytes")
        objects = self._repo.objects
        golden = Artifact.from_stream(path, objects.size(expected), lambda: objects.stream(expected))
        settings, wanted = choices_for(self._compare, path)
        try:
            found = compare_artifacts(golden, Artifact.from_path(file, path), settings, wanted)
        except ConfigError as exc:
            return actual, Judged("different", f"the bytes differ; {exc.message}")
        return actual, Judged("different", found.summary, comparison=found)

    def id_of(self, file: Path) -> ObjectId:
        """Give the id that the content of *file* has."""
        return hash_path(self._repo.format, file).id

    def agree(self, path: str, one: Path, other: Path) -> bool:
        """Whether two re-runs gave the same, as far as the rules for *path* ask."""
        return hash_path(self._repo.format, one).id == hash_path(self._repo.format, other).id
