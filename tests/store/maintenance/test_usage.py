"""Every byte of the store is somebody's, and none is counted twice."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.store.support import ADA

from mlstore.errors import CorruptObject, ObjectNotFound
from mlstore.history import create_tag
from mlstore.maintenance import Usage, collect_garbage, measure_usage, repack, repair
from mlstore.model import StageRecord
from mlstore.repository import Repository

if TYPE_CHECKING:
    from tests.store.support import Work


def on_disk(work: Work) -> int:
    return sum(
        path.stat().st_size
        for folder in ("objects", "trash", "quarantine")
        for path in (work.repo.store / folder).rglob("*")
        if path.is_file()
    )


def usage(work: Work) -> Usage:
    work.repo = Repository.open(work.root)
    found = measure_usage(work.repo)
    assert found.total == on_disk(work)
    return found


def table(found: Usage) -> dict[str, tuple[int, int, int]]:
    return {path.name: (path.versions, path.size, path.stored) for path in found.paths}


def test_an_empty_store_takes_nothing(work: Work) -> None:
    assert usage(work).to_dict() == {
        "paths": [],
        "history": 0,
        "other": 0,
        "overhead": 0,
        "trash": 0,
        "quarantine": 0,
        "total": 0,
    }


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_the_same_bytes_belong_to_the_path_that_had_them_first(work: Work) -> None:
    work.commit("one", a="x" * 100, d__same="x" * 100)
    work.commit("two", a="y" * 50, b="x" * 100)
    found = table(usage(work))
    assert found == {"a": (2, 150, 150), "b": (1, 100, 0), "d.same": (1, 100, 0)}


def test_chunks_that_versions_share_are_counted_once(work: Work) -> None:
    rng = random.Random(3)
    rows = "".join(f"{rng.random()}\n" for _ in range(150_000))
    work.write("t.csv", rows)
    work.commit("one")
    first = table(usage(work))["t.csv"]
    work.write("t.csv", rows + "1\n")
    work.commit("two")
    second = table(usage(work))["t.csv"]
    assert first[:2] == (1, len(rows))
    assert second[:2] == (2, 2 * len(rows) + 2)
    assert first[2] < len(rows)
    assert second[2] < 1.5 * first[2]


def test_what_stages_write_is_put_together(work: Work) -> None:
    work.write("raw.csv", "raw")
    work.write("notes", "mine")
    work.add()
    work.block("draw", outputs={"raw.csv": work.repo.format.hash_bytes(b"raw")})
    found = usage(work)
    assert {row.stage: row.stored for row in found.by_stage()} == {"draw": 3, None: 4}
    assert {path.name: path.stage for path in found.paths} == {"raw.csv": "draw", "notes": None}


def test_what_no_ref_leads_to_and_the_trash_have_rows_of_their_own(work: Work) -> None:
    work.commit("one", a="1")
    work.commit("two", b="2" * 1000)
    work.reset("HEAD~1")
    assert usage(work).other > 1
    for log in (work.repo.store / "logs").rglob("*"):
        if log.is_file():
            log.unlink()
    collect_garbage(work.repo, now=time.time() + 5, expire="now")
    after = usage(work)
    assert after.trash > 100
    assert after.other == 0
    assert table(after) == {"a": (1, 1, 1)}


def test_what_a_repair_set_aside_is_counted(work: Work) -> None:
    work.commit("one", a="1" * 400)
    work.damage(work.repo.format.hash_bytes(b"1" * 400))
    repair(work.repo, now=time.time())
    found = usage(work)
    assert found.quarantine > 400
    assert table(found)["a"][:2] == (1, 400)


def test_second_copies_are_told_apart(work: Work) -> None:
    work.commit("one", a="1" * 400)
    object_id = work.repo.format.hash_bytes(b"1" * 400)
    path = stored.loose_path(work.repo.store, object_id)
    path.parent.mkdir()
    path.write_bytes(b"1" * 400)
    assert usage(work).other > 0
    repack(work.repo)
    usage(work)


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_a_history_that_cannot_be_read_is_an_error(work: Work, damage: str) -> None:
    work.commit("one", a="1")
    tree = work.repo.objects.read_commit(work.head).tree
    work.remove_object(tree) if damage == "missing" else work.damage(tree)
    with pytest.raises((CorruptObject, ObjectNotFound)):
        measure_usage(Repository.open(work.root))


def test_nested_folders_tags_and_environments_are_counted_once(work: Work) -> None:
    with work.repo.objects.transaction() as writer:
        environment = writer.add_bytes(b"environment " * 40)
    work.write("deep/er/a.bin", b"a" * 500)
    work.write("deep/b.bin", b"b" * 300)
    work.add()
    outputs = {"deep/er/a.bin": work.repo.format.hash_bytes(b"a" * 500)}
    stage = StageRecord("make", ("true",), {}, outputs, {}, "observed", environment)
    first = work.record("make", stage=stage)
    before = usage(work)
    assert table(before)["deep/er/a.bin"][:2] == (1, 500)
    assert {path.name: path.stage for path in before.paths} == {"deep/er/a.bin": "make", "deep/b.bin": None}
    assert before.other == 0, "the environment is part of the history"
    work.record("again", allow_empty=True)  # the same tree
    again = usage(work)
    assert table(again) == table(before)
    create_tag(work.repo, "one", first, message="one", tagger=ADA, time=work.now())
    tag = work.repo.refs.read("refs/tags/one")
    assert tag is not None
    create_tag(work.repo, "two", tag, message="a tag of a tag", tagger=ADA, time=work.now())
    tagged = usage(work)
    assert tagged.other == 0
    assert tagged.history > again.history
