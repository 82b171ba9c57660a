"""Taking objects in: what goes where, what it costs, and what is healed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import stored
from tests.packformat import CHUNK, OBJECT, RECIPE, Entry, hash_of, read_object, read_pack
from tests.store.objects.building import database, files, noise, place, size_of, table

from mlstore.durable import Staging
from mlstore.errors import CorruptObject, StorageError
from mlstore.hashing import BUFFER_SIZE, ObjectId
from mlstore.objects import SMALL, recipe, writer

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.objects import ObjectDatabase

MB = 1 << 20
BIG = noise(8 * MB, 5)
CSV = table(6 * MB, 1)


def id_of(data: bytes, name: str = "blake3") -> ObjectId:
    return ObjectId(hash_of(name, data))


def add(objects: ObjectDatabase, data: bytes, **how: Any) -> ObjectId:
    """Add a file with these bytes; the database has to give them back."""
    path = objects.loose.root.parent / "file"
    path.write_bytes(data)
    with objects.transaction() as made, path.open("rb") as file:
        digest = made.add_fd(file.fileno(), **how)
    assert (digest.id, digest.size) == (id_of(data, objects.format.name), len(data))
    assert objects.check(digest.id) == digest
    return digest.id


def kinds(folder: Path) -> dict[str, list[int]]:
    """Every id in a pack, and as what it is there."""
    found: dict[str, list[int]] = {}
    for pack in stored.packs(folder):
        for one in read_pack(pack.read_bytes()):
            found.setdefault(one.id, []).append(one.kind)
    return found


def parts_of(folder: Path, object_id: str) -> list[tuple[str, int, int]]:
    """The parts of a recipe, read by the second implementation."""
    import struct

    for pack in stored.packs(folder):
        for one in read_pack(pack.read_bytes()):
            if one.id == object_id and one.kind == RECIPE:
                return [(i.hex(), at, n) for i, at, n in struct.iter_unpack("<32sQQ", one.content()[17:])]
    raise KeyError(object_id)


# --- what goes where ----------------------------------------------------------------------------------------


def test_many_small_files_of_one_transaction_are_one_pack_and_no_loose_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [table(2000, seed) if seed % 2 else noise(2000, seed) for seed in range(500)]
    (tmp_path / "worktree").mkdir()
    for number, data in enumerate(contents):
        (tmp_path / "worktree" / str(number)).write_bytes(data)
    opened, synced = [], []
    true_open, true_fsync = os.open, os.fsync

    def counting_open(path: Any, flags: int, *args: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            opened.append(path)
        return true_open(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", counting_open)
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(fd) or true_fsync(fd))
    objects = database(tmp_path)
    objects.fsync = True
    with objects.transaction() as made:
        for path in sorted((tmp_path / "worktree").iterdir()):
            with path.open("rb") as file:
                made.add_fd(file.fileno())
    monkeypatch.undo()
    assert list(files(tmp_path)) == [f"pack/{path.name}" for path in stored.packs(tmp_path)]
    assert len(files(tmp_path)) == 1
    assert len(opened) <= 3, "the pack, the lock of the staging folder, and the lock for merging packs"
    assert 1 <= len(synced) <= 4
    assert {data: objects.read(id_of(data)) for data in contents} == {data: data for data in contents}
    assert size_of(tmp_path) <= sum(map(len, contents)) * 1.06


def test_a_pack_is_published_by_one_rename_and_is_read_only(tmp_path: Path) -> None:
    add(database(tmp_path), b"x")
    (path,) = stored.packs(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o444
    assert path.stat().st_nlink == 1
    assert path.stem == hash_of("blake3", path.read_bytes()[-56 - 1024 - 64 : -56])


@pytest.mark.parametrize(("size", "packed"), [(0, True), (SMALL, True), (SMALL + 1, False), (8 * MB, False)])
def test_large_opaque_files_stay_whole_and_loose(tmp_path: Path, size: int, packed: bool) -> None:
    data = BIG[:size]
    object_id = add(database(tmp_path), data)
    assert stored.loose_path(tmp_path, object_id).exists() == (not packed)
    assert bool(stored.packs(tmp_path)) == packed
    if not packed:
        assert stored.loose_path(tmp_path, object_id).read_bytes() == data


@pytest.mark.parametrize("name", ["blake3", "sha256"])
@pytest.mark.parametrize(
    "data", [CSV, BIG, bytes(5 * MB), BIG[: SMALL + 1]], ids=["csv", "noise", "zeros", "just"]
)
def test_large_data_files_are_cut_into_chunks(tmp_path: Path, name: str, data: bytes) -> None:
    objects = database(tmp_path, name)
    object_id = add(objects, data, chunked=True)
    assert not stored.loose_path(tmp_path, object_id).exists()
    found = kinds(tmp_path)
    assert found.pop(object_id) == [RECIPE]
    assert {kind for one in found.values() for kind in one} == {CHUNK}
    assert read_object(tmp_path / "objects", object_id) == data
    assert list(objects.ids()) == [object_id]
    assert objects.size(object_id) == len(data)


def test_what_shrinks_is_compressed_and_what_does_not_is_not(tmp_path: Path) -> None:
    add(database(tmp_path), CSV, chunked=True)
    assert size_of(tmp_path) < len(CSV) * 0.7
    before = size_of(tmp_path)
    add(database(tmp_path), BIG, chunked=True)
    assert size_of(tmp_path) - before < len(BIG) * 1.01
    assert not any(
        one.zstd and len(one.stored) >= one.size
        for pack in stored.packs(tmp_path)
        for one in read_pack(pack.read_bytes())
    )


def test_without_packs_everything_is_a_file_of_its_own(tmp_path: Path) -> None:
    objects = database(tmp_path, pack=False)
    ids = [add(objects, b"small"), add(objects, CSV, chunked=True), add(objects, BIG)]
    add(objects, BIG[:MB] + BIG, base=ids[2])
    assert stored.packs(tmp_path) == []
    assert len(files(tmp_path)) == 4
    for object_id in ids:
        assert hash_of("blake3", stored.loose_path(tmp_path, object_id).read_bytes()) == object_id


def test_what_is_packed_is_read_on_where_packs_are_no_longer_wanted(tmp_path: Path) -> None:
    packed = [add(database(tmp_path), b"small"), add(database(tmp_path), CSV, chunked=True)]
    objects = database(tmp_path, pack=False)
    add(objects, b"small")
    loose = add(objects, b"another")
    assert list(objects.ids()) == sorted([*packed, loose])
    assert [name for name in files(tmp_path) if not name.startswith("pack/")] == [f"{loose[:2]}/{loose[2:]}"]


def test_a_store_of_loose_objects_is_read_on_and_gets_packs_for_what_is_new(tmp_path: Path) -> None:
    old = database(tmp_path, pack=False)
    contents = {add(old, data): data for data in (b"one", b"two", CSV, BIG)}
    before = {name: (tmp_path / "objects" / name).stat() for name in files(tmp_path)}
    objects = database(tmp_path)
    for object_id, data in contents.items():
        assert add(objects, data, chunked=True, base=object_id) == object_id
    assert {name: (tmp_path / "objects" / name).stat().st_ino for name in files(tmp_path)} == {
        name: status.st_ino for name, status in before.items()
    }
    new = add(objects, b"three")
    assert len(stored.packs(tmp_path)) == 1
    assert {one: objects.read(one) for one in objects.ids()} == contents | {new: b"three"}


def test_the_same_file_twice_in_a_transaction_is_stored_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CSV)
    objects = database(tmp_path)
    with objects.transaction() as made:
        for _ in range(3):
            with path.open("rb") as file:
                made.add_fd(file.fileno(), chunked=True)
            made.add_bytes(b"small")
    assert all(len(found) == 1 for found in kinds(tmp_path).values())
    assert size_of(tmp_path) < len(CSV) * 0.7


def test_a_chunk_and_a_file_with_its_bytes_are_both_found(tmp_path: Path) -> None:
    """A small file that equals a chunk of a large one, added before, with, or after it."""
    add(database(tmp_path), BIG, chunked=True)
    chunk, offset, length = parts_of(tmp_path, id_of(BIG))[1]
    data = next(BIG[at : at + length] for at in (parts_of(tmp_path, id_of(BIG))[0][2],))
    assert (id_of(data), offset) == (chunk, 0)
    for order in ("file first", "chunk first", "one transaction", "the other way round"):
        folder = tmp_path / order
        folder.mkdir()
        objects = database(folder)
        if order in ("file first", "chunk first"):
            for step in (0, 1) if order == "file first" else (1, 0):
                add(objects, data) if step == 0 else add(objects, BIG, chunked=True)
        else:
            (folder / "big").write_bytes(BIG)
            with objects.transaction() as made, (folder / "big").open("rb") as file:
                if order == "the other way round":
                    made.add_bytes(data)
                made.add_fd(file.fileno(), chunked=True)
                made.add_bytes(data)
        assert list(objects.ids()) == list(database(folder).ids()) == sorted([id_of(data), id_of(BIG)])
        assert objects.read(id_of(data)) == data
        assert objects.read(id_of(BIG)) == BIG


def test_full_packs_are_closed_and_others_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PACK_LIMIT", 2 * MB)
    (tmp_path / "big").write_bytes(BIG)
    objects = database(tmp_path)
    with objects.transaction() as made, (tmp_path / "big").open("rb") as file:
        made.add_bytes(b"before")
        made.add_fd(file.fileno(), chunked=True)
        made.add_bytes(b"before")
        made.add_bytes(b"after")
    assert len(stored.packs(tmp_path)) >= 4
    assert objects.read(id_of(BIG)) == BIG
    assert all(len(found) == 1 for found in kinds(tmp_path).values())
    assert list(objects.ids()) == sorted(map(id_of, (b"before", b"after", BIG)))


def test_a_file_that_would_have_too_many_parts_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_PARTS", 3)
    monkeypatch.setattr(recipe, "MOST_PARTS", 3)
    objects = database(tmp_path)
    object_id = add(objects, BIG, chunked=True)
    assert stored.loose_path(tmp_path, object_id).read_bytes() == BIG
    assert objects.read(object_id) == BIG


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("pack", [False, True])
def test_what_comes_piece_by_piece_is_the_object_that_its_bytes_are(
    tmp_path: Path, chunked: bool, pack: bool
) -> None:
    objects = database(tmp_path, pack=pack)
    pieces = [CSV[at : at + 700_001] for at in range(0, len(CSV), 700_001)]
    with objects.transaction() as made:
        digest = made.add_stream(iter(pieces), len(CSV), chunked=chunked)
    assert digest is not None
    assert (digest.id, digest.size) == (id_of(CSV), len(CSV))
    assert objects.read(digest.id) == CSV
    assert stored.loose_path(tmp_path, digest.id).exists() == (not (chunked and pack))


@pytest.mark.parametrize("most", [2, 3])
def test_a_recipe_has_as_many_parts_as_are_allowed_and_no_more(
    tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_PARTS", most)
    objects = database(tmp_path)
    base = add(objects, BIG)
    changed = BIG[: 3 * MB] + b"x" + BIG[3 * MB :]
    object_id = add(objects, changed, base=base)
    if most == 3:
        assert len(parts_of(tmp_path, object_id)) == 3
    assert stored.loose_path(tmp_path, object_id).exists() == (most == 2)


@pytest.mark.parametrize("how", ["chunked", "base", "whole"])
def test_a_file_is_taken_from_where_its_descriptor_stands(tmp_path: Path, how: str) -> None:
    objects = database(tmp_path)
    base = add(objects, BIG)
    data = b"skipped" + BIG[: 3 * MB] + b"x" + BIG[3 * MB :]
    (tmp_path / "file").write_bytes(data)
    options: dict[str, Any] = {"chunked": {"chunked": True}, "base": {"base": base}, "whole": {}}[how]
    with objects.transaction() as made, (tmp_path / "file").open("rb", buffering=0) as file:
        file.seek(7)
        digest = made.add_fd(file.fileno(), **options)
    assert digest.id == id_of(data[7:])
    assert objects.read(digest.id) == data[7:]


# --- later versions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MB, 7])
def test_a_later_version_of_an_opaque_file_costs_what_is_new(tmp_path: Path, size: int) -> None:
    objects = database(tmp_path)
    old = add(objects, BIG)
    before = size_of(tmp_path)
    new = BIG[: 3 * MB] + noise(size, 9) + BIG[3 * MB :]
    object_id = add(objects, new, base=old)
    assert size_of(tmp_path) - before < size + 8192
    assert kinds(tmp_path)[object_id] == [RECIPE]
    assert {part[0] for part in parts_of(tmp_path, object_id)} >= {old}
    assert read_object(tmp_path / "objects", object_id) == new
    assert database(tmp_path).read(object_id) == new


def test_recipes_over_recipes_stay_one_step_deep(tmp_path: Path) -> None:
    objects = database(tmp_path)
    data, last = BIG, add(objects, BIG)
    versions = {last: data}
    for number in range(8):
        at = (number * 999_983) % len(data)
        data = data[:at] + noise(2000, number) + data[at + 500 * (number % 2) :]
        last = add(objects, data, base=last)
        versions[last] = data
        assert kinds(tmp_path)[last] == [RECIPE]
        for part, _, _ in parts_of(tmp_path, last):
            assert part == id_of(BIG) or kinds(tmp_path)[part] == [CHUNK]
    assert {one: database(tmp_path).read(one) for one in versions} == versions
    assert size_of(tmp_path) < len(BIG) + 8 * 10_000


def test_a_chunked_version_may_be_the_base_of_an_opaque_one(tmp_path: Path) -> None:
    objects = database(tmp_path)
    old = add(objects, BIG, chunked=True)
    new = BIG[:MB] + b"inserted" + BIG[MB:]
    object_id = add(objects, new, base=old)
    assert {kinds(tmp_path)[part][0] for part, _, _ in parts_of(tmp_path, object_id)} == {CHUNK}
    assert database(tmp_path).read(object_id) == new


def test_a_later_version_of_a_table_shares_its_chunks(tmp_path: Path) -> None:
    objects = database(tmp_path)
    add(objects, CSV, chunked=True)
    before, old = size_of(tmp_path), set(kinds(tmp_path))
    new = add(objects, CSV[: 2 * MB] + b"a,new,row\n" + CSV[2 * MB :] + table(1000, 3), chunked=True)
    assert size_of(tmp_path) - before < MB
    shared = [part for part, _, _ in parts_of(tmp_path, new) if part in old]
    assert len(shared) >= len(parts_of(tmp_path, new)) - 4


@pytest.mark.parametrize("kind", ["opaque", "csv"])
def test_a_megabyte_in_the_middle_of_a_large_file_grows_the_store_by_little(
    tmp_path: Path, kind: str
) -> None:
    objects = database(tmp_path)
    data = noise(32 * MB, 11)
    how: dict[str, Any] = {"chunked": True} if kind == "csv" else {}
    old = add(objects, data, **how)
    before = size_of(tmp_path)
    new = data[: 16 * MB] + noise(MB, 12) + data[16 * MB :]
    object_id = add(objects, new, **(how or {"base": old}))
    assert size_of(tmp_path) - before < 4 * MB
    assert database(tmp_path).read(object_id) == new


def test_a_version_that_shares_little_stays_whole(tmp_path: Path) -> None:
    objects = database(tmp_path)
    old = add(objects, BIG)
    new = add(objects, BIG[:MB] + noise(7 * MB, 8), base=old)
    assert stored.loose_path(tmp_path, new).exists()
    assert stored.packs(tmp_path) == []


def test_the_same_content_again_costs_nothing(tmp_path: Path) -> None:
    objects = database(tmp_path)
    for data, how in [(BIG, {}), (CSV, {"chunked": True})]:
        old = add(objects, data, **how)
        before = files(tmp_path)
        assert add(objects, data, base=old, **how) == old
        assert files(tmp_path) == before


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 5 * MB), st.integers(0, 400_000), st.integers(0, 400_000)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([{"chunked": True}, {}]),
)
def test_any_line_of_versions_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, int]], how: dict[str, bool]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    objects = database(folder)
    data = BIG[: 5 * MB]
    versions = {add(objects, data, **how): data}
    for number, (at, taken, given_) in enumerate(edits):
        data = data[:at] + noise(given_, number) + data[at + taken :]
        versions[add(objects, data, base=next(reversed(versions)), **how)] = data
    assert {one: database(folder).read(one) for one in versions} == versions


@pytest.mark.parametrize("what", ["missing", "damaged", "a recipe with a missing part", "small", "nonsense"])
def test_a_previous_version_that_is_no_use_is_done_without(tmp_path: Path, what: str) -> None:
    objects = database(tmp_path)
    base = add(objects, BIG)
    if what == "missing":
        stored.remove(tmp_path, base)
    elif what == "damaged":
        stored.replace(tmp_path, base, BIG[: 5 * MB])
    elif what == "a recipe with a missing part":
        original, base = base, add(objects, BIG[:MB] + b"x" + BIG[MB:], base=base)
        stored.remove(tmp_path, original)
    elif what == "small":
        base = add(objects, b"small")
    else:
        base = ObjectId("0" * 64)
    new = BIG[:MB] + b"y" + BIG[MB:]
    object_id = add(database(tmp_path), new, base=base)
    assert database(tmp_path).read(object_id) == new


# --- damage and healing -------------------------------------------------------------------------------------


def spoil(folder: Path, object_id: str, kind: int) -> None:
    """Flip a bit of the object's own entry, or of the first chunk that it is made of."""
    wanted = object_id if kind != CHUNK else parts_of(folder, object_id)[0][0]
    stored.find(folder, wanted).flip(5)


@pytest.mark.parametrize(("data", "kind"), [(b"small", OBJECT), (CSV, RECIPE), (CSV, CHUNK), (BIG, CHUNK)])
def test_adding_the_file_again_heals_it(tmp_path: Path, data: bytes, kind: int) -> None:
    object_id = add(database(tmp_path), data, chunked=True)
    spoil(tmp_path, object_id, kind)
    with pytest.raises(CorruptObject):
        database(tmp_path).read(object_id)
    assert add(database(tmp_path), data, chunked=True) == object_id
    objects = database(tmp_path)
    assert objects.read(object_id) == data
    for checked in objects.check_packs():
        assert checked.error is None
        for chunk in checked.chunks:
            objects.check_chunk(chunk)


@pytest.mark.parametrize("how", [{"chunked": True}, {"base": True}, {}])
def test_a_damaged_loose_copy_is_not_left_in_front_of_the_good_one(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    """A file that was stored whole, and by now would be stored in parts."""
    base = add(database(tmp_path, pack=False), BIG)
    data = BIG[:MB] + b"x" + BIG[MB:]
    object_id = add(database(tmp_path, pack=False), data)
    stored.find(tmp_path, object_id).flip(100)
    with pytest.raises(CorruptObject):
        database(tmp_path).read(object_id)
    how = {"base": base} if "base" in how else how
    assert add(database(tmp_path), data, **how) == object_id
    assert database(tmp_path).read(object_id) == data


def test_a_damaged_chunk_does_not_spread_into_new_files(tmp_path: Path) -> None:
    add(database(tmp_path), BIG, chunked=True)
    victim, _, _ = parts_of(tmp_path, id_of(BIG))[0]
    stored.find(tmp_path, victim).flip(77)
    new = BIG + b"appended"
    object_id = add(database(tmp_path), new, chunked=True)
    assert database(tmp_path).read(object_id) == new
    assert database(tmp_path).read(id_of(BIG)) == BIG, "and the old file is whole again too"


def test_a_chunk_with_other_bytes_and_a_right_checksum_is_no_end_of_the_file(tmp_path: Path) -> None:
    """As an attacker would leave it: adding the file again makes it whole, as a file of its own."""
    add(database(tmp_path), BIG, chunked=True)
    victim, _, length = parts_of(tmp_path, id_of(BIG))[0]
    stored.replace(tmp_path, victim, noise(length, 666))
    with pytest.raises(CorruptObject):
        database(tmp_path).read(id_of(BIG))
    with pytest.raises(CorruptObject):
        database(tmp_path).check_chunk(ObjectId(victim))
    add(database(tmp_path), BIG, chunked=True)
    assert database(tmp_path).read(id_of(BIG)) == BIG
    assert stored.loose_path(tmp_path, id_of(BIG)).read_bytes() == BIG


def test_a_small_object_with_other_bytes_and_a_right_checksum_is_healed(tmp_path: Path) -> None:
    place(tmp_path, [Entry(id_of(b"good"), OBJECT, 3, False, b"bad")])
    with pytest.raises(CorruptObject):
        database(tmp_path).read(id_of(b"good"))
    add(database(tmp_path), b"good")
    assert database(tmp_path).read(id_of(b"good")) == b"good"


def test_a_pack_of_the_same_name_with_damaged_entries_is_replaced(tmp_path: Path) -> None:
    """Its index is as it was, so the name is the same: what counts is whether the entries are whole."""
    object_id = add(database(tmp_path), CSV, chunked=True)
    (path,) = stored.packs(tmp_path)
    good = path.read_bytes()
    for one in read_pack(good):
        stored.Place(path, one.offset, len(one.stored)).flip()
    objects = database(tmp_path)
    with pytest.raises(CorruptObject):
        objects.read(object_id)
    assert add(objects, CSV, chunked=True) == object_id
    assert objects.read(object_id) == database(tmp_path).read(object_id) == CSV


# --- all or nothing -----------------------------------------------------------------------------------------


def explode(*_args: Any, **_more: Any) -> Any:
    raise StorageError("no space left on device")


@pytest.mark.parametrize(
    "owner", [(writer.PackBuilder, "finish"), (Staging, "publish"), (writer.ObjectWriter, "_add_chunk")]
)
def test_an_error_leaves_what_was_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: tuple[Any, str]
) -> None:
    objects = database(tmp_path)
    contents = {add(objects, b"old"): b"old", add(objects, BIG): BIG}
    before = files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(*owner, explode)
        (tmp_path / "csv").write_bytes(CSV)
        with (
            pytest.raises(StorageError),
            objects.transaction() as made,
            (tmp_path / "csv").open("rb") as file,
        ):
            made.add_bytes(b"new")
            made.add_fd(file.fileno(), chunked=True)
    assert files(tmp_path) == before
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {one: objects.read(one) for one in objects.ids()} == contents


def test_a_reader_sees_nothing_before_the_end(tmp_path: Path) -> None:
    objects, reader = database(tmp_path), database(tmp_path)
    (tmp_path / "csv").write_bytes(CSV)
    with objects.transaction() as made, (tmp_path / "csv").open("rb") as file:
        made.add_fd(file.fileno(), chunked=True)
        made.add_bytes(b"small")
        assert files(tmp_path) == {}
        assert list(reader.ids()) == list(objects.ids()) == []
    assert list(reader.ids()) == sorted(map(id_of, (CSV, b"small")))


KILLED = """if True:
    import os, signal, sys
    from pathlib import Path
    from mlstore.hashing import object_format
    from mlstore.objects import ObjectDatabase

    folder, name, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    fmt = object_format("blake3")
    objects = ObjectDatabase(folder / "objects", fmt, scratch=folder / "tmp", fsync=True)
    true, count = getattr(os, name), 0

    def killing(*args, **more):
        global count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return true(*args, **more)

    setattr(os, name, killing)
    with objects.transaction() as writer:
        with (folder / "csv").open("rb") as file:
            writer.add_fd(file.fileno(), chunked=True)
        with (folder / "big").open("rb") as file:
            writer.add_fd(file.fileno())
        writer.add_bytes(b"small")
    print("acknowledged")
    """


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("name", ["link", "unlink", "write", "fsync"])
def test_a_kill_at_any_moment_leaves_a_sound_store(tmp_path: Path, name: str) -> None:
    """What is there is whole; what was acknowledged is there; a second try succeeds beside the rubble."""
    (tmp_path / "csv").write_bytes(CSV[: 2 * MB])
    (tmp_path / "big").write_bytes(BIG[: 2 * MB])
    wanted = {id_of(data): data for data in (CSV[: 2 * MB], BIG[: 2 * MB], b"small")}
    number, acknowledged = 0, False
    while not acknowledged and number < 100:
        number += 1
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), name, str(number)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        acknowledged = done.stdout == "acknowledged\n"
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        objects = database(tmp_path)
        for object_id in objects.ids():
            assert objects.read(object_id) == wanted[object_id]
        assert not any(checked.error for checked in objects.check_packs())
    assert number > 1
    assert list(database(tmp_path).ids()) == sorted(wanted)


# --- memory -------------------------------------------------------------------------------------------------

LARGE = """if True:
    import os, resource, sys
    from pathlib import Path
    from mlstore.hashing import object_format
    from mlstore.objects import ObjectDatabase, chunker, delta
    import pyfastcdc, zstandard

    folder = Path(sys.argv[1])
    fmt = object_format("blake3")
    objects = ObjectDatabase(folder / "objects", fmt, scratch=folder / "tmp", fsync=False)
    resource.setrlimit(resource.RLIMIT_DATA, (140 << 20, 140 << 20))

    def add(name, **how):
        with objects.transaction() as writer, (folder / name).open("rb") as file:
            return writer.add_fd(file.fileno(), **how)

    for how in ({"chunked": True}, {}):
        first = add("one", **how)
        second = add("two", **(how or {"base": first.id}))
        for digest in (first, second):
            assert objects.check(digest.id) == digest
            assert sum(map(len, objects.stream(digest.id))) == digest.size
    try:
        bytearray(150 << 20)
    except MemoryError:
        print("the limit holds")
    """


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA binds only on Linux")
@pytest.mark.parametrize("opaque", [False, True], ids=["csv", "opaque"])
def test_files_far_larger_than_memory_are_stored_and_read_in_parts(tmp_path: Path, opaque: bool) -> None:
    """300 MB and a second version of it, in a process that may have 140 MB of data."""
    block = noise(10 * MB, 1) if opaque else table(10 * MB, 1)
    with (tmp_path / "one").open("wb") as one, (tmp_path / "two").open("wb") as two:
        for number in range(30):
            data = b"%d\n" % number + block
            one.write(data)
            two.write(b"another row\n" + data if number == 15 else data)
    code = LARGE.replace('({"chunked": True}, {})', "({},)" if opaque else '({"chunked": True},)')
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"RAYON_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.stdout, done.stderr) == ("the limit holds\n", "")


def test_a_large_file_is_read_buffer_by_buffer(tmp_path: Path) -> None:
    objects = database(tmp_path)
    object_id = add(objects, CSV, chunked=True)
    assert max(map(len, objects.stream(object_id))) <= BUFFER_SIZE
