from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.hashing import ObjectId
from mlstore.index import Index, IndexEntry, StatData

if TYPE_CHECKING:
    from pathlib import Path

TREE = ObjectId("33" * 32)


def entry(path: str, stat: StatData | None = None, *, id: str = "ab", kind: str = "file") -> IndexEntry:  # noqa: A002
    return IndexEntry(path, kind, ObjectId(id * 32), 3, b"c" * 16, stat)  # type: ignore[arg-type]


def stat_of(
    mtime: int = 100, ctime: int = 100, inode: int = 7, size: int = 3, mode: int = 0o100644
) -> os.stat_result:
    return SimpleNamespace(  # type: ignore[return-value]
        st_mtime_ns=mtime, st_ctime_ns=ctime, st_ino=inode, st_size=size, st_mode=mode
    )


def loaded(*entries: IndexEntry, written: int = 1000) -> Index:
    """What a later process reads from an index file of that mtime."""
    index = Index()
    for one in entries:
        index.set(one)
    return Index.load(index.dump(), written)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "remove", "get", "paths", "reload"]), st.sampled_from("abcdef")),
    max_size=30,
)


@given(OPERATIONS)
def test_it_is_a_sorted_map(operations: list[tuple[str, str]]) -> None:
    index, model = Index(), {}
    for number, (what, path) in enumerate(operations):
        if what == "set":
            model[path] = entry(path, StatData(number + 1, 1, 1, 3))
            index.set(model[path])
        elif what == "remove":
            model.pop(path, None)
            index.remove(path)
        elif what == "get":
            assert index.get(path) == model.get(path)
            assert (path in index) == (path in model)
        elif what == "paths":
            assert index.paths() == sorted(model)
        else:
            index = Index.load(index.dump(), 10**6)
    assert list(index.entries()) == [model[path] for path in sorted(model)]
    assert len(index) == len(model)
    assert list(index.snapshot()) == sorted(model)


def test_a_file_that_did_not_change_is_known_by_its_stat_data() -> None:
    index = loaded(entry("a", StatData(100, 100, 7, 3)))
    assert index.is_unchanged("a", stat_of())
    assert not index.is_unchanged("b", stat_of())


@pytest.mark.parametrize(
    "now",
    [
        stat_of(mtime=101),
        stat_of(mtime=99),
        stat_of(ctime=101),
        stat_of(inode=8),
        stat_of(size=4),
        stat_of(mode=0o100755),
        stat_of(mode=0o100744),
    ],
)
def test_any_difference_in_stat_data_asks_for_a_look(now: os.stat_result) -> None:
    assert not loaded(entry("a", StatData(100, 100, 7, 3))).is_unchanged("a", now)


def test_only_the_owners_execute_bit_is_the_mode() -> None:
    index = loaded(entry("a", StatData(100, 100, 7, 3), kind="executable"))
    assert index.is_unchanged("a", stat_of(mode=0o100700))
    assert index.is_unchanged("a", stat_of(mode=0o100755))
    assert not index.is_unchanged("a", stat_of(mode=0o100655))


def test_an_inode_of_64_bits_is_compared_by_its_lower_63() -> None:
    index = loaded(entry("a", StatData.of(stat_of(inode=2**64 - 1))))
    assert index.is_unchanged("a", stat_of(inode=2**64 - 1))
    assert not index.is_unchanged("a", stat_of(inode=2**64 - 2))


@pytest.mark.parametrize("late", [{"mtime": 1000}, {"ctime": 1000}, {"mtime": 5000}, {"ctime": 5000}])
def test_stat_data_as_young_as_the_index_file_is_not_believed(late: dict[str, int]) -> None:
    now = stat_of(**late)
    index = loaded(entry("a", StatData.of(now)), written=1000)
    assert not index.is_unchanged("a", now)
    assert loaded(entry("a", StatData.of(now)), written=5001).is_unchanged("a", now)


def test_what_was_racy_once_stays_unbelieved_in_every_later_index() -> None:
    now = stat_of(mtime=1000)
    first = loaded(entry("a", StatData.of(now)), entry("b", StatData.of(stat_of())), written=1000)
    first.set(entry("c", StatData.of(stat_of())))
    later = Index.load(first.dump(), 9000)
    assert not later.is_unchanged("a", now)
    assert later.is_unchanged("b", stat_of())
    assert later.is_unchanged("c", stat_of())
    found = later.get("a")
    assert found is not None
    assert found.stat is None


def test_what_was_hashed_anew_since_is_believed_again() -> None:
    now = stat_of(mtime=1000)
    first = loaded(entry("a", StatData.of(now)), written=1000)
    first.set(entry("a", StatData.of(now)))
    assert Index.load(first.dump(), 9000).is_unchanged("a", now)


def test_an_entry_without_stat_data_is_always_looked_at() -> None:
    index = loaded(entry("a"))
    assert not index.is_unchanged("a", stat_of())
    assert not index.is_unchanged("a", stat_of(mtime=0, ctime=0, inode=0))
    assert index.get("a") == entry("a")


def test_a_new_index_believes_nothing_that_it_was_not_told() -> None:
    index = Index()
    assert not index.is_unchanged("a", stat_of())
    index.set(entry("a", StatData.of(stat_of())))
    assert index.is_unchanged("a", stat_of())
    assert not index.is_unchanged("a", stat_of(mtime=101))


def test_the_tree_that_it_equals_is_remembered_until_content_changes() -> None:
    index = loaded(entry("a"))
    assert index.tree is None
    index.mark_tree(TREE)
    assert index.dirty
    again = Index.load(index.dump(), 10**6)
    assert again.tree == TREE
    assert not again.dirty
    again.set(entry("a", StatData(1, 1, 1, 3)))  # the same content: only its stat data is newer
    assert again.tree == TREE
    for change in (entry("a", id="cd"), entry("a", kind="executable"), entry("new")):
        again.mark_tree(TREE)
        again.set(change)
        assert again.tree is None
    again.mark_tree(TREE)
    again.remove("nothing")
    assert again.tree == TREE
    again.remove("a")
    assert again.tree is None


def test_removing_what_is_not_there_makes_nothing_dirty() -> None:
    index = loaded(entry("a"))
    index.remove("b")
    assert not index.dirty
    index.remove("a")
    assert index.dirty


def test_the_index_of_a_repository_is_dated_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, ns=(10**18, 10**18))
    status = path.stat()
    known = entry("a", StatData.of(status))
    assert loaded(known, written=status.st_ctime_ns + 1).is_unchanged("a", status)
    assert not loaded(known, written=status.st_ctime_ns).is_unchanged("a", status)
