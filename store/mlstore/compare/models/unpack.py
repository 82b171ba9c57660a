"""The bytes inside a compressed model file, in bounded pieces, and what stands behind them."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from mlstore.compare.models import lz4
from mlstore.errors import CorruptArtifact

MODEL_SUFFIXES = (".joblib", ".pkl", ".pickle", ".p", ".pck", ".sav", ".jl")
_PACKED_SUFFIXES = (".z", ".gz", ".bz2", ".lzma", ".xz", ".lz4")
_INPUT = 64 << 10
_OUTPUT = 1 << 20

# As joblib recognises them.
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZ", "bz2"),
    (b"\x5d\x00", "lzma"),
    (b"\xfd7zXZ", "xz"),
    (lz4.MAGIC, "lz4"),
    (b"ZF0x", "zfile"),
    (b"\x78", "zlib"),
)
_ZFILE_HEADER = 2 + len(hex(2**64))
_FIRST_PROTOCOL, _LAST_PROTOCOL = 2, 5


def codec_of(head: bytes) -> str:
    """Name the compression of a file that begins with *head*; ``raw`` for none."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "raw")


def looks_like_model(name: str, head: bytes) -> bool:
    """Whether a file called *name* that begins with *head* is one to be read as a pickle."""
    low = name.lower()
    if head.startswith(b"\x80") and len(head) > 1 and _FIRST_PROTOCOL <= head[1] <= _LAST_PROTOCOL:
        return True
    codec = codec_of(head)
    for packed in _PACKED_SUFFIXES:
        if low.endswith(packed) and codec != "raw":
            low = low.removesuffix(packed)
            break
    if low.endswith(MODEL_SUFFIXES):
        return True
    return codec not in ("raw", "zfile") and _holds_pickle(head)


def _holds_pickle(head: bytes) -> bool:
    """Whether the compressed start *head* unpacks to the start of a pickle."""
    import io

    try:
        first = next((piece for piece in unpack(io.BytesIO(head), 1 << 20) if piece), b"")
    except CorruptArtifact:
        return False
    return first[:1] == b"\x80" and first[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


class Trailing(Exception):
    """Raised at the end of the unpacked bytes when something stands behind the compressed part."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def unpack(file: BinaryIO, memory: int) -> Iterator[bytes]:
    """Yield the unpacked bytes of *file* in pieces of at most a few megabytes.

    *memory* bounds what a decompressor may take. Raises ``CorruptArtifact`` for damage, after all pieces
    before it, and ``Trailing`` when the compressed data is followed by something else.
    """
    reader = _Input(file)
    codec = codec_of(reader.peek(8))
    if codec == "raw":
        yield from reader.rest()
    elif codec == "lz4":
        yield from _unpack_lz4(reader)
    else:
        yield from _unpack_with(reader, codec, memory)


class _Input:
    """The packed bytes, with some pushed back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._back = b""

    def peek(self, size: int) -> bytes:
        while len(self._back) < size and (more := self._file.read(_INPUT)):
            self._back += more
        return self._back[:size]

    def piece(self) -> bytes:
        data, self._back = self._back or self._file.read(_INPUT), b""
        return data

    def push_back(self, data: bytes) -> None:
        self._back = data + self._back

    def exactly(self, size: int) -> bytes:
        data = self.peek(size)
        if len(data) < size:
            raise CorruptArtifact("its compressed data ends too early")
        self._back = self._back[size:]
        return data

    def rest(self) -> Iterator[bytes]:
        while piece := self.piece():
            yield piece

    def left(self) -> int:
        return sum(map(len, self.rest()))


def _unpack_lz4(reader: _Input) -> Iterator[bytes]:
    while reader.peek(4) == lz4.MAGIC:
        yield from lz4.decode_frame(reader.exactly)
    if size := reader.left():
        raise Trailing(size)


def _unpack_with(reader: _Input, codec: str, memory: int) -> Iterator[bytes]:
    make = _decoders(codec, memory)
    if codec == "zfile":
        reader.exactly(_ZFILE_HEADER)
    first = reader.peek(2)[: 1 if codec == "zlib" else 2]
    while True:
        decoder = make()
        yield from _one_stream(reader, decoder)
        reader.push_back(decoder.unused_data)
        while codec == "xz" and reader.peek(4) == b"\0\0\0\0":  # padding between streams
            reader.exactly(4)
        if codec == "zfile" or not first or not reader.peek(2).startswith(first):
            break
    if size := reader.left():
        raise Trailing(size)


def _decoders(codec: str, memory: int) -> Callable[[], Any]:
    if codec in ("zlib", "gzip", "zfile"):
        return lambda: _Zlib(31 if codec == "gzip" else 15)
    if codec == "bz2":
        return bz2.BZ2Decompressor
    form = lzma.FORMAT_XZ if codec == "xz" else lzma.FORMAT_ALONE
    return lambda: lzma.LZMADecompressor(form, memlimit=max(memory, 128 << 20))


class _Zlib:
    """zlib's decompressor with the manners of the other two."""

    def __init__(self, wbits: int) -> None:
        self._it = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._it.decompress(self._it.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._it.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._it.eof

    @property
    def unused_data(self) -> bytes:
        return self._it.unused_data


def _one_stream(reader: _Input, decoder: Any) -> Iterator[bytes]:
    try:
        while not decoder.eof:
            data = reader.piece() if decoder.needs_input else b""
            out = decoder.decompress(data, _OUTPUT)
            if out:
                yield out
            elif not data and not decoder.eof and decoder.needs_input:
                raise CorruptArtifact("its compressed data ends too early")
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as exc:
        raise CorruptArtifact(f"its compressed data is damaged: {exc}") from None
    except MemoryError:
        raise CorruptArtifact("its decompressor wants more memory than it may have") from None
