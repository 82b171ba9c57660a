"""Notes on commits, as `log` and `chain` show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlstore_cli.output import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.model import Note


def format_notes(notes: Sequence[Note]) -> list[str]:
    """Return the notes on a commit for `log`, as git shows its own."""
    if not notes:
        return []
    return ["", "Notes:", *(f"    {escape(note.text)}" for note in notes)]


def note_to_json(note: Note) -> dict[str, Any]:
    """Return a note for JSON."""
    return {
        "kind": note.kind,
        "text": note.text,
        "time": note.time,
        "author": {"name": note.author.name, "email": note.author.email},
        "data": note.data,
    }
