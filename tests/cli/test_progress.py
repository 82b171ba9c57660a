from __future__ import annotations

import io
import sys
import threading

from mlstore_cli import progress as module
from mlstore_cli.progress import Progress, format_size


def test_sizes_for_people():
    assert [format_size(n) for n in (0, 1023, 1024, 5 << 20, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]


def test_the_line_tells_the_phase_then_files_bytes_and_rate():
    progress = Progress("adding", enabled=False)
    assert progress.describe(1) == "adding ..."
    progress("a", 1 << 20)
    progress("b", 1 << 20)
    assert progress.describe(2) == "adding: 2 files, 2.0 MiB (1.0 MiB/s)"


def test_nothing_is_drawn_without_a_terminal():
    threads = threading.active_count()
    with Progress("adding", enabled=False) as progress:
        progress("a", 1)
        assert threading.active_count() == threads


def test_nothing_is_drawn_when_it_is_over_soon(monkeypatch):
    monkeypatch.setattr(module, "_QUIET_FOR", 60)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress("adding", enabled=True):
        pass
    assert sys.stderr.getvalue() == ""


def test_what_was_drawn_is_wiped_away(monkeypatch):
    class Screen(io.StringIO):
        drawn = threading.Event()

        def write(self, text: str) -> int:
            self.drawn.set()
            return super().write(text)

    monkeypatch.setattr(module, "_QUIET_FOR", 0)
    monkeypatch.setattr(module, "_EVERY", 0)
    monkeypatch.setattr(sys, "stderr", Screen())
    with Progress("adding", enabled=True):
        assert Screen.drawn.wait(60)
    assert sys.stderr.getvalue().startswith("\r\x1b[Kadding ...")
    assert sys.stderr.getvalue().endswith("\r\x1b[K")
