"""Saying what changed inside a file: the keys of a configuration, else the first differing byte."""

from __future__ import annotations

from typing import Any

from mlstore.compare import Difference, diff_values, first_difference, is_keyed, load_values, select
from mlstore.errors import MlstoreError, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.model import TreeEntry
from mlstore.repository import Repository, find_entry
from mlstore.worktree.proven import read_blob

_SHOWN = 8
_KEYED_LIMIT = 16 << 20


def explain_file_change(
    old_repo: Repository,
    old_tree: ObjectId,
    new_repo: Repository,
    new_tree: ObjectId,
    path: str,
    key: str | None,
) -> tuple[str, ...]:
    """Say how *path* differs between two trees, as short lines; nothing when that cannot be read.

    With *key* only the values below it are compared.
    """
    try:
        old = find_entry(old_repo.objects, old_tree, path)
        new = find_entry(new_repo.objects, new_tree, path)
    except MlstoreError:
        return ()
    if old is None or new is None:
        return (f"'{path}' is not in the {'first' if old is None else 'second'} of the two",)
    return explain_entries(old_repo, old, new_repo, new, key)


def explain_entries(
    old_repo: Repository, old: TreeEntry, new_repo: Repository, new: TreeEntry, key: str | None = None
) -> tuple[str, ...]:
    """Say how two stored files differ, as short lines."""
    try:
        if _is_readable_by_key(old, new):
            lines = explain_values(read_blob(old_repo, old), read_blob(new_repo, new), old.name, key)
            if lines or key:
                return lines
        found = first_difference(old_repo.objects.stream(old.id), new_repo.objects.stream(new.id))
    except ObjectNotFound:
        return unexplained(old_repo, new_repo)
    except MlstoreError:
        return ()
    return explain_difference(found, old.size, new.size)


def unexplained(*repos: Repository) -> tuple[str, ...]:
    """Say why there is no explanation, where a store was cloned without blobs."""
    if all(repo.filter is None for repo in repos):
        return ()
    return ("what differs inside cannot be told: its recorded bytes are not here",)


def _is_readable_by_key(old: TreeEntry, new: TreeEntry) -> bool:
    return is_keyed(old.name) and max(old.size, new.size) <= _KEYED_LIMIT


def explain_values(old: bytes, new: bytes, name: str, key: str | None) -> tuple[str, ...]:
    """Say which keys of two versions of a configuration differ; nothing when one cannot be read."""
    try:
        before, after = load_values(old, name), load_values(new, name)
    except MlstoreError:
        return ()
    changes = diff_values(_at(before, key), _at(after, key), key or "")
    lines = [str(change) for change in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        lines.append(f"and {len(changes) - _SHOWN} more keys")
    return tuple(lines)


def _at(values: dict[str, Any], key: str | None) -> Any:
    if key is None:
        return values
    try:
        return select(values, key)
    except MlstoreError:
        return {}


def explain_difference(found: Difference | None, old_size: int, new_size: int) -> tuple[str, ...]:
    """Say where bytes differ first, and how the size changed."""
    lines = []
    if found is not None and found.old is not None and found.new is not None:
        lines.append(f"first differing byte at offset {found.offset}: 0x{found.old:02x} -> 0x{found.new:02x}")
    elif found is not None:
        which = "ends" if found.new is None else "goes on"
        lines.append(f"equal up to offset {found.offset}, where it {which}")
    if old_size != new_size:
        lines.append(f"size {old_size} -> {new_size} bytes")
    return tuple(lines)
