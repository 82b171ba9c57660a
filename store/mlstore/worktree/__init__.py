"""The worktree: scanned, compared with the index, and written by one writer only."""

from mlstore.worktree.checkout import checkout_snapshot, restore_paths
from mlstore.worktree.content import ContentCache, HashedFile, hash_path, open_file, read_file
from mlstore.worktree.gitignore import ignore_in_git
from mlstore.worktree.ignore import IGNORE_NAME
from mlstore.worktree.scan import Scan, scan
from mlstore.worktree.stage import AddResult, add_paths, remove_paths
from mlstore.worktree.status import Status, status, tracked_changes, unstaged_changes
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
