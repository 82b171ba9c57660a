"""Which recipes can be made, and what putting a pack in order leaves as it was."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from tests import stored
from tests.packformat import CHUNK, hash_of
from tests.store.objects.building import database, entry, noise, place, recipe

from mlstore.hashing import ObjectId
from mlstore.objects import mend as module
from mlstore.objects.mend import Mender
from mlstore.objects.recipe import Part

OLD = 1_700_000_000
ABSENT = ObjectId("ab" * 32)


def mender(folder: Path) -> Mender:
    (folder / "tmp").mkdir(exist_ok=True)
    return Mender(
        database(folder), scratch=folder / "tmp", lock=folder / "packs", fsync=False, aside=folder / "aside"
    )


def put_loose(folder: Path, data: bytes) -> None:
    path = stored.loose_path(folder, hash_of("blake3", data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_recipe_cannot_be_made_whose_part_is_nowhere_or_too_short(tmp_path: Path) -> None:
    chunk = entry(noise(50), CHUNK)
    whole = recipe(noise(50), [(chunk.id, 0, 50)])
    end = recipe(noise(50)[20:], [(chunk.id, 20, 30)])
    past = recipe(noise(31, 1), [(chunk.id, 20, 31)])
    missing = recipe(noise(60, 2), [(chunk.id, 0, 50), (ABSENT, 0, 10)])
    garbage = entry(b"no recipe", kind=1)
    pack = place(tmp_path, [chunk, whole, end, past, missing, garbage, entry(b"plain")])
    assert set(mender(tmp_path).unmade()) == {past.id, missing.id}
    assert mender(tmp_path).unneeded_recipes() == {}
    # An object that is there as a file needs its recipe no more.
    put_loose(tmp_path, noise(60, 2))
    put_loose(tmp_path, noise(50)[20:])
    assert set(mender(tmp_path).unmade()) == {past.id}
    assert mender(tmp_path).unneeded_recipes() == {pack.stem: {missing.id}}


def test_parts_that_are_absent_are_named(tmp_path: Path) -> None:
    chunk = entry(noise(50), CHUNK)
    place(tmp_path, [chunk])
    there = ObjectId(chunk.id)
    parts = [Part(there, 0, 50), Part(there, 49, 1), Part(ABSENT, 0, 1)]
    assert mender(tmp_path).absent_parts(parts) == {ABSENT}
    assert mender(tmp_path).absent_parts([Part(there, 1, 50)]) == {there}


def test_a_rescued_pack_keeps_its_date(tmp_path: Path) -> None:
    bad = entry(b"bad")
    pack = place(tmp_path, [entry(b"good"), bad])
    stored.find(tmp_path, bad.id).flip()
    os.utime(pack, (OLD, OLD))
    found = mender(tmp_path).rescue(pack.stem, {})
    assert [one.id for one in found.lost] == [bad.id]
    (left,) = stored.packs(tmp_path)
    assert left.stem != pack.stem
    assert left.stat().st_mtime == OLD
    assert (tmp_path / "aside/objects/pack" / pack.name).is_file()


def test_chunks_are_added_in_one_pack_and_none_makes_none(tmp_path: Path) -> None:
    mender(tmp_path).add_chunks([])
    assert stored.packs(tmp_path) == []
    chunks = [(ObjectId(hash_of("blake3", data)), data) for data in (noise(40), b"text " * 100)]
    mending = mender(tmp_path)
    mending.add_chunks(chunks)
    assert len(stored.packs(tmp_path)) == 1
    objects = database(tmp_path)
    assert len(objects.packs.packs()) == 1
    for chunk_id, data in chunks:
        assert objects.check_chunk(chunk_id) == len(data)
    assert mending.absent_parts([Part(chunk_id, 0, len(data)) for chunk_id, data in chunks]) == set()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_recipe_under_a_damaged_index_is_proved_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE", 4)
    old = noise(40)
    put_loose(tmp_path, old)
    new = old[3:14] + old[20:29] + old[:4]
    base = hash_of("blake3", old)
    made = recipe(new, [(base, 3, 11), (base, 20, 9), (base, 0, 4)])
    pack = place(tmp_path, [made, entry(b"other")])
    stored.Place(pack, 0, pack.stat().st_size).flip(-57)  # the last checksum in the index
    found = mender(tmp_path).rescue(pack.stem, {})
    assert made.id in found.kept
    assert database(tmp_path).read(ObjectId(made.id)) == new


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_nothing_stays_open_after_mending(tmp_path: Path) -> None:
    old = noise(40)
    put_loose(tmp_path, old)
    made = recipe(old[3:14], [(hash_of("blake3", old), 3, 11)])
    pack = place(tmp_path, [made, entry(b"other")])
    stored.Place(pack, 0, pack.stat().st_size).flip(-57)

    def open_now() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = open_now()
    assert made.id in mender(tmp_path).look(pack.stem, {}).recipes
    assert open_now() == before
    assert made.id in mender(tmp_path).rescue(pack.stem, {}).kept
    assert mender(tmp_path).unmade() == {}
    assert database(tmp_path).read(ObjectId(made.id)) == old[3:14]
    mender(tmp_path).add_chunks([(ObjectId(hash_of("blake3", b"x")), b"x")])
    assert open_now() == before
