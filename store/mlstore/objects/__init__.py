"""The object database: immutable bytes under their hash, behind one facade.

Callers see ``ObjectDatabase`` and ``ObjectWriter`` only; how bytes lie on disk never shows in ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.objects.database import ObjectDatabase

if TYPE_CHECKING:
    from mlstore.objects.collect import Collector, StoredItem, Swept
    from mlstore.objects.writer import SMALL, ObjectWriter

__all__ = ["SMALL", "Collector", "ObjectDatabase", "ObjectWriter", "StoredItem", "Swept"]

__getattr__ = lazy_names(
    __name__,
    {
        "SMALL": "mlstore.objects.writer",
        "ObjectWriter": "mlstore.objects.writer",
        "Collector": "mlstore.objects.collect",
        "StoredItem": "mlstore.objects.collect",
        "Swept": "mlstore.objects.collect",
    },
)
