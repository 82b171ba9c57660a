"""Opening, initialising and locking a repository."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstore import durable
from mlstore.config import CONFIG_NAME, FORMAT_VERSION, Config
from mlstore.durable import DEFAULT_WAIT, open_regular, read_regular, storage_errors
from mlstore.errors import ConfigError, InvalidPath, NotARepository, UsageError
from mlstore.hashing import DEFAULT_FORMAT, ObjectFormat, object_format
from mlstore.index import Index
from mlstore.index.codec import check_start
from mlstore.objects import ObjectDatabase
from mlstore.refs import RefStore
from mlstore.repository.ownership import Trust, require_owner

if TYPE_CHECKING:
    from mlstore._progress import Progress
    from mlstore.objects import Collector
    from mlstore.refs import Move
    from mlstore.repository.filter import Filter

STORE_NAME = ".mlstore"
DEFAULT_BRANCH = "main"
_LARGEST_CONFIG = 1 << 20


class Repository:
    """One repository: a worktree with its ``.mlstore`` folder.

    Reading needs no lock. Whoever changes refs or the index holds ``write_lock``.
    """

    def __init__(self, root: Path, config: Config, trusted: Trust | None = None) -> None:
        self.root = root
        self.trusted = trusted
        self.store = root / STORE_NAME
        self.scratch = self.store / "tmp"
        self.progress: Progress | None = None  # who wants to know how far a checkout is
        self.verifier: Any = None  # who judges signatures in this operation: a signing.Verifier, or None
        self.before_move: Callable[[Sequence[Move]], None] | None = None  # who wants to know of refs first
        self._config = config
        self._depth = 0
        self._mutex = threading.RLock()

    # opening

    @classmethod
    def discover(cls, start: Path, *, trusted: Trust | None = None) -> Repository:
        """Open the repository that *start* lies in; raises as ``open``."""
        here = start.resolve()
        for folder in (here, *here.parents):
            if (folder / STORE_NAME / CONFIG_NAME).is_file():
                return cls.open(folder, trusted=trusted)
        raise NotARepository(
            f"'{start}' is not in an mlstore repository", hint="run 'mlstore init' to make one here"
        )

    @classmethod
    def open(cls, root: Path, *, trusted: Trust | None = None) -> Repository:
        """Open the repository whose worktree is *root*.

        Raises ``NotARepository``, ``ConfigError``, or ``NotOwned`` for one that is another user's, unless
        *trusted* takes it (see ``require_owner``).
        """
        root = root.resolve()
        path = root / STORE_NAME / CONFIG_NAME
        require_owner(root, path.parent, trusted)
        try:
            text = read_regular(path, _LARGEST_CONFIG, error=ConfigError).decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise NotARepository(
                f"'{root}' is not an mlstore repository",
                hint="name the folder that holds .mlstore; 'mlstore init' makes one",
            ) from None
        except UnicodeDecodeError:
            raise ConfigError(f"'{path}' is not text", file=str(path)) from None
        config = Config.parse(text)
        _require_format(config, path)
        return cls(root, config, trusted)

    @classmethod
    def init(
        cls, root: Path, object_format_name: str | None = None, *, trusted: Trust | None = None
    ) -> Repository:
        """Make a repository in *root*, or open the one that is there (nothing in it is changed).

        Raises ``UsageError`` for an unknown object format or one that differs from the existing.
        """
        name = object_format(object_format_name or DEFAULT_FORMAT).name
        root = root.resolve()
        store = root / STORE_NAME
        if (store / CONFIG_NAME).is_file():
            found = cls.open(root, trusted=trusted)
            if object_format_name is not None and found.format.name != name:
                raise UsageError(f"'{root}' is a repository with object format '{found.format.name}' already")
            return found
        scratch = store / "tmp"
        for folder in (store, scratch, store / "objects", store / "refs" / "heads", store / "refs" / "tags"):
            durable.make_folder(folder)
        durable.replace_file(store / "HEAD", f"ref: refs/heads/{DEFAULT_BRANCH}\n".encode(), scratch=scratch)
        # The config comes last: a folder without it is no repository yet.
        text = f'[core]\nformat = {FORMAT_VERSION}\nobject-format = "{name}"\n'
        durable.replace_file(store / CONFIG_NAME, text.encode(), scratch=scratch)
        return cls.open(root, trusted=trusted)

    # parts

    @property
    def config(self) -> Config:
        """The settings as they were read or last written."""
        return self._config

    @property
    def fsync(self) -> bool:
        """Whether writes are made durable (``core.fsync``, on unless switched off)."""
        return self._config.get_flag("core.fsync", True)

    @cached_property
    def format(self) -> ObjectFormat:
        """The hash that names objects."""
        return object_format(self._config.get_text("core.object-format") or DEFAULT_FORMAT)

    @cached_property
    def objects(self) -> ObjectDatabase:
        """The object database."""
        database = ObjectDatabase(
            self.store / "objects",
            self.format,
            scratch=self.scratch,
            fsync=self.fsync,
            pack=self._config.get_flag("core.pack", True),
        )
        if self.filter is not None:
            where = f"'{self.source}'" if self.source else "the store it was cloned from"
            database.elsewhere = f"it was left out of this clone ({self.filter}); {where} has it"
        return database

    @cached_property
    def filter(self) -> Filter | None:
        """Which blobs this store was cloned without, None for one that has all it needs.

        Raises ``ConfigError``.
        """
        text = self._config.get_text("core.filter")
        if text is None:
            return None
        try:
            from mlstore.repository.filter import Filter

            return Filter.parse(text)
        except UsageError as exc:
            raise ConfigError(
                f"'core.filter' in the configuration: {exc.message}", hint=exc.hint, key="core.filter"
            ) from None

    @property
    def source(self) -> str | None:
        """The folder that this repository was cloned from, if it was."""
        return self._config.get_text("clone.source")

    def without_blobs(self) -> Repository:
        """Give the same repository, for reading, as one of commits, trees and tags: no blob is ever read."""
        from mlstore.objects.metadata import MetadataDatabase
        from mlstore.repository.filter import Filter

        found = Repository(self.root, self._config)
        found.filter = Filter(0)
        found.verifier = self.verifier
        found.objects = MetadataDatabase(self.objects)
        return found

    @cached_property
    def refs(self) -> RefStore:
        """Branches, tags, HEAD and reflogs."""
        refs = RefStore(self.store, scratch=self.scratch, fsync=self.fsync)
        refs.before_move = self.before_move
        return refs

    def path_of(self, path: Path) -> str:
        """Give the repository path of the file-system path *path* ("" for the root).

        ``..`` is taken lexically and the last component is not resolved, so that a symlink is named
        by its own name. Raises ``InvalidPath`` when it lies outside the worktree.
        """
        absolute = Path(os.path.abspath(path))
        for candidate in (absolute, Path(os.path.realpath(absolute.parent)) / absolute.name):
            if candidate == self.root:
                return ""
            if candidate.is_relative_to(self.root):
                return candidate.relative_to(self.root).as_posix()
        if Path(os.path.realpath(absolute)) == self.root:
            return ""
        raise InvalidPath(
            f"'{path}' is outside the repository at '{self.root}'",
            hint="name files below the folder that holds .mlstore",
            path=str(path),
        )

    # locks

    @contextmanager
    def write_lock(self, purpose: str, *, wait: float = DEFAULT_WAIT) -> Iterator[None]:
        """Hold the lock that every change of refs and index needs; raises ``Locked`` after *wait* seconds.

        It may be taken again by the thread that holds it; other threads of the process wait too.
        """
        with self._mutex:
            if self._depth:
                yield
                return
            with durable.FileLock(self.store / "locks" / "write", purpose=purpose, wait=wait):
                durable.sweep(self.scratch)
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1

    def lock(self, name: str, purpose: str, *, wait: float = DEFAULT_WAIT) -> durable.FileLock:
        """Give another lock of this repository, for instance the one that a pipeline run holds."""
        return durable.FileLock(self.store / "locks" / name, purpose=purpose, wait=wait)

    def collector(self) -> Collector:
        """Give what takes stock of the objects and tidies them up; to change any, hold the write lock."""
        from mlstore.objects import Collector

        lock = self.store / "locks" / "packs"
        return Collector(
            self.objects, scratch=self.scratch, lock=lock, fsync=self.fsync, progress=self.progress
        )

    # files of the store

    def read_index(self) -> Index:
        """Read the index; an absent one is empty. Raises ``CorruptFile``."""
        path = self.store / "index"
        with storage_errors(path):
            try:
                with os.fdopen(open_regular(path), "rb", buffering=0) as file:
                    status = os.fstat(file.fileno())
                    check_start(file.fileno(), status.st_size)
                    index = Index.load(file.read(), status.st_mtime_ns)
                    index.stamp = _stamp(status)
                    return index
            except FileNotFoundError:
                return Index()

    def index_stamp(self) -> tuple[int, ...]:
        """Tell the index file of this moment from others: it changes whenever the index is written."""
        with storage_errors(self.store / "index"):
            try:
                return _stamp(os.stat(self.store / "index"))
            except FileNotFoundError:
                return ()

    def save_index(self, index: Index) -> None:
        """Write the index, durably; the caller holds the write lock."""
        durable.replace_file(self.store / "index", index.dump(), scratch=self.scratch, fsync=self.fsync)
        index.dirty = False

    def save_config(self, config: Config) -> None:
        """Write the settings, durably; the caller holds the write lock."""
        durable.replace_file(
            self.store / CONFIG_NAME, config.text.encode(), scratch=self.scratch, fsync=self.fsync
        )
        self._config = config

    def write_log(self, name: str, data: bytes) -> Path:
        """Keep *data* as ``.mlstore/logs/run/NAME`` and give its path."""
        path = self.store / "logs" / "run" / name
        # Not by way of tmp/: whoever holds the write lock clears it of single files, and a run may not.
        durable.replace_file(path, data, scratch=path.parent, fsync=False)
        return path


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def _require_format(config: Config, path: Path) -> None:
    version = config.get("core.format")
    if version is None:
        raise ConfigError(
            f"'{path}' does not say which disk format this is",
            hint=f"it was cut short or emptied: put 'format = {FORMAT_VERSION}' and the"
            " 'object-format' of the repository back under [core]",
            file=str(path),
            key="core.format",
        )
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise ConfigError(
            f"'{path}' says disk format {version!r}, this mlstore knows {FORMAT_VERSION}",
            hint="use the version of mlstore that made the repository, or a newer one",
            file=str(path),
            key="core.format",
        )
    if config.get_text("core.object-format") is None:
        raise ConfigError(f"'{path}' has no 'core.object-format'", file=str(path), key="core.object-format")
