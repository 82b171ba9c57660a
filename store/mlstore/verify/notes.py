"""The notes of a store: each is what its place says, and names a commit that is here."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.history.notes import read_note, split_note_path
from mlstore.model import TreeEntry
from mlstore.refs import NOTES
from mlstore.repository import Repository
from mlstore.repository.snapshot import iter_files
from mlstore.verify.findings import Finding


def check_notes(repo: Repository, damaged: Collection[ObjectId]) -> Iterator[Finding]:
    """Read every note that a ref of notes leads to.

    What cannot be read at all (*damaged*, missing) is told by the walk over the history of notes itself.
    """
    try:
        tips = repo.refs.all(NOTES)
    except MlstoreError:  # a ref that holds no id, which is told of all refs alike
        return
    for ref, tip in tips.items():
        try:
            entries = list(iter_files(repo.objects, repo.objects.read_commit(tip).tree))
        except (CorruptError, NotFoundError) as exc:
            if tip in repo.objects and repo.objects.kind(tip) != "commit":
                yield Finding("corrupt-file", f"'{ref}' does not point to a commit", path=ref, hint=exc.hint)
            continue
        for entry in entries:
            if entry.id not in damaged:
                yield from _check_note(repo, ref, entry)


def _check_note(repo: Repository, ref: str, entry: TreeEntry) -> Iterator[Finding]:
    place = split_note_path(entry.name)
    if place is None:
        yield Finding(
            "stranger", f"'{entry.name}' in '{ref}' is no note", severity="warning", path=ref, actual=entry.id
        )
        return
    commit, _ = place
    try:
        read_note(repo, ref.removeprefix(NOTES), commit, entry)
    except NotFoundError:
        return
    except CorruptError as exc:
        yield Finding("corrupt-object", exc.message, path=ref, expected=entry.id, hint=exc.hint)
        return
    if commit not in repo.objects:
        yield Finding(
            "missing-object",
            f"a note is about commit '{commit}', which is not here",
            severity="info",
            commit=commit,
            path=ref,
            cause="it was collected, or never fetched: notes do not keep a commit",
        )
