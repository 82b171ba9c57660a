"""Many objects at once: each once, verified, from wherever a good copy is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.packformat import CHUNK, read_pack
from tests.store.objects.building import database, entry, noise, place, small_pack

from mlstore.errors import CorruptObject, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.objects import fetch as module

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scan_from", [0, 1, 32])
def test_each_is_given_once_whatever_it_is_stored_as(
    tmp_path: Path, scan_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SCAN_FROM", scan_from)
    entries, contents = small_pack()
    place(tmp_path, entries)
    place(tmp_path, [entry(b"plain"), entry(b"elsewhere")])
    contents[ObjectId(entry(b"elsewhere").id)] = b"elsewhere"
    found = list(database(tmp_path).fetch([*contents, *contents], 1 << 20))
    assert len(found) == len(contents)
    assert dict(found) == contents
    assert list(database(tmp_path).fetch([], 1)) == []


def test_what_is_larger_than_asked_for_is_left_out(tmp_path: Path) -> None:
    five, six = entry(b"x" * 5), entry(b"y" * 6)
    place(tmp_path, [five, six])
    whole = noise(9)
    path = stored.loose_path(tmp_path, entry(whole).id)
    path.parent.mkdir(parents=True)
    path.write_bytes(whole)
    ids = [ObjectId(one.id) for one in (five, six, entry(whole))]
    assert {one for one, _ in database(tmp_path).fetch(ids, 4)} == set()
    assert {one for one, _ in database(tmp_path).fetch(ids, 5)} == set(ids[:1])
    assert {one for one, _ in database(tmp_path).fetch(ids, 9)} == set(ids)


@pytest.mark.parametrize(("run", "gap"), [(2 << 20, 64 << 10), (250, 64 << 10), (2 << 20, 0), (1, 0)])
def test_reads_of_any_length_give_the_same(
    tmp_path: Path, run: int, gap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RUN", run)
    monkeypatch.setattr(module, "_GAP", gap)
    entries = [entry(noise(100, at)) for at in range(8)]
    place(tmp_path, entries)
    wanted = {ObjectId(one.id): one.stored for at, one in enumerate(entries) if at not in (2, 5)}
    assert dict(database(tmp_path).fetch(wanted, 100)) == wanted


def test_a_run_ends_before_a_gap_and_before_it_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, [entry(noise(100, at)) for at in range(6)])
    pack = next(iter(database(tmp_path).packs.packs()))
    rows = sorted(pack.entries(), key=lambda one: one.offset)
    assert len(read_pack(path.read_bytes())) == 6

    def runs() -> list[int]:
        return [len(one) for one in module._runs([rows[at] for at in (0, 1, 3, 4, 5)])]

    assert runs() == [5]
    monkeypatch.setattr(module, "_GAP", 100)
    assert runs() == [5]
    monkeypatch.setattr(module, "_GAP", 99)
    assert runs() == [2, 3]
    monkeypatch.setattr(module, "_RUN", 200)
    assert runs() == [2, 2, 1]
    monkeypatch.setattr(module, "_RUN", 199)
    assert runs() == [1] * 5


def test_of_a_damaged_copy_the_other_is_given_and_without_one_it_is_told(tmp_path: Path) -> None:
    twice, once = entry(b"twice"), entry(b"once")
    bad = place(tmp_path, [twice, entry(b"other")])
    place(tmp_path, [twice, once, entry(b"chunk", CHUNK)])
    at = next(one for one in read_pack(bad.read_bytes()) if one.id == twice.id)
    stored.Place(bad, at.offset, len(at.stored)).flip()
    wanted = [ObjectId(twice.id), ObjectId(once.id)]
    assert dict(database(tmp_path).fetch(wanted, 9)) == {twice.id: b"twice", once.id: b"once"}
    lost = ObjectId(entry(b"other").id)
    stored.find(tmp_path, lost).flip()
    with pytest.raises(CorruptObject):
        dict(database(tmp_path).fetch([lost], 9))
    with pytest.raises(ObjectNotFound):
        dict(database(tmp_path).fetch([ObjectId("ab" * 32)], 9))


def test_a_pack_with_rows_that_make_no_sense_is_done_without(tmp_path: Path) -> None:
    good = place(tmp_path, [entry(b"here"), entry(b"there")])
    (tmp_path / "other").mkdir()
    bad = place(tmp_path / "other", [entry(b"here")._replace(kind=9)])
    stored.put_pack(good.parent, bad.stem, bad.read_bytes())
    wanted = [ObjectId(entry(data).id) for data in (b"here", b"there")]
    assert dict(database(tmp_path).fetch(wanted, 9)) == dict(zip(wanted, (b"here", b"there"), strict=True))
