"""Recipes: what was encoded is decoded, what makes no sense is refused, and reading stays one step deep."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import stored
from tests.packformat import CHUNK, RECIPE, Entry, hash_of, recipe_of
from tests.store.objects.building import database, entry, noise, place, recipe

from mlstore.errors import CorruptError, CorruptObject, DecodeError
from mlstore.hashing import ObjectId
from mlstore.objects.recipe import MOST_PARTS, Part, decode_recipe, encode_recipe, select, starts_of

if TYPE_CHECKING:
    from pathlib import Path

ME = ObjectId("ee" * 32)
IDS = [ObjectId(byte * 32) for byte in ("aa", "bb", "cc")]
PARTS = st.lists(st.builds(Part, st.sampled_from(IDS), st.integers(0, 50), st.integers(0, 20)), max_size=12)


def id_of(data: bytes) -> ObjectId:
    return ObjectId(hash_of("blake3", data))


def spelled_out(parts: list[Part]) -> list[tuple[str, int]]:
    """Every single byte that the parts name."""
    return [(part.source, at) for part in parts for at in range(part.offset, part.offset + part.length)]


@given(PARTS)
def test_a_recipe_survives_and_parts_that_continue_each_other_become_one(parts: list[Part]) -> None:
    size = sum(part.length for part in parts)
    found = decode_recipe(encode_recipe(parts), ME, size)
    assert spelled_out(found) == spelled_out(parts)
    assert all(part.length for part in found)
    for one, other in pairwise(found):
        assert (one.source, one.offset + one.length) != (other.source, other.offset)
    assert encode_recipe(found) == recipe_of((part.source, part.offset, part.length) for part in found)


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ((0, 0, 5), (0, 5, 3), True),
        ((0, 0, 5), (1, 5, 3), False),  # it goes on at the same place of something else
        ((0, 0, 5), (0, 6, 3), False),
        ((0, 5, 5), (0, 5, 5), False),
    ],
)
def test_parts_become_one_only_where_they_continue_each_other(
    one: tuple[int, int, int], other: tuple[int, int, int], is_one: bool
) -> None:
    parts = [Part(IDS[source], offset, length) for source, offset, length in (one, other)]
    found = decode_recipe(encode_recipe(parts), ME, one[2] + other[2])
    assert found == ([Part(IDS[0], 0, 8)] if is_one else parts)


@given(PARTS, st.integers(0, 250), st.integers(0, 250))
def test_a_range_is_what_counting_bytes_gives(parts: list[Part], offset: int, length: int) -> None:
    parts = [part for part in parts if part.length]
    assert starts_of(parts) == list(accumulate((part.length for part in parts), initial=0))[:-1]
    found = list(select(parts, starts_of(parts), offset, length))
    assert spelled_out(found) == spelled_out(parts)[offset : offset + length]
    assert all(part.length for part in found)


GOOD = encode_recipe([Part(IDS[0], 0, 5), Part(IDS[1], 7, 6)])


@pytest.mark.parametrize(
    "data",
    [b"", GOOD[:-1], GOOD + b"x", GOOD[:16], b"mlstore recipe 2\n" + GOOD[17:], b"x" + GOOD, GOOD[:17]],
)
def test_what_is_no_recipe_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_recipe(data, ME, 11)


@pytest.mark.parametrize(
    "parts",
    [
        [(ME, 0, 11)],  # itself
        [(IDS[0], 0, 5), (ME, 0, 6)],
        [(IDS[0], 0, 11), (IDS[1], 0, 0)],  # a part of nothing
        [(IDS[0], 2**63, 11)],
        [(IDS[0], 2**64 - 11, 11)],
        [(IDS[0], 2**62 - 10, 11)],
        [(IDS[0], 0, 10)],  # too little in all
        [(IDS[0], 0, 12)],  # too much
        [(IDS[0], 0, 2**64 - 1), (IDS[0], 0, 12)],  # what would be 11 in 64 bits
        [],
    ],
)
def test_parts_that_make_no_sense_are_refused(parts: list[tuple[str, int, int]]) -> None:
    with pytest.raises(DecodeError):
        decode_recipe(recipe_of(parts), ME, 11)


def test_too_many_parts_are_refused_without_reading_them() -> None:
    data = recipe_of([]) + bytes(48 * (MOST_PARTS + 1))
    with pytest.raises(DecodeError, match="cannot be read"):
        decode_recipe(data, ME, 11)


@given(st.binary(max_size=200), st.integers(0, 2**63))
def test_any_bytes_are_read_or_refused(data: bytes, size: int) -> None:
    for text in (data, recipe_of([]) + data):
        try:
            parts = decode_recipe(text, ME, size)
        except DecodeError:
            continue
        assert sum(part.length for part in parts) == size


# --- in a database ------------------------------------------------------------------------------------------

ONE, TWO = noise(500, 1), noise(700, 2)
CHUNKS = [entry(ONE, CHUNK), entry(TWO, CHUNK)]
HONEST = [(id_of(ONE), 0, 500), (id_of(TWO), 0, 700)]


def refuses(folder: Path, entries: list[Entry], data: bytes = ONE + TWO) -> CorruptError:
    """Put the entries there; whoever reads DATA by its id gets an error that names it."""
    place(folder, entries)
    objects = database(folder)
    told = None
    for look in (objects.read, objects.check, lambda one: list(objects.stream(one))):
        with pytest.raises(CorruptError) as caught:
            look(id_of(data))
        assert caught.value.data["id"] == id_of(data)
        assert id_of(data) in caught.value.message
        told = caught.value
    assert told is not None
    return told


def test_an_honest_recipe_is_read_and_checked(tmp_path: Path) -> None:
    place(tmp_path, [recipe(ONE + TWO, HONEST, zstd=True), *CHUNKS])
    objects = database(tmp_path)
    assert objects.read(id_of(ONE + TWO)) == ONE + TWO
    assert objects.size(id_of(ONE + TWO)) == objects.check(id_of(ONE + TWO)).size == 1200
    source = objects.open_source(id_of(ONE + TWO))
    for offset, length in [(0, 0), (0, 1200), (499, 2), (500, 1), (3, 5), (1190, 50), (1200, 5), (9999, 1)]:
        assert source.read_at(offset, length) == (ONE + TWO)[offset : offset + length]
    source.close()


def test_a_recipe_that_names_itself_is_refused(tmp_path: Path) -> None:
    refuses(tmp_path, [recipe(ONE + TWO, [(id_of(ONE + TWO), 0, 1200)])])


def test_recipes_that_name_each_other_are_refused(tmp_path: Path) -> None:
    both = [
        recipe(ONE + TWO, [(id_of(TWO + ONE), 0, 1200)]),
        recipe(TWO + ONE, [(id_of(ONE + TWO), 0, 1200)]),
    ]
    told = refuses(tmp_path, both)
    assert "is a recipe and part of one" in told.message
    refuses(tmp_path, [], TWO + ONE)


def test_a_recipe_of_a_recipe_is_refused_however_right_it_is(tmp_path: Path) -> None:
    outer = recipe(ONE + TWO + ONE, [(id_of(ONE + TWO), 0, 1200), (id_of(ONE), 0, 500)])
    refuses(tmp_path, [outer, recipe(ONE + TWO, HONEST), *CHUNKS], ONE + TWO + ONE)
    assert database(tmp_path).read(id_of(ONE + TWO)) == ONE + TWO


@pytest.mark.parametrize(
    "parts",
    [
        [(id_of(ONE), 0, 500), (id_of(TWO), 1, 700)],  # one byte past the end
        [(id_of(ONE), 0, 500), (id_of(TWO), 700, 700)],
        [(id_of(ONE), 0, 500), (id_of(TWO), 2**61, 700)],
        [(id_of(ONE), 0, 1200)],
    ],
)
@pytest.mark.parametrize("loose", [False, True])
def test_a_range_past_the_end_of_a_part_is_refused(
    tmp_path: Path, parts: list[tuple[str, int, int]], loose: bool
) -> None:
    if loose:
        with database(tmp_path, pack=False).transaction() as writer:
            writer.add_bytes(ONE)
            writer.add_bytes(TWO)
    told = refuses(tmp_path, [recipe(ONE + TWO, parts), *([] if loose else CHUNKS)])
    assert "too short" in told.message


def test_a_missing_part_makes_the_object_corrupt(tmp_path: Path) -> None:
    told = refuses(tmp_path, [recipe(ONE + TWO, HONEST), CHUNKS[0]])
    assert id_of(TWO) in told.message
    assert "missing" in told.message


def test_a_damaged_part_makes_the_object_corrupt(tmp_path: Path) -> None:
    path = place(tmp_path, [recipe(ONE + TWO, HONEST), *CHUNKS])
    stored.find(tmp_path, id_of(TWO)).flip(300)
    told = refuses(tmp_path, [])
    assert id_of(TWO) in told.message
    assert path.exists()


@pytest.mark.parametrize("parts", [HONEST[::-1], [HONEST[0], (id_of(ONE), 0, 500), (id_of(ONE), 0, 200)]])
def test_parts_that_make_up_something_else_are_refused(
    tmp_path: Path, parts: list[tuple[str, int, int]]
) -> None:
    told = refuses(tmp_path, [recipe(ONE + TWO, parts), *CHUNKS])
    assert "actual" in told.data


@pytest.mark.parametrize("size", [1199, 1201, 0, 2**62])
def test_a_row_that_states_another_size_is_refused(tmp_path: Path, size: int) -> None:
    refuses(tmp_path, [recipe(ONE + TWO, HONEST)._replace(size=size), *CHUNKS])


def test_a_recipe_that_is_none_is_refused(tmp_path: Path) -> None:
    for number, body in enumerate((b"", b"mlstore recipe 1\n", b"\0" * 48, recipe_of(HONEST)[:-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        refuses(folder, [Entry(id_of(ONE + TWO), RECIPE, 1200, False, body), *CHUNKS])


def test_a_recipe_that_asks_for_an_exabyte_is_refused_at_its_first_short_part(tmp_path: Path) -> None:
    parts = [(id_of(ONE), 0, 2**40)] * 2
    made = Entry(id_of(ONE + TWO), RECIPE, 2**41, False, recipe_of(parts))
    refuses(tmp_path, [made, *CHUNKS])


def test_an_error_while_a_part_is_read_closes_what_was_open(tmp_path: Path) -> None:
    with database(tmp_path, pack=False).transaction() as writer:
        for seed in range(20):
            writer.add_bytes(noise(10, seed))
    parts = [(id_of(noise(10, seed)), 0, 10) for seed in range(20)]
    whole = b"".join(noise(10, seed) for seed in range(20))
    place(tmp_path, [recipe(whole, parts)])
    objects = database(tmp_path)
    source = objects.open_source(id_of(whole))
    assert source.read_at(0, 200) == whole
    assert len(source._open) <= 8  # type: ignore[attr-defined]
    source.close()
    assert source._open == {}  # type: ignore[attr-defined]
    with pytest.raises(CorruptObject):
        objects.read_tree(id_of(whole))
