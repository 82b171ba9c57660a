"""Chunks cut by content: the same whatever the pieces, bounded, and an insertion moves few of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.objects.building import noise, table

from mlstore.objects import chunker
from mlstore.objects.chunker import AVERAGE, LARGEST, SMALLEST, cut, map_ordered

NOISE = noise(6 << 20, 7)
CUTS = [
    264465,
    320718,
    125415,
    137620,
    285505,
    407445,
    280569,
    475166,
    306980,
    345500,
    156604,
    331416,
    137691,
    542183,
    171057,
    99180,
    458908,
    476756,
    868617,
    99661,
]


def chunks_of(*pieces: bytes) -> list[bytes]:
    return [bytes(chunk) for chunk in cut(pieces)]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(ends)]


def test_cuts_are_those_of_every_version_before() -> None:
    """Else a new version of a file would share nothing with the old one that an older mlstore stored."""
    assert [len(chunk) for chunk in chunks_of(NOISE)] == CUTS


@settings(max_examples=25)
@given(st.integers(0, len(NOISE)), st.lists(st.integers(0, len(NOISE)), max_size=12))
def test_cuts_are_the_same_however_the_pieces_come(size: int, cuts: list[int]) -> None:
    data = NOISE[:size]
    assert chunks_of(*pieces_of(data, cuts)) == chunks_of(data)
    assert b"".join(chunks_of(data)) == data


@pytest.mark.parametrize("window", [LARGEST, LARGEST + 1, 3 << 20, 1 << 30])
def test_cuts_are_the_same_whatever_the_window(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = chunks_of(NOISE)
    monkeypatch.setattr(chunker, "_WINDOW", window)
    assert chunks_of(*(NOISE[at : at + 100_000] for at in range(0, len(NOISE), 100_000))) == expected


@pytest.mark.parametrize(
    "data",
    [b"", b"x", bytes(5 << 20), b"ab" * (2 << 20), NOISE, table(4 << 20)],
    ids=["nothing", "a byte", "zeros", "a pattern", "noise", "a table"],
)
def test_sizes_are_bounded_and_nothing_is_lost(data: bytes) -> None:
    chunks = chunks_of(data)
    assert b"".join(chunks) == data
    assert all(len(chunk) <= LARGEST for chunk in chunks)
    assert all(len(chunk) >= SMALLEST for chunk in chunks[:-1])
    assert all(chunks)


def test_chunks_are_of_the_average_size_that_was_asked_for() -> None:
    chunks = chunks_of(NOISE)
    assert AVERAGE / 2 < len(NOISE) / len(chunks) < AVERAGE * 2


@pytest.mark.parametrize("inserted", [b"x", noise(1000, 1), noise(1 << 20, 2)])
@pytest.mark.parametrize("at", [0, 3_000_000, len(NOISE)])
def test_an_insertion_makes_few_new_chunks(inserted: bytes, at: int) -> None:
    old = set(chunks_of(NOISE))
    new = chunks_of(NOISE[:at] + inserted + NOISE[at:])
    fresh = sum(len(chunk) for chunk in new if chunk not in old)
    assert fresh <= len(inserted) + 3 * LARGEST
    assert len([chunk for chunk in new if chunk not in old]) <= 3 + len(inserted) // SMALLEST


def test_a_window_is_all_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunker, "_WINDOW", 2 << 20)
    given_out = 0

    def pieces() -> object:
        for at in range(0, len(NOISE), 1 << 18):
            assert at - given_out <= (2 << 20) + LARGEST + (1 << 18)
            yield NOISE[at : at + (1 << 18)]

    for chunk in cut(pieces()):  # type: ignore[arg-type]
        given_out += len(chunk)
    assert given_out == len(NOISE)


def test_results_come_in_order_and_few_are_in_flight() -> None:
    lock, waiting, most = threading.Lock(), 0, 0

    def items() -> object:
        nonlocal waiting, most
        for number in range(100):
            with lock:
                waiting += 1
                most = max(most, waiting)
            yield bytes([number])

    with ThreadPoolExecutor(3) as pool:
        found = []
        for one in map_ordered(lambda data: data * 2, items(), pool, 5):  # type: ignore[arg-type]
            with lock:
                waiting -= 1
            found.append(one)
    assert found == [bytes([number, number]) for number in range(100)]
    assert most <= 6


def test_an_error_of_the_work_comes_out() -> None:
    def fail(_data: bytes) -> bytes:
        raise ValueError("broken")

    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="broken"):
        list(map_ordered(fail, [b"a", b"b"], pool, 4))


def test_the_sizes_are_those_of_the_page_about_the_format() -> None:
    """Another size would cut files otherwise than earlier versions did, and share nothing with those."""
    assert (chunker.SMALLEST, chunker.AVERAGE, chunker.LARGEST) == (64 << 10, 256 << 10, 1 << 20)
