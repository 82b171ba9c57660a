from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import StagedFile, sync
from mlstore.durable.behind import Behind, write_behind
from mlstore.errors import CorruptError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

PIECES = [bytes([number]) * 1000 for number in range(100)]


def test_pieces_are_worked_on_in_order_and_all_of_them() -> None:
    seen: list[bytes] = []
    with Behind(seen.append) as behind:
        for piece in PIECES:
            behind.put(piece)
    assert seen == PIECES


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), CorruptError("damaged")])
@pytest.mark.parametrize("at", [0, 50, 99])
def test_an_error_reaches_the_caller_and_nothing_is_done_after_it(error: Exception, at: int) -> None:
    seen: list[bytes] = []

    def work(piece: bytes) -> None:
        if len(seen) == at:
            raise error
        seen.append(piece)

    with pytest.raises(type(error)), Behind(work) as behind:
        for piece in PIECES:
            behind.put(piece)
    assert seen == PIECES[:at]
    assert threading.active_count() == 1


def test_a_caller_that_fails_waits_for_the_thread_and_keeps_its_own_error() -> None:
    def work(piece: bytes) -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(KeyboardInterrupt), Behind(work) as behind:
        behind.put(b"x")
        raise KeyboardInterrupt
    assert threading.active_count() == 1


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_written_whole_and_the_disk_is_asked_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "mlstore.durable.behind.start_writeback", lambda fd, offset, length: asked.append((offset, length))
    )
    monkeypatch.setattr("mlstore.durable.behind._WRITEBACK_EVERY", 30_000)
    file = StagedFile(tmp_path / "a", 0o644)
    with write_behind(file, durable=durable) as behind:
        for piece in PIECES:
            behind.put(piece)
    file.close()
    assert (tmp_path / "a").read_bytes() == b"".join(PIECES)
    assert asked == ([(0, 30_000), (30_000, 30_000), (60_000, 30_000)] if durable else [])


def test_a_full_disk_is_told_by_the_name_that_the_caller_gave(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    file = StagedFile(tmp_path / "b", 0o644)
    os.close(file.fd)
    file.fd = os.open(path, os.O_RDONLY)
    with (
        pytest.raises(StorageError, match="data.bin"),
        write_behind(file, durable=False, name="data.bin") as to,
    ):
        to.put(b"x")
    file.close()


def test_the_hint_to_begin_works_here_and_is_left_out_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(bytes(10))
        file.flush()
        sync.start_writeback(file.fileno(), 0, 10)
        monkeypatch.setattr(sync, "_sync_file_range", lambda: None)
        sync.start_writeback(file.fileno(), 0, 10)
