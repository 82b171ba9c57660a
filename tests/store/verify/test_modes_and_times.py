"""Modes and times are believed by nobody who verifies: bytes are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.store.verify.building import EITHER, Pipeline

from mlstore.repository import Repository
from mlstore.verify import fsck, verify

if TYPE_CHECKING:
    from pathlib import Path


def change_unseen(path: Path, at: int) -> None:
    """Flip a bit and leave size, times, mode and inode as they were; only the kernel's ctime tells."""
    before = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    for field in ("st_size", "st_mtime_ns", "st_mode", "st_ino"):
        assert getattr(after, field) == getattr(before, field)


@EITHER
def test_a_stored_object_that_looks_untouched_is_hashed(pipeline: Pipeline) -> None:
    place = stored.find(pipeline.repo.store, pipeline.value("model.joblib"))
    change_unseen(place.path, place.offset)
    assert verify(Repository.open(pipeline.root)).category == "corrupt"
    assert fsck(Repository.open(pipeline.root)).category == "corrupt"


def test_a_file_of_the_worktree_that_looks_untouched_is_hashed(pipeline: Pipeline) -> None:
    assert verify(pipeline.repo).ok  # and the index knows the file's times
    change_unseen(pipeline.root / "model.joblib", 0)
    assert verify(Repository.open(pipeline.root)).category == "differs"


@EITHER
@pytest.mark.parametrize("mode", [0o444, 0o644, 0o600, 0o777])
@pytest.mark.parametrize("moment", [0, 2**33])
def test_other_modes_and_times_of_stored_files_are_no_finding(
    pipeline: Pipeline, mode: int, moment: int
) -> None:
    for path in (pipeline.repo.store / "objects").rglob("*"):
        if path.is_file():
            path.chmod(mode)
            os.utime(path, (moment, moment))
    assert verify(Repository.open(pipeline.root)).ok
    assert fsck(Repository.open(pipeline.root)).findings == []


def test_other_times_of_the_worktree_are_no_finding(pipeline: Pipeline) -> None:
    for path in pipeline.root.rglob("*"):
        if path.is_file() and ".mlstore" not in path.parts:
            os.utime(path, (1, 1))
    assert verify(Repository.open(pipeline.root)).ok
