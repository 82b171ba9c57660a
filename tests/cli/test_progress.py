from __future__ import annotations

import io
import re
import subprocess
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


def test_the_words_tell_what_is_done_and_how_fast():
    progress = Progress("adding", enabled=False)
    assert progress.describe(1) == "..."
    progress("a", 1 << 20)
    progress("b", 1 << 20)
    assert progress.describe(2) == "2 files, 2.0 MiB, 1.0 MiB/s"


def test_what_is_expected_gives_totals_and_the_time_left():
    progress = Progress("checking", enabled=False)
    progress.expect(10_000, 4 << 20)
    progress.advance(2_500, 1 << 20)
    assert progress.describe(30) == "2,500/10,000 files, 1.0 MiB/4.0 MiB, 34.1 KiB/s, 1:30 left"


def test_without_bytes_the_files_tell_the_time_left():
    progress = Progress("removing", enabled=False)
    progress.expect(100, 0)
    progress.advance(50, 0)
    assert progress.describe(10).endswith(", 0:10 left")


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


class Screen(io.StringIO):
    """A terminal that notes when something is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if "adding" in text and "files" in text:
            self.drawn.set()
        return super().write(text)


def test_what_was_drawn_is_wiped_away(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(module, "_QUIET_FOR", 0)
    monkeypatch.setattr(module, "_EVERY", 0.001)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with Progress("adding", enabled=True) as progress:
        progress.expect(100, 100 << 20)
        progress.advance(50, 50 << 20)
        assert screen.drawn.wait(60)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    line = next(text for text in re.split(r"[\r\n]", shown) if "files" in text)
    assert "50/100 files, 50.0 MiB/100.0 MiB" in line
    assert len(line.rstrip()) <= 80
    assert screen.getvalue().rstrip().endswith("\x1b[2K")  # the line is erased


def test_rich_is_imported_only_when_something_is_shown():
    code = (
        "import sys; from mlstore_cli.progress import Progress\n"
        "with Progress('adding', enabled=True) as p: p('a', 1)\n"
        "sys.exit(any(name.split('.')[0] == 'rich' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
