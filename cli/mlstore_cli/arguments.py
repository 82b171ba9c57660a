"""Which of the words on the command line are revisions and which are paths: git's rules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlstore.errors import InvalidRevision, NotFoundError, RefNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.hashing import ObjectId
    from mlstore.history import Range
    from mlstore.repository import Snapshot
    from mlstore_cli.context import Session


def split_revisions(
    session: Session, words: Sequence[str], after_dashes: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Return (revisions, repository paths).

    With `--` everything before it is a revision. Without, words are revisions up to the first that is none;
    from there on they are paths, which must exist. Raises InvalidRevision for a word that is both,
    RefNotFound for one that is neither.
    """
    if after_dashes is not None:
        return list(words), session.repo_paths(after_dashes)
    count = 0
    while count < len(words) and is_revision(session, words[count]):
        if os.path.lexists(session.path(words[count])):
            raise InvalidRevision(
                f"'{words[count]}' is both a revision and a file", hint="put '--' between revisions and paths"
            )
        count += 1
    paths = words[count:]
    for word in paths:
        require_path(session, word)
    return list(words[:count]), session.repo_paths(paths)


def is_revision(session: Session, word: str) -> bool:
    """Whether `word` names a commit, a range of commits, or something that leads to one."""
    from mlstore.history import parse_range

    try:
        parse_range(session.repo, [word])
    except (NotFoundError, InvalidRevision):
        return False
    return True


def require_path(session: Session, word: str, *, tracked: bool = False) -> None:
    """Check that `word`, no revision, can be a path; `tracked` allows one that is only in the index."""
    if not os.path.lexists(session.path(word)) and not any(mark in word for mark in "*?["):
        if tracked and session.repo_path(word) in session.repo.read_index():
            return
        raise RefNotFound(
            f"'{word}' is neither a revision nor a path in the worktree",
            hint="put '--' before paths that are not there any more",
            ref=word,
        )


def range_of(session: Session, revisions: Sequence[str], *, everything: bool) -> Range:
    """Return what the revisions ask for, HEAD without any; `everything` adds all branches and tags."""
    from mlstore.history import Range, describe_refs, parse_range

    if not everything:
        return parse_range(session.repo, revisions or ["HEAD"])
    given = parse_range(session.repo, revisions)
    head = session.repo.refs.head().commit
    objects = session.repo.objects
    tips = [target for target in describe_refs(session.repo) if objects.kind(target) == "commit"]
    return Range(tuple(dict.fromkeys([*given.include, *tips, *([head] if head else [])])), given.exclude)


def tree_of(session: Session, revision: str) -> ObjectId:
    """Return the tree that a revision, or `REVISION:FOLDER`, leads to."""
    from mlstore.history import resolve

    found = resolve(session.repo, revision if ":" in revision or not revision else revision + "^{tree}")
    if found.kind != "tree":
        raise InvalidRevision(
            f"'{revision}' is a {found.kind}, not a tree", hint="'mlstore cat-file -p' prints what is in it"
        )
    return found.id


def snapshot_of(session: Session, revision: str) -> Snapshot:
    """Return the files of a revision; of HEAD also before the first commit, when there are none."""
    from mlstore.repository import read_snapshot

    if revision == "HEAD" and session.repo.refs.head().commit is None:
        return {}
    return read_snapshot(session.repo.objects, tree_of(session, revision))
