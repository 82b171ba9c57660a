"""What is kept of a damaged pack: all that is sound, proved by its own bytes, and nothing else."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from tests import stored
from tests.packformat import CHUNK, OBJECT, Entry, hash_of, read_pack, write_pack
from tests.store.objects.building import database, entry, noise, place, recipe, small_pack

from mlstore.errors import ObjectNotFound
from mlstore.hashing import ObjectId, object_format
from mlstore.model import Person, Tree, TreeEntry, encode_commit, encode_tag, encode_tree
from mlstore.model.commit import Commit
from mlstore.model.tag import Tag
from mlstore.objects.mend import Mender, Salvaged
from mlstore.objects.salvage import Damaged, Sound, Wreck

if TYPE_CHECKING:
    from collections.abc import Iterable

ADA = Person("Ada", "ada@example.org")
BLAKE3 = object_format("blake3")
WHEN = "2026-01-16T15:24:48Z"
Wanted = dict[ObjectId, int | None]


def mender(folder: Path) -> Mender:
    (folder / "tmp").mkdir(exist_ok=True)
    return Mender(
        database(folder),
        scratch=folder / "tmp",
        lock=folder / "locks/packs",
        fsync=False,
        aside=folder / "aside",
    )


def rescue(folder: Path, pack: Path, wanted: Wanted | None = None, **more: Any) -> Salvaged:
    return mender(folder).rescue(pack.stem, wanted or {}, **more)


def overwrite(pack: Path, data: bytes) -> None:
    pack.chmod(0o644)
    pack.write_bytes(data)


def flipped(data: bytes, at: int, bit: int = 2) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def held(folder: Path, ids: Iterable[ObjectId]) -> dict[ObjectId, bytes]:
    found, objects = {}, database(folder)
    for object_id in ids:
        try:
            found[object_id] = objects.read(object_id)
        except ObjectNotFound:
            continue
    return found


def judged(pack: Path, wanted: Wanted | None = None) -> tuple[set[str], set[str]]:
    """The ids of what is sound, and of what is not."""
    found = list(Wreck(pack, BLAKE3).entries(wanted or {}))
    return (
        {one.entry.id for one in found if isinstance(one, Sound)},
        {one.id for one in found if isinstance(one, Damaged)},
    )


# an index that can be proved


@pytest.mark.parametrize("at", [0, 7, 9, 15, -1, -8, -12, -20, -24, -40, -48, -56])
def test_damaged_ends_cost_nothing_and_the_pack_is_made_again_as_it_was(tmp_path: Path, at: int) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    whole = pack.read_bytes()
    overwrite(pack, flipped(whole, at % len(whole)))
    found = rescue(tmp_path, pack)
    assert (len(found.kept), found.lost) == (len(entries), [])
    assert pack.read_bytes() == whole
    assert held(tmp_path, contents) == contents
    assert (tmp_path / "aside/objects/pack" / pack.name).read_bytes() == flipped(whole, at % len(whole))


@pytest.mark.parametrize("more", [b"x", bytes(4096), b"MLSPEND1", b"MLSPEND1" * 30, noise(1 << 21)])
def test_what_was_appended_is_no_matter(tmp_path: Path, more: bytes) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    whole = pack.read_bytes()
    overwrite(pack, whole + more)
    assert rescue(tmp_path, pack).lost == []
    assert pack.read_bytes() == whole
    assert held(tmp_path, contents) == contents


def test_another_pack_that_was_appended_is_not_taken_for_this_one(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    whole = pack.read_bytes()
    overwrite(pack, whole + write_pack([entry(b"of another pack")])[1])
    assert rescue(tmp_path, pack).lost == []
    assert held(tmp_path, contents) == contents


def test_a_footer_of_garbage_is_no_matter(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    overwrite(pack, pack.read_bytes()[:-56] + noise(56))
    assert rescue(tmp_path, pack).lost == []
    assert held(tmp_path, contents) == contents


def test_a_damaged_entry_is_lost_and_the_others_are_not(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    plain = next(one for one in read_pack(pack.read_bytes()) if one.content() == b"plain")
    overwrite(pack, flipped(pack.read_bytes(), plain.offset))
    found = rescue(tmp_path, pack)
    assert [one.id for one in found.lost] == [plain.id]
    assert len(found.kept) == len(entries) - 1
    assert held(tmp_path, contents) == {one: data for one, data in contents.items() if one != plain.id}
    assert not pack.exists()


def test_an_entry_with_a_true_checksum_and_other_bytes_is_lost(tmp_path: Path) -> None:
    forged = entry(b"honest")._replace(stored=b"forged")
    pack = place(tmp_path, [forged, entry(b"other")])
    found = rescue(tmp_path, pack)
    assert [one.id for one in found.lost] == [forged.id]


def test_a_recipe_with_damaged_bytes_is_lost_though_it_can_be_read(tmp_path: Path) -> None:
    whole = b"some of this, some of that"
    made = recipe(whole[:9], [(hash_of("blake3", whole), 0, 9)])
    pack = place(tmp_path, [entry(whole), made])
    at = next(one for one in read_pack(pack.read_bytes()) if one.id == made.id)
    stored.Place(pack, at.offset, len(at.stored)).flip(-16)  # where in the other it begins
    assert judged(pack) == ({hash_of("blake3", whole)}, {made.id})


def test_a_recipe_of_another_size_than_its_index_says_is_lost(tmp_path: Path) -> None:
    whole = b"some of this, some of that"
    made = recipe(whole[:9], [(hash_of("blake3", whole), 0, 9)])._replace(size=10)
    pack = place(tmp_path, [entry(whole), made])
    assert judged(pack) == ({hash_of("blake3", whole)}, {made.id})


def test_recipes_can_be_left_behind(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack, made = place(tmp_path, entries), entries[-1].id
    found = rescue(tmp_path, pack, without={ObjectId(made)})
    assert made not in found.kept
    assert held(tmp_path, contents).keys() == contents.keys() - {made}


# an index that is damaged


def test_any_damaged_byte_of_the_index_costs_nothing(tmp_path: Path) -> None:
    """Of the ids, the rows, and every 16th of the fan-out: found again by what the bytes hash to."""
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    whole = pack.read_bytes()
    wanted: Wanted = dict.fromkeys(contents)
    start = len(whole) - 56 - 64 * len(entries)
    places = [*range(start - 1024, start, 16), *range(start, len(whole) - 56)]
    for at in places:
        folder = tmp_path / f"{at}"
        (folder / "objects/pack").mkdir(parents=True)
        copy = folder / "objects/pack" / pack.name
        copy.write_bytes(flipped(whole, at, at % 8))
        found = rescue(folder, copy, wanted)
        assert held(folder, contents) == contents, (at, found.lost)


def test_an_entry_whose_row_points_elsewhere_is_found_behind_a_compressed_one(tmp_path: Path) -> None:
    first, second = entry(b"text " * 200, zstd=True), entry(b"plain bytes")
    pack = place(tmp_path, [first, second])
    data = bytearray(pack.read_bytes())
    number = sorted([first.id, second.id]).index(second.id)
    struct.pack_into("<Q", data, len(data) - 56 - 32 * (2 - number), 1 << 40)
    overwrite(pack, bytes(data))
    assert judged(pack) == ({first.id, second.id}, set())


def test_bytes_of_no_damaged_pack_count_as_something_that_they_are_not(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    whole = pack.read_bytes()
    start = len(whole) - 56 - 64 * len(entries)
    for at in range(start, len(whole) - 56, 3):
        overwrite(pack, flipped(whole, at, 7 - at % 8))
        for found in Wreck(pack, BLAKE3).entries(dict.fromkeys(contents)):
            if isinstance(found, Sound) and found.parts is None:
                data = found.stored
                if found.entry.compressed:
                    data = zstandard.ZstdDecompressor().decompress(data)
                assert hash_of("blake3", data) == found.entry.id
                assert len(data) == found.entry.size


def broken_index(entries: list[Entry], **changed: int) -> bytes:
    """A pack whose index is not what its name says, with other numbers in every row."""
    _, data = write_pack(entries)
    start = len(data) - 56 - 32 * len(entries)
    rows = b""
    for at in range(start, len(data) - 56, 32):
        names = ("offset", "stored", "size", "encoding", "kind", "zero")
        row = dict(zip(names, struct.unpack_from("<QIQBBH", data, at), strict=True)) | changed
        rows += struct.pack("<QIQBBH", *row.values()) + data[at + 24 : at + 32]
    return data[:start] + rows + data[-56:]


@pytest.mark.parametrize(
    "changed",
    [
        {"offset": 0},
        {"offset": 1 << 63},
        {"offset": (1 << 64) - 1},
        {"stored": (1 << 32) - 1},
        {"stored": 0},
        {"size": (1 << 64) - 1},
        {"encoding": 255},
        {"kind": 255},
        {"zero": 65535},
    ],
)
def test_rows_that_lie_are_survived(tmp_path: Path, changed: dict[str, int]) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    overwrite(pack, broken_index(entries, **changed))
    sound, _ = judged(pack, dict.fromkeys(contents))
    assert sound <= {one.id for one in entries} | set(contents)
    if not {"offset", "stored"} & changed.keys():
        assert contents.keys() - {entries[-1].id} <= sound


def test_a_chunk_whose_bytes_are_missed_as_an_object_becomes_one(tmp_path: Path) -> None:
    pack = place(tmp_path, [entry(b"both", CHUNK), entry(b"other")])
    overwrite(pack, flipped(pack.read_bytes(), 16 + 9 + 1000))  # in the fan-out
    wanted: Wanted = {BLAKE3.hash_bytes(b"both"): None}
    rescue(tmp_path, pack, wanted)
    assert held(tmp_path, wanted) == {BLAKE3.hash_bytes(b"both"): b"both"}


def test_a_recipe_under_a_damaged_index_is_kept_only_where_it_makes_its_object(tmp_path: Path) -> None:
    first, second = b"first half, ", b"second half"
    true = recipe(first + second, [(hash_of("blake3", part), 0, len(part)) for part in (first, second)])
    lie = recipe(first + first, [(hash_of("blake3", part), 0, len(part)) for part in (first, second)])
    pack = place(tmp_path, [entry(first, CHUNK), entry(second, CHUNK), true, lie])
    overwrite(pack, flipped(pack.read_bytes(), len(pack.read_bytes()) - 57 - 64 * 4))
    found = rescue(tmp_path, pack)
    assert [one.id for one in found.lost] == [lie.id]
    assert held(tmp_path, [ObjectId(true.id)]) == {ObjectId(true.id): first + second}


@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_recipe_that_cannot_be_made_yet_is_kept_where_it_is_missed(tmp_path: Path, is_wanted: bool) -> None:
    made = recipe(b"whole", [(hash_of("blake3", b"whole, elsewhere"), 0, 5)])
    pack = place(tmp_path, [made, entry(b"other")])
    overwrite(pack, flipped(pack.read_bytes(), len(pack.read_bytes()) - 57 - 64 * 2))
    found = rescue(tmp_path, pack, {ObjectId(made.id): 5} if is_wanted else None)
    assert (made.id in found.kept) == is_wanted


# no index


def objects_of_history() -> list[bytes]:
    blob = BLAKE3.hash_bytes(b"x")
    tree = encode_tree(Tree((TreeEntry("a", "file", blob, 1), TreeEntry("größe", "file", blob, 1))))
    commit = encode_commit(
        Commit(
            tree=BLAKE3.hash_bytes(tree),
            parents=(),
            height=0,
            author=ADA,
            time=WHEN,
            lineage=None,
            message='with "braces" } and { and \\ in it',
        )
    )
    tag = encode_tag(Tag("v1", BLAKE3.hash_bytes(commit), "commit", ADA, WHEN, "mlstore tag 1"))
    return [tree, commit, tag]


def without_index(pack: Path, entries: list[Entry]) -> None:
    overwrite(pack, pack.read_bytes()[: 16 + sum(len(one.stored) for one in entries)])


def test_without_an_index_trees_commits_and_tags_are_known_by_what_they_are(tmp_path: Path) -> None:
    history = objects_of_history()
    entries = [entry(noise(500)), *(entry(data) for data in history), entry(noise(90, 2))]
    pack = place(tmp_path, entries)
    without_index(pack, entries)
    assert judged(pack)[0] == {hash_of("blake3", data) for data in history}


def test_without_an_index_compressed_entries_are_known_by_their_ends(tmp_path: Path) -> None:
    data = [b"something that shrinks, " * 9, b"and something else, " * 30]
    entries = [*(entry(one, zstd=True) for one in data), entry(objects_of_history()[0], zstd=True)]
    pack = place(tmp_path, entries)
    without_index(pack, entries)
    assert judged(pack)[0] == {one.id for one in entries}


def test_without_an_index_what_is_missed_is_known_by_its_size(tmp_path: Path) -> None:
    data = [noise(100, 1), noise(200, 2), noise(300, 3)]
    entries = [entry(one) for one in data]
    pack = place(tmp_path, entries)
    without_index(pack, entries)
    assert judged(pack)[0] == set()
    wanted: Wanted = {BLAKE3.hash_bytes(one): len(one) for one in data}
    assert judged(pack, wanted)[0] == set(wanted)


def test_a_frame_inside_of_other_bytes_is_not_taken_for_an_entry(tmp_path: Path) -> None:
    inner = zstandard.ZstdCompressor().compress(b"a file in an archive, " * 9)
    entries = [entry(b"archive" + inner + noise(20))]
    pack = place(tmp_path, entries)
    without_index(pack, entries)
    assert judged(pack)[0] == set()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(65 << 20))
    entries = [Entry(hash_of("blake3", b"?"), OBJECT, 5, True, bomb)]
    pack = place(tmp_path, entries)
    without_index(pack, entries)
    assert judged(pack)[0] == set()


@pytest.mark.parametrize("data", [b"", b"M", b"MLSPACK1", bytes(16), bytes(1095), bytes(1096), b"{" * 5000])
def test_what_was_never_a_pack_gives_nothing(tmp_path: Path, data: bytes) -> None:
    pack = place(tmp_path, [entry(b"x")])
    overwrite(pack, data)
    assert judged(pack, {BLAKE3.hash_bytes(b"x"): 1}) == (set(), set())
    found = rescue(tmp_path, pack)
    assert (found.kept, found.lost) == ([], [])
    assert not pack.exists()


def test_cut_off_at_any_length_all_that_is_kept_is_right(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    whole = pack.read_bytes()
    wanted: Wanted = {one: len(data) for one, data in contents.items()}
    stops = [one.offset + len(one.stored) for one in read_pack(whole) if one.kind != 1]
    for length in range(0, len(whole), 3):
        overwrite(pack, whole[:length])
        sound, _ = judged(pack, wanted)
        assert sound <= {one.id for one in entries}
    assert stops


# no file, and a disk that refuses


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_goes_aside(tmp_path: Path, kind: str) -> None:
    pack = place(tmp_path, [entry(b"x")])
    pack.rename(tmp_path / "elsewhere")
    {
        "link": lambda: pack.symlink_to(tmp_path / "elsewhere"),
        "pipe": lambda: os.mkfifo(pack),
        "folder": pack.mkdir,
    }[kind]()
    assert rescue(tmp_path, pack).kept == []
    assert not os.path.lexists(pack)
    assert os.path.lexists(tmp_path / "aside/objects/pack" / pack.name)
    assert (tmp_path / "elsewhere").is_file()


def test_an_entry_that_the_disk_refuses_is_lost_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, _contents = small_pack()
    pack = place(tmp_path, entries)
    plain = next(one for one in read_pack(pack.read_bytes()) if one.content() == b"plain")
    real = os.pread

    def refuse(fd: int, size: int, offset: int) -> bytes:
        if (size, offset) == (5, plain.offset):
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", refuse)
    found = list(Wreck(pack, BLAKE3).entries({}))
    assert [one for one in found if isinstance(one, Damaged)] == [
        Damaged(ObjectId(plain.id), OBJECT, "it cannot be read: input/output error")
    ]
    assert sum(isinstance(one, Sound) for one in found) == len(entries) - 1


def test_looking_changes_nothing(tmp_path: Path) -> None:
    entries, _ = small_pack()
    pack = place(tmp_path, entries)
    overwrite(pack, flipped(pack.read_bytes(), 3))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = mender(tmp_path).look(pack.stem, {})
    assert len(found.kept) == len(entries)
    assert found.recipes.keys() == {entries[-1].id}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
