"""The few questions that a hook has for git, asked by its plumbing commands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from mlstore.errors import CannotRun, MlstoreError, NotFoundError


class Git:
    """The git repository around *folder*; *environ* is git's own, with what it gives to hooks."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = dict(environ)

    @cached_property
    def _places(self) -> tuple[Path, Path]:
        try:
            lines = self._ask("rev-parse", "--show-toplevel", "--git-path", "hooks").split(b"\n")
        except CannotRun:
            raise NotFoundError(
                f"'{self._folder}' is not in a git repository with a worktree",
                hint="hooks belong to git: run 'git init' first, or go to where your code is",
            ) from None
        return Path(os.fsdecode(lines[0])), self._folder / os.fsdecode(lines[1])

    @property
    def top(self) -> Path:
        """The folder of its worktree; raises ``NotFoundError`` where there is none."""
        return self._places[0]

    @property
    def hooks(self) -> Path:
        """The folder that git takes hooks from (``core.hooksPath`` counts); raises ``NotFoundError``."""
        return self._places[1]

    def staged(self, kinds: str = "ACMR") -> list[Path]:
        """Give the files that the next commit changes in one of these ways (``--diff-filter`` of git diff).

        A renamed file is an added one.
        """
        names = self._ask(
            "diff", "--cached", "--name-only", "-z", "--no-renames", "--no-ext-diff", f"--diff-filter={kinds}"
        )
        return [self.top / os.fsdecode(name) for name in names.split(b"\0") if name]

    def staged_content(self, path: Path) -> bytes:
        """Give what the next commit will hold of *path*; raises ``CannotRun`` when that is nothing."""
        return self._ask("cat-file", "blob", f":{path.relative_to(self.top).as_posix()}")

    def _ask(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError as exc:
            raise MlstoreError(
                f"'git' cannot be run: {(exc.strerror or str(exc)).lower()}", hint="install git, or fix PATH"
            ) from exc
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            raise CannotRun(f"'git {arguments[0]}' failed: {said.removeprefix('fatal: ')}")
        return done.stdout.removesuffix(b"\n") if arguments[0] == "rev-parse" else done.stdout
