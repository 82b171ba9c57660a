"""All packs of a store: which copy is read, and packs that come, go and break while somebody looks."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import stored
from tests.packformat import CHUNK, hash_of, read_pack
from tests.store.objects.building import database, entry, noise, place, recipe, small_pack

from mlstore.errors import CorruptObject, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.objects.pack import folder as folder_module

if TYPE_CHECKING:
    from pathlib import Path


def id_of(data: bytes) -> ObjectId:
    return ObjectId(hash_of("blake3", data))


def flip(pack: Path, object_id: str) -> None:
    one = next(found for found in read_pack(pack.read_bytes()) if found.id == object_id)
    stored.Place(pack, one.offset, len(one.stored)).flip()


# --- many packs ---------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.binary(max_size=8), max_size=9, unique=True), max_size=7),
    st.lists(st.binary(max_size=8), max_size=9),
    st.lists(st.binary(max_size=8), max_size=9),
)
def test_several_packs_and_loose_objects_answer_like_one_dict(
    tmp_path_factory: pytest.TempPathFactory,
    packs: list[list[bytes]],
    loose: list[bytes],
    others: list[bytes],
) -> None:
    folder = tmp_path_factory.mktemp("store")
    for inside in packs:
        place(folder, map(entry, inside))
    with database(folder, pack=False).transaction() as writer:
        for data in loose:
            writer.add_bytes(data)
    model = {id_of(data): data for data in [*loose, *(data for inside in packs for data in inside)]}
    objects = database(folder)
    assert list(objects.ids()) == sorted(model)
    assert {one: objects.read(one) for one in objects.ids()} == model
    for data in others:
        assert (id_of(data) in objects) == (id_of(data) in model)
        if id_of(data) not in model:
            with pytest.raises(ObjectNotFound):
                objects.size(id_of(data))
    for object_id in [*model, *map(id_of, others)]:
        for length in (0, 1, 2, 3, 64):
            wanted = [one for one in sorted(model) if one.startswith(object_id[:length])]
            assert objects.with_prefix(object_id[:length]) == wanted


def test_chunks_are_no_objects(tmp_path: Path) -> None:
    entries, contents = small_pack()
    place(tmp_path, entries)
    objects = database(tmp_path)
    chunks = [ObjectId(one.id) for one in entries if one.kind == CHUNK]
    assert list(objects.ids()) == sorted(contents)
    for chunk in chunks:
        assert chunk not in objects
        assert objects.with_prefix(chunk) == []
        for look in (objects.read, objects.size, objects.check, objects.kind, objects.read_tree):
            with pytest.raises(ObjectNotFound):
                look(chunk)
    place(tmp_path, [entry(one.content()) for one in entries if one.kind == CHUNK])
    for chunk in chunks:  # now they are objects too, in another pack
        assert chunk in objects
        assert objects.with_prefix(chunk) == [chunk]
        assert id_of(objects.read(chunk)) == chunk


@pytest.mark.parametrize("prefix", ["..", "zz", "-1", "+f", " a", "0x", "A", "AB", "a_", "\u0661"])
def test_what_is_no_prefix_of_an_id_finds_nothing(tmp_path: Path, prefix: str) -> None:
    place(tmp_path, [entry(bytes([number])) for number in range(256)])
    assert database(tmp_path).with_prefix(prefix) == []


# --- damage in one of several -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 1])
def test_of_two_packs_with_an_object_the_undamaged_one_serves(tmp_path: Path, order: int) -> None:
    """Whichever of the two is looked at first."""
    packs = sorted([place(tmp_path, [entry(b"shared")]), place(tmp_path, [entry(b"shared"), entry(b"more")])])
    flip(packs[order], id_of(b"shared"))
    assert database(tmp_path).read(id_of(b"shared")) == b"shared"
    packs[order].write_bytes(b"not even a pack") if os.getuid() == 0 else None
    assert database(tmp_path).read(id_of(b"shared")) == b"shared"


@pytest.mark.parametrize("order", [0, 1])
def test_a_copy_with_a_right_checksum_and_wrong_bytes_does_not_hide_a_good_one(
    tmp_path: Path, order: int
) -> None:
    packs = sorted([place(tmp_path, [entry(b"shared"), entry(data)]) for data in (b"1", b"2")])
    entries = [
        one._replace(stored=b"SHARED", checksum=b"") if one.id == id_of(b"shared") else one
        for one in read_pack(packs[order].read_bytes())
    ]
    packs[order].unlink()
    place(tmp_path, entries)
    assert database(tmp_path).read(id_of(b"shared")) == b"shared"


@pytest.mark.parametrize("what", ["chunk", "recipe"])
def test_of_two_copies_of_a_part_or_recipe_the_undamaged_one_serves(tmp_path: Path, what: str) -> None:
    entries, contents = small_pack()
    whole = entries[5].id
    damaged = place(tmp_path, [*entries, entry(b"one")])
    place(tmp_path, [*entries, entry(b"two")])
    place(tmp_path, [*entries, entry(b"three")])
    packs = stored.packs(tmp_path)
    wanted = whole if what == "recipe" else entries[4].id
    for pack in packs[:2]:
        flip(pack, wanted)
    assert database(tmp_path).read(ObjectId(whole)) == contents[ObjectId(whole)]
    flip(packs[2], wanted)
    with pytest.raises(CorruptObject, match=whole):
        database(tmp_path).read(ObjectId(whole))
    assert damaged in packs


def test_damage_to_a_copy_that_nobody_reads_is_told_all_the_same(tmp_path: Path) -> None:
    packs = sorted(place(tmp_path, [entry(b"shared"), entry(data)]) for data in (b"1", b"2"))
    for pack in packs:
        before = pack.read_bytes()
        flip(pack, id_of(b"shared"))
        told = [str(spare) for checked in database(tmp_path).check_packs() for spare in checked.spares]
        assert len(told) == 1
        assert pack.stem[:10] in told[0]
        pack.write_bytes(before) if os.getuid() == 0 else None
    with database(tmp_path, pack=False).transaction() as writer:
        writer.add_bytes(b"loose")
    pack = place(tmp_path, [entry(b"loose")])
    flip(pack, id_of(b"loose"))
    told = [str(spare) for checked in database(tmp_path).check_packs() for spare in checked.spares]
    assert any(pack.stem[:10] in one for one in told)
    assert database(tmp_path).check(id_of(b"loose"))


def test_beside_a_broken_pack_others_serve_and_nothing_is_silently_missing(tmp_path: Path) -> None:
    broken = place(tmp_path, [entry(b"lost")])
    place(tmp_path, [entry(b"kept")])
    broken.chmod(0o644)
    broken.write_bytes(broken.read_bytes()[:-1])
    objects = database(tmp_path)
    assert objects.read(id_of(b"kept")) == b"kept"
    for look in (objects.read, objects.size, objects.check, objects.kind, objects.read_commit):
        with pytest.raises(CorruptObject, match=broken.stem[:10]) as caught:
            look(id_of(b"lost"))
        assert caught.value.data["id"] == id_of(b"lost")
    assert list(objects.ids()) == [id_of(b"kept")]


def test_an_object_lost_through_a_damaged_index_is_not_called_missing(tmp_path: Path) -> None:
    """The id itself is damaged: nothing is found, and only a look at the whole index tells why."""
    path = place(tmp_path, [entry(b"lost"), entry(b"kept")])
    raw = bytes.fromhex(id_of(b"lost"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(raw, raw[:9] + b"\0" + raw[10:]))
    with pytest.raises(CorruptObject, match="index is damaged"):
        database(tmp_path).read(id_of(b"lost"))
    assert database(tmp_path).read(id_of(b"kept")) == b"kept"


def test_what_is_added_again_is_written_where_a_pack_is_broken(tmp_path: Path) -> None:
    broken = place(tmp_path, [entry(b"lost"), entry(b"other")])
    broken.chmod(0o644)
    broken.write_bytes(b"MLSPACK1")
    with database(tmp_path).transaction() as writer:
        writer.add_bytes(b"lost")
    assert database(tmp_path).read(id_of(b"lost")) == b"lost"


# --- while somebody looks -----------------------------------------------------------------------------------


def test_a_pack_that_another_process_adds_is_seen(tmp_path: Path) -> None:
    objects = database(tmp_path)
    assert list(objects.ids()) == []
    for number in range(50):  # many within one tick of the file system's clock
        data = b"%d" % number
        assert id_of(data) not in objects
        place(tmp_path, [entry(data)])
        assert objects.read(id_of(data)) == data
    assert len(list(objects.ids())) == 50


def test_a_pack_that_comes_within_the_same_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    objects = database(tmp_path)
    place(tmp_path, [entry(b"one")])
    packs = tmp_path / "objects" / "pack"
    status = packs.stat()
    assert objects.read(id_of(b"one")) == b"one"
    place(tmp_path, [entry(b"two")])
    os.utime(packs, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert objects.read(id_of(b"two")) == b"two"


def test_a_folder_that_has_not_changed_for_long_is_not_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path, [entry(b"one")])
    os.utime(tmp_path / "objects" / "pack", (1e9, 1e9))
    objects = database(tmp_path)
    assert id_of(b"one") in objects
    monkeypatch.setattr(os, "scandir", None)
    assert id_of(b"two") not in objects
    assert id_of(b"one") in objects


def test_packs_that_vanish_are_read_on_by_whoever_has_them_open(tmp_path: Path) -> None:
    one, two = place(tmp_path, [entry(b"one")]), place(tmp_path, [entry(b"two")])
    objects = database(tmp_path)
    assert objects.read(id_of(b"one")) == b"one"
    source = objects.open_source(id_of(b"two"))
    one.unlink()
    two.unlink()
    place(tmp_path, [entry(b"one"), entry(b"two")])
    assert b"".join(map(bytes, source.chunks())) == b"two"
    assert objects.read(id_of(b"one")) == b"one"
    assert objects.read(id_of(b"two")) == b"two"
    assert database(tmp_path).read(id_of(b"two")) == b"two"


def test_a_pack_that_vanishes_between_the_listing_and_its_opening_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = place(tmp_path, [entry(b"one")])
    objects = database(tmp_path)
    true_open = folder_module.Pack

    def late(path: Path, name: str) -> object:
        if path == old and old.exists():
            place(tmp_path, [entry(b"one"), entry(b"two")])
            old.unlink()
        return true_open(path, name)

    monkeypatch.setattr(folder_module, "Pack", late)
    assert list(objects.ids()) == sorted([id_of(b"one"), id_of(b"two")])


def test_a_pack_replaced_under_its_name_is_opened_anew(tmp_path: Path) -> None:
    path = place(tmp_path, [entry(noise(100))])
    good = path.read_bytes()
    flip(path, id_of(noise(100)))
    objects = database(tmp_path)
    with pytest.raises(CorruptObject):
        objects.read(id_of(noise(100)))
    stored.put_pack(path.parent, path.stem, good)
    objects.packs.forget()
    assert objects.read(id_of(noise(100))) == noise(100)


def test_a_folder_of_packs_that_is_gone_or_a_file_is_an_empty_one(tmp_path: Path) -> None:
    place(tmp_path, [entry(b"x")])
    objects = database(tmp_path)
    assert id_of(b"x") in objects
    packs = tmp_path / "objects" / "pack"
    shutil.rmtree(packs)
    objects.packs.forget()
    assert list(objects.ids()) == []
    packs.write_bytes(b"a file")
    assert list(database(tmp_path).ids()) == []
    assert list(database(tmp_path).strangers()) == [packs]
    with pytest.raises(ObjectNotFound):
        database(tmp_path).read(id_of(b"x"))


def test_a_transaction_sees_what_is_there_and_not_what_was(tmp_path: Path) -> None:
    """A pack that another process removed is no reason not to write an object, however open it still is."""
    path = place(tmp_path, [entry(b"x")])
    objects = database(tmp_path)
    assert objects.read(id_of(b"x")) == b"x"
    path.unlink()
    with objects.transaction() as writer:
        writer.add_bytes(b"x")
    assert database(tmp_path).read(id_of(b"x")) == b"x"


def test_a_thousand_large_packs_are_not_all_held_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "_MOST_OPEN", 5)
    monkeypatch.setattr(folder_module, "_LARGE", 2000)
    small = [place(tmp_path, [entry(b"%d" % number)]) for number in range(9)]
    large = [place(tmp_path, [entry(noise(3000, number))]) for number in range(30)]
    objects = database(tmp_path)
    contents = {id_of(noise(3000, number)): noise(3000, number) for number in range(30)}
    assert contents.items() <= {one: objects.read(one) for one in objects.ids()}.items()
    held = {pack.path for pack in objects.packs.packs() if pack._fd >= 0}
    assert set(small) <= held
    assert len(held) <= len(small) + 5
    assert not any(checked.error for checked in objects.check_packs())
    for path in large:
        path.unlink()
    for object_id in contents:
        if objects.packs.find(object_id) is None:
            with pytest.raises((CorruptObject, ObjectNotFound)):
                objects.read(object_id)


def test_parts_may_be_objects_of_another_pack(tmp_path: Path) -> None:
    whole = b"one" + b"two"
    place(tmp_path, [recipe(whole, [(id_of(b"one"), 0, 3), (id_of(b"two"), 0, 3)])])
    place(tmp_path, [entry(b"one")])
    with database(tmp_path, pack=False).transaction() as writer:
        writer.add_bytes(b"two")
    assert database(tmp_path).read(id_of(whole)) == whole


def test_of_two_copies_the_one_that_is_what_its_id_says_is_read(tmp_path: Path) -> None:
    true, orders = entry(b"true"), set()
    for number in range(12):  # by their names the good one comes first in some and last in others
        folder = tmp_path / f"{number}"
        good = place(folder, [true, entry(b"%d" % number)])
        bad = place(folder, [true._replace(stored=b"lies")])
        orders.add(good < bad)
        objects = database(folder)
        assert objects.read(id_of(b"true")) == b"true"
    assert orders == {True, False}


def test_a_part_that_another_process_packed_meanwhile_is_found(tmp_path: Path) -> None:
    place(tmp_path, [entry(b"first")])
    objects = database(tmp_path)
    assert objects.packs.find_part(id_of(b"part")) is None
    place(tmp_path, [entry(b"part", CHUNK)])
    found = objects.packs.find_part(id_of(b"part"))
    assert found is not None
    assert found[0].read(found[1]) == b"part"
