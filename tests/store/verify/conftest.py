from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.verify.building import Pipeline

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline that was run once."""
    made = Pipeline(tmp_path / "repo")
    made.run()
    return made
