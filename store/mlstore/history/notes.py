"""Notes on disk, in git's manner: ``refs/notes/KIND`` is a history of its own, beside that of the pipeline.

The tree of its commit holds each note at ``ab/cdef.../NOTE``: the id of the commit that it is about, cut as
the names of loose objects are, then the note's own id. Notes are only ever added, so two histories of notes
are merged by laying their files together. They do not keep the commit alive that they are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlstore.errors import CorruptObject, DecodeError
from mlstore.hashing import ObjectId, is_object_id
from mlstore.model import Commit, Note, Person, TreeEntry, decode_note, encode_note
from mlstore.refs import NOTES, ReflogEntry, validate_ref
from mlstore.repository import Repository, find_entry, read_snapshot, write_tree

# What took hours to find out is not given up because somebody else is writing.
_WAIT = 600.0

NOTE_LIMIT = 4 << 20
"""Bytes that a note may have: a larger blob is none."""


def note_path(commit: str, note: str) -> str:
    """Give the place of a note in the tree of notes."""
    return f"{commit[:2]}/{commit[2:]}/{note}"


def split_note_path(path: str) -> tuple[ObjectId, ObjectId] | None:
    """Give the commit and the note that *path* stands for, None for a path that is no note's."""
    head, _, rest = path.partition("/")
    tail, _, note = rest.partition("/")
    if len(head) == 2 and is_object_id(head + tail) and is_object_id(note):
        return ObjectId(head + tail), ObjectId(note)
    return None


def add_notes(
    repo: Repository, notes: Sequence[Note], *, author: Person, time: str, message: str
) -> list[ObjectId]:
    """Add *notes*, all of one kind, durably and in one step; gives their ids.

    A note that is there already is not added again. Raises ``Locked``, ``StorageError``, and what reading a
    damaged history of notes raises: nothing was added then.
    """
    (kind,) = {note.kind for note in notes}
    ref = validate_ref(NOTES + kind)
    with repo.write_lock("notes", wait=_WAIT):
        old = repo.refs.read(ref)
        known = None if old is None else repo.objects.read_commit(old)
        files = read_snapshot(repo.objects, known.tree if known is not None else None)
        with repo.objects.transaction() as writer:
            ids = []
            for note in notes:
                data = encode_note(note)
                ids.append(writer.add_bytes(data))
                path = note_path(note.commit, ids[-1])
                files[path] = TreeEntry(path, "file", ids[-1], len(data))
            tree = write_tree(writer, files.values())
            if known is not None and tree == known.tree:
                return ids
            height = 0 if known is None else known.height + 1
            parents = () if old is None else (old,)
            new = writer.add_commit(Commit(tree, parents, height, None, author, time, message))
        entry = ReflogEntry(old, new, time, str(author), f"notes: {message}")
        repo.refs.update(ref, new, old=old, entry=entry)
    return ids


class NoteBook:
    """The notes of one kind; what is asked for is read, and nothing else."""

    def __init__(self, repo: Repository, kind: str) -> None:
        self._repo = repo
        self._kind = kind
        tip = repo.refs.read(NOTES + kind)
        self._tree = None if tip is None else repo.objects.read_commit(tip).tree

    def of(self, commit: ObjectId) -> tuple[Note, ...]:
        """Give the notes about *commit*, the oldest first.

        Raises ``CorruptObject`` for what is no note about it, ``ObjectNotFound`` for one that is gone.
        """
        if self._tree is None:
            return ()
        folder = find_entry(self._repo.objects, self._tree, note_path(commit, "").rstrip("/"))
        if folder is None or folder.kind != "tree":
            return ()
        entries = self._repo.objects.read_tree(folder.id).entries
        notes = [read_note(self._repo, self._kind, commit, entry) for entry in entries]
        return tuple(sorted(notes, key=lambda note: note.time))


def read_note(repo: Repository, kind: str, commit: ObjectId, entry: TreeEntry) -> Note:
    """Read the note that *entry* of the folder of *commit* names; raises as ``NoteBook.of`` does."""
    if entry.kind != "file" or entry.name.rpartition("/")[2] != entry.id or entry.size > NOTE_LIMIT:
        raise CorruptObject(f"note '{entry.name[:80]}' does not name itself", id=entry.id)
    try:
        note = decode_note(repo.objects.read(entry.id))
    except DecodeError as exc:
        raise CorruptObject(f"note '{entry.id}' is {exc.message}", id=entry.id) from exc
    if note.commit != commit:
        raise CorruptObject(f"note '{entry.id}' is about another commit than its place says", id=entry.id)
    if note.kind != kind:
        raise CorruptObject(
            f"note '{entry.id}' of kind '{note.kind}' is among those of '{kind}'", id=entry.id
        )
    return note


def notes_of(repo: Repository, kind: str, commits: Iterable[ObjectId]) -> dict[ObjectId, tuple[Note, ...]]:
    """Give the notes about each of *commits* that has any; raises as ``NoteBook.of`` does."""
    book = NoteBook(repo, kind)
    found = {commit: book.of(commit) for commit in commits}
    return {commit: notes for commit, notes in found.items() if notes}
