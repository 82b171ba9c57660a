"""Scratch folders: gone at the end whatever a command did to them, and nothing beside them is touched."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

import pytest

from mlstore.errors import UsageError
from mlstore.pipeline.reproduction.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.support import Work


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """The folder for temporary files, which every user may write into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def test_a_scratch_folder_is_gone_at_the_end_unless_it_is_to_be_kept(work: Work, parent: Path) -> None:
    with scratch_folder(work.repo, parent, "train", keep=False) as scratch:
        (scratch.work / "file").write_bytes(b"x")
        assert scratch.root.parent == parent
    assert list(parent.iterdir()) == []
    with scratch_folder(work.repo, parent, "train", keep=True) as scratch:
        (scratch.work / "file").write_bytes(b"x")
    assert (scratch.work / "file").read_bytes() == b"x"


def test_temporary_files_within_the_worktree_are_refused(work: Work) -> None:
    work.path("tmp").mkdir()
    with (
        pytest.raises(UsageError, match="is inside the worktree"),
        scratch_folder(work.repo, work.path("tmp"), "train", keep=False),
    ):
        pytest.fail("it was made")


@pytest.mark.parametrize("call", ["rmdir", "unlink"])
def test_a_folder_that_its_command_locked_is_removed_all_the_same(
    work: Work, parent: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root needs no right to write: the system is made to ask for one."""
    real = getattr(os, call)

    def asking(path: Any, *args: Any, **more: Any) -> None:
        fd = more.get("dir_fd")
        mode = os.fstat(fd).st_mode if fd is not None else os.stat(os.path.dirname(path)).st_mode
        if not mode & stat.S_IWUSR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        real(path, *args, **more)

    with scratch_folder(work.repo, parent, "train", keep=False) as scratch:
        locked = scratch.work / "locked"
        (locked / "below").mkdir(parents=True)
        (locked / "file").write_bytes(b"x")
        locked.chmod(0o555)
        monkeypatch.setattr(os, call, asking)
    assert list(parent.iterdir()) == []


def test_what_somebody_still_writes_to_stays_and_the_folder_above_is_as_it_was(
    work: Work, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rmdir

    def busy(path: Any, *args: Any, **more: Any) -> None:
        if os.path.basename(path).startswith("mlstore-train-"):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        real(path, *args, **more)

    monkeypatch.setattr(os, "rmdir", busy)
    with scratch_folder(work.repo, parent, "train", keep=False) as scratch:
        (scratch.work / "file").write_bytes(b"x")
    assert stat.S_IMODE(parent.stat().st_mode) == 0o1777, "every program of the machine uses it"
    assert [path.name for path in parent.iterdir()] == [scratch.root.name]
    monkeypatch.undo()
    shutil.rmtree(scratch.root)


def test_a_folder_that_was_removed_meanwhile_is_no_failure(work: Work, parent: Path) -> None:
    with scratch_folder(work.repo, parent, "train", keep=False) as scratch:
        shutil.rmtree(scratch.root)
    assert stat.S_IMODE(parent.stat().st_mode) == 0o1777
