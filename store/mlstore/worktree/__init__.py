"""The worktree: scanned, compared with the index, and written by one writer only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.worktree.scan import Scan, scan
from mlstore.worktree.status import Status, status, tracked_changes, unstaged_changes

if TYPE_CHECKING:
    from mlstore.worktree.checkout import checkout_snapshot, restore_paths
    from mlstore.worktree.content import ContentCache, HashedFile, hash_path, open_file, read_file
    from mlstore.worktree.gitignore import ignore_in_git
    from mlstore.worktree.ignore import IGNORE_NAME
    from mlstore.worktree.stage import AddResult, add_paths, remove_paths
    from mlstore.worktree.writer import WorktreeWriter, write_text

__all__ = [
    "IGNORE_NAME",
    "AddResult",
    "ContentCache",
    "HashedFile",
    "Scan",
    "Status",
    "WorktreeWriter",
    "add_paths",
    "checkout_snapshot",
    "hash_path",
    "ignore_in_git",
    "open_file",
    "read_file",
    "remove_paths",
    "restore_paths",
    "scan",
    "status",
    "tracked_changes",
    "unstaged_changes",
    "write_text",
]

__getattr__ = lazy_names(
    __name__,
    {
        "AddResult": "mlstore.worktree.stage",
        "ContentCache": "mlstore.worktree.content",
        "HashedFile": "mlstore.worktree.content",
        "IGNORE_NAME": "mlstore.worktree.ignore",
        "WorktreeWriter": "mlstore.worktree.writer",
        "add_paths": "mlstore.worktree.stage",
        "checkout_snapshot": "mlstore.worktree.checkout",
        "hash_path": "mlstore.worktree.content",
        "ignore_in_git": "mlstore.worktree.gitignore",
        "open_file": "mlstore.worktree.content",
        "read_file": "mlstore.worktree.content",
        "remove_paths": "mlstore.worktree.stage",
        "restore_paths": "mlstore.worktree.checkout",
        "write_text": "mlstore.worktree.writer",
    },
)
