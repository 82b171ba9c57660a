"""The ends and rows of a pack: what was encoded is decoded, and nothing else is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.packformat import footer, write_pack
from tests.store.objects.building import entry

from mlstore.errors import CorruptFile
from mlstore.hashing import ObjectId
from mlstore.objects.pack import EntryKind, PackEntry
from mlstore.objects.pack.codec import (
    COUNT_LIMIT,
    ENTRY_LIMIT,
    FOOTER,
    HEADER_SIZE,
    ROW,
    decode_footer,
    decode_row,
    encode_footer,
    encode_header,
    encode_index,
    encode_row,
)

NAME = "ab" * 32
HEADER = encode_header("blake3")
ID = ObjectId("cd" * 32)
ENTRIES = [entry(b"one"), entry(b"two" * 100, zstd=True), entry(b"")]


def test_a_pack_encoded_here_is_that_of_the_second_implementation() -> None:
    import xxhash

    offset, rows, body = HEADER_SIZE, [], HEADER
    for one in ENTRIES:
        checksum = xxhash.xxh3_64_digest(one.stored)
        rows.append(
            PackEntry(
                ObjectId(one.id), offset, len(one.stored), one.size, one.zstd, EntryKind(one.kind), checksum
            )
        )
        offset += len(one.stored)
        body += one.stored
    index = encode_index({one.id: encode_row(one) for one in rows})
    data = body + index + encode_footer(HEADER, len(rows), offset, index)
    assert data == write_pack(ENTRIES)[1]


@given(
    st.integers(16, 2**62),
    st.integers(0, ENTRY_LIMIT),
    st.integers(0, ENTRY_LIMIT),
    st.booleans(),
    st.sampled_from(EntryKind),
    st.binary(min_size=8, max_size=8),
)
def test_a_row_survives(
    offset: int, stored: int, size: int, compressed: bool, kind: EntryKind, checksum: bytes
) -> None:
    if not compressed and kind != EntryKind.RECIPE:
        size = stored
    one = PackEntry(ID, offset, stored, size, compressed, kind, checksum)
    row = encode_index({ID: encode_row(one)})[-ROW.size :]
    assert decode_row(NAME, ID, row, offset + stored) == one


@pytest.mark.parametrize(
    ("offset", "stored", "size", "encoding", "kind"),
    [
        (15, 1, 1, 0, 0),  # in the header
        (0, 1, 1, 0, 0),
        (90, 11, 11, 0, 0),  # past the entries
        (101, 0, 0, 0, 0),
        (2**64 - 1, 2, 2, 0, 0),  # an end that would wrap round
        (2**63, 0, 0, 0, 0),
        (16, 2**32 - 1, 2**32 - 1, 0, 0),
        (16, 5, 4, 0, 0),  # two sizes
        (16, 5, 6, 0, 2),
        (16, 5, 5, 2, 0),  # no such encoding
        (16, 5, 5, 255, 0),
        (16, 5, 5, 0, 3),  # no such kind
        (16, 5, 5, 1, 255),
        (16, 5, ENTRY_LIMIT + 1, 1, 0),  # a bomb
        (16, 5, 2**63, 1, 1),
        (16, 5, 2**64 - 1, 1, 1),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(
    offset: int, stored: int, size: int, encoding: int, kind: int
) -> None:
    row = ROW.pack(offset, stored, size, encoding, kind, bytes(8))
    with pytest.raises(CorruptFile, match=NAME[:10]):
        decode_row(NAME, ID, row, 100)


def test_an_entry_may_not_be_larger_than_memory_allows() -> None:
    row = ROW.pack(16, ENTRY_LIMIT + 1, ENTRY_LIMIT + 1, 0, 0, bytes(8))
    with pytest.raises(CorruptFile, match="too large"):
        decode_row(NAME, ID, row, 2**40)


@given(st.binary(min_size=ROW.size, max_size=ROW.size), st.integers(16, 2**63))
def test_any_row_is_read_or_refused(row: bytes, index_offset: int) -> None:
    try:
        one = decode_row(NAME, ID, row, index_offset)
    except CorruptFile:
        return
    assert HEADER_SIZE <= one.offset <= one.offset + one.stored <= index_offset
    assert one.size < 2**63


@given(st.binary(max_size=80), st.integers(0, 2**63))
def test_any_footer_that_nobody_wrote_is_refused(data: bytes, size: int) -> None:
    with pytest.raises(CorruptFile):
        decode_footer(NAME, HEADER, data, size, "blake3")


def test_a_footer_is_read_only_as_it_was_written() -> None:
    index = encode_index({})
    data = encode_footer(HEADER, 0, 16, index)
    size = 16 + len(index) + len(data)
    assert decode_footer(NAME, HEADER, data, size, "blake3").index_offset == 16
    for at in range(FOOTER.size):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            with pytest.raises(CorruptFile):
                decode_footer(NAME, HEADER, bytes(bad), size, "blake3")


@pytest.mark.parametrize("change", [-1, 1, 1024, -1024])
def test_a_pack_of_another_length_is_refused(change: int) -> None:
    index = encode_index({})
    data = encode_footer(HEADER, 0, 16, index)
    with pytest.raises(CorruptFile, match="length"):
        decode_footer(NAME, HEADER, data, 16 + len(index) + len(data) + change, "blake3")


@pytest.mark.parametrize(
    ("count", "body", "size"),
    [
        (COUNT_LIMIT + 1, 16, None),
        (2**63, 16, None),
        (2**64 - 1, 16, None),
        (2**58, 16, 16 + 1024 + 56),  # 64 * 2**58 wraps round to nothing
        (0, 0, None),  # the index over the header
        (0, 15, None),
    ],
)
def test_a_footer_with_right_checksums_and_absurd_numbers_is_refused(
    count: int, body: int, size: int | None
) -> None:
    data = bytearray(footer(HEADER, count, b""))
    struct.pack_into("<Q", data, 8, body)
    import xxhash

    data[32:40] = xxhash.xxh3_64_digest(HEADER + bytes(data[:32]))
    with pytest.raises(CorruptFile):
        decode_footer(NAME, HEADER, bytes(data), size or body + 1024 + 64 * count + 56, "blake3")


@pytest.mark.parametrize("header", [b"", b"MLSPACK1", encode_header("sha256"), b"MLSPACK2" + HEADER[8:]])
def test_a_pack_of_another_kind_is_refused(header: bytes) -> None:
    index = encode_index({})
    data = encode_footer(header.ljust(16, b"\0"), 0, 16, index)
    with pytest.raises(CorruptFile, match="does not begin like a pack of this repository"):
        decode_footer(NAME, header, data, 16 + len(index) + len(data), "blake3")
