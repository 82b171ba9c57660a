"""Files as they are at a commit."""

from __future__ import annotations

from mlstore.errors import ConfigError
from mlstore.hashing import ObjectId
from mlstore.manifest import MANIFEST_NAME, Manifest, parse_manifest
from mlstore.repository import Repository, find_entry


def manifest_at(repo: Repository, tree: ObjectId) -> Manifest | None:
    """Give ``mlstore.toml`` as it is in *tree*, None when there is none.

    Raises ``ConfigError`` when it cannot be used, ``CorruptObject`` when its bytes are damaged.
    """
    entry = find_entry(repo.objects, tree, MANIFEST_NAME)
    if entry is None or entry.kind == "tree":
        return None
    try:
        text = repo.objects.read(entry.id).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"'{MANIFEST_NAME}' is not UTF-8 text", file=MANIFEST_NAME) from None
    return parse_manifest(text)
