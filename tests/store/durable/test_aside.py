"""Files set aside: moved or kept under a second name, and never over another."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mlstore.durable import keep_copy, set_aside
from mlstore.errors import StorageError


@pytest.mark.parametrize("kind", ["file", "link", "pipe", "folder"])
@pytest.mark.parametrize("fsync", [True, False])
def test_whatever_stands_there_is_moved(tmp_path: Path, kind: str, fsync: bool) -> None:
    path, new = tmp_path / "damaged", tmp_path / "a/b/damaged"
    if kind == "link":
        path.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "below").mkdir(parents=True)
    else:
        path.write_bytes(b"bytes")
    inode = path.lstat().st_ino
    set_aside(path, new, fsync=fsync)
    assert not os.path.lexists(path)
    assert new.lstat().st_ino == inode


def test_nothing_there_is_fine(tmp_path: Path) -> None:
    set_aside(tmp_path / "gone", tmp_path / "a/gone")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("move", [set_aside, keep_copy])
def test_nothing_is_replaced(tmp_path: Path, move: object) -> None:
    path, new = tmp_path / "damaged", tmp_path / "aside"
    path.write_bytes(b"one")
    new.write_bytes(b"other")
    with pytest.raises(StorageError):
        move(path, new)  # type: ignore[operator]
    assert (path.read_bytes(), new.read_bytes()) == (b"one", b"other")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("fsync", [True, False])
def test_a_copy_stays_when_the_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool, fsync: bool
) -> None:
    path, new = tmp_path / "damaged", tmp_path / "a/aside"
    path.write_bytes(b"damaged" * 999)
    if not links:

        def refuse(*_args: object, **_more: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    keep_copy(path, new, fsync=fsync)
    assert (path.stat().st_ino == new.stat().st_ino) is links
    (tmp_path / "good").write_bytes(b"good")
    os.replace(tmp_path / "good", path)
    assert new.read_bytes() == b"damaged" * 999


def test_what_the_disk_refuses_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "damaged").write_bytes(b"bytes")
    for name, move in (("link", keep_copy), ("rename", set_aside)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            with pytest.raises(StorageError):
                move(tmp_path / "damaged", tmp_path / name / "aside")
    assert (tmp_path / "damaged").read_bytes() == b"bytes"
