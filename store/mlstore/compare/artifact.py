"""An artifact to look into: a name, a size, and bytes that can be read again from the start."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from mlstore.hashing import BytesLike

HEAD = 4096
_PIECE = 1 << 20


class Artifact:
    """Bytes under a name. Opening it again starts again; several may be open at once."""

    def __init__(self, name: str, size: int, open_it: Callable[[], BinaryIO], *, seekable: bool) -> None:
        self.name = name
        self.size = size
        self._open = open_it
        self._seekable = seekable

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Artifact:
        """Make one of bytes in memory."""
        return cls(name, len(data), lambda: io.BytesIO(data), seekable=True)

    @classmethod
    def from_path(cls, path: Path, name: str | None = None) -> Artifact:
        """Make one of a file; raises ``OSError`` when it is not there."""
        return cls(name or path.name, path.stat().st_size, lambda: path.open("rb"), seekable=True)

    @classmethod
    def from_stream(cls, name: str, size: int, stream: Callable[[], Iterable[BytesLike]]) -> Artifact:
        """Make one of what *stream* yields each time it is called, such as an object of the store."""
        return cls(
            name, size, lambda: io.BufferedReader(_Chunks(stream()), buffer_size=_PIECE), seekable=False
        )

    def open(self) -> BinaryIO:
        """Open for reading forwards."""
        return self._open()

    def open_seekable(self) -> BinaryIO:
        """Open for reading anywhere; what only streams is written into an unnamed temporary file first."""
        if self._seekable:
            return self._open()
        import tempfile

        spool = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        for piece in self.pieces():
            spool.write(piece)
        spool.seek(0)
        return spool

    def pieces(self, size: int = _PIECE) -> Iterator[bytes]:
        """Read all of it, piece by piece."""
        with self._open() as file:
            while piece := file.read(size):
                yield piece

    def head(self, size: int = HEAD) -> bytes:
        """Give the first bytes."""
        with self._open() as file:
            return file.read(size)

    @property
    def suffix(self) -> str:
        """The ending of the name, lower case with its dot, or nothing."""
        base = self.name.replace("\\", "/").rpartition("/")[2]
        return "." + base.rpartition(".")[2].lower() if "." in base else ""


class _Chunks(io.RawIOBase):
    """A raw stream over an iterator of chunks."""

    def __init__(self, chunks: Iterable[BytesLike]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def close(self) -> None:
        """Let go of what the chunks come from."""
        if not self.closed and hasattr(self._chunks, "close"):
            self._rest = memoryview(b"")
            self._chunks.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
