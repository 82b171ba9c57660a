"""Whether bytes are worth compressing, and compressing them."""

from __future__ import annotations

import threading
from typing import Any, Final

from mlstore.hashing import BytesLike

_COMPRESS_FROM: Final = 256  # bytes
_COMMIT: Final = b"mlstore commit 1\n"
_LOOK_CLOSER: Final = 64 << 10
_LEVEL: Final = 1
_WORTH_IT: Final = 0.9


class Compressor:
    """zstd where it pays: text-like bytes, and what a first try shows to shrink. Safe in threads."""

    def __init__(self) -> None:
        self._local = threading.local()

    def try_on(self, data: BytesLike) -> tuple[BytesLike, bool]:
        """Give the bytes to store, and whether they are compressed."""
        # Nearly every command reads a commit: not worth loading the decompressor for.
        if len(data) < _COMPRESS_FROM or data[: len(_COMMIT)] == _COMMIT or not _looks_compressible(data):
            return data, False
        packed = self._zstd().compress(data)
        return (packed, True) if len(packed) < _WORTH_IT * len(data) else (data, False)

    def _zstd(self) -> Any:
        if not hasattr(self._local, "zstd"):
            import zstandard

            self._local.zstd = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
        return self._local.zstd


def _looks_compressible(data: BytesLike) -> bool:
    """A cheap look at the middle: random bytes use most of 256 values, data that shrinks does not."""
    middle = len(data) // 2
    if len(data) < _LOOK_CLOSER:
        return len(set(data[middle : middle + 32])) < 26
    return len(set(data[middle : middle + 96])) < 64
