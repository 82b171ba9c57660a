"""History: revisions, walks, recording commits, moving branches, and the chain of stage blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.history.walk import is_ancestor, merge_base, touches, walk

if TYPE_CHECKING:
    from mlstore.history.branches import create_branch, delete_branch, rename_branch
    from mlstore.history.chain import Block, Chain, chain_position, read_chain, upstream_of
    from mlstore.history.files import manifest_at
    from mlstore.history.head import Switched, reset, switch
    from mlstore.history.notes import NoteBook, add_notes, notes_of
    from mlstore.history.record import record_commit
    from mlstore.history.revision import (
        Range,
        Resolved,
        abbreviate,
        describe_refs,
        parse_range,
        resolve,
        resolve_commit,
    )
    from mlstore.history.tags import create_tag, delete_tag

__all__ = [
    "Block",
    "Chain",
    "NoteBook",
    "Range",
    "Resolved",
    "Switched",
    "abbreviate",
    "add_notes",
    "chain_position",
    "create_branch",
    "create_tag",
    "delete_branch",
    "delete_tag",
    "describe_refs",
    "is_ancestor",
    "manifest_at",
    "merge_base",
    "notes_of",
    "parse_range",
    "read_chain",
    "record_commit",
    "rename_branch",
    "reset",
    "resolve",
    "resolve_commit",
    "switch",
    "touches",
    "upstream_of",
    "walk",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Block": "mlstore.history.chain",
        "Chain": "mlstore.history.chain",
        "NoteBook": "mlstore.history.notes",
        "Range": "mlstore.history.revision",
        "Resolved": "mlstore.history.revision",
        "Switched": "mlstore.history.head",
        "abbreviate": "mlstore.history.revision",
        "add_notes": "mlstore.history.notes",
        "chain_position": "mlstore.history.chain",
        "create_branch": "mlstore.history.branches",
        "create_tag": "mlstore.history.tags",
        "delete_branch": "mlstore.history.branches",
        "delete_tag": "mlstore.history.tags",
        "describe_refs": "mlstore.history.revision",
        "manifest_at": "mlstore.history.files",
        "notes_of": "mlstore.history.notes",
        "parse_range": "mlstore.history.revision",
        "read_chain": "mlstore.history.chain",
        "record_commit": "mlstore.history.record",
        "rename_branch": "mlstore.history.branches",
        "reset": "mlstore.history.head",
        "resolve": "mlstore.history.revision",
        "resolve_commit": "mlstore.history.revision",
        "switch": "mlstore.history.head",
        "upstream_of": "mlstore.history.chain",
    },
)
