"""Hashing many objects and files again, on all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.hashing import Digest, ObjectId
from mlstore.repository import Repository
from mlstore.verify.inspection import Inspection, size_mismatch

Progress: TypeAlias = Callable[[str, int], None]
"""Called with a path or id and a number of bytes after each file or object that was hashed."""

T = TypeVar("T")
R = TypeVar("R")

_LARGE = 256 << 10
_AHEAD = 4


def in_parallel(
    work: Callable[[T], R], items: Iterable[T], size: Callable[[T], int], jobs: int | None
) -> Iterator[R]:
    """Give ``work(item)`` for each item: small ones (by *size*, bytes) first, then large ones on all cores.

    Hashing and reading a large file releases the interpreter's lock; for a small one a thread costs more
    than it brings. *jobs* None means all cores. Few results are held at a time.
    """
    large: list[T] = []
    for item in items:
        if size(item) < _LARGE:
            yield work(item)
        else:
            large.append(item)
    count = jobs or os.cpu_count() or 1
    if count == 1 or len(large) < 2:
        yield from map(work, large)
        return
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[R]] = deque()
        for item in large:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= _AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def check_blobs(
    repo: Repository, inspection: Inspection, *, jobs: int | None, progress: Progress | None
) -> tuple[int, int]:
    """Hash every blob that *inspection* found a need for; gives their number and bytes."""

    def check(object_id: ObjectId) -> tuple[ObjectId, Digest | MlstoreError]:
        try:
            return object_id, repo.objects.check(object_id)
        except (CorruptError, NotFoundError) as exc:
            return object_id, exc

    total = 0
    blobs = inspection.blobs
    for object_id, result in in_parallel(check, blobs, lambda blob: blobs[blob].size or 0, jobs):
        need = inspection.blobs[object_id]
        if isinstance(result, MlstoreError):
            inspection.damage(object_id, result, need, "blob")
            continue
        if need.size is not None and need.size != result.size:
            inspection.damage(object_id, size_mismatch(object_id, need.size, result.size), need, "blob")
        total += result.size
        if progress is not None:
            progress(object_id, result.size)
    return len(inspection.blobs), total
