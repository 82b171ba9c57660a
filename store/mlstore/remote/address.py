"""What names another repository: a folder, or a ``file://`` URL (RFC 8089) of one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlstore._lazy import LazyPattern
from mlstore.errors import UsageError
from mlstore.repository import STORE_NAME

_SCHEME = LazyPattern(r"[A-Za-z][A-Za-z0-9+.-]*:(//|:)")


def source_folder(text: str, base: Path) -> Path:
    """Give the folder that *text* names, relative ones below *base*; ``.mlstore`` stands for its parent.

    Raises ``UsageError`` for what is no local folder: nothing is ever asked of a network or another program.
    """
    if not text:
        raise UsageError("'' is not a path", hint="'.' is this folder")
    if text.startswith("-"):
        raise UsageError(f"'{text}' looks like an option", hint=f"a folder of that name is './{text}'")
    found = base / (_path_of_url(text) if _SCHEME.match(text) else text)
    return found.parent if found.name == STORE_NAME else found


def _path_of_url(text: str) -> str:
    scheme, _, rest = text.partition(":")
    if scheme.lower() != "file" or not rest.startswith("//"):
        raise UsageError(
            f"'{text}': '{scheme}' is no way to another repository",
            hint="a folder can be cloned, by its path or as file:///PATH",
        )
    parts = urlsplit(text)
    path = unquote(parts.path, errors="surrogateescape")
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or "\0" in path or not path:
        raise UsageError(f"'{text}' does not name a folder of this machine", hint="write file:///PATH")
    return path


def default_name(text: str) -> str:
    """Give the name of the folder that a clone of *text* is made in, as git chooses it.

    >>> default_name("/srv/models/"), default_name("file:///srv/models/.mlstore")
    ('models', 'models')
    """
    path = _path_of_url(text) if _SCHEME.match(text) else text
    name = Path(path.rstrip("/").removesuffix(f"/{STORE_NAME}")).name
    if name in ("", "..", STORE_NAME):
        raise UsageError(f"'{text}' gives no name for a folder", hint=f"say which: clone {text} DIR")
    return name
