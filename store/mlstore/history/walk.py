"""Walking the commits: newest first, and never a parent before any of its children.

A block's height is one more than its highest parent's, so a queue ordered by height visits every
child before its parents, with no need to see the whole history first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from mlstore.hashing import ObjectId
from mlstore.model import Commit
from mlstore.repository import Repository, diff_trees, find_entry
from mlstore.worktree.status import is_below


class _Queue:
    """Commits to visit, highest first, later ones first among equals."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._heap: list[tuple[int, tuple[int, ...], ObjectId]] = []
        self._known: set[ObjectId] = set()

    def push(self, commit_id: ObjectId) -> None:
        if commit_id not in self._known:
            self._known.add(commit_id)
            commit = self._repo.objects.read_commit(commit_id)
            # Text of equal shape compares like the moment it names; negate it for "latest first".
            latest_first = tuple(-ord(char) for char in commit.time)
            heapq.heappush(self._heap, (-commit.height, latest_first, commit_id))

    def only(self, among: set[ObjectId], popped: ObjectId) -> bool:
        """Whether *popped* and all that waits are *among* these."""
        return popped in among and all(commit_id in among for _, _, commit_id in self._heap)

    def pop(self) -> tuple[ObjectId, Commit] | None:
        if not self._heap:
            return None
        commit_id = heapq.heappop(self._heap)[2]
        return commit_id, self._repo.objects.read_commit(commit_id)


def walk(
    repo: Repository,
    include: Sequence[ObjectId],
    exclude: Sequence[ObjectId] = (),
    *,
    paths: Sequence[str] = (),
    first_parent: bool = False,
    stage: str | None = None,
) -> Iterator[tuple[ObjectId, Commit]]:
    """Give the ancestors of *include* that are not ancestors of *exclude*, with their ids.

    *paths* keeps commits that change one of them against every parent, *stage* keeps the blocks of one
    stage. Raises ``ObjectNotFound`` or ``CorruptObject`` where the history is broken.
    """
    queue = _Queue(repo)
    hidden = set(exclude)
    for commit_id in (*include, *exclude):
        queue.push(commit_id)
    while found := queue.pop():
        if hidden and queue.only(hidden, found[0]):
            return  # all that is left is left out
        commit_id, commit = found
        followed = commit.parents[:1] if first_parent else commit.parents
        if commit_id in hidden:
            hidden.update(commit.parents)
            followed = commit.parents
        elif _is_wanted(repo, commit, paths, stage):
            yield commit_id, commit
        for parent in followed:
            queue.push(parent)


def _is_wanted(repo: Repository, commit: Commit, paths: Sequence[str], stage: str | None) -> bool:
    if stage is not None and (commit.stage is None or commit.stage.name != stage):
        return False
    return not paths or touches(repo, commit, paths)


def touches(repo: Repository, commit: Commit, paths: Sequence[str]) -> bool:
    """Whether *commit* changes one of *paths* against each of its parents."""
    if not commit.parents:
        return _differs(repo, None, commit.tree, paths)
    trees = (repo.objects.read_commit(parent).tree for parent in commit.parents)
    return all(_differs(repo, tree, commit.tree, paths) for tree in trees)


def _differs(repo: Repository, old: ObjectId | None, new: ObjectId, paths: Sequence[str]) -> bool:
    if any(mark in path for path in paths for mark in "*?["):
        from mlstore.model.patterns import matches

        changed = [change.path for change in diff_trees(repo.objects, old, new)]
        return any(is_below(one, [path]) or matches(path, one) for one in changed for path in paths)
    for path in paths:
        before = find_entry(repo.objects, old, path) if old else None
        after = find_entry(repo.objects, new, path)
        if (before is None) != (after is None):
            return True
        if before is not None and not before.same_content(after):
            return True
    return False


def is_ancestor(repo: Repository, ancestor: ObjectId, descendant: ObjectId) -> bool:
    """Whether *ancestor* is *descendant* or one of its ancestors."""
    floor = repo.objects.read_commit(ancestor).height
    for commit_id, commit in walk(repo, [descendant]):
        if commit_id == ancestor:
            return True
        if commit.height < floor:
            return False
    return False


def merge_base(repo: Repository, one: ObjectId, other: ObjectId) -> ObjectId | None:
    """Give the highest common ancestor, None when the histories share nothing."""
    reached: dict[ObjectId, set[int]] = {one: {0}}
    reached.setdefault(other, set()).add(1)
    queue = _Queue(repo)
    queue.push(one)
    queue.push(other)
    while found := queue.pop():
        commit_id, commit = found
        sides = reached[commit_id]
        if len(sides) == 2:
            return commit_id
        for parent in commit.parents:
            reached.setdefault(parent, set()).update(sides)
            queue.push(parent)
    return None
