"""A new version as ranges of the old one: put together again it is the new version, whatever was done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.objects.building import noise

from mlstore.hashing import ObjectId
from mlstore.objects import delta
from mlstore.objects.delta import (
    Base,
    Ends,
    Literal,
    base_of,
    find_delta,
    literal_bytes,
)
from mlstore.objects.recipe import Part

OLD = ObjectId("aa" * 32)
OTHER = ObjectId("bb" * 32)
LARGE = noise(3 << 20, 3)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    def read_at(offset: int, length: int) -> bytes:
        assert offset >= 0
        assert 0 <= length <= delta.BUFFER_SIZE
        return data[offset : offset + length]

    return read_at


def base(data: bytes) -> Base:
    return base_of(OLD, len(data), reader(data), None)


def naive_prefix(one: bytes, other: bytes) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def rebuilt(pieces: list[Part | Literal], new: bytes, sources: dict[ObjectId, bytes]) -> bytes:
    found = b""
    for piece in pieces:
        if isinstance(piece, Part):
            part = sources[piece.source][piece.offset : piece.offset + piece.length]
            assert len(part) == piece.length
        else:
            assert piece.offset == len(found), "literals stand where they belong"
            part = new[piece.offset : piece.offset + piece.length]
        found += part
    return found


def ends_of(old: bytes, new: bytes, piece: int = 1 << 20) -> tuple[int, int]:
    ends = Ends(reader(old), len(old), len(new))
    for at in range(0, len(new), piece):
        ends.take(new[at : at + piece])
    return ends.lengths(len(new))


def compare(old: bytes, new: bytes, known: int | None = None) -> list[Part | Literal]:
    prefix, suffix = ends_of(old, new) if known is None else (known, 0)
    pieces = find_delta(base(old), reader(new), len(new), prefix, suffix)
    assert rebuilt(pieces, new, {OLD: old}) == new
    return pieces


@given(
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.integers(1, 9),
)
def test_common_ends_are_those_that_counting_finds(
    start: bytes, one: bytes, other: bytes, end: bytes, piece: int
) -> None:
    old, new = start + one + end, start + other + end
    prefix, suffix = ends_of(old, new, piece)
    assert prefix == naive_prefix(old, new)
    room = min(len(old), len(new)) - prefix
    assert suffix == (min(room, naive_prefix(old[::-1], new[::-1])) if prefix < len(new) else 0)


def test_a_file_of_another_length_than_it_said_has_no_common_end() -> None:
    ends = Ends(reader(b"abcdef"), 6, 6)
    ends.take(b"abXde")
    assert ends.lengths(5) == (2, 0)


# One edit takes some bytes and gives others; places and lengths are fractions of what there is.
PLACES = st.floats(0, 1)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "delete", "overwrite", "move", "repeat", "truncate", "append", "behead"]),
        PLACES,
        PLACES,
        st.integers(0, 5),
    ),
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[str, float, float, int]], scale: int) -> bytes:
    for kind, where, other, seed in edits:
        at, to = int(where * len(data)), int(other * len(data))
        fresh = noise(int(other * scale) + 1, seed)
        match kind:
            case "insert":
                data = data[:at] + fresh + data[at:]
            case "delete":
                data = data[:at] + data[at + len(fresh) :]
            case "overwrite":
                data = data[:at] + fresh + data[at + len(fresh) :]
            case "move":
                piece, data = data[at : at + scale], data[:at] + data[at + scale :]
                data = data[:to] + piece + data[to:]
            case "repeat":
                data = data[:at] + data[to : to + scale] + data[at:]
            case "truncate":
                data = data[:at]
            case "append":
                data += fresh
            case "behead":
                data = data[at:]
    return data


@settings(max_examples=60)
@given(st.integers(0, 400), EDITS)
def test_any_edit_of_something_small_is_rebuilt(
    size: int, edits: list[tuple[str, float, float, int]]
) -> None:
    old = noise(size, 1)
    compare(old, edited(old, edits, 50))


@settings(max_examples=15)
@given(EDITS)
def test_any_edit_of_something_large_is_rebuilt(edits: list[tuple[str, float, float, int]]) -> None:
    compare(LARGE, edited(LARGE, edits, 300_000))


@given(st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_a_shorter_known_prefix_is_right_too(old: bytes, new: bytes, data: st.DataObject) -> None:
    compare(old, new, data.draw(st.integers(0, naive_prefix(old, new))))


@pytest.mark.parametrize(
    ("new", "most"),
    [
        (LARGE, 0),
        (LARGE + b"appended", 8),
        (b"in front" + LARGE, 8),
        (LARGE[: 1 << 20] + noise(5000, 9) + LARGE[1 << 20 :], 5000),
        (LARGE[: 1 << 20] + LARGE[(1 << 20) + 5000 :], 0),
        (LARGE[:-1], 0),
        (LARGE[1:], 0),
        (LARGE[: 1 << 20] + b"x" + LARGE[(1 << 20) + 1 :], 1),
    ],
    ids=["equal", "append", "prepend", "insert", "delete", "truncate", "behead", "overwrite"],
)
def test_one_change_costs_what_is_new_and_no_more(new: bytes, most: int) -> None:
    assert literal_bytes(compare(LARGE, new)) <= most


def test_several_changes_cost_the_chunks_around_them() -> None:
    parts = [LARGE[at : at + (1 << 20)] for at in range(0, len(LARGE), 1 << 20)]
    new = b"1".join(parts) + b"2"
    assert literal_bytes(compare(LARGE, b"0" + new)) < len(LARGE) // 1.5


def test_what_moved_is_found() -> None:
    new = LARGE[1 << 20 :] + LARGE[: 1 << 20]
    assert literal_bytes(compare(LARGE, new)) < len(LARGE) // 2


def test_something_else_altogether_is_all_literal() -> None:
    assert literal_bytes(compare(LARGE, noise(3 << 20, 4))) == 3 << 20


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from([OLD, OTHER]), st.integers(0, 300), st.integers(1, 99)), max_size=8),
    EDITS,
)
def test_ranges_of_a_recipe_are_those_of_its_parts(
    rows: list[tuple[ObjectId, int, int]], edits: list[tuple[str, float, float, int]]
) -> None:
    """So a recipe over a recipe names the parts of the first, and nothing gets deeper."""
    sources = {OLD: noise(400, 1), OTHER: noise(400, 2)}
    parts = [Part(*row) for row in rows]
    old = b"".join(sources[part.source][part.offset : part.offset + part.length] for part in parts)
    new = edited(old, edits, 50)
    whole = base_of(ObjectId("cc" * 32), len(old), reader(old), parts)
    found = find_delta(whole, reader(new), len(new), 0, 0)
    assert rebuilt(found, new, sources) == new


def test_an_empty_file_is_nothing() -> None:
    assert compare(b"", b"") == []
    assert compare(b"abc", b"") == []
    assert compare(b"", b"abc") == [Literal(0, 3)]
