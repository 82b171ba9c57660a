"""What an object is called when somebody asks what was thrown away: as far as can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.store.support import ADA

from mlstore.history import create_tag
from mlstore.maintenance.names import Named, name_objects

if TYPE_CHECKING:
    from tests.store.support import Work

    from mlstore.hashing import ObjectId


def all_of(work: Work) -> list[ObjectId]:
    return list(work.repo.objects.ids())


def test_every_kind_of_object_is_named_by_where_it_was_last(work: Work) -> None:
    first = work.commit("first\n\nmore", **{"data/deep/a__csv": "1", "b": "2"})
    second = work.commit("second", **{"data/deep/a__csv": "3"})
    create_tag(work.repo, "golden", second, message="a golden one", tagger=ADA, time=work.now())
    names = name_objects(work.repo.objects, all_of(work))
    assert names[first] == Named("commit", "first")
    assert names[second] == Named("commit", "second")
    assert Named("tag", "golden") in names.values()
    blobs = sorted(name for kind, name in names.values() if kind == "blob" and name)
    assert blobs == sorted(
        [f"data/deep/a.csv@{second[:10]}", f"data/deep/a.csv@{first[:10]}", f"b@{second[:10]}"]
    )
    trees = {name for kind, name in names.values() if kind == "tree"}
    assert {f"data@{first[:10]}", f"data/deep@{second[:10]}", f"@{first[:10]}", f"@{second[:10]}"} <= trees


def test_a_folder_that_did_not_change_is_looked_through_once_and_named_by_the_newest(work: Work) -> None:
    work.commit("first", **{"kept/a": "1", "b": "2"})
    second = work.commit("second", b="3")
    names = name_objects(work.repo.objects, all_of(work))
    assert Named("blob", f"kept/a@{second[:10]}") in names.values()
    assert [name for kind, name in names.values() if kind == "tree" and name and name.startswith("kept")] == [
        f"kept@{second[:10]}"
    ]


def test_a_file_that_was_never_committed_has_no_name(work: Work) -> None:
    with work.repo.objects.transaction() as writer:
        blob = writer.add_bytes(b"never committed")
    assert name_objects(work.repo.objects, [blob]) == {blob: Named("blob", None)}


def test_what_is_damaged_or_missing_keeps_nothing_else_from_being_named(work: Work) -> None:
    work.commit("first", **{"a/x": "1"})
    second = work.commit("second", **{"b/y": "2"})
    ids = all_of(work)
    trees = {
        entry.name: entry.id
        for entry in work.repo.objects.read_tree(work.repo.objects.read_commit(second).tree).entries
    }
    work.remove_object(trees["a"])
    work.damage(work.commits["first"])
    names = name_objects(work.repo.objects, ids)
    assert names[work.commits["first"]].name is None
    assert names[trees["a"]] == Named("blob", f"a@{second[:10]}"), "its kind cannot be read any more"
    assert Named("blob", f"b/y@{second[:10]}") in names.values()
