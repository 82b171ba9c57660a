from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import CorruptFile
from mlstore.hashing import ObjectId
from mlstore.index import Index, IndexEntry, StatData, codec, decode_index, encode_index
from mlstore.index.codec import check_paths, check_start
from mlstore.index.table import Table

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = st.integers(-(2**63), 2**63 - 1)
SIZES = st.integers(0, 2**63 - 1)
PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
ENTRIES = st.builds(
    IndexEntry,
    path=PATHS,
    kind=st.sampled_from(["file", "executable"]),
    id=st.binary(min_size=32, max_size=32).map(lambda raw: ObjectId(raw.hex())),
    size=SIZES,
    checksum=st.binary(min_size=16, max_size=16),
    stat=st.none(),
)
ROWS = st.lists(ENTRIES, unique_by=lambda entry: entry.path, max_size=6)


def entry(path: str, stat: StatData | None = None, size: int = 3) -> IndexEntry:
    return IndexEntry(path, "file", ObjectId("ab" * 32), size, b"c" * 16, stat)


def table(*entries: IndexEntry) -> Table:
    built = Table()
    for one in sorted(entries, key=lambda entry: entry.path):
        built.append(one)
    return built


def resealed(data: bytes) -> bytes:
    """The same, with a checksum that fits: what a liar would write, and not what an accident does."""
    return data[:-16] + xxhash.xxh3_128_digest(data[:-16])


@given(ROWS, st.lists(st.tuples(NUMBERS, NUMBERS, SIZES), min_size=6, max_size=6), st.booleans())
def test_every_index_survives_and_its_bytes_too(
    rows: list[IndexEntry], stats: list[tuple[int, int, int]], known: bool
) -> None:
    full = []
    for row, (mtime, ctime, inode) in zip(rows, stats, strict=False):
        stat = StatData(mtime, ctime, inode, row.size) if mtime or ctime else None
        full.append(IndexEntry(row.path, row.kind, row.id, row.size, row.checksum, stat))
    built = table(*full)
    built.tree = ObjectId("12" * 32) if known else None
    data = encode_index(built)
    again = decode_index(data)
    assert again == built
    assert encode_index(again) == data
    assert [again.entry(row) for row in range(len(full))] == sorted(full, key=lambda one: one.path)


def test_the_bytes_are_those_of_the_document() -> None:
    built = table(
        IndexEntry("b", "executable", ObjectId("22" * 32), 7, b"B" * 16, StatData(5, 6, 9, 7)),
        IndexEntry("a", "file", ObjectId("11" * 32), 3, b"A" * 16, None),
    )
    built.tree = ObjectId("33" * 32)
    body = (
        b"MLSINDEX"
        + struct.pack("<IIQQ", 1, 0, 2, 4)
        + bytes.fromhex("33" * 32)
        + struct.pack("<2q", 0, 5)
        + struct.pack("<2q", 0, 6)
        + struct.pack("<2q", 0, 9)
        + struct.pack("<2q", 3, 7)
        + bytes([0, 1])
        + bytes.fromhex("11" * 32 + "22" * 32)
        + b"A" * 16
        + b"B" * 16
        + b"a\0b\0"
    )
    assert encode_index(built) == body + xxhash.xxh3_128_digest(body)


def test_an_empty_index_is_a_header_and_a_checksum() -> None:
    data = encode_index(Table())
    assert len(data) == 64 + 16
    assert decode_index(data) == Table()


def small() -> bytes:
    return encode_index(table(entry("a", StatData(1, 2, 3, 3)), entry("data/raw.csv")))


def test_every_flipped_bit_is_found() -> None:
    good = small()
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptFile) as caught:
            decode_index(bytes(bad))
        assert caught.value.data["path"] == "index"
        assert caught.value.hint is not None
        assert "mlstore reset" in caught.value.hint


def test_every_truncation_and_every_appended_byte_is_found() -> None:
    good = small()
    for bad in [*(good[:size] for size in range(len(good))), good + b"\0", good + good, good * 3]:
        with pytest.raises(CorruptFile):
            decode_index(bad)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptFile):
        decode_index(data)
    with pytest.raises(CorruptFile):
        decode_index(resealed(b"MLSINDEX" + data + bytes(16)))


def at(offset: int, layout: str, value: int) -> bytes:
    """A small index with one field changed and a checksum that fits."""
    data = bytearray(small())
    struct.pack_into(layout, data, offset, value)
    return resealed(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        at(8, "<I", 0),
        at(8, "<I", 2),
        at(12, "<I", 1),
        at(16, "<Q", 1),
        at(16, "<Q", 3),
        at(16, "<Q", 2**63),
        at(16, "<Q", 2**64 - 1),
        at(24, "<Q", 0),
        at(24, "<Q", 2**64 - 1),
        at(64 + 3 * 16, "<q", -1),  # a size
        at(64 + 4 * 16, "B", 2),  # a kind
        at(64 + 4 * 16, "B", 255),
    ],
)
def test_a_field_out_of_range_is_refused_though_the_checksum_fits(data: bytes) -> None:
    with pytest.raises(CorruptFile):
        decode_index(data)


@pytest.mark.parametrize(
    "paths",
    [b"data/raw.csv\0a\0", b"a\0a\0aaaaaaaaaaa\0", b"a" * 15, b"a\0data/raw.csv\xff", b"\xff" * 14 + b"\0"],
)
def test_paths_that_are_unsorted_repeated_unended_or_no_text_are_refused(paths: bytes) -> None:
    good = small()
    start = len(good) - 16 - 15
    data = bytearray(good[:start] + paths + bytes(16))
    struct.pack_into("<Q", data, 24, len(paths))
    with pytest.raises(CorruptFile):
        decode_index(resealed(bytes(data)))


def test_hostile_paths_are_for_fsck_to_find() -> None:
    check_paths(table(entry("a"), entry("data/raw.csv")))
    for path in ("../a", ".mlstore/config", "a\nb", "/etc/passwd"):
        with pytest.raises(CorruptFile):
            check_paths(table(entry(path)))


def test_a_hundred_thousand_entries_load() -> None:
    index = Index()
    for number in range(100_000):
        index.set(entry(f"data/{number // 1000:03}/{number:06}.csv", StatData(1, 2, number, number), number))
    data = index.dump()
    assert len(data) == 64 + 16 + 100_000 * (81 + len("data/000/000000.csv") + 1)
    loaded = Index.load(data, 10)
    assert len(loaded) == 100_000
    assert loaded.get("data/099/099999.csv") == entry(
        "data/099/099999.csv", StatData(1, 2, 99_999, 99_999), 99_999
    )
    assert loaded.dump() == data


# --- a large index is held against its checksum before it takes memory ---


def started(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "index"
    path.write_bytes(data)
    with path.open("rb") as file:
        check_start(file.fileno(), len(data))
        assert file.read() == data, "the position is where it was"


def test_the_bytes_of_a_large_index_are_checked_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = encode_index(table(*(entry(f"{number:04}") for number in range(200))))
    broken = good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]
    started(tmp_path, good)
    started(tmp_path, broken)  # a small one is read whole, and found out then
    monkeypatch.setattr(codec, "_LARGE", 1000)
    monkeypatch.setattr(codec, "PIECE", 300)
    started(tmp_path, good)
    for at in range(len(good) - 16 - 900, len(good), 37):
        with pytest.raises(CorruptFile, match="its checksum is wrong"):
            started(tmp_path, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])


def test_an_index_that_is_larger_than_any_is_not_even_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode_index(table(*(entry(f"{number:04}") for number in range(200))))
    monkeypatch.setattr(codec, "_LARGE", 1000)
    monkeypatch.setattr(codec, "_LARGEST", 2000)
    monkeypatch.setattr(codec, "new_checksum", lambda: pytest.fail("it was hashed"))
    with pytest.raises(CorruptFile, match="larger than any index"):
        started(tmp_path, data)


def test_a_machine_with_the_other_byte_order_writes_and_reads_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The numbers are then the other way round in memory: reading swaps what writing swapped."""
    built = table(entry("a", StatData(1, 2, 3, 4), size=4), entry("b"))
    data = encode_index(built)
    other = "little" if sys.byteorder == "big" else "big"
    monkeypatch.setattr(sys, "byteorder", other)
    swapped = encode_index(built)
    assert swapped != data
    assert decode_index(swapped) == built


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["mlstore.lock"], "never tracked"),
        (["a/mlstore.lock"], None),
        (["a", "a/b"], "lies below a file"),
        (["a/b", "a/b/c/d"], "lies below a file"),
        (["a", "ab/c"], None),
    ],
)
def test_a_path_that_no_command_adds_is_told(paths: list[str], said: str | None) -> None:
    built = table(*map(entry, paths))
    if said is None:
        check_paths(built)
        return
    with pytest.raises(CorruptFile, match=said):
        check_paths(built)
