"""Hashing many objects and files again, on all cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mlstore._progress import Progress, as_tick, expect
from mlstore.errors import CorruptError, MlstoreError, NotFoundError, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.objects.audit import Audit
from mlstore.objects.workers import in_order
from mlstore.repository import Repository
from mlstore.verify.coverage import Coverage
from mlstore.verify.inspection import Inspection
from mlstore.verify.sampling import Selection

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
    repo: Repository,
    inspection: Inspection,
    *,
    selection: Selection | None = None,
    dataless: bool = False,
    jobs: int | None,
    progress: Progress | None,
) -> Coverage:
    """Hash the blobs that *inspection* found a need for, and say how many.

    *selection* takes a part of them; of the others it is still asked whether they are there. *dataless* takes
    none. A blob that the store was cloned without is no damage.
    """
    return _Content(repo, inspection, selection, jobs, progress).run(dataless)


class _Content:
    def __init__(
        self,
        repo: Repository,
        inspection: Inspection,
        selection: Selection | None,
        jobs: int | None,
        progress: Progress | None,
    ) -> None:
        self._repo = repo
        self._inspection = inspection
        self._selection = selection
        self._jobs = jobs
        self._progress = progress
        self._hashed: dict[ObjectId, int] = {}
        self._absent: list[ObjectId] = []
        self._left: list[ObjectId] = []

    def run(self, dataless: bool) -> Coverage:
        blobs, selection = self._inspection.blobs, self._selection
        if dataless:
            self._absent = list(blobs)
        elif selection is None:
            self._hash_all(blobs)
        else:
            chosen = selection.order(blobs)
            if selection.budget is None:
                self._hash_all(chosen)
            else:
                self._hash_for(chosen, selection.budget)
            self._pass_over(blobs.keys() - self._hashed.keys() - set(self._absent))
        return self._coverage()

    def _coverage(self) -> Coverage:
        selection, sizes = self._selection, self._inspection.blobs
        unknown = (sizes[blob] or 0 for blob in sizes.keys() - self._hashed.keys())
        hashed = sum(self._hashed.values())
        return Coverage(
            blobs=len(sizes),
            bytes=hashed + sum(unknown),
            hashed=len(self._hashed),
            hashed_bytes=hashed,
            absent=len(self._absent),
            absent_bytes=sum(sizes[blob] or 0 for blob in self._absent),
            left=len(self._left),
            left_bytes=sum(sizes[blob] or 0 for blob in self._left),
            sample=str(selection.sample) if selection and selection.sample else None,
            budget=selection.budget if selection else None,
            seed=selection.seed if selection else None,
        )

    def _hash_all(self, ids: Iterable[ObjectId]) -> None:
        chosen = dict.fromkeys(ids)
        audit = Audit(
            self._repo.objects, jobs=self._jobs, chosen=chosen.__contains__, tick=as_tick(self._progress)
        )
        if len(chosen) > _FEW:
            audit.prepare()
            audit.plan()
            expect(self._progress, audit.looked_at, audit.total_bytes)
            audit.run()
            audit.settle()
        for object_id in chosen:
            error = audit.damaged.get(object_id)
            size = audit.sizes.get(object_id)
            if error is None and size is None:
                error, size = self._check_one(object_id)
            self._take(object_id, error, size)

    def _hash_for(self, ids: list[ObjectId], budget: float) -> None:
        """Hash one after another until the time is over; what was begun then is dropped."""
        end = time.monotonic() + budget
        expect(self._progress, len(ids), sum(self._inspection.blobs[blob] or 0 for blob in ids))

        def look(object_id: ObjectId) -> tuple[ObjectId, MlstoreError | None, int | None]:
            if time.monotonic() >= end:
                return object_id, None, None
            return object_id, *self._check_one(object_id, end)

        for object_id, error, size in in_order(look, ids, self._jobs):
            if error is not None or size is not None:
                self._take(object_id, error, size)
                if self._progress is not None:
                    self._progress(object_id, size or 0)

    def _check_one(
        self, object_id: ObjectId, end: float | None = None
    ) -> tuple[MlstoreError | None, int | None]:
        try:
            if end is None:
                return None, self._repo.objects.check(object_id).size
            size = 0
            for chunk in self._repo.objects.stream(object_id):
                size += len(chunk)
                if time.monotonic() >= end:
                    return None, None
            return None, size
        except (CorruptError, NotFoundError) as exc:
            return exc, None

    def _take(self, object_id: ObjectId, error: MlstoreError | None, size: int | None) -> None:
        inspection = self._inspection
        if error is None and size is not None:
            self._hashed[object_id] = size
            inspection.check_size(object_id, size)
        elif isinstance(error, ObjectNotFound) and inspection.may_be_absent(object_id):
            self._absent.append(object_id)
        else:
            assert error is not None
            inspection.damage(object_id, error, inspection.need_of(object_id), "blob")

    def _pass_over(self, ids: Iterable[ObjectId]) -> None:
        """Of what is not hashed, say at least whether it is there."""
        rest = [object_id for object_id in ids if object_id not in self._inspection.damaged]
        gone = set(self._repo.objects.absent(rest))
        for object_id in rest:
            if object_id in gone:
                self._take(object_id, ObjectNotFound(f"object '{object_id}' is missing", id=object_id), None)
            else:
                self._left.append(object_id)
