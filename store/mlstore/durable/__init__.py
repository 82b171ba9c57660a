"""The only code that writes into ``.mlstore``: atomic files, batches, locks.

What these functions promise: after they return, the new state survives a crash or loss of power;
when they raise or the process dies before, the old state is whole. What stands between is either
invisible or swept away by a later writer. A failed fsync is never tried again on the same file: the
kernel has marked the pages clean, so the file is dropped and the caller starts again from the source.
"""

from mlstore.durable.clone import clone_file
from mlstore.durable.errors import storage_error, storage_errors
from mlstore.durable.files import (
    append_line,
    make_folder,
    remove_empty_folder,
    remove_file,
    remove_folder,
    replace_file,
    write_all,
)
from mlstore.durable.locks import FileLock
from mlstore.durable.staging import StagedFile, Staging, move_files, sweep
from mlstore.durable.sync import sync_folder

__all__ = [
    "FileLock",
    "StagedFile",
    "Staging",
    "append_line",
    "clone_file",
    "make_folder",
    "move_files",
    "remove_empty_folder",
    "remove_file",
    "remove_folder",
    "replace_file",
    "storage_error",
    "storage_errors",
    "sweep",
    "sync_folder",
    "write_all",
]
