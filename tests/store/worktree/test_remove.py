from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import listing

from mlstore.errors import PathNotFound, Refused
from mlstore.worktree import remove_paths

if TYPE_CHECKING:
    from tests.store.support import Work


def test_a_removed_file_is_gone_and_no_longer_tracked_and_so_is_its_empty_folder(work: Work) -> None:
    work.write("dir/deep/a", "1")
    work.commit(b="1")
    assert remove_paths(work.repo, ["dir/deep/a"]) == ["dir/deep/a"]
    assert work.index.paths() == ["b"]
    assert list(listing(work.root)) == ["b"]


def test_a_folder_with_other_things_in_it_stays(work: Work) -> None:
    work.write("dir/a", "1")
    work.commit()
    work.write("dir/untracked", "1")
    remove_paths(work.repo, ["dir"], recursive=True)
    assert list(listing(work.root)) == ["dir", "dir/untracked"]


def test_cached_keeps_the_file(work: Work) -> None:
    work.commit(a="1")
    assert remove_paths(work.repo, ["a"], cached=True) == ["a"]
    assert work.status() == {"staged": ["deleted a"], "unstaged": [], "untracked": ["a"]}


def test_a_folder_wants_to_be_named_as_one(work: Work) -> None:
    work.write("dir/a", "1")
    work.commit()
    with pytest.raises(Refused, match="is a folder"):
        remove_paths(work.repo, ["dir"])
    assert remove_paths(work.repo, ["dir"], recursive=True) == ["dir/a"]


def test_patterns_name_tracked_files(work: Work) -> None:
    work.commit(a__csv="1", b__csv="1", c__txt="1")
    work.write("untracked.csv", "1")
    assert remove_paths(work.repo, ["*.csv"]) == ["a.csv", "b.csv"]
    assert sorted(listing(work.root)) == ["c.txt", "untracked.csv"]


def test_what_is_not_tracked_is_an_error(work: Work) -> None:
    work.commit(a="1")
    work.write("b", "1")
    for nothing in ("b", "c", "*.csv"):
        with pytest.raises(PathNotFound):
            remove_paths(work.repo, ["a", nothing])
    assert work.path("a").exists()


def test_content_that_no_commit_holds_is_not_lost(work: Work) -> None:
    work.commit(edited="1", staged="1", both="1", clean="1")
    work.write("edited", "changed")
    work.write("staged", "changed")
    work.write("both", "changed")
    work.add("staged", "both")
    work.write("both", "changed again")
    work.write("new", "1")
    work.add("new")
    before = work.everything()
    for path in ("edited", "staged", "both", "new"):
        with pytest.raises(Refused) as caught:
            remove_paths(work.repo, ["clean", path])
        assert caught.value.data["paths"] == [path]
    with pytest.raises(Refused):
        remove_paths(work.repo, ["both"], cached=True)
    assert work.everything() == before
    assert remove_paths(work.repo, ["edited", "staged", "new"], cached=True) == ["edited", "new", "staged"]
    assert remove_paths(work.repo, ["both"], force=True) == ["both"]


def test_a_file_that_is_gone_already_can_be_untracked(work: Work) -> None:
    work.commit(a="1", b="1")
    work.path("a").unlink()
    assert remove_paths(work.repo, ["a"]) == ["a"]
    assert work.status() == {"staged": ["deleted a"], "unstaged": [], "untracked": []}


def test_a_dry_run_removes_nothing(work: Work) -> None:
    work.commit(a="1")
    before = work.everything()
    assert remove_paths(work.repo, ["a"], dry_run=True) == ["a"]
    assert work.everything() == before


def test_nothing_is_removed_through_a_link(work: Work) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    work.write("dir/a", "1")
    work.commit()
    (outside / "a").write_text("precious")
    work.path("dir/a").unlink()
    work.path("dir").rmdir()
    work.path("dir").symlink_to(outside)
    remove_paths(work.repo, ["dir/a"], force=True)
    assert (outside / "a").read_text() == "precious"
    assert work.index.paths() == []


def test_a_link_in_the_place_of_a_file_goes_and_its_target_stays(work: Work) -> None:
    work.commit(a="1", b="1")
    work.path("a").unlink()
    work.path("a").symlink_to("b")
    remove_paths(work.repo, ["a"], force=True)
    assert list(listing(work.root)) == ["b"]
