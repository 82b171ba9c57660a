"""Notes on commits for the commands that show commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlstore_cli import output

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.history import NoteBook
    from mlstore.model import Note
    from mlstore_cli.context import Session

KIND: Final = "reproduce"


class Notes:
    """The notes of a repository, read commit by commit.

    Where notes are damaged it is said once and none is shown: the commits are shown all the same. Notes whose
    bytes are in another store only, as with a clone without blobs, are passed over.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._book: NoteBook | None = None
        self._usable = True

    def of(self, commit: ObjectId) -> tuple[Note, ...]:
        """Return the notes about a commit, the oldest first."""
        from mlstore.errors import CorruptError, NotFoundError, ObjectNotFound
        from mlstore.history import NoteBook

        if not self._usable:
            return ()
        try:
            if self._book is None:
                self._book = NoteBook(self._session.repo, KIND)
            return self._book.of(commit)
        except (CorruptError, NotFoundError) as exc:
            if self._book is not None and isinstance(exc, ObjectNotFound):
                return ()
            self._usable = False
            style = self._session.error_style
            text = f"notes cannot be read: {exc.message}; 'mlstore fsck' tells more"
            self._session.note(f"{style.yellow('warning:')} {output.escape(text)}")
            return ()
