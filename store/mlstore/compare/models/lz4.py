"""LZ4 frames, decoded piece by piece: joblib writes them, the standard library cannot read them.

After the published frame format, version 1.6: independent and linked blocks, checksums of header, blocks and
content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlstore.errors import CorruptArtifact

MAGIC = b"\x04\x22\x4d\x18"
_BLOCK_SIZES = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
_WINDOW = 64 << 10
_STORED = 1 << 31


def _corrupt(why: str) -> CorruptArtifact:
    return CorruptArtifact(f"its lz4 data is damaged: {why}")


def decode_frame(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the blocks of one frame, magic included; *read* gives exactly so many bytes, or raises."""
    from xxhash import xxh32

    if read(4) != MAGIC:
        raise _corrupt("it begins with something else")
    head = read(2)
    flags, sizes = head
    if flags >> 6 != 1 or flags & 2 or sizes & 0x8F or (sizes >> 4) not in _BLOCK_SIZES:
        raise _corrupt("its header is of an unknown kind")
    head += read((8 if flags & 8 else 0) + (4 if flags & 1 else 0))
    if flags & 1:
        raise _corrupt("it needs a dictionary")
    if (xxh32(head).intdigest() >> 8) & 0xFF != read(1)[0]:
        raise _corrupt("the checksum of its header is wrong")
    content = xxh32() if flags & 4 else None
    declared = int.from_bytes(head[2:10], "little") if flags & 8 else None
    total = 0
    for block in _blocks(read, flags, _BLOCK_SIZES[sizes >> 4]):
        total += len(block)
        if content is not None:
            content.update(block)
        yield block
    if declared is not None and declared != total:
        raise _corrupt("it is of another size than it says")
    if content is not None and content.intdigest() != int.from_bytes(read(4), "little"):
        raise _corrupt("the checksum of its content is wrong")


def _blocks(read: Callable[[int], bytes], flags: int, most: int) -> Iterator[bytes]:
    from xxhash import xxh32

    linked, checked = not flags & 32, flags & 16
    window = b""
    while size := int.from_bytes(read(4), "little"):
        stored, size = size & _STORED, size & ~_STORED
        if size > most:
            raise _corrupt("a block is too large")
        data = read(size)
        if checked and xxh32(data).intdigest() != int.from_bytes(read(4), "little"):
            raise _corrupt("the checksum of a block is wrong")
        block = data if stored else decode_block(data, most, window)
        if linked:
            window = (window + block)[-_WINDOW:]
        yield block


def decode_block(data: bytes, most: int, window: bytes = b"") -> bytes:
    """Decode one block that gives at most *most* bytes; *window* is what came before it."""
    out = bytearray(window)
    most += len(window)
    at = 0
    try:
        while True:
            token = data[at]
            count, at = _length(data, at + 1, token >> 4)
            if at + count > len(data):
                raise _corrupt("it ends within a literal")
            out += data[at : at + count]
            at += count
            if len(out) > most:
                raise _corrupt("a block gives more than it may")
            if at == len(data):
                return bytes(out[len(window) :])
            offset = data[at] | data[at + 1] << 8
            count, at = _length(data, at + 2, token & 15)
            if len(out) + count + 4 > most:
                raise _corrupt("a block gives more than it may")
            _repeat(out, offset, count + 4)
    except IndexError:
        raise _corrupt("a block ends too early") from None


def _length(data: bytes, at: int, count: int) -> tuple[int, int]:
    if count == 15:
        while True:
            more = data[at]
            at, count = at + 1, count + more
            if more != 255:
                break
    return count, at


def _repeat(out: bytearray, offset: int, count: int) -> None:
    start = len(out) - offset
    if offset == 0 or start < 0:
        raise _corrupt("it refers to what is before its start")
    if offset >= count:
        out += out[start : start + count]
    else:
        piece = bytes(out[start:])
        out += (piece * (count // offset + 1))[:count]
