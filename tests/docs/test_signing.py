"""docs/signing.md is true: its tour is run as it stands, what it names is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from tests.docs.tours import normalise, play, steps
from tests.keys import needs_keygen
from tests.support import FIXTURES

from mlstore.signing import State

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (FIXTURES.parent / "docs/signing.md").read_text("utf-8")


@needs_keygen
def test_the_tour_prints_what_the_page_shows(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "MLSTORE_STATE": str(home / "state")}
    shown = steps(TEXT)
    assert len(shown) > 15
    assert normalise(play(TEXT, tmp_path, env)) == normalise(shown)


def test_every_state_is_told() -> None:
    table = TEXT.partition("| state | |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([A-Z-]+)` \|", table, re.MULTILINE)) == set(get_args(State))
