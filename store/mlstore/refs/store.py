"""Refs on disk: ``HEAD`` and ``refs/**``, each a file with one line."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlstore import durable
from mlstore.durable import storage_errors
from mlstore.errors import CorruptFile, InvalidRef, RefNotFound, Refused
from mlstore.hashing import ObjectId, is_object_id
from mlstore.refs.names import BRANCHES, is_ref, validate_ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlstore.refs.reflog import ReflogEntry

_SYMBOLIC = "ref: "
_LONGEST = 2048
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# A named pipe must not make us wait for its writer.
_READ |= getattr(os, "O_NONBLOCK", 0)


class Head(NamedTuple):
    """Where HEAD stands: on a branch (short name) or detached (None); no commit yet is None."""

    branch: str | None
    commit: ObjectId | None


class Move(NamedTuple):
    """A move of ``name`` (``HEAD`` or ``refs/...``): None where it was not, or is no more.

    ``switched`` tells a HEAD that was put somewhere else from one whose branch moved beneath it.
    """

    name: str
    old: ObjectId | None
    new: ObjectId | None
    switched: bool = False


class RefStore:
    """The refs of one repository.

    Callers that write hold the repository's write lock; ``old`` makes each move a compare and swap
    all the same. The reflog line is written before the ref moves: a crash between the two leaves a
    line about a move that did not happen, never a move without its line.
    """

    def __init__(self, root: Path, *, scratch: Path, fsync: bool = True) -> None:
        self._root = root
        self._scratch = scratch
        self._fsync = fsync
        self.moves: list[Move] = []
        """What was moved by way of this object, in order; HEAD too, where its branch moved."""
        self.before_move: Callable[[Sequence[Move]], None] | None = None
        """Called with what is about to be moved, when nothing can refuse it any more."""

    # reading

    def head(self) -> Head:
        """Give HEAD; raises ``CorruptFile`` when it is neither a branch nor an id."""
        line = self._read_line(self._root / "HEAD")
        if line is None:
            raise CorruptFile("'HEAD' is missing", hint="'mlstore reflog' knows where it was", path="HEAD")
        if line.startswith(_SYMBOLIC):
            name = line.removeprefix(_SYMBOLIC)
            if not name.startswith(BRANCHES) or not is_ref(name):
                raise CorruptFile(f"'HEAD' points to {name[:80]!r}, which is no branch", path="HEAD")
            return Head(name.removeprefix(BRANCHES), self.read(name))
        if not is_object_id(line):
            raise CorruptFile("'HEAD' holds neither a branch nor an object id", path="HEAD")
        return Head(None, ObjectId(line))

    def read(self, name: str) -> ObjectId | None:
        """Give the id that *name* (``refs/...``) points to, None when there is no such ref."""
        line = self._read_line(self._path(name))
        if line is None:
            return None
        if not is_object_id(line):
            raise CorruptFile(f"'{name}' does not hold an object id", path=name)
        return ObjectId(line)

    def all(self, prefix: str = "refs/") -> dict[str, ObjectId]:
        """Give every ref below *prefix* (``refs/heads/``), sorted by name.

        A file whose name no ref may have is none; ``names`` has it, for ``fsck`` to speak of.
        """
        found = {}
        for name in filter(is_ref, self.names(prefix)):
            object_id = self.read(name)
            if object_id is not None:
                found[name] = object_id
        return found

    def names(self, prefix: str = "refs/") -> list[str]:
        """Give the names of all files below *prefix*, without reading where they point."""
        return self._names_below(self._root / prefix.rstrip("/"), self._root)

    def reflog(self, name: str) -> list[ReflogEntry]:
        """Give the moves of *name* (``HEAD`` or ``refs/...``), newest first."""
        from mlstore.refs.reflog import read_entries

        return read_entries(self._log_path(name))[0]

    def unreadable_log_lines(self, name: str) -> int:
        """Give the number of lines in the log of *name* that are no entries."""
        from mlstore.refs.reflog import read_entries

        return read_entries(self._log_path(name))[1]

    def logs(self) -> list[str]:
        """Give the names that have a reflog."""
        return self._names_below(self._root / "logs", self._root / "logs", regular=True)

    # writing

    def update(
        self, name: str, new: ObjectId, *, old: ObjectId | None, entry: ReflogEntry | None = None
    ) -> None:
        """Move *name* from *old* (None: it must not exist) to *new*; raises ``Refused`` if it moved."""
        current = self.read(name)
        if current != old:
            raise Refused(
                f"'{name}' was moved by somebody else",
                hint="look at it with 'mlstore log' and try again",
                ref=name,
                expected=old,
                actual=current,
            )
        self.make_room(name)
        if entry is not None:
            self._log(name, entry)
            self._log_head(name, entry)
        moves = [Move(name, old, new)]
        if name.startswith(BRANCHES) and self.head().branch == name.removeprefix(BRANCHES):
            moves.append(Move("HEAD", old, new))
        with self._moving(*moves):
            self._write(self._path(name), new)

    def delete(self, name: str, *, old: ObjectId) -> None:
        """Remove *name*, which must point to *old*; its reflog goes with it, as in git."""
        if self.read(name) != old:
            raise Refused(f"'{name}' was moved by somebody else", ref=name)
        with self._moving(Move(name, old, None)):
            durable.remove_file(self._path(name), fsync=self._fsync)
        durable.remove_file(self._log_path(name), fsync=self._fsync)

    def rename(self, old: str, new: str, *, entry: ReflogEntry) -> None:
        """Give the branch *old* the name *new*; HEAD follows."""
        object_id = self.read(old)
        if object_id is None:
            raise RefNotFound(f"no branch '{old.removeprefix(BRANCHES)}'", ref=old)
        head = self.head()
        self.update(new, object_id, old=None)
        for past in reversed(self.reflog(old)):
            self._log(new, past)
        self._log(new, entry)
        if head.branch is not None and BRANCHES + head.branch == old:
            self.set_head_branch(new.removeprefix(BRANCHES), entry)
        self.delete(old, old=object_id)

    def set_head_branch(self, branch: str, entry: ReflogEntry | None = None) -> None:
        """Put HEAD on *branch* (short name), which need not exist yet."""
        name = validate_ref(BRANCHES + branch)
        if entry is not None:
            self._log("HEAD", entry)
        with self._moving(Move("HEAD", None, self.read(name), switched=True)):
            self._write(self._root / "HEAD", _SYMBOLIC + name)

    def set_head_detached(self, commit: ObjectId, entry: ReflogEntry | None = None) -> None:
        """Put HEAD on *commit* itself."""
        if entry is not None:
            self._log("HEAD", entry)
        with self._moving(Move("HEAD", None, commit, switched=True)):
            self._write(self._root / "HEAD", commit)

    def expire_reflog(self, name: str, since: str, *, dry_run: bool = False) -> int:
        """Drop the entries of the log of *name* from before *since* (``YYYY-MM-DDT...``); gives how many.

        Lines that are no entries stay, for ``fsck`` to tell.
        """
        from mlstore.refs.reflog import split_entries

        path = self._log_path(name)
        kept, gone = split_entries(path, since)
        if gone and not dry_run:
            durable.replace_file(path, kept, scratch=self._scratch, fsync=self._fsync)
        return gone

    # inside

    @staticmethod
    def _names_below(folder: Path, root: Path, *, regular: bool = False) -> list[str]:
        found = durable.files_below(folder)
        return sorted(path.relative_to(root).as_posix() for path in found if not regular or path.is_file())

    def _path(self, name: str) -> Path:
        return self._root / validate_ref(name)

    def _log_path(self, name: str) -> Path:
        return self._root / "logs" / (name if name == "HEAD" else validate_ref(name))

    def require_log(self, name: str) -> None:
        """Raise ``CorruptFile`` when *name* or its log could not be written: before anything else changes."""
        path = self._log_path(name)
        if name != "HEAD":
            durable.no_link_on_the_way(self._path(name).parent)
        durable.no_link_on_the_way(path.parent)
        with suppress(FileNotFoundError, NotADirectoryError):
            os.close(durable.open_regular(path))

    def _log(self, name: str, entry: ReflogEntry) -> None:
        from mlstore.refs.reflog import append_entry

        append_entry(self._log_path(name), entry, fsync=self._fsync)

    def _log_head(self, name: str, entry: ReflogEntry) -> None:
        head = self.head()
        if head.branch is not None and BRANCHES + head.branch == name:
            self._log("HEAD", entry)

    @contextmanager
    def _moving(self, *moves: Move) -> Iterator[None]:
        if self.before_move is not None:
            self.before_move(moves)
        yield
        self.moves += moves

    def _write(self, path: Path, line: str) -> None:
        durable.replace_file(path, line.encode() + b"\n", scratch=self._scratch, fsync=self._fsync)

    def _read_line(self, path: Path) -> str | None:
        with storage_errors(path):
            try:
                fd = os.open(path, _READ)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as exc:
                if exc.errno not in (errno.ELOOP, errno.ENXIO):
                    raise
                raise CorruptFile(f"'{path.name}' is a link or device, not a file", path=str(path)) from None
            try:
                mode = os.fstat(fd).st_mode
                if stat.S_ISDIR(mode):
                    return None
                if not stat.S_ISREG(mode):
                    raise CorruptFile(f"'{path.name}' is a pipe or device, not a file", path=str(path))
                data = os.read(fd, _LONGEST)
            finally:
                os.close(fd)
        try:
            return data.decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError:
            raise CorruptFile(f"'{path.name}' is not text", path=str(path)) from None

    def make_room(self, name: str) -> None:
        """Make it possible to write *name*; raises ``InvalidRef`` when other refs do not let it.

        A ref cannot be both a file and a folder: 'a' and 'a/b' exclude each other. What deleted refs left
        behind gives way: empty folders, and the logs of refs that are no more.
        """
        path = self._path(name)
        if any(durable.files_below(path)):
            raise InvalidRef(f"'{name}' cannot be made: refs below it exist", ref=name)
        durable.remove_folder(path)
        for parent in path.parents:
            if parent == self._root:
                break
            if parent.is_file():
                taken = parent.relative_to(self._root).as_posix()
                raise InvalidRef(f"'{name}' cannot be made: '{taken}' exists", ref=name)
        durable.make_folder(path.parent, fsync=self._fsync)
        log = self._log_path(name)
        durable.remove_folder(log)
        for parent in log.parents:
            if parent == self._root / "logs":
                break
            if parent.is_file():
                durable.remove_file(parent, fsync=self._fsync)
