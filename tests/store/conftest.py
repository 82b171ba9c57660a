"""Repositories for the library's tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.store.support import Work, fast_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")


@pytest.fixture
def work(tmp_path: Path, request: pytest.FixtureRequest) -> Work:
    """An empty repository; its objects are loose, unless the test asks for "packed" ones."""
    pack = getattr(request, "param", "loose") == "packed"
    return Work(fast_repository(tmp_path / "work", pack=pack))


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is such a thing: for tests that make thousands of files and folders."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        yield tmp_path_factory.mktemp("memory")
        return
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
