"""Branches, tags, HEAD and the reflog: one small file each, moved by compare and swap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.refs.names import BRANCHES, NOTES, TAGS, is_ref, validate_ref
from mlstore.refs.store import Head, RefStore

if TYPE_CHECKING:
    from mlstore.refs.reflog import ReflogEntry

__all__ = ["BRANCHES", "NOTES", "TAGS", "Head", "RefStore", "ReflogEntry", "is_ref", "validate_ref"]

__getattr__ = lazy_names(__name__, {"ReflogEntry": "mlstore.refs.reflog"})
