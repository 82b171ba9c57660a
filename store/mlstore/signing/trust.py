"""Whom to believe: the list of allowed signers, and the keys that were called back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mlstore._lazy import LazyPattern
from mlstore.errors import ConfigError

_LARGEST = 16 << 20
# Text suggests what to ask; the exit status answers.
_BOUNDS = LazyPattern(r'(?i)\b(valid-(?:after|before))="[^"]*"')
_OPEN = {"valid-after": "19700102", "valid-before": "20991231"}
OPEN_TIME = "20300101000000"
"""A moment at which every key of a list without bounds is valid."""


@dataclass(frozen=True, slots=True)
class Trust:
    """*signers* is a file of allowed signers (``ssh-keygen``'s ALLOWED SIGNERS), *revoked* a KRL or key list.

    Both are absolute paths outside of the store that they protect; None where nobody said which.
    """

    signers: Path | None = None
    revoked: Path | None = None

    def inside(self, root: Path) -> list[Path]:
        """Give those of the two that lie below *root*: whoever writes there could name himself."""
        real = Path(os.path.realpath(root))
        given = (path for path in (self.signers, self.revoked) if path is not None)
        return [path for path in given if Path(os.path.realpath(path)).is_relative_to(real)]


def read_list(path: Path, what: str) -> bytes:
    """Give the bytes of a list; raises ``ConfigError`` when it cannot be read."""
    try:
        if not path.is_file():
            raise ConfigError(f"the {what} '{path}' is not a file", file=str(path))
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise ConfigError(f"the {what} '{path}' cannot be read: {reason}", file=str(path)) from exc
    if len(data) > _LARGEST:
        raise ConfigError(f"the {what} '{path}' is larger than {_LARGEST >> 20} MiB", file=str(path))
    return data


def without_bounds(signers: bytes) -> bytes:
    """Give the list with every key valid at every time: it tells an expired key from an unknown one."""
    text = signers.decode("utf-8", "surrogateescape")
    return _BOUNDS.sub(lambda found: f'{found[1]}="{_OPEN[found[1].lower()]}"', text).encode(
        "utf-8", "surrogateescape"
    )
