from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import FileLock, locks
from mlstore.errors import Locked, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD = """if True:
    import sys
    from pathlib import Path
    from mlstore.durable import FileLock
    with FileLock(Path(sys.argv[1]), purpose="a long job", wait=0):
        print("held", flush=True)
        sys.stdin.read()
    """


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, until its stdin is closed or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


def test_whoever_waits_in_vain_is_told_who_holds_it_and_why(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "write"
    with holder(path) as other, pytest.raises(Locked) as caught, FileLock(path, purpose="mine", wait=0.01):
        pass
    assert caught.value.data["holder"]["pid"] == other.pid
    assert f"process {other.pid} (a long job, since 20" in caught.value.message
    assert caught.value.hint is not None
    assert "waited 0.01 s" in caught.value.hint


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "write"
    with holder(path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with FileLock(path, purpose="mine", wait=0):
            assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_lock_that_was_given_back_can_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "write"
    for _ in range(3):
        with FileLock(path, purpose="mine", wait=0):
            pass
    assert path.exists(), "the file stays: removing it would let two processes lock two files"


def test_two_holders_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    path = tmp_path / "write"
    with FileLock(path, purpose="one", wait=0), pytest.raises(Locked):
        FileLock(path, purpose="two", wait=0).acquire()
    with FileLock(path, purpose="two", wait=0):
        pass


def test_whoever_waits_long_enough_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "write"
    got = threading.Event()

    def wait_for_it() -> None:
        with FileLock(path, purpose="two", wait=30):
            got.set()

    with FileLock(path, purpose="one", wait=0):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        assert not got.is_set()
    thread.join(30)
    assert got.is_set()


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"pid":1}', "\0" * 100])
def test_a_lock_file_without_a_readable_holder_is_a_lock_all_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "write"
    with FileLock(path, purpose="one", wait=0):
        path.write_text(text)
        with pytest.raises(Locked, match="another process") as caught:
            FileLock(path, purpose="two", wait=0).acquire()
    assert caught.value.data["holder"] is None


def test_the_name_of_an_earlier_holder_with_a_longer_purpose_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "write"
    with FileLock(path, purpose="long " * 50, wait=0):
        pass
    with FileLock(path, purpose="x", wait=0):
        assert json.loads(path.read_text())["purpose"] == "x"


def test_a_full_disk_keeps_nobody_from_holding_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with FileLock(tmp_path / "write", purpose="mine", wait=0):
        pass


def test_a_file_system_without_locks_is_an_error_and_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_fd: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "try_lock", no_locks)
    with pytest.raises(StorageError, match="no locks available"):
        FileLock(tmp_path / "write", purpose="mine", wait=0).acquire()


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "locks").write_bytes(b"")
    with pytest.raises(StorageError):
        FileLock(tmp_path / "locks" / "write", purpose="mine", wait=0).acquire()


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "write"
    lock = FileLock(path, purpose="mine", wait=0)
    lock.acquire()
    code = "import sys; print('started', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        lock.release()
        with FileLock(path, purpose="mine", wait=0):
            pass
        child.kill()
