"""The only code that writes into ``.mlstore``: atomic files, batches, locks.

What these functions promise: after they return, the new state survives a crash or loss of power;
when they raise or the process dies before, the old state is whole. What stands between is either
invisible or swept away by a later writer. A failed fsync is never tried again on the same file: the
kernel has marked the pages clean, so the file is dropped and the caller starts again from the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.durable.errors import storage_error, storage_errors

if TYPE_CHECKING:
    from mlstore.durable.aside import keep_copy, set_aside
    from mlstore.durable.clone import clone_file
    from mlstore.durable.files import (
        append_line,
        files_below,
        make_folder,
        move_folder,
        remove_empty_folder,
        remove_file,
        remove_folder,
        replace_file,
        write_all,
    )
    from mlstore.durable.locks import FileLock
    from mlstore.durable.reading import no_link_on_the_way, open_regular, read_regular
    from mlstore.durable.spread import spread_below
    from mlstore.durable.staging import StagedFile, Staging, move_files, sweep
    from mlstore.durable.sync import sync_folder

__all__ = [
    "DEFAULT_WAIT",
    "FileLock",
    "StagedFile",
    "Staging",
    "append_line",
    "clone_file",
    "files_below",
    "keep_copy",
    "make_folder",
    "move_files",
    "move_folder",
    "no_link_on_the_way",
    "open_regular",
    "read_regular",
    "remove_empty_folder",
    "remove_file",
    "remove_folder",
    "replace_file",
    "set_aside",
    "spread_below",
    "storage_error",
    "storage_errors",
    "sweep",
    "sync_folder",
    "write_all",
]

DEFAULT_WAIT = 10.0
"""Seconds that a lock is waited for."""

# Whoever only reads needs none of it.
__getattr__ = lazy_names(
    __name__,
    {
        "FileLock": "mlstore.durable.locks",
        "StagedFile": "mlstore.durable.staging",
        "Staging": "mlstore.durable.staging",
        "append_line": "mlstore.durable.files",
        "clone_file": "mlstore.durable.clone",
        "files_below": "mlstore.durable.files",
        "keep_copy": "mlstore.durable.aside",
        "make_folder": "mlstore.durable.files",
        "move_files": "mlstore.durable.staging",
        "no_link_on_the_way": "mlstore.durable.reading",
        "open_regular": "mlstore.durable.reading",
        "read_regular": "mlstore.durable.reading",
        "move_folder": "mlstore.durable.files",
        "remove_empty_folder": "mlstore.durable.files",
        "remove_file": "mlstore.durable.files",
        "remove_folder": "mlstore.durable.files",
        "replace_file": "mlstore.durable.files",
        "set_aside": "mlstore.durable.aside",
        "spread_below": "mlstore.durable.spread",
        "sweep": "mlstore.durable.staging",
        "sync_folder": "mlstore.durable.sync",
        "write_all": "mlstore.durable.files",
    },
)
