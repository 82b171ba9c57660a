"""Notes: what was found out about a commit after it was made, kept beside it and never in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlstore._lazy import LazyPattern
from mlstore.errors import DecodeError
from mlstore.hashing import ObjectId
from mlstore.model.canonical import decode_object, encode_readable
from mlstore.model.commit import Person, decode_moment, decode_person
from mlstore.model.fields import Fields

NOTE_KIND = LazyPattern(r"[a-z][a-z0-9-]{0,49}\Z")


@dataclass(frozen=True, slots=True)
class Note:
    """One remark about ``commit``.

    ``kind`` says who wrote it (``reproduce``) and so what ``data`` holds, ``text`` is the line for people.
    """

    commit: ObjectId
    kind: str
    author: Person
    time: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def encode_note(note: Note) -> bytes:
    """Give the canonical bytes of *note*; raises ``UsageError`` when no reader would accept them."""
    value = {
        "author": {"email": note.author.email, "name": note.author.name},
        "commit": note.commit,
        "data": note.data,
        "kind": note.kind,
        "text": note.text,
        "time": note.time,
    }
    return encode_readable("note", value, decode_note)


def decode_note(data: bytes) -> Note:
    """Read a note; raises ``DecodeError`` for anything not canonical."""
    fields = Fields(decode_object("note", data), "note")
    note = Note(
        commit=fields.id("commit"),
        kind=fields.text("kind"),
        author=decode_person(fields.take("author")),
        time=decode_moment(fields),
        text=fields.text("text"),
        data=fields.take("data"),
    )
    fields.done()
    if not isinstance(note.data, dict):
        raise DecodeError("note: 'data' is not an object")
    if not NOTE_KIND.match(note.kind):
        raise DecodeError(f"note: {note.kind[:60]!r} is no kind of note")
    return note
