"""The library for the scoring job: bytes are used only when they are exactly those of the golden pipeline.

::

    import mlstore

    store = mlstore.open(".")
    model = store.load("model.joblib", at="golden")      # hashed first, then deserialised from those bytes
    store.verify(against="golden").ok
"""

from mlstore.api.store import Store, init, open  # noqa: A004 - `mlstore.open` is what users say

__all__ = ["Store", "init", "open"]
