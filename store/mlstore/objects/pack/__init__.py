"""Packs: many small objects in one immutable file, its sorted index and footer at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.objects.pack.codec import EntryKind, PackEntry
from mlstore.objects.pack.folder import PackFolder
from mlstore.objects.pack.pack import Pack

if TYPE_CHECKING:
    from mlstore.objects.pack.builder import PackBuilder

__all__ = ["EntryKind", "Pack", "PackBuilder", "PackEntry", "PackFolder"]

__getattr__ = lazy_names(__name__, {"PackBuilder": "mlstore.objects.pack.builder"})
