"""``.mlstoreignore``: which files nobody wants to see, in gitignore's syntax, one file a folder.

``.mlstore/``, ``.git/`` and ``mlstore.lock`` are always ignored: the first two are stores, and the
lock names a commit, so no commit can hold it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlstore.durable import storage_errors
from mlstore.lockfile import LOCK_NAME

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_NAME = ".mlstoreignore"
ALWAYS_IGNORED = frozenset({".mlstore", ".git"})


class IgnoreRules:
    """The rules that hold in one folder: those of its own file and of all above it."""

    __slots__ = ("_base", "_parent", "_spec")

    def __init__(self, parent: IgnoreRules | None, base: str, spec: GitIgnoreSpec | None) -> None:
        self._parent = parent
        self._base = base
        self._spec = spec

    @property
    def empty(self) -> bool:
        """Whether no rule of a file applies here."""
        return self._spec is None and (self._parent is None or self._parent.empty)

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether the repository path *path* is ignored; the nearest file decides, its last match first."""
        if path.rpartition("/")[2] in ALWAYS_IGNORED or path == LOCK_NAME:
            return True
        rules: IgnoreRules | None = self
        while rules is not None:
            if rules._spec is not None:
                relative = path[len(rules._base) :] + ("/" if folder else "")
                verdict = rules._spec.check_file(relative).include
                if verdict is not None:
                    return verdict
            rules = rules._parent
        return False

    def enter(self, root: Path, folder: str) -> IgnoreRules:
        """Give the rules that hold in *folder* ("" or a repository path), reading its file if it has one."""
        spec = _read_spec(root / folder / IGNORE_NAME)
        if spec is None:
            return self
        return IgnoreRules(self, f"{folder}/" if folder else "", spec)


NO_RULES = IgnoreRules(None, "", None)


def rules_for(root: Path, folder: str) -> IgnoreRules:
    """Give the rules that hold in *folder*, all files from the root down read."""
    rules = NO_RULES.enter(root, "")
    parts = folder.split("/") if folder else []
    for depth in range(1, len(parts) + 1):
        rules = rules.enter(root, "/".join(parts[:depth]))
    return rules


def is_ignored(root: Path, path: str) -> bool:
    """Whether *path*, or a folder above it, is ignored."""
    rules = NO_RULES.enter(root, "")
    parts = path.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth])
        if rules.ignores(folder, folder=True):
            return True
        rules = rules.enter(root, folder)
    return rules.ignores(path, folder=(root / path).is_dir())


def _read_spec(path: Path) -> GitIgnoreSpec | None:
    with storage_errors(path):
        try:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(text.splitlines())
