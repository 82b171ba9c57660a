"""Starting ``ssh-keygen``: by its absolute path, without a shell, for a limited time.

Its exit status is all that is judged; what it prints is at most shown to a person.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstore.errors import CannotRun

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "ssh-keygen"
JUDGING_LIMIT = 30.0
"""Seconds that a verification may take."""
SIGNING_LIMIT = 180.0
"""Seconds that a signature may take: somebody may have to touch a key or type a passphrase."""

# What reaches an agent, a hardware key or whoever asks for a passphrase; a verification gets none of it.
_FOR_SIGNING = (
    "HOME",
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "SSH_SK_PROVIDER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "TERM",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call ended."""

    status: int
    out: bytes
    err: bytes

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.status == 0

    @property
    def complaint(self) -> str:
        """The last line that it printed about a failure, for a person to read."""
        lines = self.err.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), f"exit status {self.status}")


@dataclass(frozen=True, slots=True)
class Keygen:
    """An ``ssh-keygen``: *program* is its absolute path, *environ* where agents and the like are found."""

    program: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def judge(self, *arguments: str | Path, message: bytes = b"") -> Outcome:
        """Ask for a verdict on *message*. Raises ``CannotRun`` when there is none to be had."""
        return self._run(arguments, {}, message=message, limit=JUDGING_LIMIT)

    def sign(self, *arguments: str | Path, terminal: bool = False) -> Outcome:
        """Have something signed; with *terminal* it may ask for a passphrase there."""
        known = {name: self.environ[name] for name in _FOR_SIGNING if name in self.environ}
        return self._run(arguments, known, message=None if terminal else b"", limit=SIGNING_LIMIT)

    def _run(
        self,
        arguments: tuple[str | Path, ...],
        known: Mapping[str, str],
        *,
        message: bytes | None,
        limit: float,
    ) -> Outcome:
        import subprocess

        # Times in a list of signers mean the same everywhere: those without a zone are UTC.
        environ = {**known, "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        # An empty message is an empty pipe, which is as good as a closed one.
        feed: dict[str, Any] = {"stdin": None} if message is None else {"input": message}
        try:
            done = subprocess.run(
                [self.program, *map(str, arguments)],
                capture_output=True,
                env=environ,
                timeout=limit,
                check=False,
                **feed,
            )
        except subprocess.TimeoutExpired:
            raise CannotRun(f"'{self.program}' did not answer within {limit:g} s") from None
        except OSError as exc:
            raise CannotRun(f"'{self.program}' cannot be run: {(exc.strerror or str(exc)).lower()}") from exc
        return Outcome(done.returncode, done.stdout, done.stderr)


def find_keygen(path: str | None, environ: Mapping[str, str] | None = None) -> Keygen:
    """Find ``ssh-keygen`` in the folders of *path* (as ``PATH`` lists them; None: those of the system).

    A folder that is not absolute is passed over: what lies in the current one is not to be run. Raises
    ``CannotRun`` when there is none.
    """
    for folder in (os.defpath if path is None else path).split(os.pathsep):
        found = os.path.join(folder, PROGRAM)
        if os.path.isabs(folder) and os.path.isfile(found) and os.access(found, os.X_OK):
            return Keygen(found, environ or {})
    raise CannotRun(
        f"'{PROGRAM}' is not installed: signatures can be neither made nor checked",
        hint="install OpenSSH 8.9 or newer (on Debian and Ubuntu: apt-get install openssh-client)",
    )
