"""What lies beside the tracked files: walked only where a survey saw something that is not tracked."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from mlstore.durable import storage_error
from mlstore.model.paths import LOCK_NAME
from mlstore.worktree.ignore import ALWAYS_IGNORED, IGNORE_NAME, NO_RULES, IgnoreRules
from mlstore.worktree.scan import special_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mlstore.repository import Repository


def list_untracked(
    repo: Repository, strangers: Mapping[str, Iterable[str]], tracked: list[str], *, whole: bool
) -> tuple[list[str], dict[str, str]]:
    """Give the untracked paths, sorted, and what those are that can never be tracked.

    *strangers* names by folder what is there and not *tracked*. A folder stands for all that is in it, as
    ``folder/``, unless *whole* asks for every file; one that holds nothing but ignored files and empty
    folders is none.
    """
    walk = _Walk(repo.root, frozenset(tracked))
    shown: list[str] = []
    for folder, names in strangers.items():
        rules = walk.rules_in(folder)
        if rules is None:
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            kind = walk.kind(path, rules)
            if kind is None:
                continue
            if kind != "folder":
                shown.append(path)
            elif whole:
                shown += walk.files_below(path, rules)
            elif next(walk.files_below(path, rules), None) is not None:
                shown.append(path + "/")
    listed = frozenset(shown)
    return sorted(shown), {path: kind for path, kind in walk.special.items() if path in listed}


class _Walk:
    def __init__(self, root: Path, tracked: frozenset[str]) -> None:
        self._root = root
        self._base = f"{root}{os.sep}"
        self._tracked = tracked
        self._rules: dict[str, IgnoreRules | None] = {"": NO_RULES.enter(root, "")}
        self.special: dict[str, str] = {}

    def rules_in(self, folder: str) -> IgnoreRules | None:
        """Give the rules that hold in *folder*, None when it is ignored itself or lies in one that is."""
        if folder not in self._rules:
            above = self.rules_in(folder.rpartition("/")[0])
            if above is not None:
                above = None if above.ignores(folder, folder=True) else above.enter(self._root, folder)
            self._rules[folder] = above
        return self._rules[folder]

    def kind(self, path: str, rules: IgnoreRules) -> str | None:
        """Give ``file``, ``folder`` or another word, noting what cannot be tracked; None: ignore it."""
        if path.rpartition("/")[2] in ALWAYS_IGNORED or path == LOCK_NAME:
            return None
        try:
            status = os.lstat(self._base + path)
        except (FileNotFoundError, NotADirectoryError):
            return None  # gone meanwhile
        except OSError as exc:
            raise storage_error(exc, path) from exc
        folder = stat.S_ISDIR(status.st_mode)
        if not rules.empty and rules.ignores(path, folder=folder):
            return None
        return "folder" if folder else self._note(path, stat.S_ISREG(status.st_mode), status)

    def _note(self, path: str, regular: bool, status: os.stat_result | None) -> str:
        if not regular:
            kind = special_kind(status or os.lstat(self._base + path))
        elif path.isascii() or _is_utf8(path):
            return "file"
        else:
            kind = "file whose name is not UTF-8"
        if path not in self._tracked:
            self.special[path] = kind
        return kind

    def files_below(self, folder: str, rules: IgnoreRules) -> Iterator[str]:
        """Give what is not ignored below *folder*, as it is found."""
        stack = [(folder, rules)]
        while stack:
            here, above = stack.pop()
            try:
                with os.scandir(self._base + here) as iterator:
                    entries = list(iterator)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as exc:
                raise storage_error(exc, here) from exc
            has_rules = any(entry.name == IGNORE_NAME for entry in entries)
            rules = above.enter(self._root, here) if has_rules else above
            for entry in entries:
                path = f"{here}/{entry.name}"
                if entry.name in ALWAYS_IGNORED:
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                if not rules.empty and rules.ignores(path, folder=is_folder):
                    continue
                if is_folder:
                    stack.append((path, rules))
                elif path not in self._tracked:
                    self._note(path, entry.is_file(follow_symlinks=False), None)
                    yield path


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
