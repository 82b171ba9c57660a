"""The one writer of worktree files.

Every path is checked, every folder on the way is opened by descriptor without following links, every
byte is hashed while it is written aside under ``.mlstore/tmp``, and only when all files of an operation
are whole are they renamed into place. So a corrupt object, a full disk or a hostile tree is found
before the worktree changes, and no link in the worktree is ever written through.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from mlstore._progress import Progress, expect
from mlstore.durable import Staging, storage_errors
from mlstore.durable.behind import BEHIND_FROM, write_behind
from mlstore.durable.files import create_file
from mlstore.errors import CorruptObject
from mlstore.hashing import Digest, ObjectId, checksum_bytes, digest_bytes, new_checksum
from mlstore.model import Collisions, TreeEntry, validate_path, validate_paths
from mlstore.objects import SMALL
from mlstore.repository import Repository
from mlstore.worktree.folders import Folders

_DEEP = 1024


class Written(NamedTuple):
    """A file that was put into the worktree: its digest, and its ``lstat`` right after."""

    digest: Digest
    status: os.stat_result


class WorktreeWriter:
    """Collects files to write and to remove; ``apply`` does it all.

    Use as a context manager: what was not applied is dropped at the end.
    """

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._staging = Staging(repo.scratch, fsync=False)
        self._files: dict[str, tuple[Path, Digest]] = {}
        self._removals: list[str] = []
        self._names = Collisions()
        self._trees = _NewTrees(repo.root, self._staging)

    def __enter__(self) -> WorktreeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._staging.discard()

    def stage(self, path: str, entry: TreeEntry) -> None:
        """Write the blob of *entry* aside, verified, to become *path*.

        Raises ``InvalidPath``, ``ObjectNotFound``, ``CorruptObject`` or ``StorageError``; the worktree
        is not touched.
        """
        self._claim(path)
        self._copy(path, entry)

    def _copy(self, path: str, entry: TreeEntry) -> None:
        file = self._staging.new_file(_mode(entry))
        try:
            cloned = self._repo.objects.clone(entry.id, file) if entry.size > SMALL else None
            if cloned is not None:
                digest = cloned
            elif entry.size >= BEHIND_FROM:
                with write_behind(file, durable=False, name=path) as behind:
                    digest = self._stream(entry.id, behind.put)
            else:
                with storage_errors(path):
                    digest = self._stream(entry.id, file.write)
        finally:
            file.close()
        _require_size(entry, digest.size)
        self._files[path] = (file.path, digest)

    def _stream(self, object_id: ObjectId, write: Callable[[bytes], None]) -> Digest:
        checksum = new_checksum()
        size = 0
        for chunk in self._repo.objects.stream(object_id):
            checksum.update(chunk)
            size += len(chunk)
            write(chunk)
        # The object database hashed the chunks: the id is proved once the stream has ended.
        return Digest(object_id, size, checksum.digest())

    def stage_all(self, files: Mapping[str, TreeEntry], progress: Progress | None = None) -> None:
        """As ``stage`` for many: small blobs are read in the order in which the store has them."""
        validate_paths(files)
        expect(progress, len(files), sum(entry.size for entry in files.values()))
        told = progress or (lambda _path, _size: None)
        small: dict[ObjectId, list[str]] = {}
        for path, entry in files.items():
            if entry.size > SMALL:
                self.stage(path, entry)
                told(path, entry.size)
            else:
                self._names.add(path)
                small.setdefault(entry.id, []).append(path)
        for object_id, data in self._repo.objects.fetch(list(small), SMALL):
            digest = Digest(object_id, len(data), checksum_bytes(data))
            for path in small.pop(object_id):
                _require_size(files[path], len(data))
                self._write_small(path, data, digest, _mode(files[path]))
                told(path, len(data))
        # What was not given is larger than its tree says.
        for path in (path for paths in small.values() for path in paths):
            self._copy(path, files[path])
            told(path, files[path].size)

    def _write_small(self, path: str, data: bytes, digest: Digest, mode: int) -> None:
        folder, _, name = path.rpartition("/")
        with storage_errors(path):
            tree = self._trees.place(folder)
            if tree is not None:
                staged = f"{tree.folder}{os.sep}{name}"
                tree.files.append((path, staged, Written(digest, create_file(staged, data, mode))))
                return
            file = self._staging.new_file(mode)
            try:
                file.write(data)
            finally:
                file.close()
        self._files[path] = (file.path, digest)

    def stage_bytes(self, path: str, data: bytes) -> None:
        """Write *data* aside, to become *path*."""
        self._claim(path)
        file = self._staging.new_file(0o666)
        try:
            with storage_errors(path):
                file.write(data)
        finally:
            file.close()
        self._files[path] = (file.path, digest_bytes(self._repo.format, data))

    def remove(self, path: str) -> None:
        """Note that *path* is to be removed, with the folders that it leaves empty."""
        self._removals.append(validate_path(path))

    def _claim(self, path: str) -> None:
        validate_path(path)
        self._names.add(path)

    def apply(self, *, replace: bool = False) -> dict[str, Written]:
        """Remove what is to go, then put every staged file in its place.

        Empty folders make way for a file. *replace* allows everything else that stands in the way to be
        removed: a file or link where a folder is needed, a folder and all in it where a file is. Otherwise
        ``WouldOverwrite`` is raised for it (callers look before, so this is the last line).
        """
        folders = Folders(self._repo.root, replace=replace)
        try:
            for path in sorted(self._removals, reverse=True):
                folders.remove(path)
            written = self._put_trees(folders)
            for path, (staged, digest) in sorted(self._files.items()):
                written[path] = Written(digest, folders.put(staged, path))
            return written
        finally:
            folders.close()

    def _put_trees(self, folders: Folders) -> dict[str, Written]:
        """Give whole new folders their names; one that is there by now gets its files one by one."""
        written: dict[str, Written] = {}
        for top, (root, files) in sorted(self._trees.tops.items()):
            whole = folders.put_folder(root, top)
            for path, staged, known in files:
                written[path] = known if whole else Written(known.digest, folders.put(Path(staged), path))
        return written


class _Place(NamedTuple):
    """A folder that is built aside, and the files of its new tree: path, staged file, what is written."""

    folder: str
    files: list[tuple[str, str, Written]]


class _NewTrees:
    """Folders that the worktree does not have are built aside, whole: one rename for all that is in them."""

    def __init__(self, root: Path, staging: Staging) -> None:
        self._root = root
        self._staging = staging
        self._places: dict[str, _Place | None] = {"": None}
        self.tops: dict[str, tuple[Path, list[tuple[str, str, Written]]]] = {}

    def place(self, folder: str) -> _Place | None:
        """Give where the files of *folder* are to be written, None for a folder that is there already."""
        if folder not in self._places:
            # Where it would lie too deep below the staging folder its files take the ordinary way.
            deep = len(folder) > _DEEP or folder.count("/") > _DEEP // 16
            self._places[folder] = None if deep else self._make(folder)
        return self._places[folder]

    def _make(self, folder: str) -> _Place | None:
        parent, _, name = folder.rpartition("/")
        above = self.place(parent)
        if above is not None:
            below = f"{above.folder}{os.sep}{name}"
            os.mkdir(below)
            return _Place(below, above.files)
        try:
            os.lstat(self._root / folder)
        except FileNotFoundError:
            path = self._staging.new_folder()
            place = _Place(str(path), [])
            self.tops[folder] = path, place.files
            return place
        except NotADirectoryError:
            pass
        return None


def write_text(repo: Repository, path: str, text: str) -> None:
    """Make the file *path* hold *text*, all or nothing: for mlstore.lock and .gitignore."""
    with WorktreeWriter(repo) as writer:
        writer.stage_bytes(path, text.encode("utf-8", "surrogateescape"))
        writer.apply()


def _require_size(entry: TreeEntry, actual: int) -> None:
    if entry.size != actual:
        raise CorruptObject(
            f"object '{entry.id}' has {actual} bytes, its tree says {entry.size}",
            hint="'mlstore verify' tells which commit says so: it was put together by hand",
            id=entry.id,
        )


def _mode(entry: TreeEntry) -> int:
    return 0o777 if entry.kind == "executable" else 0o666
