"""The damaged repositories of `fixtures/damaged`, put where a test can use them."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

from tests.store.independent import Reader
from tests.support import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = FIXTURES / "damaged"
ROWS: list[dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


def extract(name: str, root: Path) -> Path:
    """Make ROOT the sound repository with the damage called NAME ("sound": none)."""
    root.mkdir()
    for archive in dict.fromkeys(("sound", name)):
        with tarfile.open(FOLDER / f"{archive}.tar.gz") as tar:
            tar.extractall(root, filter="data")
    removed = root / "removed"
    if removed.exists():
        for path in removed.read_text().splitlines():
            (root / path).unlink()
        removed.unlink()
    return root


def content(root: Path) -> dict[str, Any]:
    """Everything that refs and history lead to, read by other code than ours."""
    reader = Reader(root)
    refs = reader.refs()
    files = {}
    for commit, value in reader.history(reader.ref("HEAD") or ""):
        files[commit] = list(reader.files(value["tree"]))
    golden = reader.json("tag", refs["refs/tags/golden"])
    return {
        "refs": refs,
        "files": files,
        "tag": golden,
        "side": list(reader.history(refs["refs/heads/side"])),
    }
