"""Branches, tags, HEAD and the reflog: one small file each, moved by compare and swap."""

from mlstore.refs.names import BRANCHES, TAGS, is_ref, validate_ref
from mlstore.refs.reflog import ReflogEntry
from mlstore.refs.store import Head, RefStore

__all__ = ["BRANCHES", "TAGS", "Head", "RefStore", "ReflogEntry", "is_ref", "validate_ref"]
