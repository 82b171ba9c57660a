from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mlstore.errors import CorruptError, CorruptFile, MlstoreError, NotFoundError
from mlstore.hashing import checksum_bytes
from mlstore.index import StatData
from mlstore.repository import Repository
from mlstore.worktree import status, tracked_changes

if TYPE_CHECKING:
    from tests.store.support import Work

CLEAN: dict[str, list[str]] = {"staged": [], "unstaged": [], "untracked": []}


def test_a_fresh_repository_and_a_committed_one_are_clean(work: Work) -> None:
    assert work.status() == CLEAN
    work.commit(a="1")
    assert work.status() == CLEAN
    assert status(work.repo).clean


def test_each_change_is_told_where_it_is(work: Work) -> None:
    work.commit(staged="1", edited="1", gone="1", both="1", mode="1", same="1")
    work.write("staged", "2")
    work.write("both", "2")
    work.write("new", "1")
    work.add()
    work.write("both", "3")
    work.write("edited", "2")
    work.path("mode").chmod(0o755)
    work.path("gone").unlink()
    work.write("deep/untracked", "1")
    assert work.status() == {
        "staged": ["modified both", "added new", "modified staged"],
        "unstaged": ["modified both", "modified edited", "deleted gone", "mode mode"],
        "untracked": ["deep/untracked"],
    }


def test_before_the_first_commit_everything_staged_is_new(work: Work) -> None:
    work.write("a", "1")
    work.add()
    assert work.status() == CLEAN | {"staged": ["added a"]}


def test_untracked_folders_stand_there_once_unless_all_are_asked_for(work: Work) -> None:
    work.write("known/a", "1")
    work.commit()
    for name in ("known/b", "new/a", "new/deep/b", "known/new/c", "top"):
        work.write(name, "1")
    work.path("empty").mkdir()
    assert status(work.repo).untracked == ["known/b", "known/new/", "new/", "top"]
    assert len(status(work.repo, untracked="all").untracked) == 5
    assert status(work.repo, untracked="no").untracked == []


def test_what_can_never_be_tracked_is_told(work: Work) -> None:
    work.commit(a="1")
    (work.root / "link").symlink_to("a")
    found = status(work.repo)
    assert found.special == {"link": "symlink"}
    assert found.untracked == ["link"]


@pytest.mark.parametrize("what", ["symlink", "folder", "pipe"])
def test_a_tracked_file_that_became_something_else_is_gone(work: Work, what: str) -> None:
    work.commit(a="1", b="1")
    path = work.path("a")
    path.unlink()
    {"symlink": lambda: path.symlink_to("b"), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[what]()
    found = status(work.repo)
    assert [(change.path, change.status) for change in found.unstaged] == [("a", "deleted")]
    assert found.special == {}


def test_a_touched_file_is_not_a_changed_one(work: Work) -> None:
    work.commit(a="1")
    os.utime(work.path("a"), ns=(10**18, 10**18))
    assert work.status() == CLEAN


def test_a_file_that_is_rewritten_with_the_same_bytes_is_not_a_changed_one(work: Work) -> None:
    work.commit(a="1")
    inode = work.path("a").stat().st_ino
    work.write("other", "1").rename(work.path("a"))
    assert work.path("a").stat().st_ino != inode
    assert work.status() == CLEAN


def test_a_change_that_keeps_size_and_mtime_is_seen(work: Work) -> None:
    work.commit(a="one")
    before = work.path("a").stat()
    work.path("a").write_text("two")
    os.utime(work.path("a"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert work.status() == CLEAN | {"unstaged": ["modified a"]}


def test_a_change_within_the_tick_of_the_add_is_always_seen(work: Work) -> None:
    """The same size, at once, again and again: no clock tells these apart, the content has to."""
    path = work.write("a", b"%06d" % 0)
    work.commit()
    for number in range(1, 60):
        path.write_bytes(b"%06d" % number)
        work.add("a")
        path.write_bytes(b"%06d" % (number + 500_000))
        assert work.status()["unstaged"] == ["modified a"], number


def test_a_change_within_the_tick_of_the_index_is_seen_however_late_one_looks(work: Work) -> None:
    """A racy file must not be washed clean by a later index, whose own date is long after the change."""
    work.commit(a="one")
    path = work.write("a", "two")
    moment = path.stat().st_ctime_ns
    store = work.repo.store / "index"
    with work.repo.write_lock("test"):
        index = work.index
        entry = index.get("a")
        assert entry is not None
        # As if `a` had been added and then changed, and the index written, all within one tick.
        index.set(entry._replace(stat=StatData.of(path.stat())))
        work.repo.save_index(index)
        os.utime(store, ns=(moment, moment))
        work.repo.save_index(work.index)  # an hour later somebody writes it again
    os.utime(store, ns=(moment + 3_600 * 10**9,) * 2)
    assert work.status()["unstaged"] == ["modified a"]


def test_refreshed_stat_data_is_kept(work: Work) -> None:
    work.commit(a="1")
    os.utime(work.path("a"), ns=(10**18, 10**18))
    work.settle()
    work.status()
    entry = work.index.get("a")
    assert entry is not None
    assert entry.stat is not None
    assert entry.stat.mtime_ns == 10**18


def test_a_reader_does_not_wait_for_a_writer(work: Work) -> None:
    work.commit(a="1")
    os.utime(work.path("a"), ns=(10**18, 10**18))
    with work.repo.write_lock("a long job"):
        found = status(Repository.open(work.root))
    assert found.clean


def test_a_store_that_cannot_be_written_does_not_keep_anybody_from_looking(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit(a="1")
    os.utime(work.path("a"), ns=(10**18, 10**18))
    work.settle()
    real = os.open

    def read_only(path: object, flags: int, *args: object, **more: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(30, "Read-only file system")
        return real(path, flags, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", read_only)
    assert work.status() == CLEAN


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
@pytest.mark.parametrize(
    ("which", "work"),
    [
        *[(which, how) for which in ("commit", "tree") for how in ("packed", "loose")],
        *[(which, "packed") for which in ("index", "HEAD", "branch")],
    ],
    indirect=["work"],
)
def test_a_damaged_store_is_never_clean(work: Work, which: str, damage: str) -> None:
    work.commit(a="1")
    work.write("a", "2")
    work.add()  # so that the index is not known to equal HEAD's tree
    tree = work.repo.objects.read_commit(work.head).tree
    if which in ("commit", "tree"):
        object_id = work.head if which == "commit" else tree
        work.damage(object_id, b"garbage") if damage == "corrupt" else work.remove_object(object_id)
    else:
        path = work.repo.store / {"branch": "refs/heads/main"}.get(which, which)
        path.write_bytes(b"garbage") if damage == "corrupt" else path.unlink()
    repo = Repository.open(work.root)
    if damage == "missing" and which in ("index", "branch"):
        assert not status(repo).clean
        return
    with pytest.raises(MlstoreError) as caught:
        status(repo)
    assert isinstance(caught.value, CorruptError | NotFoundError)


def test_a_missing_worktree_copy_is_never_clean_whatever_the_store_holds(work: Work) -> None:
    work.commit(a="1")
    entry = work.index.get("a")
    assert entry is not None
    work.damage(entry.id)
    work.path("a").unlink()
    assert work.status()["unstaged"] == ["deleted a"]


def test_a_damaged_index_says_how_to_mend_it_and_a_reset_does(work: Work) -> None:
    work.commit(a="1")
    (work.repo.store / "index").write_bytes(b"MLSINDEX")
    with pytest.raises(CorruptFile) as caught:
        work.status()
    assert "mlstore reset" in str(caught.value.hint)
    work.reset("HEAD", "mixed")
    assert work.status() == CLEAN


def test_a_checksum_never_decides_trust(work: Work) -> None:
    """A file whose xxh3 and size fit, and whose id does not: `status` is fooled, a trusted look is not."""
    work.commit(a="good")
    index = work.index
    entry = index.get("a")
    assert entry is not None
    work.write("a", "evil")
    with work.repo.write_lock("test"):
        index.set(type(entry)("a", "file", entry.id, 4, checksum_bytes(b"evil"), None))
        work.repo.save_index(index)
    tree = work.repo.objects.read_commit(work.head).tree
    assert work.status()["unstaged"] == []
    found = tracked_changes(work.repo, tree, trusted=True)
    assert [(change.path, change.status) for change in found] == [("a", "modified")]


def test_tracked_changes_compare_the_worktree_with_any_tree(work: Work) -> None:
    first = work.commit(a="1", b="1")
    work.commit(a="2", c="1", b=None)
    tree = work.repo.objects.read_commit(first).tree
    found = {change.path: change.status for change in tracked_changes(work.repo, tree)}
    assert found == {"a": "modified", "b": "deleted", "c": "added"}
    assert [change.path for change in tracked_changes(work.repo, tree, ["a"])] == ["a"]
    assert tracked_changes(work.repo, None, ["nothing"]) == []
