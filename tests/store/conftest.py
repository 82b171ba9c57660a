"""Repositories for the library's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import Work, fast_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """An empty repository."""
    return Work(fast_repository(tmp_path / "work"))
