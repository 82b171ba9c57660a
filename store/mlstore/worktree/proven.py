"""The bytes of a blob that is not in the store, from a file that has exactly them."""

from __future__ import annotations

from mlstore.errors import MlstoreError, ObjectNotFound
from mlstore.model import TreeEntry
from mlstore.repository import Repository
from mlstore.worktree.content import read_file

LARGEST = 16 << 20
"""Bytes: a larger file is not held whole for this."""


def read_blob(repo: Repository, entry: TreeEntry) -> bytes:
    """Give the bytes of *entry* (its name being a whole path), hashed.

    Where the store was cloned without the blob, the file of the worktree stands in for it if it hashes to the
    same id. Raises ``ObjectNotFound`` when it does not, ``CorruptObject`` for a damaged blob.
    """
    try:
        return repo.objects.read(entry.id)
    except ObjectNotFound as exc:
        if repo.filter is None or entry.size > LARGEST:
            raise
        try:
            data = read_file(repo, entry.name)
        except MlstoreError:
            raise exc from None
        if repo.format.hash_bytes(data) != entry.id:
            raise
        return data
