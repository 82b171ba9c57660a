"""Repositories for the library's tests, in memory where there is such a thing.

These tests make and remove tens of thousands of files: a disk takes minutes for what memory does at once.
What a disk keeps when the power fails is asked nowhere here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.store.support import Work, fast_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")
ENOUGH = 256 << 20


def fast_folder() -> str | None:
    """Where temporary folders are best made; None for where the system makes them."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return None
    status = os.statvfs(MEMORY)
    return str(MEMORY) if status.f_bavail * status.f_frsize > ENOUGH else None


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder for one test, in one that nobody else uses."""
    folder = Path(tempfile.mkdtemp(prefix="mlstore-", dir=fast_folder())).resolve()
    (folder / "test").mkdir()
    try:
        yield folder / "test"
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder for all tests of a module."""
    folder = Path(tempfile.mkdtemp(prefix="mlstore-", dir=fast_folder())).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for one test that needs more room than memory should give."""
    folder = tmp_path_factory.mktemp("large")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def work(tmp_path: Path, request: pytest.FixtureRequest) -> Work:
    """An empty repository; its small objects are packed, unless the test asks for "loose" ones."""
    pack = getattr(request, "param", "packed") == "packed"
    return Work(fast_repository(tmp_path / "work", pack=pack))


@pytest.fixture
def reflinking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small xfs, which shares blocks between files."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mkfs.xfs") is None:
        pytest.skip("needs root and mkfs.xfs")
    folder = tmp_path_factory.mktemp("reflink")
    image, mounted = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    mounted.mkdir()
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mounted], check=False, capture_output=True).returncode:
        pytest.skip("no loop mounts here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)
