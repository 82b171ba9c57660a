"""Moving HEAD: switch to a branch or commit, reset the branch that is checked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mlstore.errors import CorruptFile, InvalidRevision, RefNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.history.record import move_head
from mlstore.history.revision import head_name, previous_branch, resolve_commit
from mlstore.index import Index
from mlstore.model import Person
from mlstore.refs import BRANCHES, Head, ReflogEntry, validate_ref
from mlstore.repository import Change, Repository, Snapshot, read_snapshot
from mlstore.worktree import checkout_snapshot, unstaged_changes
from mlstore.worktree.checkout import checkout_changes, unread_entry

ResetMode: TypeAlias = Literal["soft", "mixed", "hard"]


@dataclass(frozen=True, slots=True)
class Switched:
    """Where HEAD was and is, and the local changes that were carried over."""

    previous: Head
    head: Head
    carried: list[Change]


def switch(
    repo: Repository,
    target: str,
    *,
    create: bool = False,
    start: str = "HEAD",
    reset: bool = False,
    detach: bool = False,
    force: bool = False,
    carried: bool = True,
    who: Person,
    time: str,
) -> Switched:
    """Check out branch *target* (``-``: the one before), or with *detach* the commit it names.

    *create* makes the branch at *start* first (*reset*: also when it exists). *force* loses local
    changes. Raises ``WouldOverwrite`` when work would be lost, ``RefNotFound`` for an unknown branch,
    ``Refused`` when the branch to create exists; then nothing was changed. *carried* False saves the look
    at every tracked file that the list of local changes takes: it is empty then.
    """
    with repo.write_lock("checkout"):
        repo.refs.require_log("HEAD")
        previous = repo.refs.head()
        if target == "-":
            target = previous_branch(repo, 1)
            detach = detach or repo.refs.read(BRANCHES + target) is None
        if create:
            return _switch_to_new(
                repo, previous, target, start, reset=reset, force=force, carried=carried, who=who, time=time
            )
        branch = None if detach else _branch(repo, target)
        commit = resolve_commit(repo, target if branch is None else BRANCHES + branch)
        local = _move_files(repo, previous.commit, commit, force=force, carried=carried)
        # Where nothing moves there is no line: '-' means the branch before, not this one again.
        stays = branch is not None and branch == previous.branch
        entry = None if stays else _moving(previous, branch or commit, commit, who, time)
        if branch is None:
            repo.refs.set_head_detached(commit, entry)
        else:
            repo.refs.set_head_branch(branch, entry)
        return Switched(previous, repo.refs.head(), local)


def _branch(repo: Repository, name: str) -> str:
    if BRANCHES + name not in repo.refs.names(BRANCHES):
        try:
            resolve_commit(repo, name)
        except (RefNotFound, InvalidRevision) as exc:
            raise RefNotFound(
                f"no branch '{name}'", hint=exc.hint or f"make it with 'mlstore switch -c {name}'", ref=name
            ) from None
        raise RefNotFound(
            f"'{name}' is a commit, not a branch", hint=f"use 'mlstore switch --detach {name}'", ref=name
        )
    return name


def _switch_to_new(
    repo: Repository,
    previous: Head,
    name: str,
    start: str,
    *,
    reset: bool,
    force: bool,
    carried: bool,
    who: Person,
    time: str,
) -> Switched:
    ref = validate_ref(BRANCHES + name)
    old = repo.refs.read(ref)
    if old is not None and not reset:
        raise Refused(f"a branch '{name}' exists already", hint=f"use 'mlstore switch {name}'", ref=ref)
    if previous.commit is None and start == "HEAD":
        repo.refs.set_head_branch(name)  # no commit yet: the first one will make the branch
        return Switched(previous, repo.refs.head(), [])
    commit = resolve_commit(repo, start)
    repo.refs.make_room(ref)
    local = _move_files(repo, previous.commit, commit, force=force, carried=carried)
    if commit != old:
        made = ReflogEntry(old, commit, time, str(who), f"branch: created from {start}")
        repo.refs.update(ref, commit, old=old, entry=made)
    repo.refs.set_head_branch(name, _moving(previous, name, commit, who, time))
    return Switched(previous, repo.refs.head(), local)


def _moving(previous: Head, to: str, commit: ObjectId, who: Person, time: str) -> ReflogEntry:
    message = f"checkout: moving from {head_name(previous)} to {to}"
    return ReflogEntry(previous.commit, commit, time, str(who), message)


def _move_files(
    repo: Repository, old: ObjectId | None, new: ObjectId, *, force: bool, carried: bool
) -> list[Change]:
    index = repo.read_index()
    target_tree = repo.objects.read_commit(new).tree
    old_tree = None if old is None else repo.objects.read_commit(old).tree
    if force or (old != new and old_tree is None):
        target = read_snapshot(repo.objects, target_tree)
        checkout_snapshot(repo, index, read_snapshot(repo.objects, old_tree), target, force=force)
        _mark_if_equal(index, target, target_tree)
        repo.save_index(index)
    elif old != new:
        was_old = index.tree == old_tree
        checkout_changes(repo, index, old_tree, target_tree)
        if was_old:
            index.mark_tree(target_tree)
        else:
            _mark_if_equal(index, read_snapshot(repo.objects, target_tree), target_tree)
        repo.save_index(index)
    return unstaged_changes(repo) if carried else []


def _snapshot(repo: Repository, commit: ObjectId | None) -> Snapshot:
    return {} if commit is None else read_snapshot(repo.objects, repo.objects.read_commit(commit).tree)


def _mark_if_equal(index: Index, target: Snapshot, tree: ObjectId) -> None:
    if index.snapshot() == target:
        index.mark_tree(tree)


def reset(
    repo: Repository, target: ObjectId, mode: ResetMode, *, who: Person, time: str, name: str | None = None
) -> list[Change]:
    """Move the branch to *target*; ``mixed`` moves the index too, ``hard`` index and worktree.

    The reflog says *name* (default: the id) for what was asked for.
    Gives what differs in the worktree afterwards (``mixed``). ``hard`` loses local changes to tracked
    files, as in git; a damaged index is built anew. Raises before anything changed.
    """
    with repo.write_lock("reset"):
        tree = repo.objects.read_commit(target).tree
        if mode == "hard":
            index = _index_or_empty(repo)
            head = repo.refs.head()
            for log in ["HEAD", *([BRANCHES + head.branch] if head.branch else [])]:
                repo.refs.require_log(log)
            current = head.commit
            snapshot = read_snapshot(repo.objects, tree)
            checkout_snapshot(repo, index, _snapshot(repo, current), snapshot, force=True)
            index.mark_tree(tree)
            repo.save_index(index)
        elif mode == "mixed":
            index = _reset_index(repo, tree)
            repo.save_index(index)
        move_head(repo, target, f"reset: moving to {name or target}", who=who, time=time)
        return unstaged_changes(repo) if mode == "mixed" else []


def _index_or_empty(repo: Repository) -> Index:
    try:
        return repo.read_index()
    except CorruptFile:
        if (repo.store / "index").is_dir():
            raise  # no file can take its place
        return Index()


def _reset_index(repo: Repository, tree: ObjectId) -> Index:
    index = _index_or_empty(repo)
    target = read_snapshot(repo.objects, tree)
    for path in index.paths()[:]:
        if path not in target:
            index.remove(path)
    for path, entry in target.items():
        known = index.get(path)
        if known is None or not entry.same_content(known.as_tree_entry()):
            index.set(unread_entry(repo, entry))
    index.mark_tree(tree)
    return index
