from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import storage_error, storage_errors, sync
from mlstore.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_system_is_synced_where_the_kernel_reports_errors(tmp_path: Path) -> None:
    expected = sys.platform.startswith("linux") and sync._kernel() >= (5, 8)
    assert sync.sync_file_system(tmp_path) is expected


def test_an_old_kernel_is_not_trusted_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "_kernel", lambda: (5, 4))
    sync._syncfs.cache_clear()
    try:
        assert sync.sync_file_system(tmp_path) is False
    finally:
        sync._syncfs.cache_clear()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="syncfs is Linux's")
def test_an_error_of_syncfs_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_fd: int) -> int:
        import ctypes

        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(sync, "_syncfs", lambda: fails)
    with pytest.raises(OSError, match="Input/output error"):
        sync.sync_file_system(tmp_path)


def test_an_error_of_the_system_names_the_file_and_says_what_to_do() -> None:
    error = storage_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "given"), "data/raw.csv")
    assert error.message == "'data/raw.csv': no space left on device"
    assert error.hint is not None
    assert "free some space" in error.hint
    assert error.data == {"errno": errno.ENOSPC, "path": "data/raw.csv"}
    assert storage_error(OSError(errno.EIO, os.strerror(errno.EIO), "given")).data["path"] == "given"
    assert storage_error(OSError("odd")).message == "odd"


def test_errors_of_the_system_are_translated_and_others_pass() -> None:
    with pytest.raises(StorageError) as caught, storage_errors("x"):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert isinstance(caught.value.__cause__, PermissionError)
    with pytest.raises(KeyError), storage_errors("x"):
        raise KeyError("x")
