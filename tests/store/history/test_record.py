from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import ADA, MOMENT

from mlstore.errors import NothingToCommit, ObjectNotFound, Refused, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import record_commit
from mlstore.model import Person, StageRecord, TreeEntry, compute_lineage

if TYPE_CHECKING:
    from tests.store.support import Work


def test_the_first_commit_makes_the_branch(work: Work) -> None:
    work.write("a", "1")
    work.add()
    made = record_commit(work.repo, message="first\n\nbody\n", author=ADA, time=MOMENT)
    commit = work.repo.objects.read_commit(made)
    assert (commit.parents, commit.height, commit.lineage, commit.stage) == ((), 0, None, None)
    assert (commit.author, commit.time, commit.message) == (ADA, MOMENT, "first\n\nbody")
    assert work.repo.refs.head() == type(work.repo.refs.head())("main", made)
    (entry,) = work.repo.refs.reflog("refs/heads/main")
    assert (entry.old, entry.new, entry.message) == (None, made, "commit (initial): first")
    assert entry.who == "Ada Lovelace <ada@example.org>"


def test_each_commit_stands_on_the_one_before(work: Work) -> None:
    first, second, third = (work.commit(text, f=text) for text in "abc")
    commit = work.repo.objects.read_commit(third)
    assert (commit.parents, commit.height) == ((second,), 2)
    assert work.repo.objects.read_commit(second).parents == (first,)


def test_the_whole_index_is_recorded_and_not_the_worktree(work: Work) -> None:
    work.write("dir/a", "staged", executable=True)
    work.add()
    work.write("dir/a", "not staged")
    work.write("b", "untracked")
    made = work.record()
    assert work.files_of(made) == {"dir/a": b"staged"}


def test_nothing_new_is_not_recorded_unless_asked_for(work: Work) -> None:
    work.commit(a="1")
    head = work.head
    with pytest.raises(NothingToCommit):
        work.record("again")
    assert work.head == head
    made = work.record("again", allow_empty=True)
    assert work.repo.objects.read_commit(made).parents == (head,)


def test_a_first_commit_without_files_has_to_be_asked_for(work: Work) -> None:
    with pytest.raises(NothingToCommit, match="no file is staged"):
        work.record("nothing yet")
    assert work.repo.refs.head().commit is None
    assert work.files_of(work.record("nothing yet", allow_empty=True)) == {}


@pytest.mark.parametrize("message", ["", "  ", "\n\n", "\t"])
def test_an_empty_message_is_refused(work: Work, message: str) -> None:
    work.write("a", "1")
    work.add()
    with pytest.raises(UsageError, match="message is empty"):
        work.record(message)


@pytest.mark.parametrize(
    "changes",
    [
        {"author": Person("Ada <ada", "e")},
        {"author": Person("two\nlines", "e")},
        {"time": "yesterday"},
        {"message": "\udcff"},
    ],
)
def test_what_no_reader_would_accept_is_not_recorded(work: Work, changes: dict[str, object]) -> None:
    work.commit(a="1")
    work.write("a", "2")
    work.add()
    before = work.everything()
    more: dict[str, object] = {"message": "m", "author": ADA, "time": MOMENT}
    with pytest.raises(UsageError):
        record_commit(work.repo, **(more | changes))  # type: ignore[arg-type]
    assert work.everything() == before


def test_a_blob_that_is_not_in_the_store_is_never_named(work: Work) -> None:
    work.commit(a="1")
    work.write("b", "2")
    work.add()
    work.remove_object(work.repo.format.hash_bytes(b"2"))
    before = work.everything()
    with pytest.raises(ObjectNotFound, match="'b' is not in the store") as caught:
        work.record()
    assert "mlstore add b" in str(caught.value.hint)
    assert work.everything() == before


def test_another_snapshot_can_be_recorded_and_the_index_stays(work: Work) -> None:
    work.commit(a="1")
    work.write("staged", "mine")
    work.add()
    entry = work.index.snapshot()["a"]
    made = work.record("a block", snapshot={"only": TreeEntry("only", "file", entry.id, 1)})
    assert work.files_of(made) == {"only": b"1"}
    assert work.index.paths() == ["a", "staged"]


# --- blocks ---


def test_a_block_has_the_lineage_of_its_record_and_a_snapshot_that_of_its_parent(work: Work) -> None:
    work.commit(a="1")
    stage = StageRecord("clean", ("true",), {}, {"a": work.repo.format.hash_bytes(b"1")})
    block = work.repo.objects.read_commit(work.record("clean", stage=stage))
    assert block.lineage == compute_lineage(work.repo.format, stage)
    assert block.stage == stage
    assert work.repo.objects.read_commit(work.commit(b="1")).lineage == block.lineage


def test_a_block_may_hold_what_its_parent_holds(work: Work) -> None:
    work.commit(a="1")
    tree = work.repo.objects.read_commit(work.head).tree
    assert work.repo.objects.read_commit(work.block("clean")).tree == tree


def test_a_stage_that_no_reader_would_accept_is_not_recorded(work: Work) -> None:
    work.commit(a="1")
    head = work.head
    for stage in (
        StageRecord("two words", (), {}, {}),
        StageRecord("clean", (), {}, {"../x": ObjectId("0" * 64)}),
        StageRecord("clean", (), {}, {}, parameters={"lr": 0.1}),  # type: ignore[dict-item]
    ):
        with pytest.raises(UsageError):
            work.record("m", stage=stage)
    assert work.head == head


# --- amend ---


def test_amending_replaces_the_last_commit(work: Work) -> None:
    first = work.commit("first", a="1")
    second = work.commit("second", a="2")
    work.write("a", "3")
    work.add()
    amended = work.record("second, better", amend=True)
    commit = work.repo.objects.read_commit(amended)
    assert (commit.parents, commit.height, commit.message) == ((first,), 1, "second, better")
    assert work.files_of(amended) == {"a": b"3"}
    assert work.repo.refs.reflog("HEAD")[0].message == "commit (amend): second, better"
    assert work.repo.refs.reflog("HEAD")[0].old == second
    assert work.repo.objects.read_commit(second).message == "second", "and it is still there"


def test_the_first_commit_can_be_amended_and_nothing_cannot(work: Work) -> None:
    with pytest.raises(UsageError, match="no commit to amend"):
        work.record("m", amend=True)
    work.commit("first", a="1")
    amended = work.repo.objects.read_commit(work.record("better", amend=True))
    assert (amended.parents, amended.message) == ((), "better")


def test_a_block_keeps_its_stage_when_its_message_is_amended_and_no_other_files(work: Work) -> None:
    work.commit(a="1")
    block = work.repo.objects.read_commit(work.block("clean"))
    amended = work.repo.objects.read_commit(work.record("better", amend=True))
    assert (amended.stage, amended.lineage) == (block.stage, block.lineage)
    work.write("a", "2")
    work.add()
    before = work.everything()
    with pytest.raises(Refused, match="cannot be amended to hold other files"):
        work.record("tampered", amend=True)
    assert work.everything() == before


def test_on_a_detached_head_the_head_itself_moves(work: Work) -> None:
    first = work.commit("first", a="1")
    work.switch(first, detach=True)
    made = work.commit("second", a="2")
    assert work.repo.refs.head().commit == made
    assert work.repo.refs.head().branch is None
    assert work.repo.refs.read("refs/heads/main") == first


def test_the_index_is_known_to_equal_the_commit(work: Work) -> None:
    made = work.commit(a="1")
    assert work.index.tree == work.repo.objects.read_commit(made).tree
    work.write("a", "2")
    work.add()
    assert work.index.tree is None


def test_a_thousand_folders_are_one_commit(work: Work) -> None:
    for number in range(1000):
        work.write(f"{number % 10}/{number:03}/f", str(number))
    made = work.commit()
    assert len(work.files_of(made)) == 1000
