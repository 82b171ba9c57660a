"""Content-defined chunks: cut where the content says so, so that an insertion moves no later cut.

FastCDC with normalised chunking (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking
Approach for Data Deduplication", USENIX ATC 2016, and its 2020 revision), by the pyfastcdc library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from mlstore.hashing import BytesLike

AVERAGE: Final = 256 << 10
SMALLEST: Final = 64 << 10
LARGEST: Final = 1 << 20
_WINDOW: Final = 8 << 20

R = TypeVar("R")


def cut(pieces: Iterable[BytesLike]) -> Iterator[memoryview]:
    """Cut the concatenation of *pieces* into chunks, each valid until the next is asked for.

    Where the cuts are depends on the content only, not on how the pieces come.
    """
    from pyfastcdc import FastCDC

    cutter = FastCDC(avg_size=AVERAGE, min_size=SMALLEST, max_size=LARGEST)
    window = bytearray()
    for piece in pieces:
        window += piece
        if len(window) < _WINDOW:
            continue
        data = memoryview(window)
        start = 0
        for chunk in cutter.cut_buf(data):
            stop = chunk.offset + chunk.length
            # What ends with the window may go on in the next: it is cut again with more to look at.
            if stop == len(data) or len(data) - chunk.offset < LARGEST:
                break
            yield data[chunk.offset : stop]
            start = stop
        window = bytearray(data[start:])
    tail = memoryview(window)
    for chunk in cutter.cut_buf(tail) if window else ():
        yield tail[chunk.offset : chunk.offset + chunk.length]


def map_ordered(
    work: Callable[[bytes], R], chunks: Iterable[BytesLike], pool: ThreadPoolExecutor, ahead: int
) -> Iterator[R]:
    """Give ``work(chunk)`` for each chunk, in order, with at most *ahead* of them in flight."""
    waiting: deque[Future[R]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(work, bytes(chunk)))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
