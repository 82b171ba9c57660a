"""Which repositories of other users are used all the same: what the user, sudo and the environment say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlstore.config import Config
from mlstore.durable import read_regular
from mlstore.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY: Final = "safe.directory"
VARIABLE: Final = "MLSTORE_SAFE_DIRECTORY"
_LARGEST: Final = 1 << 20


def is_trusted(root: Path, owner: int, environ: Mapping[str, str], file: Path) -> bool:
    """Return whether the repository at `root`, which belongs to `owner`, may be used.

    Under sudo it may be that of whoever called sudo, as in git; else its folder (or `*`) stands in
    `safe.directory` of the user's settings, or in the variable. What the repository itself says never counts.
    """
    if os.geteuid() == 0 and environ.get("SUDO_UID") == str(owner):
        return True
    named = [part for part in environ.get(VARIABLE, "").split(os.pathsep) if part]
    named += folders(read_settings(file))
    return "*" in named or str(root) in {os.path.realpath(folder) for folder in named}


def read_settings(file: Path) -> Config:
    """Read the user's settings; none where there is no such file. Raises ConfigError."""
    try:
        return Config.parse(read_regular(file, _LARGEST, error=ConfigError).decode())
    except (FileNotFoundError, NotADirectoryError):
        return Config("", {})
    except UnicodeDecodeError:
        raise ConfigError(f"'{file}' is not text", file=str(file)) from None


def folders(settings: Config) -> list[str]:
    """Return what `safe.directory` lists."""
    value = settings.get(KEY)
    found = [value] if isinstance(value, str) else ([] if value is None else value)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ConfigError(f"'{KEY}' in your settings is not a list of folders", key=KEY)
    return found


def trust(file: Path, folder: str) -> None:
    """Add `folder` (or `*`) to `safe.directory`; one that is there already stays once."""
    import tomlkit

    from mlstore.durable import replace_file

    settings = read_settings(file)
    named = folders(settings)
    if folder in named:
        return
    document = tomlkit.parse(settings.text)
    if "safe" not in document:
        document["safe"] = tomlkit.table()
    document["safe"]["directory"] = [*named, folder]
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, tomlkit.dumps(document).encode(), scratch=file.parent)
