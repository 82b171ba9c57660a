"""Packages whose names are loaded on first use.

``status`` needs one module of ``worktree`` and none of those that write: a command pays for what it uses.
A name that a module has too (``scan`` in ``scan.py``) is imported by the package at once: otherwise the
import system would bind the module to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Give the ``__getattr__`` of *package*: *homes* maps each public name to the module that has it."""

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(homes[name]), name)

    return load
