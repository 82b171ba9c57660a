"""Walking the worktree: one ``scandir`` a folder, one ``lstat`` a file, no link followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlstore.durable import storage_error
from mlstore.index import FileStatus, StatResult
from mlstore.model.paths import LOCK_NAME
from mlstore.repository import Repository
from mlstore.worktree.ignore import ALWAYS_IGNORED, IGNORE_NAME, IgnoreRules, is_ignored, rules_for

_SPECIAL = (
    (stat.S_ISLNK, "symlink"),
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISBLK, "device"),
    (stat.S_ISCHR, "device"),
)


class Scan:
    """What lies in the worktree: regular files with their ``lstat``, and what is none (path -> what)."""

    __slots__ = ("files", "special")

    def __init__(self) -> None:
        self.files: dict[str, StatResult] = {}
        self.special: dict[str, str] = {}


def scan(repo: Repository, folder: str = "", *, ignored: bool = False) -> Scan:
    """Walk *folder* (a repository path, "" for all); ignored files are left out unless asked for.

    Raises ``StorageError`` for a folder that cannot be read: a file must not vanish unnoticed.
    """
    found = Scan()
    if folder and not ignored and is_ignored(repo.root, folder):
        return found
    stack = [(folder, rules_for(repo.root, folder))]
    while stack:
        here, rules = stack.pop()
        _scan_folder(repo.root, here, rules, found, stack, ignored)
    return found


def _scan_folder(
    root: Path,
    here: str,
    rules: IgnoreRules,
    found: Scan,
    stack: list[tuple[str, IgnoreRules]],
    ignored: bool,
) -> None:
    prefix = f"{here}/" if here else ""
    try:
        with os.scandir(root / here if here else root) as iterator:
            entries = list(iterator)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise storage_error(exc, here or ".") from exc
    if here and any(entry.name == IGNORE_NAME for entry in entries):
        rules = rules.enter(root, here)
    ask = not ignored and not rules.empty
    for entry in entries:
        path = prefix + entry.name
        if entry.name in ALWAYS_IGNORED or path == LOCK_NAME:
            continue
        folder = entry.is_dir(follow_symlinks=False)
        if ask and rules.ignores(path, folder=folder):
            continue
        if folder:
            stack.append((path, rules))
        else:
            _note(path, entry, found)


def _note(path: str, entry: os.DirEntry[str], found: Scan) -> None:
    try:
        status = FileStatus.of(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return  # gone between the two calls
    if stat.S_ISREG(status.st_mode) and path.isprintable():
        found.files[path] = status
    elif stat.S_ISREG(status.st_mode):
        _note_odd(path, status, found)
    else:
        found.special[path] = special_kind(status)


def _note_odd(path: str, status: StatResult, found: Scan) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        found.special[path] = "file whose name is not UTF-8"
    else:
        found.files[path] = status


def special_kind(status: StatResult) -> str:
    """Give the word for a file that is not a regular one."""
    return next((word for is_kind, word in _SPECIAL if is_kind(status.st_mode)), "special file")


class Lookup:
    """``lstat`` of single tracked paths, with no symlink followed anywhere below the root."""

    def __init__(self, root: Path) -> None:
        self._base = f"{root}{os.sep}"
        self._folders: dict[str, bool] = {"": True}

    def status(self, path: str) -> os.stat_result | None:
        """Give the ``lstat`` of *path*, None when it is not there or lies behind a link."""
        if not self.is_real_folder(path.rpartition("/")[0]):
            return None
        try:
            return os.lstat(self._base + path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise storage_error(exc, path) from exc

    def is_real_folder(self, folder: str) -> bool:
        """Whether *folder* and all above it are folders, not links to one."""
        known = self._folders.get(folder)
        if known is None:
            known = self.is_real_folder(folder.rpartition("/")[0]) and self._is_folder(folder)
            self._folders[folder] = known
        return known

    def _is_folder(self, folder: str) -> bool:
        try:
            return stat.S_ISDIR(os.lstat(self._base + folder).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
