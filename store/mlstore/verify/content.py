"""Hashing many objects and files again, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.hashing import ObjectId
from mlstore.objects.audit import Audit
from mlstore.objects.workers import in_order
from mlstore.repository import Repository
from mlstore.verify.inspection import Inspection

Progress: TypeAlias = Callable[[str, int], None]
"""Called with a path or id and a number of bytes after each file or object that was hashed.

Where it also has ``expect(files, size)``, that is told what is to come as soon as it is known, and where it
has ``advance(files, size)`` many small things are told at once.
"""

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


def expect(progress: Progress | None, files: int, size: int) -> None:
    """Tell *progress*, if it wants to know, how much there is to come."""
    told = getattr(progress, "expect", None)
    if told is not None:
        told(files, size)


def as_tick(progress: Progress | None) -> Callable[[int, int], None] | None:
    """Give *progress* as what takes many things at once."""
    if progress is None:
        return None
    advance: Callable[[int, int], None] | None = getattr(progress, "advance", None)
    if advance is not None:
        return advance

    def one_by_one(files: int, size: int) -> None:
        for _ in range(files - 1):
            progress("", 0)
        progress("", size)

    return one_by_one


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
