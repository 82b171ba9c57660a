"""A disk that is really full: a file system of one megabyte."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.store.support import Work, fast_repository, listing

from mlstore.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Work]:
    """A repository on a file system of 1 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine does not let us mount a small file system")
    try:
        yield Work(fast_repository(disk / "work"))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(work: Work, *, leave: int = 0) -> Path:
    """Fill the disk up to LEAVE bytes."""
    ballast = work.root.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave))
    return ballast


def test_adding_to_a_full_disk_is_one_clear_error_and_changes_nothing(small: Work) -> None:
    small.commit(a="1")
    small.write("big", os.urandom(200_000))
    ballast = fill(small, leave=60_000)
    before = small.everything()
    with pytest.raises(StorageError, match="no space left on device") as caught:
        small.add("big")
    assert "free some space" in str(caught.value.hint)
    assert small.everything() == before
    assert small.status() == {"staged": [], "unstaged": [], "untracked": ["big"]}
    ballast.unlink()
    small.add("big")
    assert small.status()["staged"] == ["added big"]


def test_committing_to_a_full_disk_changes_nothing_and_reading_works(small: Work) -> None:
    small.commit(a="1")
    small.write("b", "2")
    small.add()
    before = small.everything()
    ballast = fill(small)
    with pytest.raises(StorageError, match="no space left on device"):
        small.record("second")
    assert small.everything() == before
    assert small.files_of(small.head) == {"a": b"1"}
    ballast.unlink()
    assert small.files_of(small.record("second")) == {"a": b"1", "b": b"2"}


def test_a_checkout_onto_a_full_disk_leaves_every_file_as_it_was(small: Work) -> None:
    small.commit(a="1", b="1")
    small.branch("other")
    small.commit(a="2", b="22", c=os.urandom(150_000))
    small.switch("main")
    ballast = fill(small, leave=60_000)
    before = small.everything()
    with pytest.raises(StorageError, match="no space left on device"):
        small.switch("other")
    assert small.everything() == before
    assert listing(small.repo.scratch) == {}
    ballast.unlink()
    small.switch("other")
    assert small.path("b").read_text() == "22"


def test_an_index_that_cannot_be_written_is_still_the_old_one(small: Work) -> None:
    for number in range(200):
        small.write(f"{number:03}", "=")
    small.add()
    before = small.index.snapshot()
    small.write("new", "=")  # its blob is in the store: only the index grows
    fill(small, leave=8192)
    with pytest.raises(StorageError):
        small.add("new")
    assert small.index.snapshot() == before


def test_a_status_on_a_full_disk_works(small: Work) -> None:
    small.commit(a="1")
    os.utime(small.path("a"), ns=(10**18, 10**18))
    fill(small)
    assert small.status() == {"staged": [], "unstaged": [], "untracked": []}
