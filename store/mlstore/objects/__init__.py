"""The object database: immutable bytes under their hash, behind one facade.

Callers see ``ObjectDatabase`` and ``ObjectWriter`` only; how bytes lie on disk never shows in ids.
"""

from mlstore.objects.database import ObjectDatabase
from mlstore.objects.writer import SMALL, ObjectWriter

__all__ = ["SMALL", "ObjectDatabase", "ObjectWriter"]
