"""Mutations of valid bytes: small lies in the right places, rather than noise."""

from __future__ import annotations

import random
from collections.abc import Sequence

# What parsers stumble over, in text and in binary.
TOKENS = [
    b"", b"\0", b"\xff", b"\x1b[2J", b"\n", b"\r\n", b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}",
    b"[", b"]", b",", b":", b"=", b"#", b".", b"..", b"../", b"/", b"-1", b"0", b"00", b"+5", b"1_000",
    b"1e999", b"NaN", b"Infinity", b"9223372036854775807", b"9223372036854775808", b"9" * 400, b"true",
    b"null", b"[" * 300, b'{"a":' * 200, "\u202e".encode(), "\u0665".encode(), b"\xc0\xaf",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\0" * 8,
    b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x80", b"(", b"R", b"c", b"\x93",
]  # fmt: skip


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Give a mutation of one of *seeds*: one to four changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_CHANGES)(rng, data, seeds)
    return bytes(data[: 1 << 16])


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(len(data) + 1)


def _flip(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _insert(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at:at] = rng.choice(TOKENS)


def _overwrite(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    token, at = rng.choice(TOKENS), _place(rng, data)
    data[at : at + len(token)] = token


def _delete(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 8, 32))]


def _repeat(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at, size = _place(rng, data), rng.choice((1, 4, 16, 48, 128))
    data[at:at] = data[at : at + size] * rng.choice((1, 2, 20))


def _cut(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    at = _place(rng, data)
    data[at:] = other[rng.randrange(len(other) + 1) :]


def _swap_digit(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if digits:
        at = rng.choice(digits)
        data[at : at + 1] = rng.choice((b"-1", b"00", b"9" * 20, b"1.0", b"0"))


_CHANGES = [_flip, _flip, _set, _set, _insert, _overwrite, _delete, _repeat, _cut, _splice, _swap_digit]
