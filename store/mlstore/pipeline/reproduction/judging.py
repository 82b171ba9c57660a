"""Outputs of a re-run, judged against the record and against each other, under the rules of the gate."""

from __future__ import annotations

from pathlib import Path

from mlstore.compare import Artifact
from mlstore.gate import Judgement, Loading, Policy, judge
from mlstore.hashing import ObjectId, hash_path
from mlstore.history import Block
from mlstore.pipeline.reproduction.result import Judged
from mlstore.repository import Repository, find_entry


class Judge:
    """Judges the outputs of one block.

    A rule that asks for predictions loads models: the recorded one, and that which the recorded command has
    just made here, on this user's order. Nothing else is loaded.
    """

    def __init__(self, repo: Repository, block: Block, policy: Policy) -> None:
        self._repo = repo
        self._block = block
        self._policy = policy
        self._loading = Loading(self._probe, lambda path, object_id: "made here by the recorded command")

    def against_record(self, path: str, expected: ObjectId, file: Path) -> tuple[ObjectId, Judged]:
        """Judge *file* by the recorded blob *expected*; gives its id too."""
        actual = self.id_of(file)
        if actual == expected:
            return actual, Judged("equal", "the same bytes")
        golden = self._stored(path, expected, self._repo.objects.size(expected))
        found = self._judge(path, golden, file, actual)
        return actual, Judged(found.outcome, found.text, found.rule, found.comparison)

    def agree(self, path: str, one: Path, other: Path) -> bool:
        """Whether two re-runs gave the same, as far as the rules for *path* ask."""
        ids = self.id_of(one), self.id_of(other)
        if ids[0] == ids[1]:
            return True
        return self._judge(path, Artifact.from_path(one, path), other, ids[1]).passes

    def id_of(self, file: Path) -> ObjectId:
        """Give the id that the content of *file* has."""
        return hash_path(self._repo.format, file).id

    def _judge(self, path: str, golden: Artifact, file: Path, actual: ObjectId) -> Judgement:
        current = Artifact.from_path(file, path)
        return judge(self._policy, path, golden, current, current_id=actual, loading=self._loading)

    def _probe(self, path: str) -> Artifact | None:
        entry = find_entry(self._repo.objects, self._block.commit.tree, path)
        return None if entry is None or entry.kind == "tree" else self._stored(path, entry.id, entry.size)

    def _stored(self, path: str, object_id: ObjectId, size: int) -> Artifact:
        objects = self._repo.objects
        return Artifact.from_stream(path, size, lambda: objects.stream(object_id))
