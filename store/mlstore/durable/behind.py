"""Work on the pieces of a large file in a second thread, while the caller goes on reading and hashing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from mlstore.durable.errors import storage_errors
from mlstore.durable.staging import StagedFile
from mlstore.durable.sync import start_writeback
from mlstore.errors import MlstoreError

BEHIND_FROM: Final = 8 << 20
"""From this file size (bytes) on a second thread is worth it."""

_AHEAD: Final = 8  # pieces that wait: a bound on memory
_WRITEBACK_EVERY: Final = 32 << 20


class Behind:
    """Calls *work* with each piece it is given, in order, in a thread of its own.

    Use as a context manager: at the end all pieces were worked on, or the ``OSError`` or ``MlstoreError`` of
    *work* is raised, once; nothing is worked on after an error. What is handed over must not change any
    more, so give ``bytes``.
    """

    def __init__(self, work: Callable[[bytes], None]) -> None:
        self._work = work
        self._queue: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._error: OSError | MlstoreError | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="mlstore-behind", daemon=True)

    def __enter__(self) -> Behind:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = kind is not None
        self._queue.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, data: bytes) -> None:
        """Hand over *data*; waits when too much is under way. Raises the error of an earlier piece."""
        if self._error is not None:
            raise self._error
        self._queue.put(data)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            if self._stopped or self._error is not None:
                continue  # whoever waits for room in the queue must not wait for ever
            try:
                self._work(data)
            except (OSError, MlstoreError) as exc:
                self._error = exc


def write_behind(file: StagedFile, *, durable: bool, name: object = None) -> Behind:
    """Write what is ``put`` to a staged file, which stays open; errors are about *name* (the file itself).

    *durable* asks the system to begin with the disk while there is more to come: the sync at the end,
    which is still needed, then has little left to do.
    """
    written = started = 0

    def write(data: bytes) -> None:
        nonlocal written, started
        with storage_errors(name if name is not None else file.path):
            file.write(data)
        written += len(data)
        if durable and written - started >= _WRITEBACK_EVERY:
            start_writeback(file.fd, started, written - started)
            started = written

    return Behind(write)
