"""Repositories for the library's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import Work, fast_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def work(tmp_path: Path, request: pytest.FixtureRequest) -> Work:
    """An empty repository; its small objects are packed, unless the test asks for "loose" ones."""
    pack = getattr(request, "param", "packed") == "packed"
    return Work(fast_repository(tmp_path / "work", pack=pack))
