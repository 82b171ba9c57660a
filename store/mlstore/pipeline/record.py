"""Recording blocks: the files of a stage laid over a snapshot, in one commit.

The index is written before the commit: whoever is killed in between has staged files, not a commit
whose files look deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mlstore.hashing import ObjectId
from mlstore.history import record_commit
from mlstore.index import Index
from mlstore.model import Collisions, Commit, Person, StageRecord, TreeEntry, parents_of
from mlstore.pipeline.graph import StageGraph
from mlstore.repository import Repository, Snapshot
from mlstore.worktree import HashedFile
from mlstore.worktree.checkout import unread_entry


@dataclass(frozen=True, slots=True)
class BlockFiles:
    """The files of a block: entries to put into the snapshot, what is known of them, paths to drop."""

    entries: dict[str, TreeEntry]
    hashed: dict[str, HashedFile] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


def record_block(
    repo: Repository,
    stage: StageRecord,
    files: BlockFiles,
    *,
    base: Snapshot,
    message: str,
    author: Person,
    time: str,
    sign: Callable[[Commit], str] | None = None,
) -> ObjectId:
    """Commit *stage* with *files* laid over *base*; the index gets the same files and nothing else.

    The caller holds the write lock and has stored the blobs. Raises what ``record_commit`` raises; the
    index is then as it was.
    """
    snapshot = _lay_over(base, files)
    index, before = repo.read_index(), repo.read_index()
    _update_index(repo, index, files)
    if index.dirty:
        repo.save_index(index)
    try:
        commit_id = record_commit(
            repo, message=message, author=author, time=time, snapshot=snapshot, stage=stage, sign=sign
        )
    except BaseException:
        repo.save_index(before)
        raise
    if index.snapshot() == snapshot:
        index.mark_tree(repo.objects.read_commit(commit_id).tree)
        if index.dirty:
            repo.save_index(index)
    return commit_id


def _lay_over(base: Snapshot, files: BlockFiles) -> Snapshot:
    snapshot = {path: entry for path, entry in base.items() if path not in files.removed}
    new = [path for path in files.entries if path not in snapshot]
    if new:
        for path in _in_the_way(snapshot, new):
            del snapshot[path]
    snapshot.update(files.entries)
    if new:
        _refuse_collisions(snapshot, new)
    return dict(sorted(snapshot.items()))


def _in_the_way(known: Iterable[str], new: Sequence[str]) -> list[str]:
    """Give the paths that cannot be beside *new*: files where folders are now, files below files."""
    fresh = set(new)
    folders = {folder for path in new for folder in parents_of(path)}
    return [path for path in known if path in folders or any(folder in fresh for folder in parents_of(path))]


def _refuse_collisions(snapshot: Snapshot, new: Sequence[str]) -> None:
    collisions = Collisions()
    fresh = set(new)
    for path in (*(path for path in snapshot if path not in fresh), *new):
        collisions.add(path)


def _update_index(repo: Repository, index: Index, files: BlockFiles) -> None:
    for path in (*files.removed, *_in_the_way(index.paths(), list(files.entries))):
        index.remove(path)
    for path, entry in files.entries.items():
        known = index.get(path)
        hashed = files.hashed.get(path)
        if hashed is not None and hashed.as_tree_entry() == entry:
            index.set(hashed.as_index_entry())
        elif known is None or not entry.same_content(known.as_tree_entry()):
            index.set(unread_entry(repo, entry))


def dropped_outputs(
    base: Snapshot, stage: str, old: StageRecord | None, new: Mapping[str, ObjectId], graph: StageGraph | None
) -> tuple[str, ...]:
    """Give what *stage* no longer produces: paths of *base* that its last block or declaration claims.

    What another stage writes, or any stage reads, stays.
    """
    specs = graph.order if graph is not None else ()
    own = next((spec for spec in specs if spec.name == stage), None)
    claimed = set(old.outputs) if old is not None else set()
    if own is not None:
        claimed.update(path for path in base if own.writes(path))
    return tuple(
        path
        for path in sorted(claimed & base.keys() - new.keys())
        if not any(spec.reads(path) or (spec is not own and spec.writes(path)) for spec in specs)
    )
