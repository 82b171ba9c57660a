"""Putting files into folders of the worktree and removing them, where the system does not play along."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mlstore.errors import StorageError, WouldOverwrite
from mlstore.worktree import folders as module
from mlstore.worktree.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["descriptors", "names"])
def root(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worktree, on a system that opens folders by descriptor and on one that only knows names."""
    monkeypatch.setattr(module, "_HAS_DIR_FD", request.param == "descriptors")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def into(root: Path) -> Iterator[Folders]:
    opened = Folders(root, replace=False)
    yield opened
    opened.close()


def staged(root: Path, text: str = "new") -> Path:
    path = root.parent / "staged"
    path.write_text(text)
    return path


def failing(call: str, code: int, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let *call* fail where it is about something named so."""
    real = getattr(os, call)

    def fails(*args: Any, **more: Any) -> Any:
        if any(os.path.basename(str(one)) == when for one in args):
            raise OSError(code, os.strerror(code))
        return real(*args, **more)

    monkeypatch.setattr(os, call, fails)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, fails})


def test_a_file_gets_its_place_and_its_stat_data(root: Path, into: Folders) -> None:
    status = into.put(staged(root), "a/b/c")
    assert (root / "a/b/c").read_text() == "new"
    assert status.st_ino == (root / "a/b/c").lstat().st_ino


def test_a_folder_on_another_file_system_gets_a_copy(
    root: Path, into: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    (root / "a" / "c").write_text("old")
    real = os.replace

    def other(source: Any, target: Any, **more: Any) -> None:
        if os.path.basename(str(source)) == "staged":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target, **more)

    monkeypatch.setattr(os, "replace", other)
    path = staged(root)
    path.chmod(0o755)
    into.put(path, "a/c")
    assert (root / "a/c").read_text() == "new"
    assert (root / "a/c").stat().st_mode & 0o777 == 0o755
    assert [one.name for one in (root / "a").iterdir()] == ["c"], "nothing is left beside it"
    assert not path.exists()


def test_a_copy_that_the_disk_refuses_leaves_what_was_there(
    root: Path, into: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    (root / "a" / "c").write_text("old")
    path = staged(root)
    failing("replace", errno.EXDEV, "staged", monkeypatch)

    def full(_fd: int, _data: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "write_all", full)
    with pytest.raises(StorageError, match="'a/c': no space left"):
        into.put(path, "a/c")
    assert [one.name for one in (root / "a").iterdir()] == ["c"]
    assert (root / "a/c").read_text() == "old"


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.EACCES])
def test_a_whole_folder_that_the_disk_refuses_is_an_error(
    root: Path, into: Folders, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / "tree").mkdir()
    failing("replace", code, "tree", monkeypatch)
    with pytest.raises(StorageError, match="'a/new'"):
        into.put_folder(root.parent / "tree", "a/new")


def test_a_whole_folder_is_not_put_over_one_with_files(root: Path, into: Folders) -> None:
    for folder in (root.parent / "tree", root / "new"):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    assert into.put_folder(root.parent / "tree", "new") is False
    assert (root / "new" / "file").read_text() == "new"
    assert into.put_folder(root.parent / "tree", "other") is True


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EROFS])
def test_a_file_that_cannot_be_removed_is_an_error_that_names_it(
    root: Path, into: Folders, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    (root / "a" / "c").write_text("old")
    failing("unlink", code, "c", monkeypatch)
    with pytest.raises(StorageError, match="'a/c'"):
        into.remove("a/c")


def test_what_is_gone_or_something_else_by_now_is_left_alone(root: Path, into: Folders) -> None:
    (root / "folder").mkdir()
    (root / "file").write_text("mine")
    into.remove("none/at/all")
    into.remove("folder")
    assert (root / "folder").is_dir()
    if module._HAS_DIR_FD:
        into.remove("file/below")
    assert (root / "file").read_text() == "mine"


def test_empty_folders_go_with_their_last_file_and_full_ones_stay(root: Path, into: Folders) -> None:
    for name in ("a/b/c/file", "a/kept"):
        into.put(staged(root), name)
    into.remove("a/b/c/file")
    assert sorted(path.name for path in root.rglob("*")) == ["a", "kept"]


def test_a_file_takes_the_place_of_empty_folders_and_never_of_full_ones(root: Path, into: Folders) -> None:
    if module._HAS_DIR_FD:
        (root / "new" / "empty" / "deep").mkdir(parents=True)
    else:
        (root / "new").mkdir()
    into.put(staged(root), "new")
    assert (root / "new").read_text() == "new"
    (root / "full" / "deep").mkdir(parents=True)
    (root / "full" / "deep" / "mine").write_text("mine")
    with pytest.raises(WouldOverwrite, match="'full' is a folder with files in it"):
        into.put(staged(root), "full")
    assert (root / "full" / "deep" / "mine").read_text() == "mine"


def test_an_empty_folder_that_the_disk_keeps_is_an_error(
    root: Path, into: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "new").mkdir()
    failing("rmdir", errno.EIO, "new", monkeypatch)
    with pytest.raises(StorageError, match="'new': input/output error"):
        into.put(staged(root), "new")
