"""The gate in git's hooks: what a commit there would let through, and the hook files themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.hooks.check import check_added, check_commit, check_lock
    from mlstore.hooks.files import HOOKS, HookFile, find_hooks, install_hook, uninstall_hook
    from mlstore.hooks.git import Git

__all__ = [
    "HOOKS",
    "Git",
    "HookFile",
    "check_added",
    "check_commit",
    "check_lock",
    "find_hooks",
    "install_hook",
    "uninstall_hook",
]

__getattr__ = lazy_names(
    __name__,
    {
        "HOOKS": "mlstore.hooks.files",
        "Git": "mlstore.hooks.git",
        "HookFile": "mlstore.hooks.files",
        "check_added": "mlstore.hooks.check",
        "check_commit": "mlstore.hooks.check",
        "check_lock": "mlstore.hooks.check",
        "find_hooks": "mlstore.hooks.files",
        "install_hook": "mlstore.hooks.files",
        "uninstall_hook": "mlstore.hooks.files",
    },
)
