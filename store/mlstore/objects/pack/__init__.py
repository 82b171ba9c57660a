"""Packs: many small objects in one immutable file, its sorted index and footer at the end."""

from mlstore.objects.pack.builder import PackBuilder
from mlstore.objects.pack.codec import EntryKind, PackEntry
from mlstore.objects.pack.folder import PackFolder
from mlstore.objects.pack.pack import Pack

__all__ = ["EntryKind", "Pack", "PackBuilder", "PackEntry", "PackFolder"]
