"""Hashing many objects and files again, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mlstore._progress import Progress, as_tick, expect
from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.objects.audit import Audit
from mlstore.objects.workers import in_order
from mlstore.repository import Repository
from mlstore.verify.inspection import Inspection

T = TypeVar("T")
R = TypeVar("R")

_LARGE = 256 << 10
_FEW = 64  # so few blobs of a large store are found one by one


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
    yield from in_order(work, large, jobs) if len(large) > 1 else map(work, large)


def check_blobs(
    repo: Repository, inspection: Inspection, *, jobs: int | None, progress: Progress | None
) -> tuple[int, int]:
    """Hash every blob that *inspection* found a need for; gives their number and bytes."""
    blobs = inspection.blobs
    audit = Audit(repo.objects, jobs=jobs, chosen=blobs.__contains__, tick=as_tick(progress))
    if len(blobs) > _FEW:
        audit.prepare()
        audit.plan()
        expect(progress, audit.looked_at, audit.total_bytes)
        audit.run()
        audit.settle()
    total = 0
    for object_id in blobs:
        error = audit.damaged.get(object_id)
        size = audit.sizes.get(object_id)
        if error is None and size is None:
            error, size = _check_one(repo, object_id)
        if error is not None or size is None:
            assert error is not None
            inspection.damage(object_id, error, inspection.need_of(object_id), "blob")
            continue
        inspection.check_size(object_id, size)
        total += size
    return len(blobs), total


def _check_one(repo: Repository, object_id: ObjectId) -> tuple[MlstoreError | None, int | None]:
    try:
        return None, repo.objects.check(object_id).size
    except (CorruptError, NotFoundError) as exc:
        return exc, None
