from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.store.support import listing

from mlstore.errors import CorruptObject, InvalidPath, ObjectNotFound, StorageError, WouldOverwrite
from mlstore.hashing import ObjectId
from mlstore.model import TreeEntry
from mlstore.worktree import WorktreeWriter, write_text, writer

if TYPE_CHECKING:
    from tests.store.support import Work


def blob(work: Work, data: bytes = b"content") -> TreeEntry:
    with work.repo.objects.transaction() as store:
        return TreeEntry("x", "file", store.add_bytes(data), len(data))


def put(work: Work, path: str, *, replace: bool = False) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage(path, blob(work))
        files.apply(replace=replace)


def test_a_staged_file_appears_only_when_all_is_applied(work: Work) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage("deep/er/a", blob(work))
        files.stage_bytes("b", b"bytes")
        assert listing(work.root) == {}
        written = files.apply()
    assert work.path("deep/er/a").read_bytes() == b"content"
    assert written["deep/er/a"].status.st_ino == work.path("deep/er/a").stat().st_ino
    assert written["deep/er/a"].digest.id == work.repo.format.hash_bytes(b"content")
    assert written["b"].digest.size == 5
    assert list(work.repo.scratch.iterdir()) == []


def test_what_was_not_applied_is_dropped(work: Work) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage("a", blob(work))
    assert listing(work.root) == {}
    assert list(work.repo.scratch.iterdir()) == []


HOSTILE = [
    "",
    ".",
    "..",
    "../a",
    "a/../../b",
    "/tmp/a",
    "a//b",
    "a\\b",
    "C:a",
    ".mlstore/config",
    "dir/.MLSTORE/config",
    ".git/hooks/post-checkout",
    "a/.gi\u200dt/config",
    "a\0b",
    "a\nb",
    "\udcff",
    "x" * 256,
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_path_is_neither_written_nor_removed(work: Work, path: str) -> None:
    entry = blob(work)
    before = listing(work.root.parent, skip=("tmp",))
    with WorktreeWriter(work.repo) as files:
        for use in (
            lambda: files.stage(path, entry),
            lambda: files.stage_bytes(path, b"x"),
            lambda: files.remove(path),
        ):
            with pytest.raises(InvalidPath):
                use()
        files.apply(replace=True)
    assert listing(work.root.parent, skip=("tmp",)) == before


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("dir/a", "DIR/b"), ("é", "e\u0301")])
def test_two_names_that_are_one_elsewhere_are_refused(work: Work, one: str, other: str) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage(one, blob(work))
        with pytest.raises(InvalidPath, match="one name"):
            files.stage(other, blob(work))


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("link", ["dir", "dir/deep"])
def test_no_link_on_the_way_is_followed(work: Work, link: str, replace: bool) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    work.path(link).parent.mkdir(parents=True, exist_ok=True)
    work.path(link).symlink_to(outside)
    if replace:
        put(work, "dir/deep/er/a", replace=True)
        assert work.path("dir/deep/er/a").read_bytes() == b"content"
        assert not work.path(link).is_symlink()
    else:
        with pytest.raises(WouldOverwrite) as caught:
            put(work, "dir/deep/er/a")
        assert caught.value.data["paths"] == [link]
    assert list(outside.iterdir()) == []


def test_a_link_to_a_folder_inside_is_not_followed_either(work: Work) -> None:
    work.path("real").mkdir()
    work.path("dir").symlink_to("real")
    with pytest.raises(WouldOverwrite):
        put(work, "dir/a")
    assert list(work.path("real").iterdir()) == []


def test_a_leaf_that_is_a_link_or_a_hard_link_is_made_anew(work: Work) -> None:
    precious = work.root.parent / "precious"
    precious.write_text("precious")
    work.path("soft").symlink_to(precious)
    work.path("hard").hardlink_to(precious)
    work.path("dangling").symlink_to(work.root.parent / "nothing")
    for name in ("soft", "hard", "dangling"):
        put(work, name)
        assert work.path(name).read_bytes() == b"content"
        assert not work.path(name).is_symlink()
    assert precious.read_text() == "precious"
    assert not (work.root.parent / "nothing").exists()


def test_a_file_in_the_way_of_a_folder_is_named_or_replaced(work: Work) -> None:
    work.write("dir", "mine")
    with pytest.raises(WouldOverwrite, match="'dir' is in the way: a folder is needed there"):
        put(work, "dir/a")
    assert work.path("dir").read_text() == "mine"
    put(work, "dir/a", replace=True)
    assert work.path("dir/a").read_bytes() == b"content"


def test_a_pipe_on_the_way_is_not_waited_for(work: Work) -> None:
    os.mkfifo(work.path("dir"))
    with pytest.raises(WouldOverwrite):
        put(work, "dir/a")


def test_removing_takes_the_folders_that_it_leaves_empty(work: Work) -> None:
    for name in ("a/b/c/d", "a/b/e", "x/y"):
        work.write(name, "1")
    with WorktreeWriter(work.repo) as files:
        for name in ("a/b/c/d", "x/y", "nothing", "no/thing", "a/b"):
            files.remove(name)
        files.apply()
    assert sorted(listing(work.root)) == ["a", "a/b", "a/b/e"]


def test_nothing_is_removed_behind_a_link(work: Work) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")
    work.path("dir").symlink_to(outside)
    with WorktreeWriter(work.repo) as files:
        files.remove("dir/a")
        files.apply(replace=True)
    assert (outside / "a").read_text() == "precious"


@pytest.mark.parametrize("damage", ["damaged", "missing"])
def test_a_damaged_or_missing_blob_writes_nothing(work: Work, damage: str) -> None:
    good, bad = blob(work), blob(work, b"other")
    work.damage(bad.id) if damage == "damaged" else work.remove_object(bad.id)
    with WorktreeWriter(work.repo) as files:
        files.stage("a", good)
        with pytest.raises((CorruptObject, ObjectNotFound)):
            files.stage("b", bad)
    assert listing(work.root) == {}


def test_a_blob_that_never_was_writes_nothing(work: Work) -> None:
    with WorktreeWriter(work.repo) as files, pytest.raises(ObjectNotFound):
        files.stage("a", TreeEntry("a", "file", ObjectId("0" * 64), 1))


def test_a_folder_that_may_not_be_written_is_an_error_that_names_the_file(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    entry = blob(work)
    with WorktreeWriter(work.repo) as files:
        files.stage("dir/a", entry)
        monkeypatch.setattr(os, "mkdir", refuse)
        with pytest.raises(StorageError, match="'dir/a': permission denied"):
            files.apply()


def test_without_dir_fd_links_are_not_followed_either(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk by name, which other systems need."""
    monkeypatch.setattr(writer, "_HAS_DIR_FD", False)
    outside = work.root.parent / "outside"
    outside.mkdir()
    put(work, "new/deep/a")
    put(work, "new/b")
    assert work.path("new/deep/a").read_bytes() == b"content"
    work.path("link").symlink_to(outside)
    with pytest.raises(WouldOverwrite):
        put(work, "link/a")
    put(work, "link/a", replace=True)
    assert list(outside.iterdir()) == []
    work.path("full").mkdir()
    work.write("full/mine", "1")
    with pytest.raises(WouldOverwrite):
        put(work, "full")
    put(work, "full", replace=True)
    assert work.path("full").read_bytes() == b"content"
    with WorktreeWriter(work.repo) as files:
        files.remove("new/deep/a")
        files.apply()
    assert not work.path("new/deep").exists()


def test_text_is_written_whole_or_not_at_all(work: Work) -> None:
    write_text(work.repo, "mlstore.lock", "one\n")
    write_text(work.repo, "mlstore.lock", "zwei ü\n")
    assert work.path("mlstore.lock").read_text("utf-8") == "zwei ü\n"
    assert isinstance(work.path("mlstore.lock"), Path)
