"""History: revisions, walks, recording commits, moving branches, and the chain of stage blocks."""

from mlstore.history.branches import create_branch, delete_branch, rename_branch
from mlstore.history.chain import Block, Chain, chain_position, read_chain, upstream_of
from mlstore.history.files import manifest_at
from mlstore.history.head import Switched, reset, switch
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
from mlstore.history.walk import is_ancestor, merge_base, touches, walk

__all__ = [
    "Block",
    "Chain",
    "Range",
    "Resolved",
    "Switched",
    "abbreviate",
    "chain_position",
    "create_branch",
    "create_tag",
    "delete_branch",
    "delete_tag",
    "describe_refs",
    "is_ancestor",
    "manifest_at",
    "merge_base",
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
