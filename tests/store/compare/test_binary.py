from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.compare import Difference, first_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNKS = st.lists(st.binary(max_size=6), max_size=6)
SIMILAR = st.lists(st.sampled_from([b"", b"a", b"ab", b"aaaa", b"aaab"]), max_size=8)


def naive(old: bytes, new: bytes) -> Difference | None:
    if old == new:
        return None
    at = next(
        (n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]),
        min(len(old), len(new)),
    )
    return Difference(at, old[at] if at < len(old) else None, new[at] if at < len(new) else None)


@pytest.mark.parametrize("chunks", [CHUNKS, SIMILAR])
def test_it_agrees_with_the_naive_way(chunks: st.SearchStrategy[list[bytes]]) -> None:
    @given(chunks, chunks)
    def check(old: list[bytes], new: list[bytes]) -> None:
        assert first_difference(old, new) == naive(b"".join(old), b"".join(new))

    check()


@given(st.binary(min_size=1, max_size=300), st.data())
def test_one_changed_byte_is_found_wherever_it_is(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
    assert first_difference([data], [changed]) == Difference(at, data[at], data[at] ^ 0x40)


def test_a_truncated_stream_ends_where_the_other_goes_on() -> None:
    assert first_difference([b"abc"], [b"ab"]) == Difference(2, ord("c"), None)
    assert first_difference([], [b"", b"a"]) == Difference(0, None, ord("a"))
    assert first_difference([], [b""]) is None


def test_buffers_that_are_used_again_are_compared_in_time() -> None:
    """A view is valid only until the next one: as the object database gives them."""

    def stream(data: bytes, size: int) -> Iterator[memoryview]:
        buffer = bytearray(size)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            buffer[: len(piece)] = piece
            yield memoryview(buffer)[: len(piece)]

    data = bytes(range(256)) * 40
    changed = data[:5000] + b"!" + data[5001:]
    assert first_difference(stream(data, 7), stream(data, 1000)) is None
    assert first_difference(stream(data, 7), stream(changed, 1000)) == Difference(5000, data[5000], ord("!"))


def test_nothing_is_read_behind_the_difference() -> None:
    def endless(first: bytes) -> Iterator[bytes]:
        yield first
        while True:
            yield b"x"

    assert first_difference(endless(b"a"), endless(b"b")) == Difference(0, ord("a"), ord("b"))
