"""Python's search for garbage, and when not to search."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_collector() -> Iterator[None]:
    """Do not look for cycles meanwhile: for work that makes many small values, and hardly any cycle.

    The collector would walk over all of them again and again, which takes a tenth of the time of a check.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
