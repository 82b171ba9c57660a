from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import spread_below

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """Give a folder that is on a disk: the tests' own may be in memory."""
    with tempfile.TemporaryDirectory(prefix="mlstore-", dir="/var/tmp") as folder:
        yield Path(folder)


def flags(folder: Path) -> str:
    """Give the folder's flags as lsattr prints them; skips where there are none."""
    if shutil.which("lsattr") is None:
        pytest.skip("needs lsattr (e2fsprogs)")
    done = subprocess.run(["lsattr", "-d", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0 or "e" not in done.stdout.split()[0]:
        pytest.skip("this file system is not ext4")
    return done.stdout.split()[0]


def test_a_folder_is_marked_for_spreading_and_unmarked_again(on_disk: Path) -> None:
    before = flags(on_disk)
    spread_below(on_disk)
    assert "T" in flags(on_disk)
    spread_below(on_disk, on=False)
    assert flags(on_disk) == before


def test_a_hint_that_cannot_be_given_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path)
    for what in ("file", "link", "nothing"):
        spread_below(tmp_path / what)
    assert (tmp_path / "file").read_bytes() == b"x"
