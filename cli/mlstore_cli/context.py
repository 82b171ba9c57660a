"""What a command knows about the world: folder, environment, terminal, user, clock.

Only this module reads the environment. The library below is told everything that it needs.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlstore_cli import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

    from mlstore.model import Person
    from mlstore.refs import Move
    from mlstore.repository import Repository
    from mlstore.signing import LastSeen
    from mlstore_cli.progress import Progress

_TRUE: Final = frozenset({"1", "true", "yes", "on"})


class Session:
    """One invocation of the command.

    Relative paths are meant in `cwd`, the process's own folder moved by `-C`; the process itself never
    changes its folder.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self._folder = Path()
        self.quiet = False
        self.json = False
        self.no_color = False
        self.debug = environ.get("MLSTORE_DEBUG", "").lower() in _TRUE
        self._repo: Repository | None = None
        self._last_seen: LastSeen | None = None

    @classmethod
    def from_process(cls) -> Session:
        """Take the environment from the running process."""
        return cls(os.environ)

    # --- terminal ---

    @property
    def style(self) -> output.Style:
        """Colours for stdout."""
        return output.Style(self._use_color(sys.stdout))

    @property
    def error_style(self) -> output.Style:
        """Colours for stderr."""
        return output.Style(self._use_color(sys.stderr))

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads stdout, rather than a pipe or a file."""
        return sys.stdout.isatty()

    def _use_color(self, stream: TextIO) -> bool:
        if self.no_color or self.environ.get("NO_COLOR") or self.json:
            return False
        if self.environ.get("FORCE_COLOR") or self.environ.get("CLICOLOR_FORCE", "0") != "0":
            return True
        return stream.isatty() and self.environ.get("TERM") != "dumb"

    def note(self, text: str) -> None:
        """Say something on stderr, unless `--quiet` asked for silence. `text` is escaped already."""
        if not self.quiet:
            output.write_note(text)

    def hint(self, text: str) -> None:
        """Advise on stderr what to do next, unless `--quiet` asked for silence."""
        self.note(f"{self.error_style.cyan('hint:')} {output.escape(text)}")

    def progress(self, label: str) -> Progress:
        """Return a context manager that shows progress on stderr if somebody is there to see it."""
        from mlstore_cli.progress import Progress

        visible = not self.quiet and sys.stderr.isatty() and self.environ.get("TERM") != "dumb"
        return Progress(label, enabled=visible)

    @contextmanager
    def watched(self, label: str) -> Iterator[None]:
        """Show progress of what is written into the worktree meanwhile."""
        with self.progress(label) as progress:
            self.repo.progress = progress
            try:
                yield
            finally:
                self.repo.progress = None

    # --- files and repository ---

    def enter(self, folder: str) -> None:
        """Move into `folder`, as `-C` does; raises FileNotFoundError or NotADirectoryError."""
        os.scandir(self._folder / folder).close()
        self._folder /= folder

    @property
    def cwd(self) -> Path:
        """The folder that the user is in, absolute."""
        return Path.cwd() / self._folder

    def path(self, text: str) -> Path:
        """Return the file that the user means by `text`; nothing is resolved or checked."""
        return self._folder / text

    @property
    def repo(self) -> Repository:
        """The repository around `cwd`, opened on first use; raises NotARepository."""
        if self._repo is None:
            from mlstore.repository import Repository

            self._repo = Repository.discover(self.cwd, trusted=self.trusts)
            self._repo.before_move = self._expect_moves
        return self._repo

    @property
    def global_config(self) -> Path:
        """The user's own settings, for all repositories; the file need not exist."""
        named = self.environ.get("XDG_CONFIG_HOME")
        base = Path(named) if named else Path(self.environ.get("HOME") or Path.home()) / ".config"
        return base / "mlstore" / "config"

    def trusts(self, root: Path, owner: int) -> bool:
        """Return whether the user trusts a repository that somebody else owns; asked only then."""
        from mlstore_cli.trust import is_trusted

        return is_trusted(root, owner, self.environ, self.global_config)

    def repo_path(self, text: str) -> str:
        """Return the repository path of what the user means by `text`: "" is the root, no text nothing."""
        if not text:
            from mlstore.errors import InvalidPath

            raise InvalidPath("'' is not a path", hint="'.' is this folder", path="")
        return self.repo.path_of(self.cwd / text)

    def golden_argument(self, text: str | None) -> str | None:
        """Return what `--against` names; `DIR` or `DIR@REV` (with a '/' or '.') is meant in `cwd`."""
        if text is None or not (text.startswith(".") or "/" in text):
            return text
        folder, at, rev = text.rpartition("@")
        for path, tail in ((text, ""), (folder, at + rev)):
            if path and (self.cwd / path / ".mlstore").is_dir():
                return f"{self.cwd / path}{tail}"
        return text

    def repo_paths(self, texts: Iterable[str]) -> list[str]:
        """Return the repository paths of several arguments."""
        return [self.repo_path(text) for text in texts]

    def shown(self, path: str) -> str:
        """Return a repository path as the user would type it in `cwd`."""
        shown = os.path.relpath(self.repo.root / path, self.cwd.resolve())
        return shown + "/" if path.endswith("/") else shown

    @property
    def last_seen(self) -> LastSeen | None:
        """What this client remembers of repositories, outside of them; None where there is no place for it.

        `MLSTORE_STATE` names the folder (empty: remember nothing), else it is `mlstore` in `XDG_STATE_HOME`
        or in `~/.local/state`, where homes may be shared between machines.
        """
        if self._last_seen is None:
            from mlstore.signing import LastSeen

            given, home = self.environ.get("MLSTORE_STATE"), Path(self.environ.get("HOME", ""))
            state = Path(self.environ.get("XDG_STATE_HOME", ""))
            if given is not None:
                self._last_seen = LastSeen(self.cwd / given) if given else None
            elif state.is_absolute() or home.is_absolute():
                folder = state if state.is_absolute() else home / ".local" / "state"
                machine = os.uname().nodename if hasattr(os, "uname") else ""
                self._last_seen = LastSeen(folder / "mlstore", machine)
        return self._last_seen

    def _expect_moves(self, moves: Sequence[Move]) -> None:
        if self._repo is not None and self.last_seen is not None:
            self.last_seen.expect(self._repo, moves)

    def remember_moves(self) -> None:
        """Remember outside of the repository which refs this command moved; that never fails the command."""
        repo = self._repo
        moves = repo.refs.moves if repo is not None and "refs" in vars(repo) else []
        if repo is None or not moves or self.last_seen is None:
            return
        self.last_seen.note_moves(repo, moves)
        moves.clear()
        if self.debug and self.last_seen.problem is not None:
            self.note(output.escape(f"not remembered: {self.last_seen.problem}"))

    # --- who and when ---

    def now(self) -> str:
        """Return the current time as commits record it."""
        from mlstore.model import format_time

        return format_time(time.time())

    def author(self, *, hint: bool = False) -> Person:
        """Return who acts, by environment, mlstore's settings, git's, or the login at last.

        `hint` says so when it came to that: for what is recorded for ever.
        """
        from mlstore.model import Person

        name, email = self.environ.get("MLSTORE_AUTHOR_NAME"), self.environ.get("MLSTORE_AUTHOR_EMAIL")
        for source in (self._identity_of_repository, self._identity_of_git):
            if name and email:
                break
            found = source()
            name, email = name or found[0], email or found[1]
        if not (name and email):
            if hint:
                self.hint(
                    "the author was guessed; set user.name and user.email by 'mlstore config KEY VALUE'"
                )
            login, host = _login()
            name, email = name or login, email or f"{login}@{host}"
        return Person(name=_one_line(name), email=_one_line(email))

    def _identity_of_repository(self) -> tuple[str | None, str | None]:
        from mlstore.errors import NotARepository

        try:
            config = self.repo.config
        except NotARepository:  # a clone is made where there is none yet
            return None, None
        return config.get_text("user.name"), config.get_text("user.email")

    def _identity_of_git(self) -> tuple[str | None, str | None]:
        import subprocess

        command = ["git", "config", "--null", "--get-regexp", r"^user\.(name|email)$"]
        try:
            done = subprocess.run(
                command,
                cwd=self._repo.root if self._repo else self.cwd,
                capture_output=True,
                check=False,
                timeout=10,
            )
        except (OSError, subprocess.TimeoutExpired):  # no git, which mlstore does not need
            return None, None
        found: dict[str, str] = {}
        for item in done.stdout.decode("utf-8", "replace").split("\0"):
            key, _, value = item.partition("\n")
            found[key] = value
        return found.get("user.name"), found.get("user.email")


def _login() -> tuple[str, str]:
    import getpass
    import socket

    host = socket.gethostname() or "localhost"
    try:
        return getpass.getuser(), host
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown", host


def _one_line(text: str) -> str:
    """Drop what a name in a commit may not hold: control characters and angle brackets."""
    return "".join(char for char in text if char.isprintable() and char not in "<>").strip() or "unknown"


def pass_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command's function: it receives the `Session` as its first argument."""

    def call(*args: Any, **kwargs: Any) -> Any:
        from click import get_current_context  # a session is of use without click

        context = get_current_context()
        return context.invoke(function, context.find_object(Session), *args, **kwargs)

    return update_wrapper(call, function)
