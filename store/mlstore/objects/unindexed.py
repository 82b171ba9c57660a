"""Entries of a pack whose index is gone: found by what they look like, kept for what they hash to.

Entries stand back to back without anything between them. A zstd frame knows its end, and so does the JSON of
a tree, commit or tag; of other bytes an entry is known by the size of something that is missed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from mlstore.errors import DecodeError
from mlstore.hashing import ObjectFormat, ObjectId
from mlstore.model import decode_commit, decode_tag, decode_tree
from mlstore.objects.pack.codec import ENTRY_LIMIT, HEADER_SIZE

_WINDOW: Final = 2 << 20  # bytes looked at from one place on: what stands in packs is smaller
_SHORT: Final = 4096
_FRAME: Final = b"\x28\xb5\x2f\xfd"
_METADATA: Final = b"mlstore "
_MOST_SIZES: Final = 64  # sizes of missed objects that are tried at one place
_DECODERS: Final[dict[bytes, Callable[[bytes], object]]] = {
    b"mlstore tree 1\n": decode_tree,
    b"mlstore commit 1\n": decode_commit,
    b"mlstore tag 1\n": decode_tag,
}


class Piece(NamedTuple):
    """Bytes that were an entry: as they are stored, and the ``data`` that they stand for."""

    id: ObjectId
    stored: bytes
    data: bytes

    @property
    def compressed(self) -> bool:
        """Whether they are stored as a zstd frame."""
        return self.stored is not self.data


def find_pieces(
    read: Callable[[int, int], bytes], size: int, fmt: ObjectFormat, wanted: Mapping[ObjectId, int | None]
) -> Iterator[Piece]:
    """Give what can be told of *size* bytes, *read* by offset and length; *wanted* has sizes in bytes."""
    sizes = sorted({one for one in wanted.values() if one is not None and 0 < one <= _WINDOW})[:_MOST_SIZES]
    at, is_begin, base, block = HEADER_SIZE, True, 0, b""
    while at < size:
        if not block or at - base > _WINDOW:
            base, block = at, read(at, 2 * _WINDOW)
        found = _piece(block, at - base, fmt, wanted, sizes, is_begin)
        if found is not None:
            yield found
            at += len(found.stored)
        else:
            # What begins elsewhere than at the end of an entry may be the inside of one.
            at = base + _next_begin(block, at - base)
        is_begin = found is not None


def _next_begin(block: bytes, at: int) -> int:
    places = (block.find(mark, at + 1) for mark in (_FRAME, _METADATA))
    return min((place for place in places if place > 0), default=max(at + 1, len(block) - len(_METADATA)))


def _piece(
    block: bytes,
    at: int,
    fmt: ObjectFormat,
    wanted: Mapping[ObjectId, int | None],
    sizes: list[int],
    is_begin: bool,
) -> Piece | None:
    if block.startswith(_FRAME, at):
        found = _frame(block[at : at + _WINDOW], fmt)
        if found is not None and (is_begin or found.id in wanted or is_metadata(found.data)):
            return found
    if block.startswith(_METADATA, at):
        for length in (_SHORT, _WINDOW):
            data = _document(block[at : at + length])
            if data and is_metadata(data):
                return Piece(fmt.hash_bytes(data), data, data)
    for size in sizes:
        data = block[at : at + size]
        if len(data) == size and fmt.hash_bytes(data) in wanted:
            return Piece(fmt.hash_bytes(data), data, data)
    return None


def _document(window: bytes) -> bytes:
    """Give the first line and the JSON after it, without what follows; nothing where there is none."""
    with suppress(ValueError, RecursionError):
        # One character a byte: the end of the JSON is where its bytes end.
        start = window.index(b"\n") + 1
        _, end = json.JSONDecoder().raw_decode(window[start:].decode("latin-1"))
        return window[: start + end]
    return b""


def _frame(window: bytes, fmt: ObjectFormat) -> Piece | None:
    import zstandard

    with suppress(zstandard.ZstdError):
        if 0 <= zstandard.frame_content_size(window) <= ENTRY_LIMIT:
            one = zstandard.ZstdDecompressor().decompressobj()
            data = one.decompress(window)
            if one.eof:
                stored = window[: len(window) - len(one.unused_data)]
                return Piece(fmt.hash_bytes(data), stored, data)
    return None


def is_metadata(data: bytes) -> bool:
    """Whether *data* is a tree, commit or tag in its canonical form."""
    with suppress(DecodeError):
        for header, decode in _DECODERS.items():
            if data.startswith(header):
                decode(data)
                return True
    return False
