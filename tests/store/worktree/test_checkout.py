"""From one snapshot to another, by way of `switch` and `reset`: all of it, or nothing at all."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from tests.store.support import listing

from mlstore.errors import CorruptObject, InvalidPath, ObjectNotFound, StorageError, WouldOverwrite
from mlstore.model import Tree, TreeEntry
from mlstore.worktree import writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.store.support import Work

    from mlstore.hashing import ObjectId

CLEAN: dict[str, list[str]] = {"staged": [], "unstaged": [], "untracked": []}


def two(work: Work, main: dict[str, str], other: dict[str, str]) -> None:
    """Two branches with these files, and `main` checked out."""
    for name, text in main.items():
        work.write(name, text)
    work.commit("main")
    work.branch("other")
    for name in main:
        work.path(name).unlink()
    for folder in sorted((path for path in work.root.rglob("*") if path.is_dir()), reverse=True):
        if not folder.is_relative_to(work.repo.store):
            folder.rmdir()
    for name, text in other.items():
        work.write(name, text)
    work.commit("other")
    work.switch("main")


def files(work: Work) -> dict[str, str]:
    return {path: data.decode() for path, (what, _, data) in listing(work.root).items() if what == "file"}


def refused(work: Work, target: str, *paths: str) -> None:
    """A switch to TARGET names PATHS and changes nothing at all."""
    before = work.everything()
    with pytest.raises(WouldOverwrite) as caught:
        work.switch(target)
    assert caught.value.data["paths"] == sorted(paths)
    for path in paths:
        assert f"'{path}'" in caught.value.message
    assert work.everything() == before
    assert list(work.repo.scratch.iterdir()) == []


def test_files_are_written_changed_and_removed_with_their_folders(work: Work) -> None:
    one = {"same": "=", "changed": "1", "gone/deep/a": "1"}
    other = {"same": "=", "changed": "2", "new/deep/b": "2"}
    two(work, one, other)
    inode = work.path("same").stat().st_ino
    work.switch("other")
    assert files(work) == other
    assert "gone" not in listing(work.root)
    assert work.status() == CLEAN
    assert work.path("same").stat().st_ino == inode, "what is equal is not written"
    work.switch("main")
    assert files(work) == one
    assert work.status() == CLEAN


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "file"}, {"a/b": "below"}),
        ({"a": "file"}, {"a/b/c/d": "below"}),
        ({"a/b": "1", "a/c": "2"}, {"a": "file"}),
        ({"a/b/c": "1"}, {"a/b": "file"}),
        ({"a": "1", "b/c": "2"}, {"b": "1", "a/c": "2"}),
    ],
)
def test_a_file_becomes_a_folder_and_back(work: Work, one: dict[str, str], other: dict[str, str]) -> None:
    two(work, one, other)
    work.switch("other")
    assert files(work) == other
    assert work.status() == CLEAN
    work.switch("main")
    assert files(work) == one
    work.reset("other")
    assert files(work) == other
    assert work.status() == CLEAN


def test_modes_follow_the_commit_and_the_umask(work: Work) -> None:
    work.write("run", "x")
    work.commit("main")
    work.branch("other")
    work.path("run").chmod(0o755)
    work.commit("other")
    before = os.umask(0o027)
    try:
        work.switch("main")
        assert stat.S_IMODE(work.path("run").stat().st_mode) == 0o640
        work.switch("other")
        assert stat.S_IMODE(work.path("run").stat().st_mode) == 0o750
    finally:
        os.umask(before)
    assert work.status() == CLEAN


@pytest.mark.parametrize("work", ["loose"], indirect=True)
def test_nothing_in_the_worktree_is_linked_to_the_store(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "2"})
    work.switch("other")
    entry = work.index.get("a")
    assert entry is not None
    assert work.path("a").stat().st_nlink == 1
    assert work.path("a").stat().st_ino != work.object_path(entry.id).stat().st_ino
    work.write("a", "scribble")
    assert work.repo.objects.read(entry.id) == b"2"


# --- what is carried over ---


def test_local_changes_that_both_sides_agree_about_are_carried_over(work: Work) -> None:
    two(
        work,
        {"x": "1", "edited": "=", "staged": "=", "gone": "="},
        {"x": "2", "edited": "=", "staged": "=", "gone": "="},
    )
    work.write("edited", "mine")
    work.write("staged", "mine")
    work.write("new", "mine")
    work.write("untracked", "mine")
    work.path("gone").unlink()
    work.add("staged", "new")
    moved = work.switch("other")
    assert sorted(change.path for change in moved.carried) == ["edited", "gone"]
    assert work.status() == {
        "staged": ["added new", "modified staged"],
        "unstaged": ["modified edited", "deleted gone"],
        "untracked": ["untracked"],
    }
    assert files(work)["x"] == "2"


def test_work_that_is_already_what_the_target_has_is_kept(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "2", "b": "2"})
    work.write("a", "2")
    work.write("b", "2")
    work.switch("other")
    assert work.status() == CLEAN


def test_a_file_that_was_deleted_by_hand_comes_as_the_target_has_it(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"a": "2"})
    work.path("a").unlink()
    work.path("b").unlink()
    work.switch("other")
    assert files(work) == {"a": "2"}
    assert work.status() == CLEAN


def test_a_file_that_is_no_longer_tracked_is_nobodys_business(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"a": "1"})
    with work.repo.write_lock("test"):
        index = work.index
        index.remove("b")
        work.repo.save_index(index)
    work.write("b", "mine")
    work.switch("other")
    assert files(work) == {"a": "1", "b": "mine"}
    assert work.status() == CLEAN | {"untracked": ["b"]}


# --- what is refused ---


def test_an_edited_file_is_not_overwritten(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"a": "2", "b": "2"})
    work.write("a", "mine")
    refused(work, "other", "a")


def test_an_edited_file_is_not_removed(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"b": "1"})
    work.write("a", "mine")
    refused(work, "other", "a")


def test_a_staged_change_is_not_lost(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"a": "2"})
    work.write("a", "mine")
    work.write("b", "mine")
    work.add()
    refused(work, "other", "a", "b")


def test_a_staged_change_is_not_lost_though_the_file_looks_like_the_target_again(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "2"})
    work.write("a", "mine, and only in the index")
    work.add()
    work.write("a", "2")
    refused(work, "other", "a")


def test_a_staged_deletion_of_what_the_target_changed_is_refused(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"a": "2", "b": "1"})
    work.path("a").unlink()
    work.add()
    refused(work, "other", "a")


def test_an_untracked_file_is_not_overwritten(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "1", "b": "2", "dir/c": "2"})
    work.write("b", "mine")
    work.write("dir/c", "mine")
    refused(work, "other", "b", "dir/c")


def test_an_ignored_file_is_work_too(work: Work) -> None:
    two(work, {".mlstoreignore": "b\n"}, {".mlstoreignore": "b\n", "a": "1"})
    work.switch("other")
    work.write("b", "1")
    from mlstore.worktree import add_paths

    add_paths(work.repo, ["b"], force=True)
    work.record()
    work.switch("main")
    work.write("b", "mine, though ignored")
    refused(work, "other", "b")


def test_an_executable_bit_that_was_set_by_hand_is_work_too(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "2"})
    work.path("a").chmod(0o755)
    refused(work, "other", "a")


def test_a_file_where_a_folder_is_needed_is_named(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "1", "dir/deep/b": "2"})
    work.write("dir", "mine")
    refused(work, "other", "dir")


def test_a_folder_where_a_file_is_needed_is_named_by_what_is_in_it(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "1", "b": "2"})
    work.write("b/deep/mine", "1")
    (work.root / "b" / "link").symlink_to("deep")
    refused(work, "other", "b/deep/mine", "b/link")


def test_untracked_files_in_a_tracked_folder_that_becomes_a_file_are_named(work: Work) -> None:
    two(work, {"b/tracked": "1"}, {"b": "2"})
    work.write("b/mine", "1")
    refused(work, "other", "b/mine")


def test_empty_folders_are_in_nobodys_way(work: Work) -> None:
    two(work, {"a": "1", "c/x": "1"}, {"b": "2", "c": "2"})
    work.path("b/deep/er").mkdir(parents=True)
    work.path("b/deep/too").mkdir()
    work.path("c/empty").mkdir()
    work.switch("other")
    assert files(work) == {"b": "2", "c": "2"}


@pytest.mark.parametrize("target", ["a file", "nothing", "a folder"])
def test_a_link_where_a_file_is_to_be_is_refused_and_never_followed(work: Work, target: str) -> None:
    two(work, {"a": "1"}, {"a": "1", "b": "2"})
    outside = work.root.parent / "outside"
    if target == "a file":
        outside.write_text("precious")
    elif target == "a folder":
        outside.mkdir()
    work.path("b").symlink_to(outside)
    refused(work, "other", "b")


def test_a_link_where_a_folder_is_needed_is_refused_and_never_followed(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "1", "dir/b": "2"})
    outside = work.root.parent / "outside"
    outside.mkdir()
    work.path("dir").symlink_to(outside)
    refused(work, "other", "dir")
    assert list(outside.iterdir()) == []


def test_a_link_that_took_the_place_of_a_file_is_work_too(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"b": "1"})
    work.path("a").unlink()
    work.path("a").symlink_to("b")
    refused(work, "other", "a")


def test_a_pipe_is_not_overwritten(work: Work) -> None:
    two(work, {"a": "1"}, {"a": "1", "b": "2"})
    os.mkfifo(work.path("b"))
    refused(work, "other", "b")


def test_many_files_are_counted_and_all_are_in_the_data(work: Work) -> None:
    names = [f"{number:02}" for number in range(25)]
    two(work, {"x": "1"}, dict.fromkeys(names, "2") | {"x": "1"})
    for name in names:
        work.write(name, "mine")
    with pytest.raises(WouldOverwrite, match="and 15 more") as caught:
        work.switch("other")
    assert caught.value.data["paths"] == names


# --- damaged stores, full disks: nothing changes ---


@pytest.mark.parametrize("how", ["switch", "reset --hard"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_object_refuses_and_leaves_everything(work: Work, damage: str, how: str) -> None:
    two(work, {"a": "1", "z": "1"}, {"b": "2", "c": "a" * 5000, "d": "2"})
    object_id = work.repo.format.hash_bytes(b"a" * 5000)
    if damage == "missing":
        work.remove_object(object_id)
    else:
        work.damage(object_id, None if damage == "flipped" else b"")
    before = work.everything()
    with pytest.raises((CorruptObject, ObjectNotFound)) as caught:
        work.switch("other") if how == "switch" else work.reset("other")
    assert caught.value.data["id"] == object_id
    assert work.everything() == before
    assert list(work.repo.scratch.iterdir()) == []


def test_a_damaged_object_that_is_not_needed_is_in_nobodys_way(work: Work) -> None:
    two(work, {"a": "1", "same": "="}, {"a": "2", "same": "="})
    work.damage(work.repo.format.hash_bytes(b"="))
    work.switch("other")
    assert work.status() == CLEAN


def test_a_full_disk_while_files_are_prepared_leaves_everything(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(work, {"a": "1"}, {"b": "2" * 100, "c": "3" * 100})
    before = work.everything()
    real = os.write

    def nearly_full(fd: int, data: bytes) -> int:
        if b"3" in bytes(data):
            raise OSError(28, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(StorageError, match="no space left"):
        work.switch("other")
    monkeypatch.undo()
    assert work.everything() == before
    assert list(work.repo.scratch.iterdir()) == []


# --- hostile trees, made with the object database and no way to make them by `add` ---


def hostile(work: Work, raw: bytes) -> ObjectId:
    """A commit whose tree is RAW."""
    with work.repo.objects.transaction() as store:
        store.add_bytes(b"evil")
        tree = store.add_bytes(raw)
    from dataclasses import replace

    commit = replace(work.repo.objects.read_commit(work.head), tree=tree, parents=(work.head,), height=9)
    with work.repo.objects.transaction() as store:
        return store.add_commit(commit)


def raw_tree(work: Work, *names: str, kind: str = "file") -> bytes:
    from mlstore.model.canonical import canonical_json

    blob = work.repo.format.hash_bytes(b"evil")
    entries = [{"id": blob, "kind": kind, "name": name, "size": 4} for name in names]
    return b"mlstore tree 1\n" + canonical_json({"entries": entries})


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../evil",
        "/tmp/evil",
        ".mlstore",
        ".MLStore",
        ".git",
        ".g\u200cit",
        "a\\b",
        "C:evil",
        "GIT~1",
        "a\nb",
    ],
)
@pytest.mark.parametrize("how", ["switch", "reset"])
def test_a_hostile_tree_is_refused_before_anything_is_written(work: Work, name: str, how: str) -> None:
    work.commit(a="1")
    commit = hostile(work, raw_tree(work, name))
    before = work.everything(), listing(work.root.parent, skip=("tmp", "locks"))
    with pytest.raises(CorruptObject):
        work.switch(commit, detach=True) if how == "switch" else work.reset(commit)
    assert (work.everything(), listing(work.root.parent, skip=("tmp", "locks"))) == before


def test_a_tree_with_a_symlink_is_no_tree(work: Work) -> None:
    work.commit(a="1")
    commit = hostile(work, raw_tree(work, "x", kind="symlink"))
    with pytest.raises(CorruptObject):
        work.switch(commit, detach=True)
    assert not os.path.lexists(work.path("x"))


@pytest.mark.parametrize("names", [("README", "readme"), ("e\u0301", "é"), ("A", "a")])
@pytest.mark.parametrize("how", ["switch", "reset"])
def test_names_that_are_one_elsewhere_fail_before_anything_is_written(
    work: Work, names: tuple[str, ...], how: str
) -> None:
    work.commit(old="1")
    commit = hostile(work, raw_tree(work, *names))
    before = work.everything()
    with pytest.raises(InvalidPath, match="one name"):
        work.switch(commit, detach=True) if how == "switch" else work.reset(commit)
    assert work.everything() == before


def test_names_that_are_one_elsewhere_fail_though_one_of_them_is_here_already(work: Work) -> None:
    work.write("readme", "evil")
    work.commit()
    commit = hostile(work, raw_tree(work, "README", "readme"))
    with pytest.raises(InvalidPath, match="one name"):
        work.switch(commit, detach=True)
    assert sorted(files(work)) == ["readme"]


def test_a_folder_and_a_file_that_are_one_name_elsewhere_fail_too(work: Work) -> None:
    work.commit(old="1")
    with work.repo.objects.transaction() as store:
        blob = store.add_bytes(b"evil")
        below = store.add_tree(Tree((TreeEntry("b", "file", blob, 4),)))
        raw = raw_tree(work, "A")[:-2] + b"," + raw_tree(work, "a", kind="tree").split(b"[", 1)[1]
        raw = raw.replace(blob.encode() + b'","kind":"tree"', below.encode() + b'","kind":"tree"')
    commit = hostile(work, raw)
    with pytest.raises(InvalidPath, match="one name"):
        work.switch(commit, detach=True)
    assert sorted(files(work)) == ["old"]


# --- force ---


def test_force_makes_the_worktree_exactly_the_target_and_leaves_untracked_files(work: Work) -> None:
    two(work, {"a": "1", "dir/x": "1", "link": "1"}, {"a": "2", "dir/x": "2", "f/g": "2", "h": "2"})
    outside = work.root.parent / "outside"
    outside.mkdir()
    work.write("a", "mine")
    work.write("f", "mine")
    work.write("h/deep/mine", "1")
    work.write("staged", "mine")
    work.add("staged")
    work.write("untracked", "mine")
    work.path("dir/x").unlink()
    work.path("dir").rmdir()
    work.path("dir").symlink_to(outside)
    work.path("link").unlink()
    work.path("link").symlink_to(outside / "nothing")
    work.switch("other", force=True)
    assert files(work) == {"a": "2", "dir/x": "2", "f/g": "2", "h": "2", "untracked": "mine"}
    assert work.status() == CLEAN | {"untracked": ["untracked"]}
    assert list(outside.iterdir()) == []


def test_a_forced_leaf_replaces_links_and_hard_links_instead_of_writing_through_them(work: Work) -> None:
    two(work, {"a": "1", "b": "1"}, {"a": "2", "b": "2"})
    precious, shared = work.root.parent / "precious", work.root.parent / "shared"
    precious.write_text("precious")
    shared.write_text("shared")
    work.path("a").unlink()
    work.path("a").symlink_to(precious)
    work.path("b").unlink()
    work.path("b").hardlink_to(shared)
    work.switch("other", force=True)
    assert files(work) == {"a": "2", "b": "2"}
    assert (precious.read_text(), shared.read_text()) == ("precious", "shared")


@pytest.mark.parametrize("name", [".git", ".mlstore"])
def test_not_even_force_removes_another_repository(work: Work, name: str) -> None:
    two(work, {"a": "1"}, {"b": "2"})
    work.write(f"b/sub/{name}/config", "precious")
    before = work.everything()
    with pytest.raises(WouldOverwrite, match="stands where a file or folder is to be put"):
        work.reset("other")
    assert work.everything() == before
    assert work.path(f"b/sub/{name}/config").read_text() == "precious"


# --- races: what was looked at is not what stands there when it is written ---


def race(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    real = writer.WorktreeWriter.apply

    def change_first(self: writer.WorktreeWriter, **more: bool) -> object:
        change()
        return real(self, **more)

    monkeypatch.setattr(writer.WorktreeWriter, "apply", change_first)


def test_a_folder_swapped_for_a_link_at_the_last_moment_is_not_followed(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(work, {"dir/a": "1", "dir/keep": "="}, {"dir/a": "2", "dir/keep": "=", "dir/b": "2"})
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")

    def swap() -> None:
        work.path("dir").rename(work.root.parent / "moved")
        work.path("dir").symlink_to(outside)

    race(monkeypatch, swap)
    with pytest.raises(WouldOverwrite, match="'dir' is in the way"):
        work.switch("other")
    assert [path.name for path in outside.iterdir()] == ["a"]
    assert (outside / "a").read_text() == "precious"


def test_a_file_swapped_for_a_link_at_the_last_moment_is_replaced_and_not_followed(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(work, {"a": "1"}, {"a": "2"})
    precious = work.root.parent / "precious"
    precious.write_text("precious")

    def swap() -> None:
        work.path("a").unlink()
        work.path("a").symlink_to(precious)

    race(monkeypatch, swap)
    work.switch("other")
    assert precious.read_text() == "precious"
    assert files(work) == {"a": "2"}


def test_a_removal_behind_a_swapped_folder_removes_nothing_outside(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    two(work, {"dir/a": "1", "b": "1"}, {"b": "1"})
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")

    def swap() -> None:
        work.path("dir").rename(work.root.parent / "moved")
        work.path("dir").symlink_to(outside)

    race(monkeypatch, swap)
    work.switch("other")
    assert (outside / "a").read_text() == "precious"


def test_a_folder_filled_at_the_last_moment_is_not_lost(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    two(work, {"a": "1"}, {"b": "2"})
    work.path("b/empty").mkdir(parents=True)
    race(monkeypatch, lambda: work.write("b/empty/mine", "1"))
    with pytest.raises(WouldOverwrite, match="'b' is a folder with files in it"):
        work.switch("other")
    assert work.path("b/empty/mine").read_text() == "1"


@pytest.mark.parametrize(("staged", "theirs"), [("d", "d/x"), ("d/x", "d"), ("d/x/y", "d")])
def test_a_staged_file_that_cannot_be_beside_the_targets_is_not_lost(
    work: Work, staged: str, theirs: str
) -> None:
    """Though no file stands in the way: it was deleted after it was staged."""
    two(work, {"a": "1"}, {"a": "1", theirs: "2"})
    work.write(staged, "mine")
    work.add()
    work.path(staged).unlink()
    for folder in work.path(staged).parents:
        if folder == work.root:
            break
        folder.rmdir()
    refused(work, "other", staged)


def test_all_that_is_staged_below_a_file_that_would_come_back_is_named(work: Work) -> None:
    work.commit(a="1", d="1")
    work.branch("one")
    work.commit(d="22", a=None)
    work.path("d").unlink()
    work.write("d/x", "staged")
    work.add()
    before = work.everything()
    with pytest.raises(WouldOverwrite) as caught:
        work.switch("main")
    assert caught.value.data["paths"] == ["d", "d/x"]
    assert work.everything() == before
