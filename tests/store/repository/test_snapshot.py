from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.support import fast_repository

from mlstore.errors import CorruptObject, InvalidPath, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.model import Tree, TreeEntry
from mlstore.repository import (
    Change,
    diff_snapshots,
    diff_trees,
    find_entry,
    read_snapshot,
    snapshot,
    write_tree,
)

if TYPE_CHECKING:
    from tests.store.support import Work

    from mlstore.repository import Repository, Snapshot

ONE, TWO = ObjectId("ab" * 32), ObjectId("cd" * 32)


def files(**ids: ObjectId) -> Snapshot:
    return {path: TreeEntry(path, "file", object_id, 1) for path, object_id in sorted(ids.items())}


def store(repo: Repository, content: Snapshot) -> ObjectId:
    with repo.objects.transaction() as writer:
        return write_tree(writer, content.values())


SNAPSHOTS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "a.b", "a-b", "ü"]), min_size=1, max_size=4).map("/".join),
    st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from(["file", "executable"])),
    max_size=8,
).map(
    lambda found: {
        path: TreeEntry(path, kind, object_id, 1)  # type: ignore[arg-type]
        for path, (object_id, kind) in sorted(found.items())
        if not any(other.startswith(path + "/") for other in found)
    }
)


@settings(max_examples=50)
@given(SNAPSHOTS, SNAPSHOTS)
def test_a_snapshot_survives_and_two_are_compared_by_their_trees_as_by_their_files(
    memory: Path, old: Snapshot, new: Snapshot
) -> None:
    repo = fast_repository(Path(tempfile.mkdtemp(dir=memory)))
    trees = [store(repo, old), store(repo, new)]
    assert [read_snapshot(repo.objects, tree) for tree in trees] == [old, new]
    assert list(read_snapshot(repo.objects, trees[0])) == sorted(old)
    assert diff_trees(repo.objects, *trees) == diff_snapshots(old, new)
    assert diff_trees(repo.objects, None, trees[1]) == diff_snapshots({}, new)
    assert (trees[0] == trees[1]) == (old == new)
    for path, entry in old.items():
        assert find_entry(repo.objects, trees[0], path) == entry


def test_changes_are_told_by_what_became_of_a_path() -> None:
    old = files(same=ONE, gone=ONE, changed=ONE, mode=ONE)
    new = files(same=ONE, new=ONE, changed=TWO) | {"mode": TreeEntry("mode", "executable", ONE, 1)}
    assert diff_snapshots(old, new) == [
        Change("changed", "modified", old["changed"], new["changed"]),
        Change("gone", "deleted", old["gone"], None),
        Change("mode", "mode", old["mode"], new["mode"]),
        Change("new", "added", None, new["new"]),
    ]


def test_a_file_that_becomes_a_folder_is_deleted_and_its_files_added(work: Work) -> None:
    trees = [
        store(work.repo, {"a": TreeEntry("a", "file", ONE, 1)}),
        store(work.repo, {"a/b": TreeEntry("a/b", "file", ONE, 1)}),
    ]
    assert [(c.path, c.status) for c in diff_trees(work.repo.objects, *trees)] == [
        ("a", "deleted"),
        ("a/b", "added"),
    ]
    assert [(c.path, c.status) for c in diff_trees(work.repo.objects, *trees[::-1])] == [
        ("a", "added"),
        ("a/b", "deleted"),
    ]


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_shared_folders_are_not_read_to_be_compared(work: Work) -> None:
    one = store(work.repo, {path: TreeEntry(path, "file", ONE, 1) for path in ("big/a", "x")})
    two = store(
        work.repo, {path: TreeEntry(path, "file", TWO if path == "x" else ONE, 1) for path in ("big/a", "x")}
    )
    shared = find_entry(work.repo.objects, one, "big")
    assert shared is not None
    work.remove_object(shared.id)
    with pytest.raises(ObjectNotFound):
        read_snapshot(work.repo.objects, one)
    assert [change.path for change in diff_trees(work.repo.objects, one, two)] == ["x"]


def test_entries_are_found_by_path(work: Work) -> None:
    tree = store(work.repo, {"a/b/c": TreeEntry("a/b/c", "file", ONE, 1)})
    objects = work.repo.objects
    found = find_entry(objects, tree, "a/b/")
    assert found is not None
    assert (found.name, found.kind) == ("a/b", "tree")
    root = find_entry(objects, tree, "")
    assert root == TreeEntry("", "tree", tree, 0)
    for nothing in ("x", "a/x", "a/b/c/d", "a/b/c/d/e"):
        assert find_entry(objects, tree, nothing) is None


def test_no_tree_is_an_empty_snapshot(work: Work) -> None:
    assert read_snapshot(work.repo.objects, None) == {}
    assert read_snapshot(work.repo.objects, store(work.repo, {})) == {}


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a/b/c/d"), ("x/y", "x/y/z")])
def test_a_path_cannot_be_both_a_file_and_a_folder(work: Work, paths: tuple[str, str]) -> None:
    for order in (paths, paths[::-1]):
        with pytest.raises(InvalidPath, match="both a file and a folder"):
            store(work.repo, {path: TreeEntry(path, "file", ONE, 1) for path in order})


@pytest.mark.parametrize("path", ["../a", "/a", "a//b", ".mlstore/config", "a/.git/b", "a\nb"])
def test_a_hostile_path_is_not_written(work: Work, path: str) -> None:
    with pytest.raises(InvalidPath):
        store(work.repo, {path: TreeEntry(path, "file", ONE, 1)})
    assert list(work.repo.objects.ids()) == []


def nested(work: Work, depth: int) -> ObjectId:
    with work.repo.objects.transaction() as writer:
        tree = writer.add_tree(Tree((TreeEntry("f", "file", ONE, 1),)))
        for _ in range(depth - 1):
            tree = writer.add_tree(Tree((TreeEntry("d", "tree", tree, 1),)))
    return tree


def test_a_tree_as_deep_as_paths_can_be_is_read_without_recursion(work: Work) -> None:
    tree = nested(work, snapshot.MAX_DEPTH)
    (path,) = read_snapshot(work.repo.objects, tree)
    assert path.count("/") == snapshot.MAX_DEPTH - 1
    assert len(diff_trees(work.repo.objects, None, tree)) == 1


def test_a_deeper_tree_is_refused(work: Work) -> None:
    with pytest.raises(CorruptObject, match="nested too deeply"):
        read_snapshot(work.repo.objects, nested(work, snapshot.MAX_DEPTH + 1))


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_a_missing_or_damaged_folder_is_named(work: Work) -> None:
    tree = store(work.repo, {"a/b": TreeEntry("a/b", "file", ONE, 1)})
    folder = find_entry(work.repo.objects, tree, "a")
    assert folder is not None
    work.damage(folder.id)
    with pytest.raises(CorruptObject) as caught:
        read_snapshot(work.repo.objects, tree)
    assert caught.value.data["id"] == folder.id
    work.remove_object(folder.id)
    with pytest.raises(ObjectNotFound) as gone:
        read_snapshot(work.repo.objects, tree)
    assert gone.value.data["id"] == folder.id


def test_a_blob_that_a_tree_calls_a_folder_is_not_taken_for_one(work: Work) -> None:
    with work.repo.objects.transaction() as writer:
        blob = writer.add_bytes(b"not a tree")
        tree = writer.add_tree(Tree((TreeEntry("a", "tree", blob, 10),)))
    with pytest.raises(CorruptObject):
        read_snapshot(work.repo.objects, tree)
