"""The walk over the tracked files, by one process and by two: they must say the same, and the truth."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import StorageError
from mlstore.worktree import status
from mlstore.worktree.survey import folders_of, survey

if TYPE_CHECKING:
    from types import ModuleType

    from tests.store.support import Work

MODULE: ModuleType = sys.modules["mlstore.worktree.survey"]
TREE = ["a", "b/c", "b/d/e", "b/d/f", "b.txt", "b0/x", "g/h/i/j", "z"]


@given(
    st.sets(st.lists(st.sampled_from(["a", "b", "a.b", "a0", "a-"]), min_size=1, max_size=4).map("/".join))
)
def test_the_folders_hold_every_path_once(paths: set[str]) -> None:
    ordered = sorted(path for path in paths if not any(other.startswith(path + "/") for other in paths))
    found = {}
    seen = {""}
    for folder in folders_of(ordered):
        assert folder.path in seen, "a folder comes after the one that it is in"
        prefix = f"{folder.path}/" if folder.path else ""
        found.update({row: prefix + name for row, name in zip(folder.rows, folder.names, strict=True)})
        seen.update(prefix + name for name in folder.folders)
    assert [found[row] for row in sorted(found)] == ordered


@pytest.fixture(params=["one process", "two processes", "no folder descriptors"])
def walked(request: pytest.FixtureRequest, work: Work, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A committed tree, and each of the ways to look at it."""
    for path in TREE:
        work.write(path, path)
    work.commit()
    work.settle()
    if request.param == "two processes":
        if not hasattr(os, "fork"):
            pytest.skip("no fork here")
        monkeypatch.setattr(MODULE, "FORK_FROM", 1)
        monkeypatch.setattr(MODULE, "_may_fork", lambda: True)
    elif request.param == "no folder descriptors":
        monkeypatch.setattr(MODULE, "_DIR_FD", False)
    return work


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestEachWay:
    def test_nothing_changed(self, walked: Work) -> None:
        assert status(walked.repo).clean
        assert walked.status()["untracked"] == []

    def test_changes_everywhere(self, walked: Work) -> None:
        walked.write("a", "A")
        walked.write("b/d/f", "longer than it was")
        walked.path("g/h/i/j").unlink()
        walked.path("z").chmod(0o755)
        os.utime(walked.path("b/c"), (1, 1))
        walked.write("b/d/new", "")
        walked.write("fresh/folder/file", "")
        assert walked.status() == {
            "staged": [],
            "unstaged": ["modified a", "modified b/d/f", "deleted g/h/i/j", "mode z"],
            "untracked": ["b/d/new", "fresh/folder/file"],
        }
        assert status(walked.repo).untracked == ["b/d/new", "fresh/"]

    def test_a_folder_replaced_by_a_file(self, walked: Work) -> None:
        walked.path("g/h/i/j").unlink()
        for folder in ("g/h/i", "g/h"):
            walked.path(folder).rmdir()
        walked.write("g/h", "a file")
        found = walked.status()
        assert found["unstaged"] == ["deleted g/h/i/j"]
        assert found["untracked"] == ["g/h"]

    def test_a_folder_replaced_by_a_link_to_one_like_it(self, walked: Work) -> None:
        walked.path("b").rename(walked.path("moved"))
        walked.path("b").symlink_to("moved")
        found = walked.status()
        assert found["unstaged"] == ["deleted b/c", "deleted b/d/e", "deleted b/d/f"]
        assert found["untracked"] == ["b", "moved/c", "moved/d/e", "moved/d/f"]

    def test_a_file_replaced_by_a_folder(self, walked: Work) -> None:
        walked.path("a").unlink()
        walked.write("a/inside", "")
        assert walked.status() == {"staged": [], "unstaged": ["deleted a"], "untracked": ["a/inside"]}

    def test_times_set_back_by_hand_hide_nothing(self, walked: Work) -> None:
        before = walked.path("a").stat()
        walked.write("a", "b")
        os.utime(walked.path("a"), ns=(before.st_atime_ns, before.st_mtime_ns))
        assert walked.status()["unstaged"] == ["modified a"]

    def test_a_touch_is_looked_at_once(self, walked: Work) -> None:
        for path in TREE:
            os.utime(walked.path(path), (1, 1))
        walked.settle()
        assert survey(str(walked.root), walked.index, listing=True).touched
        assert status(walked.repo).clean
        assert not survey(str(walked.root), walked.index, listing=True).touched

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_that_cannot_be_read_is_an_error(self, walked: Work) -> None:
        walked.path("g/h").chmod(0)
        try:
            with pytest.raises(StorageError, match="g/h"):
                status(walked.repo)
        finally:
            walked.path("g/h").chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_what_a_child_could_not_do_is_done_here(walked: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, look = os.getpid(), MODULE._Surveyor.look

    def die_in_child(self: object, folders: object) -> None:
        if os.getpid() != parent:
            raise MemoryError
        look(self, folders)

    monkeypatch.setattr(MODULE._Surveyor, "look", die_in_child)
    for path in TREE:
        walked.write(path, "other")
    assert len(walked.status()["unstaged"]) == len(TREE)


def test_a_change_of_the_rules_shows_what_they_hid(work: Work) -> None:
    work.write(".mlstoreignore", "*.log\nout/\n")
    work.write("kept/a", "")
    work.commit()
    work.write("kept/x.log", "")
    work.write("out/y", "")
    work.write("new/only.log", "")
    assert status(work.repo).untracked == []
    work.write(".mlstoreignore", "")
    assert status(work.repo).untracked == ["kept/x.log", "new/", "out/"]


def test_what_is_tracked_in_an_ignored_folder_is_looked_at_and_its_neighbours_are_not(work: Work) -> None:
    work.write("out/a", "1")
    work.commit()
    work.write(".mlstoreignore", "out/\n")
    work.add(".mlstoreignore")
    work.write("out/a", "2")
    work.write("out/b", "")
    assert work.status()["unstaged"] == ["modified out/a"]
    assert work.status()["untracked"] == []


def test_nothing_is_saved_over_an_index_that_was_written_meanwhile(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit(a="1", b="1")
    work.settle()
    os.utime(work.path("a"), (1, 1))
    work.settle()
    whole = sys.modules["mlstore.worktree.status"]
    real = whole._changes

    def meanwhile(*args: object) -> object:
        work.write("b", "2")
        work.add("b")
        return real(*args)

    monkeypatch.setattr(whole, "_changes", meanwhile)
    status(work.repo)
    monkeypatch.undo()
    assert work.status()["staged"] == ["modified b"]


def test_the_rows_of_one_folder_are_a_stretch_where_they_can_be() -> None:
    paths = sorted(TREE)
    folders = {folder.path: folder.rows for folder in folders_of(paths)}
    start = paths.index("b/d/e")
    assert folders["b/d"] == range(start, start + 2)
    assert list(folders[""]) == [paths.index(name) for name in ("a", "b.txt", "z")]
