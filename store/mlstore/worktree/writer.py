"""The one writer of worktree files.

Every path is checked, every folder on the way is opened by descriptor without following links, every
byte is hashed while it is written aside under ``.mlstore/tmp``, and only when all files of an operation
are whole are they renamed into place. So a corrupt object, a full disk or a hostile tree is found
before the worktree changes, and no link in the worktree is ever written through.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from mlstore._progress import Progress, expect
from mlstore.durable import Staging, storage_error, storage_errors
from mlstore.durable.behind import BEHIND_FROM, write_behind
from mlstore.durable.files import CREATE, create_file, write_all
from mlstore.errors import WouldOverwrite
from mlstore.hashing import PIECE, Digest, ObjectId, checksum_bytes, digest_bytes, new_checksum
from mlstore.model import Collisions, TreeEntry, parents_of, validate_path, validate_paths
from mlstore.objects import SMALL
from mlstore.repository import Repository

_FOLDER = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)
_HAS_DIR_FD = {os.open, os.mkdir, os.rename, os.unlink, os.rmdir, os.stat} <= os.supports_dir_fd
_DEEP = 1024
# Why a whole folder cannot be given its name: something is there by now, or it is on another file system.
_ONE_BY_ONE = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY, errno.EXDEV})
_BLOCKED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})


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
        file = self._staging.new_file(0o777 if entry.kind == "executable" else 0o666)
        try:
            if entry.size >= BEHIND_FROM:
                with write_behind(file, durable=False, name=path) as behind:
                    digest = self._stream(entry.id, behind.put)
            else:
                with storage_errors(path):
                    digest = self._stream(entry.id, file.write)
        finally:
            file.close()
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
        for object_id, data in self._repo.objects.fetch(small):
            digest = Digest(object_id, len(data), checksum_bytes(data))
            for path in small[object_id]:
                self._write_small(path, data, digest, 0o777 if files[path].kind == "executable" else 0o666)
                told(path, len(data))

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
        folders = _Folders(self._repo.root, replace=replace)
        try:
            for path in sorted(self._removals, reverse=True):
                folders.remove(path)
            written = self._put_trees(folders)
            for path, (staged, digest) in sorted(self._files.items()):
                written[path] = Written(digest, folders.put(staged, path))
            return written
        finally:
            folders.close()

    def _put_trees(self, folders: _Folders) -> dict[str, Written]:
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


class _Folders:
    """Folders of the worktree, opened one component at a time without following links."""

    def __init__(self, root: Path, *, replace: bool) -> None:
        self._root = root
        self._replace = replace
        self._name: str | None = None
        self._fd = -1

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._name = None

    def put(self, staged: Path, path: str) -> os.stat_result:
        folder, _, name = path.rpartition("/")
        with storage_errors(path), self._open(folder, create=True) as fd:
            try:
                _rename(staged, self._root, folder, name, fd)
            except IsADirectoryError:
                self._clear_folder(path, name, fd)
                _rename(staged, self._root, folder, name, fd)
            return _lstat(self._root, folder, name, fd)

    def put_folder(self, staged: Path, path: str) -> bool:
        """Give a whole new folder its name; False where its files have to be put one by one."""
        folder, _, name = path.rpartition("/")
        with storage_errors(path), self._open(folder, create=True) as fd:
            try:
                _rename_once(staged, self._root, folder, name, fd)
            except OSError as exc:
                if exc.errno in _ONE_BY_ONE:
                    return False
                raise
        return True

    def remove(self, path: str) -> None:
        """Unlink *path* and the folders left empty above it; what is gone, or behind a link, is left."""
        folder, _, name = path.rpartition("/")
        try:
            with self._open(folder, create=False) as fd:
                _unlink(self._root, folder, name, fd)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as exc:
            if isinstance(exc, PermissionError) and exc.errno == errno.EACCES:
                raise storage_error(exc, path) from exc
            return
        except OSError as exc:
            if exc.errno in _BLOCKED:
                return
            raise storage_error(exc, path) from exc
        self.close()
        for parent in parents_of(path):
            above, _, last = parent.rpartition("/")
            try:
                with self._open(above, create=False) as fd:
                    _rmdir(self._root, above, last, fd)
            except OSError:
                break  # not empty
            finally:
                self.close()

    def _clear_folder(self, path: str, name: str, fd: int) -> None:
        """A folder that holds only empty ones gives way to a file; one with files does when told so."""
        where, dir_fd = (name, fd) if fd >= 0 else (str(self._root / path), None)
        if self._replace:
            import shutil

            shutil.rmtree(where, dir_fd=dir_fd)
            return
        try:
            if dir_fd is not None:
                for _, folders, _, above in os.fwalk(where, topdown=False, dir_fd=dir_fd):
                    for below in folders:
                        os.rmdir(below, dir_fd=above)
            os.rmdir(where, dir_fd=dir_fd)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise WouldOverwrite(
                f"'{path}' is a folder with files in it", hint="move them away first", paths=[path]
            ) from None

    @contextmanager
    def _open(self, folder: str, *, create: bool) -> Iterator[int]:
        if not _HAS_DIR_FD:
            yield self._check_by_name(folder, create=create)
            return
        if self._name != folder:
            self.close()
            self._fd = self._walk(folder, create=create)
            self._name = folder
        yield self._fd

    def _walk(self, folder: str, *, create: bool) -> int:
        fd = os.open(self._root, _FOLDER)
        done = ""
        for name in folder.split("/") if folder else []:
            done = f"{done}/{name}" if done else name
            try:
                below = self._enter(fd, name, done, create=create)
            finally:
                os.close(fd)
            fd = below
        return fd

    def _enter(self, fd: int, name: str, path: str, *, create: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=fd)
        except FileNotFoundError:
            if not create:
                raise
        except OSError as exc:
            if exc.errno not in _BLOCKED or not create:
                raise
            if not self._replace:
                raise _in_the_way(path) from None
            os.unlink(name, dir_fd=fd)
        os.mkdir(name, dir_fd=fd)
        return os.open(name, _FOLDER, dir_fd=fd)

    def _check_by_name(self, folder: str, *, create: bool) -> int:
        """The same walk where the system has no dir_fd: by name, each component looked at."""
        path = self._root
        for name in folder.split("/") if folder else []:
            path = path / name
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:
                if not create:
                    raise
                path.mkdir()
                continue
            if not stat.S_ISDIR(mode):
                if not create or not self._replace:
                    raise _in_the_way(path.relative_to(self._root).as_posix())
                path.unlink()
                path.mkdir()
        return -1


def _in_the_way(path: str) -> WouldOverwrite:
    return WouldOverwrite(
        f"'{path}' is in the way: a folder is needed there", hint="move it away first", paths=[path]
    )


def _by_fd_or_name(
    call: Callable[..., os.stat_result | None], root: Path, folder: str, name: str, fd: int, **more: object
) -> os.stat_result | None:
    if fd >= 0:
        return call(name, dir_fd=fd, **more)
    return call(root / folder / name, **more)


def _rename(staged: Path, root: Path, folder: str, name: str, fd: int) -> None:
    try:
        _rename_once(staged, root, folder, name, fd)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        _copy_over(staged, root, folder, name, fd)


def _copy_over(staged: Path, root: Path, folder: str, name: str, fd: int) -> None:
    """Where the folder is on another file system: copy the file beside its place, then rename it there."""
    aside = f".mlstore-{os.urandom(8).hex()}"
    where, dir_fd = (aside, fd) if fd >= 0 else (str(root / folder / aside), None)
    with staged.open("rb") as source:
        target = os.open(where, CREATE, stat.S_IMODE(os.fstat(source.fileno()).st_mode), dir_fd=dir_fd)
        try:
            try:
                while data := source.read(PIECE):
                    write_all(target, data)
            finally:
                os.close(target)
            if dir_fd is not None:
                os.replace(aside, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            else:
                os.replace(where, root / folder / name)
        except BaseException:
            os.unlink(where, dir_fd=dir_fd)
            raise
    staged.unlink()


def _rename_once(staged: Path, root: Path, folder: str, name: str, fd: int) -> None:
    if fd >= 0:
        os.replace(staged, name, dst_dir_fd=fd)
    else:
        os.replace(staged, root / folder / name)


def _unlink(root: Path, folder: str, name: str, fd: int) -> None:
    _by_fd_or_name(os.unlink, root, folder, name, fd)


def _rmdir(root: Path, folder: str, name: str, fd: int) -> None:
    _by_fd_or_name(os.rmdir, root, folder, name, fd)


def _lstat(root: Path, folder: str, name: str, fd: int) -> os.stat_result:
    status = _by_fd_or_name(os.stat, root, folder, name, fd, follow_symlinks=False)
    assert status is not None
    return status
