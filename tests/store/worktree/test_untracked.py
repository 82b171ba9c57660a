"""What lies beside the tracked files: found, told for what it is, whatever somebody else does meanwhile."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mlstore.errors import StorageError
from mlstore.worktree import status
from mlstore.worktree.untracked import list_untracked

if TYPE_CHECKING:
    from tests.store.support import Work


def listed(
    work: Work, strangers: dict[str, list[str]], *, whole: bool = True
) -> tuple[list[str], dict[str, str]]:
    return list_untracked(work.repo, strangers, work.index.paths(), whole=whole)


def test_names_that_are_no_text_are_told_as_such_wherever_they_lie(work: Work) -> None:
    work.commit(a="1")
    work.path("new").mkdir()
    odd = os.fsdecode(b"caf\xe9")
    for name in (odd, f"new/{odd}", "new/café"):
        work.path(name).write_bytes(b"x")
    found = status(work.repo, untracked="all")
    assert sorted(found.untracked) == sorted([odd, f"new/{odd}", "new/café"])
    assert found.special == {
        odd: "file whose name is not UTF-8",
        f"new/{odd}": "file whose name is not UTF-8",
    }


def test_pipes_and_links_are_told_below_new_folders_too(work: Work) -> None:
    work.path("new/deep").mkdir(parents=True)
    os.mkfifo(work.path("new/deep/pipe"))
    work.path("new/link").symlink_to("deep")
    assert listed(work, {"": ["new"]}) == (
        ["new/deep/pipe", "new/link"],
        {"new/deep/pipe": "named pipe", "new/link": "symlink"},
    )


def test_the_store_and_gits_are_never_listed_at_any_depth(work: Work) -> None:
    for name in ("new/.git/config", "new/.mlstore/config", "new/file"):
        work.write(name, "x")
    assert listed(work, {"": ["new", ".git", ".mlstore", "mlstore.lock"]})[0] == ["new/file"]


def test_ignored_folders_are_not_walked_and_rules_hold_below_where_they_stand(work: Work) -> None:
    work.write(".mlstoreignore", "build/\n")
    work.write("new/.mlstoreignore", "*.tmp\n")
    for name in ("build/deep/a", "new/a.tmp", "new/deep/b.tmp", "new/deep/c", "other/d.tmp"):
        work.write(name, "x")
    strangers = {"": ["build", "new", "other"], "build/deep": ["a"], "build": ["deep"]}
    assert listed(work, strangers)[0] == ["new/.mlstoreignore", "new/deep/c", "other/d.tmp"]
    assert listed(work, strangers, whole=False)[0] == ["new/", "other/"]


def test_a_tracked_file_below_a_new_folder_is_no_stranger(work: Work) -> None:
    work.commit(**{"new/known": "1"})
    work.write("new/other", "2")
    assert listed(work, {"": ["new"]})[0] == ["new/other"]


def test_what_is_gone_meanwhile_is_not_listed(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.write("new/deep/a", "x")
    work.write("file", "x")
    assert listed(work, {"": ["gone", "file"], "file": ["below"]})[0] == ["file"]
    real = os.scandir

    def late(path: Any) -> Any:
        if str(path).endswith("deep"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", late)
    assert listed(work, {"": ["new"]})[0] == []


@pytest.mark.parametrize("call", ["scandir", "lstat"])
def test_a_folder_that_the_disk_refuses_is_an_error_that_names_it(
    work: Work, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.write("new/deep/a", "x")
    real = getattr(os, call)

    def fails(path: Any, *args: Any, **more: Any) -> Any:
        if str(path).endswith("deep" if call == "scandir" else "new"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path, *args, **more)

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(StorageError, match=r"'new(/deep)?': input/output error"):
        listed(work, {"": ["new"]})
