"""Files as they are at a commit."""

from __future__ import annotations

from mlstore.errors import ConfigError
from mlstore.hashing import ObjectId
from mlstore.manifest import LARGEST_MANIFEST, MANIFEST_NAME, Manifest, parse_manifest
from mlstore.repository import Repository, find_entry
from mlstore.worktree.proven import read_blob


def manifest_at(repo: Repository, tree: ObjectId) -> Manifest | None:
    """Give ``mlstore.toml`` as it is in *tree*, None when there is none.

    Raises ``ConfigError`` when it cannot be used, ``CorruptObject`` or ``ObjectNotFound`` when its bytes are
    damaged or not here.
    """
    entry = find_entry(repo.objects, tree, MANIFEST_NAME)
    if entry is None or entry.kind == "tree":
        return None
    stored = repo.objects.size(entry.id) if entry.id in repo.objects else 0
    if max(entry.size, stored) > LARGEST_MANIFEST:
        raise ConfigError(f"'{MANIFEST_NAME}' is far too large to be one", file=MANIFEST_NAME)
    try:
        text = read_blob(repo, entry).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"'{MANIFEST_NAME}' is not UTF-8 text", file=MANIFEST_NAME) from None
    return parse_manifest(text)


def manifest_left_out(repo: Repository, tree: ObjectId) -> bool:
    """Whether ``mlstore.toml`` of *tree* is a blob that this store may be without."""
    entry = find_entry(repo.objects, tree, MANIFEST_NAME)
    return repo.filter is not None and entry is not None and repo.filter.leaves_out(entry.size)
