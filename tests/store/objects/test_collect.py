"""Taking out of single packs what is not needed, and putting loose objects into packs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.packformat import CHUNK, hash_of, read_pack
from tests.store.objects.building import database, entry, noise, place, small_pack

from mlstore.hashing import ObjectId
from mlstore.objects import SMALL
from mlstore.objects.collect import Collector

if TYPE_CHECKING:
    from pathlib import Path

OLD = 1_700_000_000
EVER = 1 << 62


def collector(folder: Path) -> Collector:
    (folder / "tmp").mkdir(exist_ok=True)
    return Collector(database(folder), scratch=folder / "tmp", lock=folder / "locks/packs", fsync=False)


def put_loose(folder: Path, data: bytes) -> ObjectId:
    object_id = ObjectId(hash_of("blake3", data))
    path = stored.loose_path(folder, object_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (OLD, OLD))
    return object_id


@pytest.mark.parametrize("to_trash", [True, False])
def test_a_pack_is_split_and_both_parts_have_their_bytes(tmp_path: Path, to_trash: bool) -> None:
    entries, _ = small_pack()
    pack = place(tmp_path, entries)
    os.utime(pack, (OLD, OLD))
    needed = {ObjectId(one.id) for one in entries[:4]}
    trash = tmp_path / "trash" if to_trash else None
    swept = collector(tmp_path).sweep(needed, EVER, trash)
    going = entries[4:]
    assert swept.objects == sum(one.kind != CHUNK for one in going) == 1
    assert swept.bytes == sum(len(one.stored) for one in going)
    (left,) = stored.packs(tmp_path)
    assert {one.id: one.stored for one in read_pack(left.read_bytes())} == {
        one.id: one.stored for one in entries[:4]
    }
    assert left.stat().st_mtime == OLD
    trashed = [path for path in (tmp_path / "trash").rglob("*") if path.is_file()]
    assert len(trashed) == to_trash
    for path in trashed:
        assert path == tmp_path / "trash/pack" / path.name
        assert path.stat().st_mtime == OLD
        assert {one.id: one.stored for one in read_pack(path.read_bytes())} == {
            one.id: one.stored for one in going
        }
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_pack_of_which_all_is_needed_is_left_alone(tmp_path: Path) -> None:
    entries, _ = small_pack()
    pack = place(tmp_path, entries)
    before = pack.stat()
    swept = collector(tmp_path).sweep({ObjectId(one.id) for one in entries}, EVER, tmp_path / "trash")
    assert (swept.objects, swept.bytes, swept.untouched) == (0, 0, [])
    assert (pack.stat().st_ino, pack.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("to_trash", [True, False])
def test_loose_objects_and_whole_packs_go_when_they_are_older(tmp_path: Path, to_trash: bool) -> None:
    kept, gone = put_loose(tmp_path, b"kept"), put_loose(tmp_path, b"gone")
    pack = place(tmp_path, [entry(b"one"), entry(b"two")])
    os.utime(pack, (OLD, OLD))
    trash = tmp_path / "trash" if to_trash else None
    nothing = collector(tmp_path).sweep({kept}, OLD * 10**9, trash)
    assert (nothing.objects, nothing.bytes) == (0, 0)
    swept = collector(tmp_path).sweep({kept}, OLD * 10**9 + 1, trash)
    assert (swept.objects, swept.bytes) == (3, 4 + 3 + 3)
    assert stored.object_ids(tmp_path) == [kept]
    expected = {f"{gone[:2]}/{gone[2:]}", f"pack/{pack.name}"} if to_trash else set()
    found = {path.relative_to(tmp_path / "trash").as_posix() for path in (tmp_path / "trash").rglob("*.*")}
    found |= {path.relative_to(tmp_path / "trash").as_posix() for path in (tmp_path / "trash").glob("??/*")}
    assert found == expected
    assert not (tmp_path / "objects" / gone[:2]).exists()
    assert (tmp_path / "objects/pack").is_dir()


def test_what_is_written_since_a_moment_is_given_with_that_moment(tmp_path: Path) -> None:
    loose = put_loose(tmp_path, b"loose")
    packed, chunk = entry(b"packed"), entry(b"chunk", CHUNK)
    os.utime(place(tmp_path, [packed, chunk]), (OLD + 1, OLD + 1))
    found = collector(tmp_path)
    assert set(found.written_since(OLD * 10**9)) == {loose, packed.id}
    assert set(found.written_since(OLD * 10**9 + 1)) == {packed.id}
    assert set(found.written_since((OLD + 1) * 10**9)) == {packed.id}
    assert set(found.written_since((OLD + 1) * 10**9 + 1)) == set()
    assert {one.id for one in found.unneeded((), (OLD + 1) * 10**9)} == {loose}
    assert {one.id for one in found.unneeded((), OLD * 10**9)} == set()
    assert {one.id for one in found.unneeded({loose}, 1 << 63)} == {packed.id, chunk.id}
    assert {one.id for one in found.unneeded({packed.id}, 1 << 63)} == {loose, chunk.id}
    assert sum(one.stored for one in found.items()) == 5 + 6 + 5


def test_small_loose_objects_are_packed_with_the_date_of_the_newest(tmp_path: Path) -> None:
    small = [put_loose(tmp_path, noise(size, size)) for size in (0, 1, SMALL)]
    large = put_loose(tmp_path, noise(SMALL + 1))
    os.utime(stored.loose_path(tmp_path, small[1]), (OLD + 5, OLD + 5))
    assert collector(tmp_path).pack_loose() == 3
    (pack,) = stored.packs(tmp_path)
    assert {one.id for one in read_pack(pack.read_bytes())} == set(small)
    assert pack.stat().st_mtime == OLD + 5
    assert [path for path in (tmp_path / "objects").glob("??/*") if path.is_file()] == [
        stored.loose_path(tmp_path, large)
    ]
    assert collector(tmp_path).pack_loose() == 0


@pytest.mark.parametrize("at", [20, -60, -1])  # an entry, the index, the footer
def test_loose_objects_take_the_place_of_a_damaged_pack_of_theirs(tmp_path: Path, at: int) -> None:
    """The new pack has the name of the old one, whose objects were added again."""
    data = [noise(40, number) for number in range(3)]
    ids = [put_loose(tmp_path, one) for one in data]
    collector(tmp_path).pack_loose()
    (pack,) = stored.packs(tmp_path)
    stored.Place(pack, 0, pack.stat().st_size).flip(at)
    for one in data:
        put_loose(tmp_path, one)
    collector(tmp_path).pack_loose()
    assert [database(tmp_path).read(one) for one in ids] == data


def test_what_stays_of_a_split_pack_takes_the_place_of_a_damaged_one(tmp_path: Path) -> None:
    staying, going = entry(b"staying"), entry(b"going")
    bad = place(tmp_path, [staying])
    stored.Place(bad, 16, len(b"staying")).flip()
    place(tmp_path, [staying, going])
    kept = ObjectId(staying.id)
    assert database(tmp_path).read(kept) == b"staying"
    collector(tmp_path).sweep({kept}, EVER, None)
    assert database(tmp_path).read(kept) == b"staying"


def test_what_goes_to_the_trash_takes_the_place_of_a_damaged_copy_there(tmp_path: Path) -> None:
    object_id = put_loose(tmp_path, b"unneeded")
    there = tmp_path / "trash" / object_id[:2] / object_id[2:]
    there.parent.mkdir(parents=True)
    there.write_bytes(b"UNNEEDED")
    assert collector(tmp_path).sweep(set(), EVER, tmp_path / "trash").objects == 1
    assert there.read_bytes() == b"unneeded"
