"""Opening what stands under a name of the store: a file, or an error that says what it is instead."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import no_link_on_the_way, open_regular, read_regular
from mlstore.errors import ConfigError, CorruptFile, StorageError

if TYPE_CHECKING:
    from pathlib import Path


def put(folder: Path, kind: str) -> Path:
    path = folder / "name"
    if kind == "link":
        (folder / "target").write_bytes(b"secret")
        path.symlink_to(folder / "target")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    else:
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "folder"])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, flags: int) -> None:
    path = put(tmp_path, kind)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(CorruptFile, match="'name' is a link, folder, pipe or device, not a file"):
        open_regular(path, flags)
    with pytest.raises(ConfigError):
        read_regular(path, 100, error=ConfigError)
    assert len(os.listdir("/proc/self/fd")) == before, "what was opened is closed"


def test_a_file_that_is_not_there_is_the_callers_to_judge(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "name")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        open_regular(tmp_path / "file" / "name")


def test_an_error_of_the_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "name"
    path.write_bytes(b"bytes")

    def fails(*_args: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    opened: list[int] = []
    real_close = os.close
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", fails)
        patch.setattr(os, "close", lambda fd: opened.append(fd) or real_close(fd))
        with pytest.raises(StorageError, match="name': input/output error"):
            read_regular(path, 100)
    assert len(opened) == 1, "it is closed all the same"
    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(StorageError, match="name': input/output error"):
        open_regular(path)


def test_no_more_is_read_than_such_a_file_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "name"
    path.write_bytes(b"x" * 100)
    assert read_regular(path, 100) == b"x" * 100
    with pytest.raises(CorruptFile, match="'name' is larger than 0 MiB"):
        read_regular(path, 99)
    # One that says that it is short and is not, as those of /proc do.
    real = os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result((*real(fd)[:6], 0, *real(fd)[7:])))
    with pytest.raises(CorruptFile, match="is larger than"):
        read_regular(path, 99)


def test_a_folder_of_the_store_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    objects = tmp_path / ".mlstore" / "objects"
    (tmp_path / "outside").mkdir()
    (objects / "real").mkdir(parents=True)
    (objects / "ab").symlink_to(tmp_path / "outside")
    no_link_on_the_way(objects / "real" / "deeper")
    for folder in (objects / "ab", objects / "ab" / "deeper"):
        with pytest.raises(CorruptFile, match="'ab' in the store is a link, not a folder"):
            no_link_on_the_way(folder)
    no_link_on_the_way(tmp_path / "outside")  # no part of any store
    (tmp_path / "work").symlink_to(tmp_path)
    no_link_on_the_way(tmp_path / "work" / ".mlstore" / "objects")  # how one gets to the store is one's own
