from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import ADA, MOMENT

from mlstore.errors import InvalidRef, ObjectNotFound, RefNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.history import (
    create_branch,
    create_tag,
    delete_branch,
    delete_tag,
    rename_branch,
    resolve_commit,
)
from mlstore.refs import Head

if TYPE_CHECKING:
    from tests.store.support import Work


def make(work: Work, name: str, start: str = "HEAD", *, force: bool = False) -> ObjectId:
    return create_branch(work.repo, name, start, force=force, who=ADA, time=MOMENT)


def rename(work: Work, old: str, new: str, *, force: bool = False) -> None:
    rename_branch(work.repo, old, new, force=force, who=ADA, time=MOMENT)


@pytest.fixture
def grown(work: Work) -> Work:
    work.commit("first", a="1")
    work.commit("second", a="2")
    return work


def test_a_branch_is_made_at_a_revision(grown: Work) -> None:
    assert make(grown, "old", "HEAD~1") == grown.commits["first"]
    assert grown.repo.refs.read("refs/heads/old") == grown.commits["first"]
    assert grown.repo.refs.head().branch == "main"
    assert grown.repo.refs.reflog("refs/heads/old")[0].message == "branch: created from HEAD~1"


def test_a_branch_that_exists_moves_only_by_force_and_never_under_ones_feet(grown: Work) -> None:
    make(grown, "old", "HEAD~1")
    with pytest.raises(Refused, match="exists already"):
        make(grown, "old")
    make(grown, "old", force=True)
    assert grown.repo.refs.read("refs/heads/old") == grown.commits["second"]
    with pytest.raises(Refused, match="is checked out"):
        make(grown, "main", "HEAD~1", force=True)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "HEAD", "a..b", "main/x"])
def test_a_name_that_cannot_be_is_refused(grown: Work, name: str) -> None:
    with pytest.raises(InvalidRef):
        make(grown, name)
    assert grown.repo.refs.names() == ["refs/heads/main"]


def test_a_start_that_is_nowhere_is_an_error(grown: Work) -> None:
    with pytest.raises(RefNotFound):
        make(grown, "x", "nothing")


def test_a_branch_that_is_part_of_head_can_be_deleted_and_another_only_by_force(grown: Work) -> None:
    make(grown, "old", "HEAD~1")
    grown.switch("ahead", create=True)
    grown.commit("third", a="3")
    grown.switch("main")
    assert delete_branch(grown.repo, "old") == grown.commits["first"]
    with pytest.raises(Refused, match="not fully part of HEAD"):
        delete_branch(grown.repo, "ahead")
    assert delete_branch(grown.repo, "ahead", force=True) == grown.commits["third"]
    assert grown.repo.refs.names() == ["refs/heads/main"]


def test_the_branch_that_is_checked_out_and_one_that_is_not_there_cannot_be_deleted(grown: Work) -> None:
    with pytest.raises(Refused, match="is checked out"):
        delete_branch(grown.repo, "main", force=True)
    with pytest.raises(RefNotFound):
        delete_branch(grown.repo, "nothing")


def test_a_deleted_branch_makes_room_for_a_folder_of_its_name_and_back(grown: Work) -> None:
    for name in ("a", "a/b", "a"):
        make(grown, name)
        assert len(grown.repo.refs.reflog(f"refs/heads/{name}")) == 1
        delete_branch(grown.repo, name)


def test_a_renamed_branch_keeps_its_log_and_head(grown: Work) -> None:
    rename(grown, "main", "trunk")
    assert grown.repo.refs.head() == Head("trunk", grown.commits["second"])
    assert grown.repo.refs.names() == ["refs/heads/trunk"]
    assert resolve_commit(grown.repo, "trunk@{2}") == grown.commits["first"]
    assert grown.repo.refs.reflog("refs/heads/trunk")[0].message == "branch: renamed main to trunk"


def test_the_log_of_a_renamed_branch_speaks_of_that_branch(grown: Work) -> None:
    make(grown, "old", "HEAD~1")
    rename(grown, "old", "older")
    entry = grown.repo.refs.reflog("refs/heads/older")[0]
    assert entry.old == entry.new == grown.commits["first"], "not where HEAD is"
    assert grown.repo.refs.head().branch == "main"


def test_renaming_onto_another_branch_wants_force(grown: Work) -> None:
    make(grown, "old", "HEAD~1")
    make(grown, "other")
    with pytest.raises(Refused, match="exists already"):
        rename(grown, "old", "other")
    rename(grown, "old", "other", force=True)
    assert grown.repo.refs.read("refs/heads/other") == grown.commits["first"]
    with pytest.raises(Refused):
        rename(grown, "other", "main", force=True)
    with pytest.raises(RefNotFound):
        rename(grown, "nothing", "x")
    with pytest.raises(InvalidRef):
        rename(grown, "other", "a b")


def test_the_first_branch_can_be_renamed_before_it_has_a_commit(work: Work) -> None:
    rename(work, "main", "trunk")
    assert work.repo.refs.head() == Head("trunk", None)


# --- tags ---


def tag(
    work: Work, name: str, target: ObjectId, message: str | None = None, *, force: bool = False
) -> ObjectId:
    return create_tag(work.repo, name, target, message=message, tagger=ADA, time=MOMENT, force=force)


def test_a_light_tag_is_a_ref_and_an_annotated_one_an_object(grown: Work) -> None:
    head = grown.head
    assert tag(grown, "light", head) == grown.repo.refs.read("refs/tags/light") == head
    made = tag(grown, "golden", head, "it scores\n")
    found = grown.repo.objects.read_tag(made)
    assert (found.name, found.target, found.target_kind, found.message) == (
        "golden",
        head,
        "commit",
        "it scores",
    )
    assert resolve_commit(grown.repo, "golden") == head


def test_a_tag_stays_unless_forced(grown: Work) -> None:
    tag(grown, "v1", grown.commits["first"])
    with pytest.raises(Refused, match="exists already"):
        tag(grown, "v1", grown.commits["second"])
    tag(grown, "v1", grown.commits["second"], force=True)
    assert grown.repo.refs.read("refs/tags/v1") == grown.commits["second"]


def test_a_tag_of_nothing_or_with_a_name_that_cannot_be_is_refused(grown: Work) -> None:
    with pytest.raises(ObjectNotFound):
        tag(grown, "v1", ObjectId("0" * 64))
    for name in ("", "a b", "../x"):
        with pytest.raises(InvalidRef):
            tag(grown, name, grown.head)
    assert grown.repo.refs.names("refs/tags/") == []


def test_a_tag_can_name_a_file_or_a_tree(grown: Work) -> None:
    tree = grown.repo.objects.read_commit(grown.head).tree
    blob = grown.repo.format.hash_bytes(b"2")
    assert grown.repo.objects.read_tag(tag(grown, "tree", tree, "m")).target_kind == "tree"
    assert grown.repo.objects.read_tag(tag(grown, "blob", blob, "m")).target_kind == "blob"


def test_a_deleted_tag_is_gone(grown: Work) -> None:
    tag(grown, "v1", grown.head)
    assert delete_tag(grown.repo, "v1") == grown.head
    with pytest.raises(RefNotFound):
        delete_tag(grown.repo, "v1")
