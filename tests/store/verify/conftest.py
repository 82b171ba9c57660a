from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.verify.building import Pipeline

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pipeline(tmp_path: Path, request: pytest.FixtureRequest) -> Pipeline:
    """A pipeline that was run once; its objects are packed, unless the test asks for "loose" ones."""
    made = Pipeline(tmp_path / "repo", pack=getattr(request, "param", "packed") == "packed")
    made.run()
    return made
