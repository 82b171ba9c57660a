"""Branches: made, removed, renamed."""

from __future__ import annotations

from mlstore.errors import RefNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.history.revision import resolve_commit
from mlstore.history.walk import is_ancestor
from mlstore.model import Person
from mlstore.refs import BRANCHES, ReflogEntry, validate_ref
from mlstore.repository import Repository


def create_branch(
    repo: Repository, name: str, start: str = "HEAD", *, force: bool = False, who: Person, time: str
) -> ObjectId:
    """Make branch *name* at *start* and give its commit; *force* moves one that exists.

    Raises ``InvalidRef``, ``RefNotFound``, or ``Refused`` when it exists, or is checked out and forced.
    """
    ref = validate_ref(BRANCHES + name)
    with repo.write_lock("branch"):
        target = resolve_commit(repo, start)
        old = repo.refs.read(ref)
        if old is not None and not force:
            raise Refused(f"a branch '{name}' exists already", hint="use -f to move it", ref=ref)
        if old is not None and repo.refs.head().branch == name:
            raise Refused(f"branch '{name}' is checked out", hint="use 'mlstore reset' to move it", ref=ref)
        repo.refs.update(
            ref,
            target,
            old=old,
            entry=ReflogEntry(old, target, time, str(who), f"branch: created from {start}"),
        )
        return target


def delete_branch(repo: Repository, name: str, *, force: bool = False) -> ObjectId:
    """Remove branch *name* and give where it pointed.

    Raises ``RefNotFound``, or ``Refused`` when it is checked out or (without *force*) not part of HEAD.
    """
    with repo.write_lock("branch"):
        ref = validate_ref(BRANCHES + name)
        target = repo.refs.read(ref)
        if target is None:
            raise RefNotFound(f"no branch '{name}'", hint="'mlstore branch' lists them", ref=ref)
        head = repo.refs.head()
        if head.branch == name:
            raise Refused(f"branch '{name}' is checked out", hint="switch to another one first", ref=ref)
        if not force and (head.commit is None or not is_ancestor(repo, target, head.commit)):
            raise Refused(
                f"branch '{name}' is not fully part of HEAD",
                hint=f"use 'mlstore branch -D {name}' to remove it all the same",
                ref=ref,
            )
        repo.refs.delete(ref, old=target)
        return target


def rename_branch(
    repo: Repository, old: str, new: str, *, force: bool = False, who: Person, time: str
) -> None:
    """Give branch *old* the name *new*; HEAD and the reflog follow.

    Raises ``RefNotFound``, ``InvalidRef``, or ``Refused`` when *new* exists (unless *force*).
    """
    with repo.write_lock("branch"):
        target_ref = validate_ref(BRANCHES + new)
        head = repo.refs.head()
        at = repo.refs.read(validate_ref(BRANCHES + old))
        if at is None:
            if head.branch == old:  # no commit yet: only HEAD knows the name
                repo.refs.set_head_branch(new)
                return
            raise RefNotFound(f"no branch '{old}'", hint="'mlstore branch' lists them", ref=BRANCHES + old)
        existing = repo.refs.read(target_ref)
        if existing is not None:
            if not force or head.branch == new:
                raise Refused(f"a branch '{new}' exists already", hint="use -M to replace it", ref=target_ref)
            repo.refs.delete(target_ref, old=existing)
        entry = ReflogEntry(at, at, time, str(who), f"branch: renamed {old} to {new}")
        repo.refs.rename(BRANCHES + old, target_ref, entry=entry)
