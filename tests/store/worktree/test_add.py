from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.store.support import listing

from mlstore.errors import InvalidPath, PathNotFound
from mlstore.worktree import AddResult, add_paths

if TYPE_CHECKING:
    from tests.store.support import Work


def test_adding_everything_stages_new_changed_and_deleted_files(work: Work) -> None:
    work.commit(same="1", changed="1", gone="1")
    work.write("changed", "2 and longer")
    work.write("deep/new", "1")
    work.path("gone").unlink()
    assert add_paths(work.repo, [""]) == AddResult(["deep/new"], ["changed"], ["gone"])
    assert work.index.paths() == ["changed", "deep/new", "same"]
    assert work.status() == {
        "staged": ["modified changed", "added deep/new", "deleted gone"],
        "unstaged": [],
        "untracked": [],
    }


def test_the_staged_content_is_in_the_store_byte_for_byte(work: Work) -> None:
    data = bytes(range(256)) * 5000
    work.write("big", data)
    work.add("big")
    entry = work.index.get("big")
    assert entry is not None
    assert entry.id == work.repo.format.hash_bytes(data)
    assert work.object_path(entry.id).read_bytes() == data
    assert (entry.size, entry.kind) == (len(data), "file")


def test_only_what_is_named_is_staged(work: Work) -> None:
    for name in ("a", "b", "dir/c", "dir/d", "other/e"):
        work.write(name, name)
    work.add("a", "dir")
    assert work.index.paths() == ["a", "dir/c", "dir/d"]


def test_a_pattern_that_is_no_file_is_a_pattern(work: Work) -> None:
    for name in ("a.csv", "b.csv", "dir/c.csv", "d.txt", "[x].csv"):
        work.write(name, name)
    work.add("*.csv")
    assert work.index.paths() == ["[x].csv", "a.csv", "b.csv"]
    work.add("[x].csv")
    work.path("a.csv").unlink()
    work.add("*.csv")
    assert work.index.paths() == ["[x].csv", "b.csv"]


def test_a_deleted_file_is_staged_as_such_by_its_name_or_its_folder(work: Work) -> None:
    work.commit(a="1")
    work.write("dir/b", "1")
    work.commit()
    work.path("a").unlink()
    work.add("a")
    work.path("dir/b").unlink()
    work.path("dir").rmdir()
    work.add("dir")
    assert work.index.paths() == []


def test_update_looks_at_tracked_files_only(work: Work) -> None:
    work.commit(a="1", b="1")
    work.write("a", "changed")
    work.path("b").unlink()
    work.write("new", "1")
    assert add_paths(work.repo, [""], update=True) == AddResult([], ["a"], ["b"])
    assert add_paths(work.repo, ["new"], update=True) == AddResult()
    assert work.index.paths() == ["a"]


def test_a_dry_run_stages_and_stores_nothing(work: Work) -> None:
    work.commit(a="1")
    before = listing(work.repo.store, skip=("locks",))
    work.write("a", "22")
    work.write("b", "1")
    assert add_paths(work.repo, [""], dry_run=True) == AddResult(["b"], ["a"], [])
    assert listing(work.repo.store, skip=("locks",)) == before


def test_a_change_of_mode_alone_is_a_change(work: Work) -> None:
    work.commit(run="#!/bin/sh\n")
    work.path("run").chmod(0o755)
    assert work.status()["unstaged"] == ["mode run"]
    assert add_paths(work.repo, [""]).modified == ["run"]
    entry = work.index.get("run")
    assert entry is not None
    assert entry.kind == "executable"


def test_a_name_that_matches_nothing_is_an_error_and_nothing_is_staged(work: Work) -> None:
    work.write("a", "1")
    for nothing in ("b", "*.csv", "a/b", "dir/"):
        with pytest.raises(PathNotFound) as caught:
            work.add("a", nothing)
        assert caught.value.data["path"] == nothing
    assert work.index.paths() == []


@pytest.mark.parametrize("how", ["by name", "by folder"])
def test_links_and_pipes_are_refused_by_name_and_nothing_is_staged(work: Work, how: str) -> None:
    work.write("a", "1")
    (work.root / "link").symlink_to("a")
    with pytest.raises(
        InvalidPath, match="'link' is a symlink, not a regular file: nothing was added"
    ) as caught:
        work.add(*(["a", "link"] if how == "by name" else [""]))
    assert caught.value.data["paths"] == ["link"]
    assert caught.value.hint is not None
    os.mkfifo(work.path("b"))
    with pytest.raises(InvalidPath, match="'b' is a named pipe"):
        work.add("b")
    assert work.index.paths() == []
    assert list(work.repo.objects.ids()) == []


def test_a_tracked_file_that_became_a_link_is_refused_too(work: Work) -> None:
    work.commit(a="1", b="1")
    work.path("a").unlink()
    (work.root / "a").symlink_to("b")
    with pytest.raises(InvalidPath, match="symlink"):
        work.add()
    assert work.index.paths() == ["a", "b"]


def test_nothing_is_added_through_a_link(work: Work) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (work.root / "way").symlink_to(outside)
    for name in ("way/secret", "way"):
        with pytest.raises((PathNotFound, InvalidPath)):
            work.add(name)
    assert work.index.paths() == []


def test_files_behind_a_folder_that_became_a_link_are_deleted_ones(work: Work) -> None:
    work.write("dir/a", "1")
    work.commit()
    (work.root / "dir").rename(work.root / "real")
    (work.root / "dir").symlink_to("real")
    assert work.status()["unstaged"] == ["deleted dir/a"]
    (work.root / "dir").unlink()
    work.add()
    assert work.index.paths() == ["real/a"]


@pytest.mark.parametrize(
    "name", ["back\\slash", "a:b", "new\nline", "\x1b[2J", ".MLSTORE/x", "GIT~1", ".gi\u200ct/x"]
)
def test_a_name_that_no_repository_may_hold_is_refused(work: Work, name: str) -> None:
    work.write("a", "1")
    work.write(name, "x")
    for paths in ([""], [name]):
        with pytest.raises(InvalidPath):
            add_paths(work.repo, paths)
    assert work.index.paths() == []
    assert list(work.repo.objects.ids()) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("README", "readme"), ("é", "e\u0301"), ("Data/a", "data/b"), ("A", "a/b"), ("straße", "STRASSE")],
)
def test_names_that_are_one_elsewhere_are_refused_whichever_came_first(
    work: Work, one: str, other: str
) -> None:
    work.write(one, "1")
    work.write(other, "2")
    with pytest.raises(InvalidPath, match="one name on file systems that fold case or accents"):
        work.add()
    assert work.index.paths() == []
    work.add(one)
    with pytest.raises(InvalidPath, match="one name"):
        work.add(other)
    assert len(work.index) == 1


def test_a_file_may_change_the_case_of_its_name(work: Work) -> None:
    work.commit(readme="x")
    work.path("readme").rename(work.path("README"))
    work.add()
    assert work.index.paths() == ["README"]


def test_a_file_that_becomes_a_folder_and_back(work: Work) -> None:
    work.commit(a="1")
    work.path("a").unlink()
    work.write("a/b", "1")
    work.add("a/b")
    assert work.index.paths() == ["a/b"], "what cannot be beside it leaves the index"
    work.record()
    work.path("a/b").unlink()
    work.path("a").rmdir()
    work.write("a", "1")
    work.add("a")
    assert work.index.paths() == ["a"]
    assert list(work.files_of(work.record())) == ["a"]


def test_a_named_file_heals_its_damaged_object(work: Work) -> None:
    work.commit(a="good")
    entry = work.index.get("a")
    assert entry is not None
    work.damage(entry.id)
    work.add("a")
    assert work.repo.objects.read(entry.id) == b"good"


def test_a_named_file_restores_its_missing_object(work: Work) -> None:
    work.commit(a="good")
    entry = work.index.get("a")
    assert entry is not None
    work.remove_object(entry.id)
    work.add("a")
    assert work.repo.objects.read(entry.id) == b"good"


def test_progress_is_told_file_by_file(work: Work) -> None:
    work.write("a", "1")
    work.write("b", "22")
    told: list[tuple[str, int]] = []
    add_paths(work.repo, [""], progress=lambda path, size: told.append((path, size)))
    assert told == [("a", 1), ("b", 2)]


def test_empty_files_and_deep_folders_are_files(work: Work) -> None:
    deep = "/".join(["d" * 50] * 20) + "/f"
    work.write("empty", "")
    work.write(deep, "x")
    work.add()
    assert work.files_of(work.record()) == {deep: b"x", "empty": b""}
