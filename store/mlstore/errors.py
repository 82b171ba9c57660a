"""The exception tree: split by what a handler would do, not by where a failure came from.

::

    MlstoreError
    ├── UsageError            the request itself is wrong: mend it and ask again
    │   ├── InvalidPath           a path that no repository may hold
    │   ├── InvalidRef            a branch or tag name that git would refuse too
    │   ├── InvalidRevision       revision syntax that cannot be read, or is ambiguous
    │   ├── ConfigError           a configuration file; file, line and key are in ``data``
    │   ├── NotARepository        no repository here or above
    │   └── NotOwned              it is another user's: ``data["path"]``, ``data["owner"]``
    ├── Refused               the request is fine, the state of things is not: nothing was changed
    │   ├── WouldOverwrite        work that is stored nowhere stands in the way; ``data["paths"]``
    │   ├── NothingToCommit
    │   ├── StageFailed           a stage's command failed, or broke its declaration
    │   └── NotVerified           bytes differ from what was asked for
    ├── CorruptError          stored bytes are not what they claim to be
    │   ├── CorruptObject         an object; ``data["id"]``
    │   ├── CorruptFile           another file of the store; ``data["path"]``
    │   ├── CorruptArtifact       an artifact that is not what its name or start promises
    │   └── DecodeError           bytes that are not canonical tree, commit or tag
    ├── NotFoundError         something that was named is not there
    │   ├── ObjectNotFound        ``data["id"]``
    │   ├── RefNotFound           ``data["ref"]``
    │   └── PathNotFound          ``data["path"]``
    ├── NotTrusted            a signature is missing, unknown or bad
    └── CannotRun             the machine does not let us: try again later or elsewhere
        ├── Locked                another process holds the lock; ``data["holder"]``
        └── StorageError          disk full, no permission, read-only, I/O error

Messages are lower case with the subject in single quotes and no full stop; ``hint`` says what to do.
Exit statuses are the command line's business: they are not known here.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MlstoreError(Exception):
    """Base of everything mlstore raises on purpose.

    ``kind`` is a stable machine-readable word (kinds are only ever added); ``data`` holds the facts
    that a caller may want to use without parsing the message.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data
        if hint:
            self.add_note(f"hint: {hint}")  # for whoever sees it as a traceback


class UsageError(MlstoreError):
    """The request cannot be understood or makes no sense."""

    kind = "usage"


class InvalidPath(UsageError):
    """A path that no tree may hold, or that points outside the repository."""

    kind = "invalid-path"


class InvalidRef(UsageError):
    """A ref name that is not allowed."""

    kind = "invalid-ref"


class InvalidRevision(UsageError):
    """A revision that cannot be parsed, or a prefix that fits several objects."""

    kind = "invalid-revision"


class ConfigError(UsageError):
    """A configuration file says something that cannot be used.

    ``data`` has ``file`` and, where known, ``line`` (from 1) and ``key``.
    """

    kind = "config"


class NotARepository(UsageError):
    """There is no ``.mlstore`` here or in a parent folder."""

    kind = "not-a-repository"


class NotOwned(UsageError):
    """The repository belongs to another user, and nobody said that they are to be trusted."""

    kind = "not-owned"


class Refused(MlstoreError):
    """Carrying on would lose something or record something untrue; nothing was changed."""

    kind = "refused"


class WouldOverwrite(Refused):
    """Files with content that is stored nowhere stand in the way (``data["paths"]``)."""

    kind = "would-overwrite"


class NothingToCommit(Refused):
    """The tree to commit equals the parent's."""

    kind = "nothing-to-commit"


class StageFailed(Refused):
    """A stage's command failed, or did not do what its declaration says."""

    kind = "stage-failed"


class NotVerified(Refused):
    """Bytes are not those that were asked for."""

    kind = "not-verified"


class CorruptError(MlstoreError):
    """Stored bytes are not what they claim to be."""

    kind = "corrupt"


class CorruptObject(CorruptError):
    """An object's bytes do not hash to its id (``data["id"]``)."""

    kind = "corrupt-object"


class CorruptFile(CorruptError):
    """A file of the store (index, ref, reflog, config) is damaged (``data["path"]``)."""

    kind = "corrupt-file"


class CorruptArtifact(CorruptError):
    """An artifact (model, table, array, configuration) cannot be read as what it claims to be."""

    kind = "corrupt-artifact"


class DecodeError(CorruptError):
    """Bytes are not the canonical form of a tree, commit or tag."""

    kind = "decode"


class NotFoundError(MlstoreError):
    """Something that was named is not there."""

    kind = "not-found"


class ObjectNotFound(NotFoundError):
    """No such object in the store (``data["id"]``)."""

    kind = "object-not-found"


class RefNotFound(NotFoundError):
    """No such branch, tag or revision (``data["ref"]``)."""

    kind = "ref-not-found"


class PathNotFound(NotFoundError):
    """No such path in the worktree, index or tree (``data["path"]``)."""

    kind = "path-not-found"


class NotTrusted(MlstoreError):
    """A required signature is missing, unknown or bad."""

    kind = "not-trusted"


class CannotRun(MlstoreError):
    """The machine does not allow it now."""

    kind = "cannot-run"


class Locked(CannotRun):
    """Another process holds the lock (``data["holder"]``)."""

    kind = "locked"


class StorageError(CannotRun):
    """The file system refused: full, read-only, not permitted, or failing."""

    kind = "storage"
