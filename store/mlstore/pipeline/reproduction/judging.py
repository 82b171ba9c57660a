"""Outputs of a re-run, judged against the record and against each other, under the rules of the gate."""

from __future__ import annotations

from pathlib import Path

from mlstore.compare import Artifact
from mlstore.gate import Judgement, Loading, Policy, judge
from mlstore.gate.loading import golden_files
from mlstore.hashing import ObjectId, hash_path
from mlstore.pipeline.reproduction.result import Judged
from mlstore.repository import Repository


class Judge:
    """Judges outputs under *policy*, whose probes are files of *tree*.

    With *allow_load* a rule that asks for predictions loads models: the recorded one, and that which the
    recorded command has just made here, on this user's order. Nothing else is loaded, and without it nothing.
    """

    def __init__(self, repo: Repository, policy: Policy, tree: ObjectId, *, allow_load: bool) -> None:
        self._repo = repo
        self._policy = policy
        files = golden_files(repo, tree)
        self._loading = Loading(repo.format, files, _made_here) if allow_load else None

    def against_record(self, path: str, expected: ObjectId, file: Path) -> tuple[ObjectId, Judged]:
        """Judge *file* by the recorded blob *expected*; gives its id too."""
        actual = self.id_of(file)
        if actual == expected:
            return actual, Judged("equal", "the same bytes")
        objects = self._repo.objects
        golden = Artifact.from_stream(path, objects.size(expected), lambda: objects.stream(expected))
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


def _made_here(_path: str, _object_id: ObjectId) -> str:
    return "the recorded command made it here just now"
