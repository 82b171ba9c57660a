"""Folders of the worktree, opened by descriptor: no link is followed, whoever puts one there meanwhile.

By ``openat2`` in one call where the kernel has it, else (and where a folder has to be made) one component at
a time, each below the descriptor of the one before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlstore.durable import storage_error, storage_errors
from mlstore.durable.files import CREATE, write_all
from mlstore.errors import WouldOverwrite
from mlstore.hashing import PIECE
from mlstore.model import parents_of
from mlstore.worktree.beneath import open_beneath

_FOLDER = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)
_HAS_DIR_FD = {os.open, os.mkdir, os.rename, os.unlink, os.rmdir, os.stat} <= os.supports_dir_fd
# Why a whole folder cannot be given its name: something is there by now, or it is on another file system.
_ONE_BY_ONE = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY, errno.EXDEV})
_BLOCKED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})


class Folders:
    """Puts files and folders into the worktree and removes them; the folder used last stays open.

    *replace* allows everything that stands in the way of a file or folder to be removed.
    """

    def __init__(self, root: Path, *, replace: bool) -> None:
        self._root = root
        self._replace = replace
        self._name: str | None = None
        self._fd = -1
        self._root_fd = -1

    def close(self) -> None:
        """Close what is open; folders are opened again when they are needed."""
        self._leave()
        if self._root_fd >= 0:
            os.close(self._root_fd)
            self._root_fd = -1

    def _leave(self) -> None:
        """Close the folder used last."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._name = None

    def put(self, staged: Path, path: str) -> os.stat_result:
        """Give a file its place, making folders as needed, and its ``lstat`` there."""
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
        self._leave()
        for parent in parents_of(path):
            above, _, last = parent.rpartition("/")
            try:
                with self._open(above, create=False) as fd:
                    _rmdir(self._root, above, last, fd)
            except OSError:
                break  # not empty
            finally:
                self._leave()

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
            self._leave()
            self._fd = self._walk(folder, create=create)
            self._name = folder
        yield self._fd

    def _walk(self, folder: str, *, create: bool) -> int:
        beneath = open_beneath() if folder else None
        if beneath is None:
            return self._walk_by_component(folder, create=create)
        if self._root_fd < 0:
            self._root_fd = os.open(self._root, _FOLDER)
        try:
            return beneath(self._root_fd, folder, _FOLDER)
        except OSError:
            # Something is missing, in the way, or too long for one call: see what, step by step.
            return self._walk_by_component(folder, create=create)

    def _walk_by_component(self, folder: str, *, create: bool) -> int:
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
