from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import append_line, make_folder, move_folder, remove_file, replace_file, write_all
from mlstore.durable.files import create_file
from mlstore.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


class Fsyncs:
    """Records what is synced, in order, and fails at the wanted call as a broken disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail_at: int = 0) -> None:
        self.paths: list[str] = []
        self.inodes: list[int] = []
        self._fail_at = fail_at
        self._real = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, fd: int) -> None:
        self.paths.append(os.readlink(f"/proc/self/fd/{fd}"))
        self.inodes.append(os.fstat(fd).st_ino)
        if len(self.paths) == self._fail_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._real(fd)


def test_replacing_syncs_the_bytes_then_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, scratch = tmp_path / "refs" / "main", tmp_path / "tmp"
    target.parent.mkdir()
    target.write_bytes(b"old")
    events: list[str] = []
    fsyncs = Fsyncs(monkeypatch)
    real = os.replace
    monkeypatch.setattr(
        os, "replace", lambda *args: (events.append(f"renamed after {len(fsyncs.paths)} fsync"), real(*args))
    )
    replace_file(target, b"new", scratch=scratch)
    assert target.read_bytes() == b"new"
    assert events == ["renamed after 1 fsync"]
    assert [path.rpartition("/")[0] for path in fsyncs.paths] == [str(scratch), str(tmp_path)]
    assert fsyncs.paths[1] == str(target.parent)
    assert list(scratch.iterdir()) == []


def test_replacing_without_fsync_syncs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsyncs = Fsyncs(monkeypatch)
    replace_file(tmp_path / "deep" / "file", b"new", scratch=tmp_path / "tmp", fsync=False)
    assert fsyncs.paths == []
    assert (tmp_path / "deep" / "file").read_bytes() == b"new"


def test_a_failed_fsync_leaves_the_old_file_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, scratch = tmp_path / "file", tmp_path / "tmp"
    target.write_bytes(b"old")
    fsyncs = Fsyncs(monkeypatch, fail_at=1)
    with pytest.raises(StorageError) as caught:
        replace_file(target, b"new", scratch=scratch)
    assert caught.value.data["errno"] == errno.EIO
    assert str(target) in caught.value.message
    assert target.read_bytes() == b"old"
    assert list(scratch.iterdir()) == []
    replace_file(target, b"new", scratch=scratch)
    assert len(set(fsyncs.inodes[:2])) == 2 or fsyncs.paths[0] != fsyncs.paths[1], "a new file, not a retry"
    assert target.read_bytes() == b"new"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def full(fd: int, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError) as caught:
        replace_file(target, b"new", scratch=tmp_path / "tmp")
    assert caught.value.hint is not None
    assert "free some space" in caught.value.hint
    assert target.read_bytes() == b"old"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_replaced_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "file", b"x", scratch=tmp_path / "tmp")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    with (tmp_path / "file").open("wb") as file:
        write_all(file.fileno(), b"ten bytes!")
    assert (tmp_path / "file").read_bytes() == b"ten bytes!"


def test_a_file_cannot_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StorageError):
        replace_file(tmp_path / "file", b"x", scratch=tmp_path / "tmp")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_new_folder_is_synced_in_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsyncs = Fsyncs(monkeypatch)
    make_folder(tmp_path / "a" / "b")
    assert fsyncs.paths == [str(tmp_path), str(tmp_path / "a")]
    make_folder(tmp_path / "a" / "b")
    assert len(fsyncs.paths) == 2


def test_a_folder_cannot_be_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError):
        make_folder(tmp_path / "a" / "b" / "c")


def test_lines_are_appended_and_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "logs" / "HEAD"
    fsyncs = Fsyncs(monkeypatch)
    append_line(log, b"one")
    append_line(log, b"two")
    assert log.read_bytes() == b"one\ntwo\n"
    # logs/ is made and named in its parent; the file; its name in logs/; and then only the file.
    assert fsyncs.paths == [str(tmp_path), str(log), str(log.parent), str(log)]


def test_a_torn_line_never_runs_into_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'one\n{"mess')
    append_line(log, b"two")
    assert log.read_bytes() == b'one\n{"mess\ntwo\n'


def test_an_append_that_cannot_be_synced_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fsyncs(monkeypatch, fail_at=1)
    (tmp_path / "log").write_bytes(b"")
    with pytest.raises(StorageError):
        append_line(tmp_path / "log", b"one")


def test_removing_is_durable_and_removing_twice_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    fsyncs = Fsyncs(monkeypatch)
    remove_file(tmp_path / "file")
    remove_file(tmp_path / "file")
    assert fsyncs.paths == [str(tmp_path)]


def test_a_folder_is_not_removed_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        remove_file(tmp_path / "folder")
    assert (tmp_path / "folder").is_dir()


def test_a_short_write_of_a_new_file_is_begun_again_and_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    status = create_file(str(tmp_path / "a"), b"ten bytes.", 0o644)
    assert (tmp_path / "a").read_bytes() == b"ten bytes."
    assert status.st_size == 10
    with pytest.raises(FileExistsError):
        create_file(str(tmp_path / "a"), b"other", 0o644)


def test_a_folder_is_moved_whole_and_never_over_another(tmp_path: Path) -> None:
    for name in ("old", "taken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    with pytest.raises(StorageError):
        move_folder(tmp_path / "old", tmp_path / "taken")
    move_folder(tmp_path / "old", tmp_path / "new", fsync=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "old", "taken", "taken"]
