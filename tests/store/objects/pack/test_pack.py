"""One pack: lookups, and every way in which its bytes can lie."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import stored
from tests.packformat import CHUNK, OBJECT, RECIPE, Entry, hash_of, recipe_of, write_pack
from tests.store.objects.building import database, entry, noise, place, small_pack

from mlstore.errors import CorruptError, CorruptFile, CorruptObject, MlstoreError, StorageError
from mlstore.hashing import ObjectId
from mlstore.objects import ObjectDatabase
from mlstore.objects.pack import Pack, pack
from mlstore.objects.pack.codec import ENTRY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable


def open_pack(path: Path) -> Pack:
    return Pack(path, "blake3")


def complaints(objects: ObjectDatabase) -> list[str]:
    """All that a check of everything says: packs, chunks, and each object that is listed."""
    found: list[str] = []
    for checked in objects.check_packs():
        found += [str(one) for one in (checked.error, *checked.spares) if one is not None]
        for chunk_id in checked.chunks:
            try:
                objects.check_chunk(chunk_id)
            except CorruptError as exc:
                found.append(str(exc))
    for object_id in objects.ids():
        try:
            objects.check(object_id)
        except CorruptError as exc:
            found.append(str(exc))
    return found


def never_lies(objects: ObjectDatabase, contents: dict[ObjectId, bytes]) -> bool:
    """Whether every object is read as it was; it may be refused as damaged, but be nothing else."""
    whole = True
    for object_id, data in contents.items():
        try:
            assert objects.read(object_id) == data
            assert objects.size(object_id) == len(data)
        except CorruptError:
            whole = False
        with contextlib.suppress(CorruptError):
            assert objects.check(object_id).size == len(data)
        with contextlib.suppress(CorruptError):
            assert objects.kind(object_id) == "blob"
        for found in objects.with_prefix(object_id[:9]):
            with contextlib.suppress(CorruptError):
                assert hash_of("blake3", objects.read(found)) == found
    return whole


# --- lookups ------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=9), max_size=40, unique=True), st.lists(st.binary(max_size=9), max_size=9))
def test_a_pack_answers_like_a_dict(
    tmp_path_factory: pytest.TempPathFactory, inside: list[bytes], others: list[bytes]
) -> None:
    model = {hash_of("blake3", data): data for data in inside}
    found = open_pack(place(tmp_path_factory.mktemp("pack"), map(entry, inside)))
    assert len(found) == len(model)
    assert [one.id for one in found.entries()] == sorted(model)
    for data in (*inside, *others):
        one = found.find(ObjectId(hash_of("blake3", data)))
        assert (one is not None) == (data in inside)
        if one is not None:
            assert found.read(one) == data


def test_ids_that_look_like_one_another_across_their_borders_are_told_apart(tmp_path: Path) -> None:
    ids = ["0101" + "00" + "01" * 29, "01" * 32, "0102" + "01" * 30]
    entries = [entry(b"%d" % at)._replace(id=one) for at, one in enumerate(ids)]
    found = open_pack(place(tmp_path, entries))
    assert [found.number(ObjectId(one)) for one in ids] == [0, 1, 2]
    assert found.number(ObjectId("01" * 31 + "00")) is None


@pytest.mark.parametrize("window", [1, 2, 3])
def test_entries_are_located_window_by_window(
    tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "_WINDOW", window)
    entries = sorted(
        (entry(b"%d" % at, CHUNK if at % 3 else OBJECT) for at in range(7)), key=lambda one: one.id
    )
    found = open_pack(place(tmp_path, entries))
    # The rows are bytes that could be taken for ids by who reads too far.
    behind = found.columns(0, 7)[1][:32].hex()
    for at in range(7):
        wanted = [ObjectId(entries[at].id), ObjectId("ab" * 32), ObjectId(behind)]
        assert [one.id for one in found.locate(wanted)] == [entries[at].id]
        assert list(found.objects_among(wanted)) == wanted[: entries[at].kind == OBJECT]
    assert [one.id for one in found.entries()] == [one.id for one in entries]
    found.check_index()
    assert found.read_index().ids.hex() == "".join(one.id for one in entries)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_an_id_that_is_there_twice_is_refused_also_at_the_border_of_a_window(
    tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "_WINDOW", window)
    twice = max((entry(b"%d" % at) for at in range(3)), key=lambda one: one.id)
    entries = [entry(b"%d" % at) for at in range(3)]
    found = open_pack(place(tmp_path, [*entries, twice]))
    with pytest.raises(CorruptFile, match="not in order"):
        found.check_index()


@pytest.mark.parametrize("read", [Pack.check_index, Pack.read_index])
@pytest.mark.parametrize("zstd", [False, True])
def test_an_index_that_gives_a_plain_entry_two_sizes_is_refused(
    tmp_path: Path, read: Callable[[Pack], object], zstd: bool
) -> None:
    wrong = entry(b"x" * 300, zstd=zstd)._replace(size=301)
    found = open_pack(place(tmp_path, [entry(b"plain"), wrong]))
    if zstd:  # how large it really is only decompressing tells
        read(found)
        return
    with pytest.raises(CorruptFile, match="two sizes"):
        read(found)


@pytest.mark.parametrize("read", [Pack.check_index, Pack.read_index])
def test_a_checksum_that_was_changed_in_the_index_is_noticed(
    tmp_path: Path, read: Callable[[Pack], object]
) -> None:
    path = place(tmp_path, [entry(b"plain"), entry(b"other")])
    data = bytearray(path.read_bytes())
    data[-56 - 1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match="its index is damaged"):
        read(open_pack(path))


@pytest.mark.parametrize("window", [1, 3, 1 << 15])
def test_many_ids_of_one_bucket_are_told_apart(
    tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "_LARGEST_BUCKET", window)
    monkeypatch.setattr(pack, "_WINDOW", window)
    ids = [f"77{number:062x}" for number in (*range(0, 60, 3), 16**61, 16**62 - 1)]
    found = open_pack(place(tmp_path, [Entry(one, OBJECT, 1, False, b"x") for one in ids]))
    assert [one.id for one in found.entries()] == ids
    for number in range(70):
        one = ObjectId(f"77{number:062x}")
        assert (found.find(one) is not None) == (one in ids)
    assert found.find(ObjectId(ids[-1])) is not None
    assert found.find(ObjectId("76" + "f" * 62)) is found.find(ObjectId("78" + "0" * 62)) is None
    assert [one.id for one in found.with_prefix("77f")] == [ids[-1]]
    assert list(found.with_prefix("78")) == []


def test_an_id_is_found_only_where_one_begins(tmp_path: Path) -> None:
    """The end of one id and the start of the next are no id."""
    one, two = "77" * 31 + "78", "77" * 31 + "79"
    found = open_pack(place(tmp_path, [Entry(name, OBJECT, 1, False, b"x") for name in (one, two)]))
    assert found.find(ObjectId("77" * 30 + "7877")) is None
    assert found.find(ObjectId("77" * 32)) is None
    assert found.find(ObjectId(two)) is not None


def test_an_empty_pack_holds_nothing(tmp_path: Path) -> None:
    found = open_pack(place(tmp_path, []))
    assert list(found.entries()) == []
    assert found.find(ObjectId("0" * 64)) is None
    found.check()


def test_threads_share_a_pack(tmp_path: Path) -> None:
    blobs = [noise(5000, seed) for seed in range(40)]
    found = open_pack(place(tmp_path, map(entry, blobs)))
    wrong = []

    def read_all() -> None:
        for data in blobs * 5:
            one = found.find(ObjectId(hash_of("blake3", data)))
            if one is None or found.read(one) != data:
                wrong.append(data)

    threads = [threading.Thread(target=read_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- damage -------------------------------------------------------------------------------------------------


def test_a_bit_of_everything_is_sound(tmp_path: Path) -> None:
    entries, contents = small_pack()
    place(tmp_path, entries)
    objects = database(tmp_path)
    assert never_lies(objects, contents)
    assert complaints(objects) == []
    assert list(objects.ids()) == sorted(contents)


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_every_flipped_byte_is_noticed_and_none_is_believed(tmp_path: Path, mask: int) -> None:
    entries, contents = small_pack()
    path = place(tmp_path, entries)
    data = path.read_bytes()
    path.chmod(0o644)
    for at in range(len(data)):
        bad = bytearray(data)
        bad[at] ^= mask
        path.write_bytes(bad)
        objects = database(tmp_path)
        whole = never_lies(objects, contents)
        assert complaints(objects), f"nobody noticed the byte at {at}"
        if 16 <= at < 16 + sum(len(one.stored) for one in entries):
            assert not whole


def test_a_pack_cut_off_anywhere_is_noticed(tmp_path: Path) -> None:
    entries, contents = small_pack()
    path = place(tmp_path, entries)
    data = path.read_bytes()
    path.chmod(0o644)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        objects = database(tmp_path)
        assert not never_lies(objects, contents)
        assert complaints(objects), length


def test_a_pack_cut_off_while_it_is_open_is_an_error_and_no_crash(tmp_path: Path) -> None:
    entries, contents = small_pack()
    path = place(tmp_path, entries)
    data = path.read_bytes()
    path.chmod(0o644)
    for length in range(0, len(data), 37):
        objects = database(tmp_path)
        assert list(objects.ids())
        path.write_bytes(data[:length])
        never_lies(objects, contents)
        complaints(objects)
        path.write_bytes(data)


@pytest.mark.parametrize("garbage", [b"\0", b"MLSPEND1", b"x" * 1000])
def test_garbage_at_the_end_is_noticed(tmp_path: Path, garbage: bytes) -> None:
    entries, contents = small_pack()
    path = place(tmp_path, entries)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + garbage)
    assert not never_lies(database(tmp_path), contents)
    assert complaints(database(tmp_path))


@settings(max_examples=300)
@given(st.data())
def test_a_pack_overwritten_anywhere_never_lies(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    entries, contents = small_pack()
    path = place(folder, entries)
    good = path.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = data.draw(st.binary(min_size=1, max_size=200))
    path.chmod(0o644)
    path.write_bytes(good[:at] + bad + good[at + len(bad) :])
    never_lies(database(folder), contents)
    if path.read_bytes() != good:
        assert complaints(database(folder))


def write_raw(folder: Path, edit: Callable[[bytearray, int], None]) -> Path:
    """A pack of three entries whose index EDIT changes, with every checksum made right again."""
    import struct

    from tests.packformat import footer

    _, data = write_pack([entry(b"one"), entry(b"two"), entry(b"three" * 100, zstd=True)])
    index_at = struct.unpack_from("<Q", data, len(data) - 48)[0]
    count = struct.unpack_from("<Q", data, len(data) - 56)[0]
    index = bytearray(data[index_at:-56])
    edit(index, index_at)
    body = data[:index_at]
    name = hash_of("blake3", bytes(index))
    return stored.put_pack(
        folder / "objects" / "pack", name, body + bytes(index) + footer(body, count, bytes(index))
    )


def put_offset(value: int) -> Callable[[bytearray, int], None]:
    def edit(index: bytearray, index_at: int) -> None:
        index[1024 + 96 : 1024 + 104] = (value % (1 << 64)).to_bytes(8, "little")

    return edit


def overlap(index: bytearray, index_at: int) -> None:
    rows = 1024 + 96
    index[rows : rows + 32] = index[rows + 32 : rows + 64]


def unsorted(index: bytearray, index_at: int) -> None:
    index[1024:1056], index[1056:1088] = index[1056:1088], index[1024:1056]


def same_twice(index: bytearray, index_at: int) -> None:
    index[1056:1088] = index[1024:1056]


def fan_out_down(index: bytearray, index_at: int) -> None:
    index[0:4] = (3).to_bytes(4, "little")
    index[4:8] = (2).to_bytes(4, "little")


def fan_out_huge(index: bytearray, index_at: int) -> None:
    index[0:1024] = b"\xff" * 1024


def fan_out_empty(index: bytearray, index_at: int) -> None:
    index[0:1024] = bytes(1024)


def fan_out_early(index: bytearray, index_at: int) -> None:
    index[0:1024] = (3).to_bytes(4, "little") * 256


HOSTILE = {
    "offset past the end": put_offset(1 << 40),
    "offset in the index": lambda index, at: put_offset(at)(index, at),
    "offset in the header": put_offset(0),
    "offset that wraps": put_offset(-1),
    "overlapping": overlap,
    "unsorted": unsorted,
    "the same id twice": same_twice,
    "fan-out that falls": fan_out_down,
    "fan-out past the end": fan_out_huge,
    "fan-out of nothing": fan_out_empty,
    "fan-out with all in the first": fan_out_early,
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_index_with_right_checksums_is_noticed_and_never_believed(
    tmp_path: Path, edit: Callable[[bytearray, int], None]
) -> None:
    write_raw(tmp_path, edit)
    objects = database(tmp_path)
    contents = {ObjectId(hash_of("blake3", data)): data for data in (b"one", b"two", b"three" * 100)}
    assert never_lies(objects, contents) is False
    assert complaints(objects)
    assert complaints(database(tmp_path))


@pytest.mark.parametrize("number", range(3))
def test_bytes_between_the_entries_that_nothing_names_are_noticed(tmp_path: Path, number: int) -> None:
    def skip(index: bytearray, index_at: int) -> None:
        """Make one entry empty: its bytes are left over."""
        import xxhash

        row = 1024 + 96 + 32 * number
        index[row + 8 : row + 20] = bytes(12)
        index[row + 20] = 0
        index[row + 24 : row + 32] = xxhash.xxh3_64_digest(b"")

    write_raw(tmp_path, skip)
    assert any("back to back" in told for told in complaints(database(tmp_path)))


def test_an_index_of_another_pack_is_noticed(tmp_path: Path) -> None:
    entries, contents = small_pack()
    path = place(tmp_path, entries)
    path.rename(path.with_name("f" * 64 + ".pack"))
    assert never_lies(database(tmp_path), contents)
    assert any("another pack" in told for told in complaints(database(tmp_path)))


def test_a_pack_of_another_object_format_is_refused_and_told(tmp_path: Path) -> None:
    place(tmp_path, [entry(b"x", name="sha256")], "sha256")
    objects = database(tmp_path)
    assert list(objects.ids()) == []
    assert any("not begin like a pack of this repository" in told for told in complaints(objects))
    with pytest.raises(CorruptObject, match="does not begin like"):
        objects.read(ObjectId(hash_of("sha256", b"x")))


def test_the_formats_have_packs_of_their_own(tmp_path: Path) -> None:
    place(tmp_path, [entry(b"x", name="sha256")], "sha256")
    objects = database(tmp_path, "sha256")
    assert complaints(objects) == []
    assert objects.read(ObjectId(hash_of("sha256", b"x"))) == b"x"


# --- decompression ------------------------------------------------------------------------------------------


def frame(data: bytes, *, size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(level=19, write_content_size=size).compress(data)


def frame_that_says(size: int) -> bytes:
    """A frame whose header promises SIZE bytes, and which holds none of them."""
    return b"\x28\xb5\x2f\xfd" + bytes([0xE0]) + size.to_bytes(8, "little") + b"\x01\x00\x00"


BOMBS = {
    "more than the row says": Entry("", OBJECT, 10, True, frame(bytes(1000))),
    "far more than the row says": Entry("", OBJECT, 10, True, frame(bytes(50 << 20))),
    "less than the row says": Entry("", OBJECT, 1001, True, frame(bytes(1000))),
    "both say a gigabyte": Entry("", OBJECT, 1 << 30, True, frame_that_says(1 << 30)),
    "both say an exabyte": Entry("", OBJECT, 1 << 60, True, frame_that_says(1 << 60)),
    "the frame says all that there can be": Entry("", OBJECT, 5, True, frame_that_says((1 << 64) - 3)),
    "the frame holds less than both say": Entry("", OBJECT, 1000, True, frame_that_says(1000)),
    "the frame does not say": Entry("", OBJECT, 1000, True, frame(bytes(1000), size=False)),
    "a recipe of a gigabyte": Entry("", RECIPE, 1000, True, frame_that_says(1 << 30)),
    "a recipe beyond the limit": Entry("", RECIPE, 1000, True, frame(bytes(ENTRY_LIMIT + 1))),
    "no frame": Entry("", OBJECT, 1000, True, b"no frame at all"),
    "nothing": Entry("", OBJECT, 1000, True, b""),
    "half a frame": Entry("", OBJECT, 5000, True, frame(noise(5000))[:3000]),
    "two frames": Entry("", OBJECT, 1000, True, frame(bytes(1000)) * 2),
    "garbage behind the frame": Entry("", OBJECT, 1000, True, frame(bytes(1000)) + b"x"),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_decompression_bomb_is_refused(tmp_path: Path, bomb: Entry) -> None:
    bomb = bomb._replace(id=hash_of("blake3", bytes(1000)))
    place(tmp_path, [bomb, entry(b"a good one")])
    objects = database(tmp_path)
    for look in (objects.read, objects.check, objects.kind, lambda one: list(objects.stream(one))):
        with pytest.raises(CorruptError):
            look(ObjectId(bomb.id))
    assert complaints(objects)
    if bomb.size <= ENTRY_LIMIT:
        assert objects.read(ObjectId(hash_of("blake3", b"a good one"))) == b"a good one"


def test_the_size_of_a_recipe_is_not_that_of_its_own_bytes(tmp_path: Path) -> None:
    data = noise(1000)
    body = recipe_of([(hash_of("blake3", data[:500]), 0, 500), (hash_of("blake3", data[500:]), 0, 500)])
    made = Entry(hash_of("blake3", data), RECIPE, 1000, True, frame(body))
    place(tmp_path, [made, entry(data[:500], CHUNK), entry(data[500:], CHUNK)])
    assert database(tmp_path).read(ObjectId(made.id)) == data


# --- what is no pack ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", ["folder", "link", "dangling", "pipe"])
def test_what_is_no_regular_file_is_neither_followed_nor_waited_for(tmp_path: Path, plant: str) -> None:
    good = place(tmp_path, [entry(b"good")])
    path = good.with_name("0" * 64 + ".pack")
    if plant == "folder":
        path.mkdir()
    elif plant == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(good if plant == "link" else tmp_path / "nowhere")
    objects = database(tmp_path)
    assert objects.read(ObjectId(hash_of("blake3", b"good"))) == b"good"
    assert any("no regular file" in told for told in complaints(objects))
    assert list(objects.strangers()) == [path]


def test_a_pack_that_may_not_be_read_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, [entry(b"x")])

    def denied(*_args: object, **_more: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(StorageError, match=path.name):
        open_pack(path)


def test_a_pack_that_is_gone_leaves_no_descriptor_and_no_noise(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_pack(tmp_path / ("0" * 64 + ".pack"))
    path = place(tmp_path, [entry(b"x")])
    path.chmod(0o644)
    path.write_bytes(b"short")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        with pytest.raises(CorruptFile):
            open_pack(path)
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before


def test_errors_name_the_pack_and_say_what_to_do(tmp_path: Path) -> None:
    path = place(tmp_path, [entry(b"x")])
    path.chmod(0o644)
    path.write_bytes(b"short")
    with pytest.raises(MlstoreError, match=path.stem[:10]) as caught:
        open_pack(path)
    assert caught.value.hint
    assert caught.value.data["path"] == f"objects/pack/{path.name}"


def test_a_run_at_the_end_of_a_large_pack_is_read_and_no_byte_more(tmp_path: Path) -> None:
    """What it reads may not reach past the end of the file."""
    path = place(tmp_path, [entry(noise(5000)), entry(b"one"), entry(b"two")])
    with contextlib.closing(Pack(path, "blake3")) as pack:
        last = sorted(pack.entries(), key=lambda one: one.offset)[-2:]
        assert [data for _, data in pack.read_run(last)] == [b"one", b"two"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_closed_pack_is_read_without_staying_open(tmp_path: Path) -> None:
    pack = open_pack(place(tmp_path, [entry(b"one")]))
    pack.close()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    assert [pack.read(one) for one in pack.entries()] == [b"one"]
    assert len(os.listdir("/proc/self/fd")) == before
