"""A repository: where its parts are, how it is opened and locked, and what a snapshot is."""

from mlstore.repository.extent import Extent, measure
from mlstore.repository.filter import Filter
from mlstore.repository.repository import STORE_NAME, Repository
from mlstore.repository.snapshot import (
    Change,
    NewTrees,
    Snapshot,
    compare_entries,
    diff_snapshots,
    diff_trees,
    find_entry,
    make_trees,
    new_files,
    read_snapshot,
    write_tree,
    write_trees,
)

__all__ = [
    "STORE_NAME",
    "Change",
    "Extent",
    "Filter",
    "NewTrees",
    "Repository",
    "Snapshot",
    "compare_entries",
    "diff_snapshots",
    "diff_trees",
    "find_entry",
    "make_trees",
    "measure",
    "new_files",
    "read_snapshot",
    "write_tree",
    "write_trees",
]
