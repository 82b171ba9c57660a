"""``.mlstoreignore``: which files nobody wants to see, in gitignore's syntax, one file a folder.

``.mlstore/``, ``.git/`` and ``mlstore.lock`` are always ignored: the first two are stores, and the
lock names a commit, so no commit can hold it.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mlstore.durable import read_regular, storage_errors
from mlstore.errors import ConfigError, InvalidPath
from mlstore.model.paths import LOCK_NAME

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_NAME = ".mlstoreignore"
# How the library's patterns call the slash behind a folder that they name.
_IN_FOLDER = "ps_d"
_LARGEST = 16 << 20
_MOST_WILD = 3  # of '*' between two slashes, and of '**': matching tries each against every place
_SET = re.compile(r"\[[^]]*\]")
_STARS = re.compile(r"\*+")
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
                verdict = _verdict(rules._spec, relative)
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


def _verdict(spec: GitIgnoreSpec, path: str) -> bool | None:
    found = spec.check_file(path)
    if found.include is False and found.index is not None:
        regex = getattr(spec.patterns[found.index], "regex", None)
        match = regex.match(path) if regex is not None and _IN_FOLDER in regex.groupindex else None
        if match is not None and 0 <= match.start(_IN_FOLDER) < len(path) - 1:
            # Only a folder above was taken back in: as in git, that says nothing about what lies in it.
            return None
    return found.include


def _read_spec(path: Path) -> GitIgnoreSpec | None:
    with storage_errors(path):
        try:
            text = read_regular(path, _LARGEST, error=InvalidPath).decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None
    from pathspec import GitIgnoreSpec

    _refuse_many_stars(path, text)
    lines = [line for line in text.split("\n") if line.strip() not in ("/", "!/")]  # the root: nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about odd sets like '[[]', which mean what they say
        try:
            return GitIgnoreSpec.from_lines(lines)
        except ValueError:
            return GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))


def _refuse_many_stars(path: Path, text: str) -> None:
    """Refuse patterns that a path could be made for on which matching takes for ever."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count("*") <= _MOST_WILD or line.startswith("#"):
            continue
        parts = line.strip().split("/")
        deep = sum(part == "**" for part in parts)
        if deep > _MOST_WILD or any(len(_STARS.findall(_SET.sub("", part))) > _MOST_WILD for part in parts):
            raise ConfigError(
                f"'{path.name}' in '{path.parent.name}', line {number}: too many wildcards in one pattern",
                hint=f"at most {_MOST_WILD} '*' between two slashes, and {_MOST_WILD} '**'",
                path=str(path),
            )


def _is_pattern(line: str) -> bool:
    """Whether *line* can be read; git passes over the others, a lone backslash for instance."""
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
