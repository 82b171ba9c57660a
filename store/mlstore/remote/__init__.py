"""Other repositories: where they are, and copies of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.remote.address import default_name, source_folder
    from mlstore.remote.cloning import Cloned, clone

__all__ = ["Cloned", "clone", "default_name", "source_folder"]

__getattr__ = lazy_names(
    __name__,
    {
        "Cloned": "mlstore.remote.cloning",
        "clone": "mlstore.remote.cloning",
        "default_name": "mlstore.remote.address",
        "source_folder": "mlstore.remote.address",
    },
)
