from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from mlstore import _twin
from mlstore._twin import beside, may_fork, stop_if_alone

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only there are processes doubled"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def test_both_halves_are_done_each_in_a_process_of_its_own() -> None:
    here: list[int] = []
    there = beside(lambda: str(os.getpid()).encode(), lambda: here.append(os.getpid()))
    assert here == [os.getpid()]
    assert there is not None
    assert int(there) != os.getpid()


def test_a_long_answer_does_not_stop_at_the_pipe() -> None:
    assert beside(lambda: b"x" * (3 << 20), lambda: None) == b"x" * (3 << 20)


def test_a_child_that_fails_gives_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> bytes:
        raise MemoryError

    def die() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b"never"

    assert beside(fail, lambda: None) is None
    assert beside(die, lambda: None) is None
    assert capfd.readouterr() == ("", "")


def test_what_goes_wrong_here_is_raised_and_no_child_stays_behind() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beside(lambda: b"x" * (3 << 20), fail)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_process_with_threads_is_never_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not may_fork()
    finally:
        done.set()
        thread.join()
    monkeypatch.setattr(os, "listdir", lambda _: ["1"])
    assert may_fork()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not may_fork()


def test_a_child_whose_parent_was_killed_stops(tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    program = f"""
import os, pathlib, time
from mlstore import _twin

def theirs():
    pathlib.Path({str(started)!r}).touch()
    try:
        while True:
            _twin.stop_if_alone()
            time.sleep(0.01)
    finally:
        pathlib.Path({str(ended)!r}).touch()

_twin.beside(theirs, lambda: time.sleep(60))
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    wait_for(started)
    assert not ended.exists()
    process.kill()
    process.wait()
    wait_for(ended)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_a_process_that_is_no_child_is_never_stopped() -> None:
    assert _twin._waiting == []
    stop_if_alone()
