"""Recording a commit: objects first, then the ref; acknowledged when both are durable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlstore.errors import NothingToCommit, ObjectNotFound, Refused, UsageError
from mlstore.hashing import ObjectId
from mlstore.model import Commit, Person, StageRecord, compute_lineage
from mlstore.refs import BRANCHES, ReflogEntry
from mlstore.repository import NewTrees, Repository, Snapshot, make_trees, new_files, write_trees


def record_commit(
    repo: Repository,
    *,
    message: str,
    author: Person,
    time: str,
    snapshot: Snapshot | None = None,
    stage: StageRecord | None = None,
    amend: bool = False,
    allow_empty: bool = False,
    sign: Callable[[Commit], str] | None = None,
) -> ObjectId:
    """Record *snapshot* (None: the index) as a commit on HEAD and give its id.

    *time* is UTC as ``2026-01-16T15:24:48Z``. With *stage* the commit is a block of the chain and its
    lineage is computed from the record; a block may hold the same tree as its parent. *amend* replaces
    HEAD's commit. *sign* gives the signature of what is about to be recorded; when it raises, nothing is.
    Raises ``NothingToCommit``, ``UsageError`` for an empty message, ``ObjectNotFound`` when
    a staged blob is not in the store, ``Refused`` when a block would be amended to other content.
    """
    message = message.strip("\n")
    if not message.strip():
        raise UsageError("the message is empty", hint="give one with -m")
    with repo.write_lock("commit"):
        head = repo.refs.head()
        replaced = _replaced(repo, head.commit) if amend else None
        parents = replaced.parents if replaced else ((head.commit,) if head.commit else ())
        index = repo.read_index()
        entries = index.snapshot() if snapshot is None else snapshot
        known = repo.objects.read_commit(head.commit) if head.commit else None
        made = make_trees(repo.format, entries.values())
        _require_blobs(repo, made, known.tree if known else None)
        with repo.objects.transaction() as writer:
            tree = write_trees(writer, made)
            if replaced and replaced.stage is not None and stage is None:
                stage = _kept_stage(replaced, tree)
            elif not allow_empty and not amend and stage is None:
                _refuse_nothing(known, tree, empty=not entries)
            commit = _build(repo, tree, parents, stage, message=message, author=author, time=time)
            if sign is not None:
                commit = replace(commit, signature=sign(commit))
            commit_id = writer.add_commit(commit)
        _advance(repo, commit_id, commit, amend=amend)
        if snapshot is None:
            index.mark_tree(tree)
            if index.dirty:
                repo.save_index(index)
        return commit_id


def _build(
    repo: Repository,
    tree: ObjectId,
    parents: tuple[ObjectId, ...],
    stage: StageRecord | None,
    *,
    message: str,
    author: Person,
    time: str,
) -> Commit:
    above = [repo.objects.read_commit(parent) for parent in parents]
    lineage = compute_lineage(repo.format, stage) if stage else (above[0].lineage if above else None)
    height = max((parent.height for parent in above), default=-1) + 1
    return Commit(tree, parents, height, lineage, author, time, message, stage)


def _replaced(repo: Repository, head: ObjectId | None) -> Commit:
    if head is None:
        raise UsageError("there is no commit to amend", hint="make one with 'mlstore commit'")
    return repo.objects.read_commit(head)


def _kept_stage(replaced: Commit, tree: ObjectId) -> StageRecord | None:
    if tree != replaced.tree:
        raise Refused(
            "a stage's block cannot be amended to hold other files",
            hint="what a stage wrote is on record: make a new commit, or run the stage again",
        )
    return replaced.stage


def _refuse_nothing(known: Commit | None, tree: ObjectId, *, empty: bool) -> None:
    if known is None and empty:
        raise NothingToCommit("nothing to commit: no file is staged", hint="stage files with 'mlstore add'")
    if known is not None and known.tree == tree:
        raise NothingToCommit(
            "nothing to commit: the index equals HEAD",
            hint="stage changes with 'mlstore add', or use commit -a",
        )


def _require_blobs(repo: Repository, made: NewTrees, parent: ObjectId | None) -> None:
    """A commit never names a blob that is not there: look at those that the parent does not have."""
    new = {entry.id: (folder, entry.name) for folder, entry in new_files(repo.objects, made, parent)}
    missing = repo.objects.absent(new)
    if missing:
        path, object_id = min(("".join(new[object_id]), object_id) for object_id in missing)
        raise ObjectNotFound(
            f"the staged content of '{path}' is not in the store",
            hint=f"run 'mlstore add {path}' again",
            id=object_id,
            path=path,
        )


def _advance(repo: Repository, commit_id: ObjectId, commit: Commit, *, amend: bool) -> None:
    kind = " (amend)" if amend else ("" if commit.parents else " (initial)")
    move_head(repo, commit_id, f"commit{kind}: {commit.subject}", who=commit.author, time=commit.time)


def move_head(repo: Repository, new: ObjectId, message: str, *, who: Person, time: str) -> None:
    """Move the branch that HEAD is on (or a detached HEAD itself) to *new*, with a reflog line."""
    head = repo.refs.head()
    entry = ReflogEntry(head.commit, new, time, str(who), message)
    if head.branch is None:
        repo.refs.set_head_detached(new, entry)
    else:
        repo.refs.update(BRANCHES + head.branch, new, old=head.commit, entry=entry)
