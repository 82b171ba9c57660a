"""Every kind of damage of `fixtures/damaged`: found, told, and mended where there is a good copy."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.damaged import FOLDER, ROWS, content, extract
from tests.store.support import listing

from mlstore.errors import ConfigError
from mlstore.maintenance import repair
from mlstore.repository import Repository
from mlstore.verify import fsck, verify
from mlstore_cli.errors import status_of_category

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [row["name"] for row in ROWS]
NOW = 1768577088.0


def statuses(root: Path) -> tuple[int, int]:
    try:
        repo = Repository.open(root)
    except ConfigError:
        return 2, 2
    return (
        status_of_category(fsck(repo).category),
        status_of_category(_verify(Repository.open(root))),
    )


def _verify(repo: Repository) -> str | None:
    from mlstore.errors import CorruptError, NotFoundError

    try:
        return verify(repo, history=True).category
    except CorruptError:
        return "corrupt"
    except NotFoundError:
        return "missing"


def test_the_table_and_the_archives_are_the_same() -> None:
    archives = {path.name.removesuffix(".tar.gz") for path in FOLDER.glob("*.tar.gz")}
    assert archives == set(NAMES)
    assert len(NAMES) == len(set(NAMES))
    assert sum(path.stat().st_size for path in FOLDER.glob("*.gz")) < 64 << 10


def test_the_script_makes_what_is_committed(tmp_path: Path) -> None:
    script = FOLDER / "make_damaged.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    for path in FOLDER.glob("*.tar.gz"):
        # What is compressed may differ with zlib; what is in it may not.
        assert gzip.decompress((tmp_path / path.name).read_bytes()) == gzip.decompress(path.read_bytes()), (
            path
        )


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_it_is_found_and_told(row: dict[str, Any], tmp_path: Path) -> None:
    root = extract(row["name"], tmp_path / "repo")
    before = listing(root, skip=("locks",))
    assert statuses(root) == (row["fsck"], row["verify"])
    if row["finding"] is not None:
        report = fsck(Repository.open(root))
        told = [{key: getattr(finding, key) for key in row["finding"]} for finding in report.findings]
        assert row["finding"] in told
    assert listing(root, skip=("locks",)) == before


@pytest.mark.parametrize("source", ["worktree", "backup"])
@pytest.mark.parametrize("row", [row for row in ROWS if row["fsck"] != 2], ids=lambda row: row["name"])
def test_it_is_mended_where_there_is_a_good_copy(row: dict[str, Any], source: str, tmp_path: Path) -> None:
    root = extract(row["name"], tmp_path / "repo")
    backup = extract("sound", tmp_path / "backup")
    untouched = listing(backup, skip=())
    sources = [backup] if source == "backup" else []
    kept = _hashes(root)
    report = repair(Repository.open(root), sources, now=NOW)
    assert status_of_category(report.category) == row[source], report.to_dict()
    assert statuses(root)[0] == row[source]
    if row[source] == 0:
        assert content(root) == content(backup)
        if row["name"] not in ("reflog-garbage",):
            assert fsck(Repository.open(root)).findings == []
    assert kept <= _hashes(root)  # nothing of what was there is gone, damaged or not
    assert listing(backup, skip=()) == untouched


def _hashes(root: Path) -> set[bytes]:
    """What stands in files of the objects' folder and of the quarantine, and the index."""
    folders = (root / ".mlstore/objects", root / ".mlstore/quarantine")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path.read_bytes() for path in files}


@pytest.mark.parametrize("row", [row for row in ROWS if row["fsck"] != 2], ids=lambda row: row["name"])
def test_a_dry_run_changes_nothing_and_foretells_what_is_healed(row: dict[str, Any], tmp_path: Path) -> None:
    root, backup = extract(row["name"], tmp_path / "repo"), extract("sound", tmp_path / "backup")
    before = listing(root, skip=())
    told = repair(Repository.open(root), [backup], now=NOW, dry_run=True)
    assert listing(root, skip=()) == before
    assert status_of_category(told.category) == row["fsck"]
    done = repair(Repository.open(root), [backup], now=NOW)
    objects = {one.id for one in done.healed if one.type != "chunk"}
    assert {one.id for one in told.healed} <= objects
    assert {one.path for one in told.quarantined} <= {one.path for one in done.quarantined}


@pytest.mark.parametrize("row", [row for row in ROWS if row["fsck"] != 2], ids=lambda row: row["name"])
def test_a_second_repair_has_nothing_to_do(row: dict[str, Any], tmp_path: Path) -> None:
    root, backup = extract(row["name"], tmp_path / "repo"), extract("sound", tmp_path / "backup")
    repair(Repository.open(root), [backup], now=NOW)
    before = listing(root, skip=("locks",))
    again = repair(Repository.open(root), [backup], now=NOW)
    assert (again.healed, again.quarantined, again.rebuilt) == ([], [], [])
    assert listing(root, skip=("locks",)) == before
