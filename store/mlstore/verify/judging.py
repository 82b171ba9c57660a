"""What differs, judged by golden's rules: once for each pair of contents, in bounded work.

A comparison by meaning takes time and loads numpy, so only files that differ get here. Where only bytes count
it serves to explain, and is left out for files that are large or many; a rule that needs it always gets it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlstore.compare import Difference, first_difference
from mlstore.errors import MlstoreError
from mlstore.hashing import ObjectId, read_chunks
from mlstore.model import TreeEntry
from mlstore.repository import Repository
from mlstore.worktree import ContentCache, open_file

if TYPE_CHECKING:
    from mlstore.compare import Artifact
    from mlstore.gate import Judgement, Loading, Policy

LARGE = 64 << 20
"""Larger files (bytes) are not compared by meaning only to explain."""
_MOST_BYTES = 512 << 20
_MOST_FILES = 64


class Judge:
    """Judges pairs of files by a policy, and remembers which rules it used."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.used: dict[str, int] = {}
        self._loading: Loading | None = None
        self._known: dict[tuple[str, ObjectId, ObjectId], Judgement] = {}
        self._files = 0
        self._bytes = 0

    def allow(self, loading: Loading | None) -> None:
        """Say what a rule may load, from now on."""
        self._loading = loading

    def by_bytes(self, path: str) -> bool:
        """Whether only the same bytes count at *path*."""
        return self.policy.rules_for(path)[0].equal == "bytes"

    def stored(
        self, path: str, golden: tuple[Repository, TreeEntry], current: tuple[Repository, TreeEntry]
    ) -> Judgement:
        """Judge two stored files."""
        ids = golden[1].id, current[1].id
        return self._once(path, ids, _stored(path, *golden), _stored(path, *current))

    def in_worktree(
        self, path: str, golden: tuple[Repository, TreeEntry], repo: Repository, actual: TreeEntry
    ) -> Judgement:
        """Judge the file in the worktree, whose content has just been found to be *actual*."""
        from mlstore.compare import Artifact

        current = Artifact(path, actual.size, lambda: os.fdopen(open_file(repo, path), "rb"), seekable=True)
        found = self._once(path, (golden[1].id, actual.id), _stored(path, *golden), current)
        if not found.passes:
            return found
        now = ContentCache(repo, trusted=True).entry(path)
        if now is not None and now.id == actual.id:
            return found
        from mlstore.gate import Judgement

        return Judgement("undecided", found.rule, "it changed while it was looked at")

    def _once(
        self, path: str, ids: tuple[ObjectId, ObjectId], golden: Artifact, current: Artifact
    ) -> Judgement:
        key = (path, *ids)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._judge(path, ids[1], golden, current)
            if found.rule is not None:
                self.used[found.rule] = self.used.get(found.rule, 0) + 1
        return found

    def _judge(self, path: str, current_id: ObjectId, golden: Artifact, current: Artifact) -> Judgement:
        from mlstore.gate import Judgement, judge

        explain = self._may_explain(golden.size + current.size) if self.by_bytes(path) else True
        try:
            return judge(
                self.policy,
                path,
                golden,
                current,
                current_id=current_id,
                loading=self._loading,
                explain=explain,
            )
        except (MlstoreError, OSError) as exc:
            reason = exc.message if isinstance(exc, MlstoreError) else str(exc)
            return Judgement("undecided", None, f"could not be compared: {reason}")

    def _may_explain(self, size: int) -> bool:
        if size > 2 * LARGE or self._files >= _MOST_FILES or self._bytes + size > _MOST_BYTES:
            return False
        self._files += 1
        self._bytes += size
        return True


def _stored(path: str, repo: Repository, entry: TreeEntry) -> Artifact:
    from mlstore.compare import Artifact

    return Artifact.from_stream(path, entry.size, lambda: repo.objects.stream(entry.id))


def where_stored(
    golden: tuple[Repository, TreeEntry], current: tuple[Repository, TreeEntry]
) -> Callable[[], Difference | None]:
    """Give what finds the first byte at which two stored files differ."""

    def find() -> Difference | None:
        streams = (repo.objects.stream(entry.id) for repo, entry in (golden, current))
        return first_difference(*streams)

    return find


def where_in_worktree(
    golden: tuple[Repository, TreeEntry], repo: Repository, path: str
) -> Callable[[], Difference | None]:
    """Give what finds the first byte at which the file in the worktree differs from a stored one."""
    return lambda: first_difference(golden[0].objects.stream(golden[1].id), _worktree_chunks(repo, path))


def _worktree_chunks(repo: Repository, path: str) -> Iterator[memoryview]:
    fd = open_file(repo, path)
    try:
        yield from read_chunks(fd)
    finally:
        os.close(fd)
