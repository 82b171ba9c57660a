"""The index: what the next commit will hold, with a stat cache so that unchanged files are not read."""

from mlstore.index.codec import decode_index, encode_index
from mlstore.index.index import Index
from mlstore.index.table import FileStatus, IndexEntry, StatData, StatResult, Table

__all__ = [
    "FileStatus",
    "Index",
    "IndexEntry",
    "StatData",
    "StatResult",
    "Table",
    "decode_index",
    "encode_index",
]
