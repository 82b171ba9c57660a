"""What is compressed, and what is not worth it."""

from __future__ import annotations

import pytest
import zstandard
from tests.store.objects.building import noise, table

from mlstore.objects.compress import Compressor


@pytest.mark.parametrize(
    "data", [b"x" * 256, b"a,b,c\n" * 100, table(70_000), noise(80_000) + bytes(100_000) + noise(80_000, 1)]
)
def test_what_shrinks_is_stored_as_one_frame_that_says_its_size(data: bytes) -> None:
    stored, compressed = Compressor().try_on(data)
    assert compressed
    assert zstandard.frame_content_size(stored) == len(data)
    assert zstandard.ZstdDecompressor().decompress(stored) == data
    assert len(stored) < 0.9 * len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 255,  # too little to gain
        b"mlstore commit 1\n" + b"x" * 1000,  # every command reads one
        noise(1000),
        noise(100_000),
        noise(5000) + bytes(64) + noise(5000, 1),  # its middle promises what the rest does not keep
        bytes(100_000) + noise(100_000) + bytes(100_000),  # it is by the middle that bytes are judged
    ],
)
def test_what_does_not_shrink_enough_or_is_read_by_all_stays_as_it_is(data: bytes) -> None:
    assert Compressor().try_on(data) == (data, False)
