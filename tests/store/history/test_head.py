from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.support import ADA, MOMENT, listing

from mlstore.errors import (
    CorruptObject,
    InvalidRef,
    InvalidRevision,
    RefNotFound,
    Refused,
    WouldOverwrite,
)
from mlstore.history import create_branch, head
from mlstore.objects import ObjectDatabase
from mlstore.refs import Head

if TYPE_CHECKING:
    from tests.store.support import Work

CLEAN: dict[str, list[str]] = {"staged": [], "unstaged": [], "untracked": []}


def test_switching_moves_head_files_and_index_and_tells_the_log(work: Work) -> None:
    first = work.commit("first", a="1")
    work.branch("side")
    second = work.commit("second", a="2")
    moved = work.switch("main")
    assert moved.previous == Head("side", second)
    assert moved.head == work.repo.refs.head() == Head("main", first)
    assert work.path("a").read_text() == "1"
    entry = work.repo.refs.reflog("HEAD")[0]
    assert entry.message == "checkout: moving from side to main"
    assert (entry.old, entry.new) == (second, first)


def test_detaching_is_asked_for(work: Work) -> None:
    first = work.commit("first", a="1")
    work.commit("second", a="2")
    for text in (first, "HEAD~1", "main~1"):
        with pytest.raises(RefNotFound, match="is a commit, not a branch") as caught:
            work.switch(text)
        assert "--detach" in str(caught.value.hint)
    assert work.switch("HEAD~1", detach=True).head == Head(None, first)
    assert work.path("a").read_text() == "1"
    assert work.switch("-").head.branch == "main"
    assert work.switch("-").head == Head(None, first)


def test_an_unknown_branch_is_an_error_and_nothing_moves(work: Work) -> None:
    work.commit(a="1")
    before = work.everything()
    for name in ("nothing", "a b", "../../x"):
        with pytest.raises((RefNotFound, InvalidRef)):
            work.switch(name)
    with pytest.raises((RefNotFound, InvalidRevision)):
        work.switch("nothing", detach=True)
    with pytest.raises(RefNotFound):
        work.switch("-")
    assert work.everything() == before


def test_a_new_branch_starts_here_or_there(work: Work) -> None:
    first = work.commit("first", a="1")
    second = work.commit("second", a="2")
    work.switch("here", create=True)
    assert work.repo.refs.head() == Head("here", second)
    work.switch("there", create=True, start="main~1")
    assert work.repo.refs.head() == Head("there", first)
    assert work.path("a").read_text() == "1"
    with pytest.raises(Refused, match="exists already"):
        work.switch("here", create=True)
    work.switch("here", create=True, reset=True)
    assert work.repo.refs.read("refs/heads/here") == first


def test_a_new_branch_before_the_first_commit_is_only_a_name(work: Work) -> None:
    work.switch("other", create=True)
    assert work.repo.refs.head() == Head("other", None)
    assert work.commit(a="1") == work.repo.refs.read("refs/heads/other")
    assert work.repo.refs.read("refs/heads/main") is None


@pytest.mark.parametrize("name", ["main/x", "a b", "-x", "HEAD", "x.lock"])
def test_a_branch_that_cannot_be_is_refused_before_a_file_moves(work: Work, name: str) -> None:
    work.commit("first", a="1")
    work.commit("second", a="2")
    before = work.everything()
    with pytest.raises(InvalidRef):
        work.switch(name, create=True, start="HEAD~1")
    assert work.everything() == before


def test_a_branch_that_would_lose_work_is_not_made(work: Work) -> None:
    work.commit("first", a="1")
    work.commit("second", a="2")
    work.write("a", "mine")
    before = work.everything()
    with pytest.raises(WouldOverwrite):
        work.switch("old", create=True, start="HEAD~1")
    assert work.everything() == before


def test_switching_to_where_one_is_does_nothing(work: Work) -> None:
    work.commit(a="1")
    work.write("a", "mine")
    assert [change.path for change in work.switch("main").carried] == ["a"]
    assert work.path("a").read_text() == "mine"


def test_head_moves_last(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before, files are ahead of HEAD: nothing is lost, and the same command finishes the job."""
    work.commit("first", a="1")
    work.branch("side")
    work.commit("second", a="2", b="2")
    work.switch("main")

    def dies(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work.repo.refs, "set_head_branch", dies)
        with pytest.raises(KeyboardInterrupt):
            work.switch("side")
    assert work.repo.refs.head().branch == "main"
    assert work.status()["staged"] == ["modified a", "added b"]
    work.switch("side")
    assert work.status() == CLEAN
    with monkeypatch.context() as patch:
        patch.setattr(work.repo, "save_index", dies)
        with pytest.raises(KeyboardInterrupt):
            work.switch("main")
    work.switch("main")
    assert work.status() == CLEAN
    assert list(listing(work.root)) == ["a"]


# --- reset ---


@pytest.fixture
def three(work: Work) -> Work:
    """Two commits; a change that is staged, one that is not, and an untracked file."""
    work.commit("first", a="1", b="1", only_then="1")
    work.commit("second", a="2", b="2", only_then=None, only_now="2")
    work.write("a", "staged")
    work.write("new", "staged")
    work.add()
    work.write("b", "edited")
    work.write("untracked", "mine")
    return work


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "soft",
            {
                "staged": ["modified a", "modified b", "added new", "added only_now", "deleted only_then"],
                "unstaged": ["modified b"],
                "untracked": ["untracked"],
            },
        ),
        (
            "mixed",
            {
                "staged": [],
                "unstaged": ["modified a", "modified b", "deleted only_then"],
                "untracked": ["new", "only_now", "untracked"],
            },
        ),
        ("hard", CLEAN | {"untracked": ["untracked"]}),
    ],
)
def test_reset_moves_as_much_as_it_is_told_to(three: Work, mode: str, expected: dict[str, Any]) -> None:
    files = listing(three.root)
    second = three.head
    three.reset("HEAD~1", mode)
    assert three.repo.refs.head() == Head("main", three.commits["first"])
    assert three.status() == expected
    if mode != "hard":
        assert listing(three.root) == files
    assert three.repo.refs.reflog("HEAD")[0].old == second
    assert "reset: moving to" in three.repo.refs.reflog("HEAD")[0].message


def test_reset_to_here_throws_local_work_away_and_leaves_untracked_files(three: Work) -> None:
    three.reset("HEAD")
    assert three.status() == CLEAN | {"untracked": ["untracked"]}
    assert three.path("a").read_text() == "2"
    assert not three.path("new").exists()


def test_a_mixed_reset_tells_what_differs_now(three: Work) -> None:
    changes = three.reset("HEAD~1", "mixed")
    assert [(change.path, change.status) for change in changes] == [
        ("a", "modified"),
        ("b", "modified"),
        ("only_then", "deleted"),
    ]


@pytest.mark.parametrize("mode", ["mixed", "hard"])
def test_a_damaged_index_is_built_anew(three: Work, mode: str) -> None:
    (three.repo.store / "index").write_bytes(b"garbage")
    three.reset("HEAD", mode)
    assert three.status()["staged"] == []
    assert three.index.paths() == ["a", "b", "only_now"]


@pytest.mark.parametrize("mode", ["soft", "mixed", "hard"])
def test_a_damaged_target_changes_nothing(three: Work, mode: str) -> None:
    target = three.commits["first"]
    three.damage(three.repo.objects.read_commit(target).tree if mode != "soft" else target)
    three.repo.objects._decoded.clear()
    before = three.everything()
    with pytest.raises(CorruptObject):
        head.reset(three.repo, target, mode, who=ADA, time=MOMENT)  # type: ignore[arg-type]
    assert three.everything() == before


def test_a_detached_head_is_reset_without_a_branch(three: Work) -> None:
    three.switch("HEAD", detach=True)
    three.reset("HEAD~1")
    assert three.repo.refs.head() == Head(None, three.commits["first"])
    assert three.repo.refs.read("refs/heads/main") == three.commits["second"]


def test_a_branch_in_a_folder_of_branches(work: Work) -> None:
    work.commit(a="1")
    create_branch(work.repo, "team/ada", who=ADA, time=MOMENT)
    work.switch("team/ada")
    work.switch("team/bob", create=True)
    assert work.repo.refs.names() == ["refs/heads/main", "refs/heads/team/ada", "refs/heads/team/bob"]


def test_a_switch_reads_no_folder_that_both_commits_share(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = work.commit("first", **{f"{folder}/{name}": "1" for folder in "abcdefgh" for name in "xyz"})
    work.branch("side")
    work.commit("second", **{"a/x": "2"})
    read: list[object] = []
    real = ObjectDatabase.read_tree
    monkeypatch.setattr(ObjectDatabase, "read_tree", lambda self, name: read.append(name) or real(self, name))
    looked: list[object] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path, **more: looked.append(path) or lstat(path, **more))
    assert work.switch("main", carried=False).carried == []
    assert len(read) <= 4  # both roots, both "a"
    assert not [path for path in looked if str(path).endswith(("/b/x", "/h/z"))]
    monkeypatch.undo()
    assert work.status() == CLEAN
    assert work.index.tree == work.repo.objects.read_commit(first).tree


def test_a_switch_with_something_staged_does_not_take_the_index_for_the_commit(work: Work) -> None:
    work.commit("first", a="1", b="1")
    work.branch("side")
    work.commit("second", a="2")
    work.write("b", "staged")
    work.add("b")
    work.switch("main")
    assert work.index.tree is None
    assert work.status()["staged"] == ["modified b"]
