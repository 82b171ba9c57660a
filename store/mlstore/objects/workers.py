"""Sharing work among threads, or among whatever joblib was told to use.

The default is a thread pool of our own: joblib takes longer to import than most checks take. A caller who has
chosen a backend (``with joblib.parallel_config(backend="loky", n_jobs=8):``) has imported it, and gets it.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2


def in_order(work: Callable[[T], R], items: Iterable[T], jobs: int | None) -> Iterator[R]:
    """Give ``work(item)`` for each item, in order, on *jobs* threads (None: one for each core).

    A few items are taken ahead of what was given, so memory stays bounded. What *work* raises is raised here,
    and nothing more is begun then.
    """
    count = jobs or os.cpu_count() or 1
    if count == 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(count)
    try:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def anywhere(work: Callable[[T], R], items: Iterable[T], jobs: int | None) -> Iterator[R]:
    """As ``in_order``, but on the joblib backend that the caller has configured, if any.

    *work* and *items* can be pickled: the backend may use other processes.
    """
    parallel = configured_parallel(jobs)
    if parallel is None:
        return in_order(work, items, jobs)
    from joblib import delayed

    found: Iterator[R] = iter(parallel(delayed(work)(item) for item in items))
    return found


def configured_parallel(jobs: int | None) -> Any | None:
    """Give a ``joblib.Parallel`` when ``joblib.parallel_config`` chose something else than threads."""
    if "joblib" not in sys.modules:
        return None
    from joblib import Parallel
    from joblib.parallel import ThreadingBackend, get_active_backend

    backend, _ = get_active_backend(prefer="threads")
    if isinstance(backend, ThreadingBackend):
        return None
    streams = getattr(backend, "supports_return_generator", False)
    return Parallel(n_jobs=jobs, return_as="generator" if streams else "list")
