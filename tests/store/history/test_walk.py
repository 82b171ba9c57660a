from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.support import ADA, EPOCH, Work, fast_repository

from mlstore.errors import CorruptObject, ObjectNotFound
from mlstore.history import is_ancestor, merge_base, touches, walk
from mlstore.model import Commit, Tree, format_time

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.repository import Repository


def build(repo: Repository, graph: list[tuple[int, ...]], times: list[int] | None = None) -> list[ObjectId]:
    """Commits by hand: each one's parents are earlier numbers."""
    ids: list[ObjectId] = []
    heights: list[int] = []
    with repo.objects.transaction() as store:
        tree = store.add_tree(Tree(()))
        for number, parents in enumerate(graph):
            heights.append(max((heights[parent] for parent in parents), default=-1) + 1)
            when = format_time(EPOCH + (times[number] if times else number))
            commit = Commit(
                tree, tuple(ids[p] for p in parents), heights[-1], None, ADA, when, f"number {number}"
            )
            ids.append(store.add_commit(commit))
    return ids


GRAPHS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.tuples(
            *(
                st.sets(st.integers(0, number - 1), max_size=3).map(lambda found: tuple(sorted(found)))
                if number
                else st.just(())
                for number in range(count)
            )
        ),
        st.lists(st.integers(0, 5), min_size=count, max_size=count),
        st.lists(st.integers(0, count - 1), min_size=1, max_size=3),
        st.lists(st.integers(0, count - 1), max_size=2),
    )
)


def ancestors(graph: list[tuple[int, ...]], *starts: int) -> set[int]:
    found: set[int] = set()
    pending = list(starts)
    while pending:
        number = pending.pop()
        if number not in found:
            found.add(number)
            pending += graph[number]
    return found


@settings(max_examples=60)
@given(GRAPHS)
def test_a_walk_gives_what_is_asked_for_children_first_and_bases_are_common(
    memory: Path,
    drawn: tuple[list[tuple[int, ...]], list[int], list[int], list[int]],
) -> None:
    graph, times, include, exclude = drawn
    repo = fast_repository(Path(tempfile.mkdtemp(dir=memory)))
    ids = build(repo, graph, times)
    number = {object_id: at for at, object_id in enumerate(ids)}
    found = [number[one] for one, _ in walk(repo, [ids[n] for n in include], [ids[n] for n in exclude])]
    assert sorted(found) == sorted(ancestors(graph, *include) - ancestors(graph, *exclude))
    for position, one in enumerate(found):
        assert not ancestors(graph, one) & set(found[:position]), "a parent came before its child"
    one, other = include[0], include[-1]
    common = ancestors(graph, one) & ancestors(graph, other)
    base = merge_base(repo, ids[one], ids[other])
    assert (base is None) == (not common)
    if base is not None:
        height = {at: repo.objects.read_commit(ids[at]).height for at in common}
        assert number[base] in common
        assert height[number[base]] == max(height.values())
    assert is_ancestor(repo, ids[one], ids[other]) == (one in ancestors(graph, other))


def test_among_equals_the_later_one_comes_first(work: Work) -> None:
    root, early, late = build(work.repo, [(), (0,), (0,)], [0, 10, 20])
    assert [one for one, _ in walk(work.repo, [early, late])] == [late, early, root]


def test_only_first_parents_are_followed_when_asked(work: Work) -> None:
    ids = build(work.repo, [(), (0,), (0,), (1, 2), (3,)])
    found = [one for one, _ in walk(work.repo, [ids[4]], first_parent=True)]
    assert found == [ids[4], ids[3], ids[1], ids[0]]


def test_a_range_does_not_read_what_lies_behind_it(work: Work) -> None:
    ids = build(work.repo, [(), *[(number,) for number in range(20)]])
    work.repo.objects._decoded.clear()
    for one in ids[:10]:
        work.remove_object(one)
    assert [one for one, _ in walk(work.repo, [ids[20]], [ids[15]])] == ids[20:15:-1]


def test_the_same_commit_in_and_out_is_nothing(work: Work) -> None:
    (only,) = build(work.repo, [()])
    assert list(walk(work.repo, [only], [only])) == []
    assert [one for one, _ in walk(work.repo, [only, only])] == [only]
    assert list(walk(work.repo, [])) == []


def test_a_broken_history_is_an_error_that_names_the_commit(work: Work) -> None:
    ids = build(work.repo, [(), (0,), (1,)])
    work.repo.objects._decoded.clear()
    work.damage(ids[1])
    with pytest.raises(CorruptObject) as caught:
        list(walk(work.repo, [ids[2]]))
    assert caught.value.data["id"] == ids[1]
    work.remove_object(ids[1])
    with pytest.raises(ObjectNotFound) as gone:
        list(walk(work.repo, [ids[2]]))
    assert gone.value.data["id"] == ids[1]


@pytest.fixture
def filed(work: Work) -> Work:
    """a: f, d/g | b: d/g changed | c: f gone, mode of d/g | e: back as in a."""
    work.write("d/g", "1")
    work.commit("a", f="1")
    work.write("d/g", "2")
    work.commit("b")
    work.path("d/g").chmod(0o755)
    work.commit("c", f=None)
    work.write("d/g", "1")
    work.commit("e", f="1")
    return work


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["f"], "eca"),
        (["d/g"], "ecba"),
        (["d"], "ecba"),
        (["d/"], "ecba"),
        (["nothing"], ""),
        (["f", "nothing"], "eca"),
        ([""], "ecba"),
        (["d/*"], "ecba"),
        (["*"], "ecba"),
        (["?"], "ecba"),
        (["*.csv"], ""),
        (["**/g"], "ecba"),
    ],
)
def test_only_commits_that_change_a_path_are_given(filed: Work, paths: list[str], names: str) -> None:
    found = [commit.message for _, commit in walk(filed.repo, [filed.head], paths=paths)]
    assert "".join(found) == names


def test_a_merge_that_takes_one_side_as_it_is_changes_nothing(filed: Work) -> None:
    repo, commits = filed.repo, filed.commits
    taken = replace(repo.objects.read_commit(commits["e"]), parents=(commits["b"], commits["e"]))
    assert not touches(repo, taken, ["f", "d"])
    assert touches(repo, replace(taken, parents=(commits["b"], commits["c"])), ["d/g"])


def test_the_blocks_of_one_stage(work: Work) -> None:
    work.commit("plain", a="1")
    first = work.block("clean")
    work.block("train")
    second = work.block("clean")
    assert [one for one, _ in walk(work.repo, [work.head], stage="clean")] == [second, first]
    assert list(walk(work.repo, [work.head], stage="nothing")) == []
