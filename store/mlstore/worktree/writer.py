"""The one writer of worktree files.

Every path is checked, every folder on the way is opened by descriptor without following links, every
byte is hashed while it is written aside under ``.mlstore/tmp``, and only when all files of an operation
are whole are they renamed into place. So a corrupt object, a full disk or a hostile tree is found
before the worktree changes, and no link in the worktree is ever written through.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from mlstore._progress import Progress, expect
from mlstore._twin import LOOK_UP_EVERY, beside, may_fork, stop_if_alone
from mlstore.durable import Staging, storage_errors, sync_folder
from mlstore.durable.behind import BEHIND_FROM, write_behind
from mlstore.errors import CorruptObject
from mlstore.hashing import Digest, ObjectId, checksum_bytes, digest_bytes, new_checksum
from mlstore.index import IndexEntry, StatData, Table
from mlstore.model import Collisions, TreeEntry, validate_path, validate_paths
from mlstore.model.tree import EntryKind
from mlstore.objects import SMALL
from mlstore.repository import Repository
from mlstore.worktree.folders import Folders
from mlstore.worktree.newtrees import NewTrees, mode_of

FORK_FROM = 2000
"""From this many files in new folders on, a second process writes half of them."""

_SPREAD_FROM = 100  # files; it pays to ask the file system to put so many where nothing was removed lately


class WorktreeWriter:
    """Collects files to write and to remove; ``apply`` does it all.

    Use as a context manager: what was not applied is dropped at the end.
    """

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._staging = Staging(repo.scratch, fsync=False)
        self._files: dict[str, tuple[Path, EntryKind, Digest]] = {}
        self._removals: list[str] = []
        self._names = Collisions()
        self._trees = NewTrees(repo.root, self._staging)

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
        file = self._staging.new_file(mode_of(entry.kind))
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
        self._files[path] = (file.path, entry.kind, digest)

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
        if len(files) >= _SPREAD_FROM:
            self._trees.spread()
        expect(progress, len(files), sum(entry.size for entry in files.values()))
        told = progress or (lambda _path, _size: None)
        small: list[str] = []
        for path, entry in files.items():
            if entry.size > SMALL:
                self.stage(path, entry)
                told(path, entry.size)
            else:
                self._names.add(path)
                small.append(path)
        theirs = self._share_of(small)
        if not theirs:
            self._stage_small(small, files, told)
            return
        there = set(theirs)
        ours = [path for path in small if path not in there]
        answer = beside(
            lambda: self._stage_beside(theirs, files), lambda: self._stage_small(ours, files, told)
        )
        if answer is None:  # what went wrong there goes wrong here again, and is said
            self._trees.clear(theirs)
            self._stage_small(theirs, files, told)
            return
        self._trees.add(Table.of_columns(theirs, marshal.loads(answer)))
        for path in theirs:
            told(path, files[path].size)

    def _share_of(self, paths: list[str]) -> list[str]:
        """Give the files that a second process is to write: half of those that go into new folders, if many.

        Making a file is a millisecond's tenth in the kernel, which does two at a time in different folders.
        """
        if len(paths) < FORK_FROM or not may_fork():
            return []
        with storage_errors(self._repo.root):
            new = [path for path in sorted(paths) if self._trees.place(path.rpartition("/")[0]) is not None]
        return new[len(new) // 2 :] if len(new) >= FORK_FROM else []

    def _stage_beside(self, paths: list[str], files: Mapping[str, TreeEntry]) -> bytes:
        """In a child: write small blobs where the parent has made folders for them.

        Raises ``KeyError`` for one that is larger than its tree says: that is for the parent.
        """
        written = Table()
        for at, (path, data) in enumerate(self._fetch(paths, files)):
            if at % LOOK_UP_EVERY == 0:
                stop_if_alone()
            written.append(self._trees.write(path, data, files[path]))
        written = written.sorted()
        if written.paths != paths:
            raise KeyError("a file is larger than its tree says")
        return marshal.dumps(written.columns())

    def _stage_small(
        self, paths: list[str], files: Mapping[str, TreeEntry], told: Callable[[str, int], None]
    ) -> None:
        left = dict.fromkeys(paths)
        built = Table()
        for path, data in self._fetch(paths, files):
            entry = files[path]
            if self._trees.place(path.rpartition("/")[0]) is not None:
                built.append(self._trees.write(path, data, entry))
            else:
                self._write_small(path, data, entry)
            told(path, len(data))
            del left[path]
        self._trees.add(built)
        # What was not given is larger than its tree says.
        for path in left:
            self._copy(path, files[path])
            told(path, files[path].size)

    def _fetch(self, paths: list[str], files: Mapping[str, TreeEntry]) -> Iterator[tuple[str, bytes]]:
        """Give the verified bytes of small files, in the order in which the store has them."""
        wanted: dict[ObjectId, list[str]] = {}
        for path in paths:
            wanted.setdefault(files[path].id, []).append(path)
        for object_id, data in self._repo.objects.fetch(list(wanted), SMALL):
            for path in wanted[object_id]:
                _require_size(files[path], len(data))
                yield path, data

    def _write_small(self, path: str, data: bytes, entry: TreeEntry) -> None:
        with storage_errors(path):
            file = self._staging.new_file(mode_of(entry.kind))
            try:
                file.write(data)
            finally:
                file.close()
        self._files[path] = (file.path, entry.kind, Digest(entry.id, len(data), checksum_bytes(data)))

    def stage_bytes(self, path: str, data: bytes, *, fsync: bool = False) -> None:
        """Write *data* aside, to become *path*; with *fsync* it is on the disk before it gets that name."""
        self._claim(path)
        file = self._staging.new_file(0o666)
        try:
            with storage_errors(path):
                file.write(data)
                if fsync:
                    os.fsync(file.fd)
        finally:
            file.close()
        self._files[path] = (file.path, "file", digest_bytes(self._repo.format, data))

    def remove(self, path: str) -> None:
        """Note that *path* is to be removed, with the folders that it leaves empty."""
        self._removals.append(validate_path(path))

    def _claim(self, path: str) -> None:
        validate_path(path)
        self._names.add(path)

    def apply(self, *, replace: bool = False) -> Table:
        """Remove what is to go, then put every staged file in its place; gives rows for the index.

        Empty folders make way for a file. *replace* allows everything else that stands in the way to be
        removed: a file or link where a folder is needed, a folder and all in it where a file is. Otherwise
        ``WouldOverwrite`` is raised for it (callers look before, so this is the last line).
        """
        folders = Folders(self._repo.root, replace=replace)
        try:
            for path in sorted(self._removals, reverse=True):
                folders.remove(path)
            written = self._put_trees(folders)
            for path, (staged, kind, digest) in sorted(self._files.items()):
                known = StatData.of(folders.put(staged, path))
                written.append(IndexEntry(path, kind, digest.id, digest.size, digest.checksum, known))
            return written.sorted()
        finally:
            folders.close()

    def _put_trees(self, folders: Folders) -> Table:
        """Give whole new folders their names; one that is there by now gets its files one by one."""
        written = Table()
        self._trees.gather()
        for top, built in sorted(self._trees.tops.items()):
            if folders.put_folder(Path(built.root), top):
                written.copy_rows(built.rows, 0, len(built.rows.paths))
                continue
            for row, path in enumerate(built.rows.paths):
                status = folders.put(Path(self._trees.staged(top, path)), path)
                written.append(built.rows.entry(row)._replace(stat=StatData.of(status)))
        return written


def write_text(repo: Repository, path: str, text: str) -> None:
    """Make the file *path* hold *text*, all or nothing, durably: for mlstore.lock and .gitignore.

    Other files of the worktree are copies of what is safe in the store. These are not: a pin that was
    acknowledged has to be there after a loss of power.
    """
    with WorktreeWriter(repo) as writer:
        writer.stage_bytes(path, text.encode("utf-8", "surrogateescape"), fsync=repo.fsync)
        writer.apply()
    if repo.fsync:
        with storage_errors(path):
            sync_folder((repo.root / path).parent)


def _require_size(entry: TreeEntry, actual: int) -> None:
    if entry.size != actual:
        raise CorruptObject(
            f"object '{entry.id}' has {actual} bytes, its tree says {entry.size}",
            hint="'mlstore verify' tells which commit says so: it was put together by hand",
            id=entry.id,
        )
