"""Recipes: a large object as parts of other stored bytes.

A recipe's bytes are the line ``mlstore recipe 1`` and, for each part, 48 bytes: the id (32) of a chunk
or of an object that is no recipe, an offset in it and a length (8 each, little-endian). The object is
the parts' bytes, one after another, and its id is the hash of all of them, as for any other. A part
never is a recipe itself, so nothing is deeper than one step.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from mlstore.errors import DecodeError
from mlstore.hashing import ObjectId

HEADER = b"mlstore recipe 1\n"
_PART = struct.Struct("<32sQQ")
MOST_PARTS = 1 << 20
LARGEST_FILE = 1 << 62


class Part(NamedTuple):
    """*length* bytes of the stored bytes of *source*, from *offset* on."""

    source: ObjectId
    offset: int
    length: int


def encode_recipe(parts: list[Part]) -> bytes:
    """Give the bytes of a recipe; neighbours that continue each other become one part."""
    merged: list[Part] = []
    for part in parts:
        if not part.length:
            continue
        last = merged[-1] if merged else None
        if last is not None and last.source == part.source and last.offset + last.length == part.offset:
            merged[-1] = Part(last.source, last.offset, last.length + part.length)
        else:
            merged.append(part)
    rows = (_PART.pack(bytes.fromhex(part.source), part.offset, part.length) for part in merged)
    return HEADER + b"".join(rows)


def decode_recipe(data: bytes, object_id: ObjectId, size: int) -> list[Part]:
    """Read the recipe of *object_id*; raises ``DecodeError`` unless its parts make up *size* bytes."""
    parts = read_parts(data, object_id)
    if sum(part.length for part in parts) != size:
        raise DecodeError("a recipe whose parts do not make up its size")
    return parts


def read_parts(data: bytes, object_id: ObjectId) -> list[Part]:
    """Read the recipe of *object_id*, whatever its size; raises ``DecodeError``."""
    body = memoryview(data)[len(HEADER) :]
    if not data.startswith(HEADER) or len(body) % _PART.size or len(body) // _PART.size > MOST_PARTS:
        raise DecodeError("a recipe that cannot be read")
    parts = [
        Part(ObjectId(source.hex()), offset, length) for source, offset, length in _PART.iter_unpack(body)
    ]
    if any(
        part.source == object_id or part.length == 0 or part.offset + part.length > LARGEST_FILE
        for part in parts
    ):
        raise DecodeError("a recipe with a part that makes no sense")
    return parts


def starts_of(parts: list[Part]) -> list[int]:
    """Give where in the whole each part begins."""
    return list(accumulate((part.length for part in parts), initial=0))[:-1]


def select(parts: list[Part], starts: list[int], offset: int, length: int) -> Iterator[Part]:
    """Give the parts, cut to fit, that make up *length* bytes of the whole from *offset* on.

    *starts* are those of ``starts_of``: with many parts a range is found without looking at each.
    """
    end = offset + length
    for number in range(max(0, bisect_right(starts, offset) - 1), len(parts)):
        part, at = parts[number], starts[number]
        start, stop = max(offset, at), min(end, at + part.length)
        if start < stop:
            yield Part(part.source, part.offset + start - at, stop - start)
        if at + part.length >= end:
            return


def groups_of(parts: list[Part], most: int) -> Iterator[list[Part]]:
    """Cut the parts of a recipe into groups of about *most* bytes."""
    group: list[Part] = []
    size = 0
    for part in parts:
        for piece in _pieces(part, most):
            group.append(piece)
            size += piece.length
            if size >= most:
                yield group
                group, size = [], 0
    if group:
        yield group


def _pieces(part: Part, most: int) -> Iterator[Part]:
    """Cut a long part: but not what is one entry of a pack, which is read at once anyway."""
    if part.length <= 2 * most:
        yield part
        return
    for start in range(0, part.length, most):
        yield Part(part.source, part.offset + start, min(most, part.length - start))
