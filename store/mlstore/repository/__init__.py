"""A repository: where its parts are, how it is opened and locked, and what a snapshot is."""

from mlstore.repository.extent import Extent, measure
from mlstore.repository.repository import STORE_NAME, Repository
from mlstore.repository.snapshot import (
    Change,
    Snapshot,
    compare_entries,
    diff_snapshots,
    diff_trees,
    find_entry,
    read_snapshot,
    write_tree,
)

__all__ = [
    "STORE_NAME",
    "Change",
    "Extent",
    "Repository",
    "Snapshot",
    "compare_entries",
    "diff_snapshots",
    "diff_trees",
    "find_entry",
    "measure",
    "read_snapshot",
    "write_tree",
]
