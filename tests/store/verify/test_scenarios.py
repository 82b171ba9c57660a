"""All that is said of what is wrong: every message, cause, hint, path, id and count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.verify.scenarios import EXPECTED, SCENARIOS, say

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXPECTED.read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_it_is_told_as_written_down(name: str, tmp_path: Path, expected: dict[str, Any]) -> None:
    assert say(name, tmp_path) == expected[name]


def test_nothing_is_written_down_that_is_not_tried(expected: dict[str, Any]) -> None:
    assert expected.keys() == SCENARIOS.keys()
