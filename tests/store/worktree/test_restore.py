from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import listing

from mlstore.errors import CorruptObject, ObjectNotFound, PathNotFound, WouldOverwrite
from mlstore.repository import read_snapshot
from mlstore.worktree import restore_paths

if TYPE_CHECKING:
    from tests.store.support import Work

    from mlstore.repository import Snapshot

CLEAN: dict[str, list[str]] = {"staged": [], "unstaged": [], "untracked": []}


def snapshot_of(work: Work, commit: str | None = None) -> Snapshot:
    tree = work.repo.objects.read_commit(commit or work.head).tree  # type: ignore[arg-type]
    return read_snapshot(work.repo.objects, tree)


def from_index(work: Work, *paths: str) -> list[str]:
    """`restore PATH`"""
    return restore_paths(work.repo, paths, source=work.index.snapshot(), staged=False, worktree=True)


def unstage(work: Work, *paths: str) -> list[str]:
    """`restore --staged PATH`"""
    return restore_paths(work.repo, paths, source=snapshot_of(work), staged=True, worktree=False)


def test_files_come_back_as_the_index_has_them(work: Work) -> None:
    work.write("dir/b", "1")
    work.commit(a="1", c="1")
    work.write("a", "mine")
    work.path("dir/b").unlink()
    work.path("dir").rmdir()
    work.path("c").chmod(0o755)
    assert from_index(work, "") == ["a", "c", "dir/b"]
    assert work.status() == CLEAN
    assert from_index(work, "") == []


def test_only_what_is_named_comes_back(work: Work) -> None:
    work.commit(a__csv="1", b__csv="1", c__txt="1")
    for name in ("a.csv", "b.csv", "c.txt"):
        work.write(name, "mine")
    assert from_index(work, "a.csv") == ["a.csv"]
    assert from_index(work, "*.csv") == ["b.csv"]
    assert work.status()["unstaged"] == ["modified c.txt"]


def test_unstaging_leaves_the_files_alone(work: Work) -> None:
    work.commit(a="1", gone="1")
    work.write("a", "2")
    work.write("new", "1")
    work.path("gone").unlink()
    work.add()
    before = listing(work.root)
    assert unstage(work, "") == ["a", "gone", "new"]
    assert listing(work.root) == before
    assert work.status() == {"staged": [], "unstaged": ["modified a", "deleted gone"], "untracked": ["new"]}


def test_both_at_once_are_as_they_were_in_the_source(work: Work) -> None:
    first = work.commit(a="1", only_then="1")
    work.commit(a="2", only_then=None, only_now="2")
    source = snapshot_of(work, first)
    restore_paths(work.repo, [""], source=source, staged=True, worktree=True)
    assert sorted(listing(work.root)) == ["a", "only_then"]
    assert work.status() == {
        "staged": ["modified a", "deleted only_now", "added only_then"],
        "unstaged": [],
        "untracked": [],
    }


def test_an_overlay_removes_nothing(work: Work) -> None:
    first = work.commit(a="1")
    work.commit(a="2", b="2")
    source = snapshot_of(work, first)
    assert restore_paths(work.repo, [""], source=source, staged=True, worktree=True, overlay=True) == ["a"]
    assert sorted(listing(work.root)) == ["a", "b"]
    with pytest.raises(PathNotFound):
        restore_paths(work.repo, ["b"], source=source, staged=True, worktree=True, overlay=True)


def test_what_is_nowhere_is_an_error_and_nothing_changes(work: Work) -> None:
    work.commit(a="1")
    work.write("a", "mine")
    work.write("untracked", "mine")
    before = work.everything()
    for nothing in ("b", "untracked", "*.csv", "a/b"):
        with pytest.raises(PathNotFound):
            from_index(work, "a", nothing)
    assert work.everything() == before


def test_untracked_files_are_left_alone(work: Work) -> None:
    work.commit(a="1")
    work.write("untracked", "mine")
    work.write("a", "mine")
    from_index(work, "")
    assert work.path("untracked").read_text() == "mine"


def test_a_damaged_object_leaves_all_as_it_was(work: Work) -> None:
    work.commit(a="1", b="22")
    work.write("a", "mine")
    work.write("b", "mine")
    work.damage(work.repo.format.hash_bytes(b"22"))
    before = work.everything()
    with pytest.raises(CorruptObject):
        from_index(work, "")
    assert work.everything() == before
    work.remove_object(work.repo.format.hash_bytes(b"22"))
    with pytest.raises(ObjectNotFound):
        from_index(work, "")
    assert work.everything() == before


def test_a_link_gives_way_to_the_file_and_is_not_followed(work: Work) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")
    work.write("dir/a", "1")
    work.commit(b="1")
    work.path("dir/a").unlink()
    work.path("dir").rmdir()
    work.path("dir").symlink_to(outside)
    work.path("b").unlink()
    work.path("b").symlink_to(outside / "a")
    assert from_index(work, "") == ["b", "dir/a"]
    assert (outside / "a").read_text() == "precious"
    assert work.status() == CLEAN


def test_a_folder_with_files_is_not_removed_for_a_file(work: Work) -> None:
    work.commit(a="1", b="1")
    work.path("a").unlink()
    work.write("a/mine", "precious")
    work.write("b", "mine")
    before = work.everything()
    with pytest.raises(WouldOverwrite) as caught:
        from_index(work, "")
    assert caught.value.data["paths"] == ["a/mine"]
    assert work.everything() == before


def test_an_empty_folder_gives_way_to_a_file(work: Work) -> None:
    work.commit(a="1")
    work.path("a").unlink()
    work.path("a/deep").mkdir(parents=True)
    assert from_index(work, "a") == ["a"]
    assert work.status() == CLEAN


def test_a_tracked_folder_gives_way_to_the_file_that_it_was(work: Work) -> None:
    first = work.commit(a="1")
    work.path("a").unlink()
    work.write("a/b", "2")
    work.commit()
    restore_paths(work.repo, ["a"], source=snapshot_of(work, first), staged=True, worktree=True)
    assert list(listing(work.root)) == ["a"]
    assert work.index.paths() == ["a"]


def test_a_file_that_nobody_named_is_not_removed_for_a_folder(work: Work) -> None:
    work.write("d/x", "1")
    first = work.commit("first")
    work.path("d/x").unlink()
    work.path("d").rmdir()
    work.commit("second", a="1")
    work.write("d", "untracked")
    for staged in (False, True):
        with pytest.raises(WouldOverwrite) as caught:
            restore_paths(work.repo, ["d/x"], source=snapshot_of(work, first), staged=staged, worktree=True)
        assert caught.value.data["paths"] == ["d"]
    assert work.path("d").read_text() == "untracked"


@pytest.mark.parametrize("worktree", [False, True])
def test_the_index_never_holds_a_name_as_both_file_and_folder(work: Work, worktree: bool) -> None:
    work.write("d/x", "1")
    first = work.commit("first")
    work.path("d/x").unlink()
    work.path("d").rmdir()
    work.commit("second", d="1")
    work.path("d").unlink()
    with pytest.raises(WouldOverwrite) as caught:
        restore_paths(work.repo, ["d/x"], source=snapshot_of(work, first), staged=True, worktree=worktree)
    assert caught.value.data["paths"] == ["d"]
    restore_paths(work.repo, ["d"], source=snapshot_of(work, first), staged=True, worktree=worktree)
    assert work.index.paths() == ["d/x"]
