"""No file of the project carries what an editor or a machine has left in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".cfg", ".csv", ".ini", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}

# C0 but tab and newline, DEL, C1, zero-width and bidirectional controls, and the byte-order mark.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    names = [name for name in listing.stdout.split("\0") if name and Path(name).suffix in TEXT]
    files = {name: ROOT / name for name in names}
    return {name: path.read_bytes().decode("utf-8") for name, path in files.items() if path.is_file()}


def test_no_text_file_holds_control_characters(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if CONTROL.search(text)] == []


def test_no_text_file_names_the_folder_of_this_checkout(texts: dict[str, str]) -> None:
    place = re.compile(rf"(?<![\w.-]){re.escape(str(ROOT))}(?![\w.-])")
    assert [name for name, text in texts.items() if place.search(text)] == []


def test_every_text_file_ends_in_one_newline(texts: dict[str, str]) -> None:
    sources = {name: text for name, text in texts.items() if Path(name).suffix in {".md", ".py", ".toml"}}
    assert [n for n, text in sources.items() if text and (text.endswith("\n\n") or text[-1] != "\n")] == []
