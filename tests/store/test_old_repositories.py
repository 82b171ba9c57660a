"""Old repositories stay readable for ever: committed once, read by every later version."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.store.independent import Reader
from tests.support import FIXTURES

import mlstore
from mlstore.history import read_chain, resolve, resolve_commit, walk
from mlstore.repository import Repository, read_snapshot
from mlstore.verify import fsck, verify
from mlstore.worktree import add_paths, status

if TYPE_CHECKING:
    from pathlib import Path

HEADS = {
    "v1-blake3": "686a4aa50a45ebe2b183d92bef74ccd08c980fa20ab7198d76fb10ecc670ea54",
    "v1-sha256": "9280f050d836cccf5b3d01c16bcc265b21c7a6ab619e21e85f21090b50d152e3",
}


@pytest.fixture(params=HEADS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    with tarfile.open(FIXTURES / f"repositories/{request.param}.tar") as tar:
        tar.extractall(tmp_path, filter="fully_trusted")
    repo = Repository.open(tmp_path)
    assert repo.refs.head().commit == HEADS[request.param]
    return repo


def test_its_history_is_read(old: Repository) -> None:
    head = resolve_commit(old, "golden")
    assert [commit.subject for _, commit in walk(old, [head])] == ["tools", "run fit", "run draw"]
    assert resolve_commit(old, "side") == resolve_commit(old, "main~1")
    assert resolve(old, "light:data/raw.csv").kind == "blob"


def test_its_files_have_the_bytes_that_they_had(old: Repository) -> None:
    tree = old.objects.read_commit(resolve_commit(old, "HEAD")).tree
    snapshot = read_snapshot(old.objects, tree)
    assert {path: entry.kind for path, entry in snapshot.items() if entry.kind != "file"} == {
        "tool.sh": "executable"
    }
    for path, entry in snapshot.items():
        assert old.objects.read(entry.id) == (old.root / path).read_bytes()
    assert old.objects.read(snapshot["model/deep/er/model.bin"].id) == bytes(range(256)) * 8
    assert snapshot["empty"].size == 0
    assert "größe.txt" in snapshot


def test_it_verifies_and_is_sound(old: Repository) -> None:
    report = verify(old, against="golden", history=True)
    assert report.ok, report.to_dict()
    assert report.checked["pins"] == 1
    assert fsck(old).ok
    assert [block.name for block in read_chain(old, resolve_commit(old, "HEAD")).blocks] == ["draw", "fit"]
    list(Reader(old.root).history(resolve_commit(old, "HEAD")))


def test_it_can_be_worked_on(old: Repository) -> None:
    assert status(old).clean
    (old.root / "new.txt").write_text("new")
    assert add_paths(old, [""]).added == ["new.txt"]
    assert mlstore.open(old.root).read_bytes("data/raw.csv") == b"a,b\n1,2\n3,4\n"


def test_damage_in_it_is_found(old: Repository) -> None:
    blob = resolve(old, "HEAD:data/raw.csv").id
    path = old.store / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"A,b\n1,2\n3,4\n")
    assert not verify(Repository.open(old.root)).ok
    assert not fsck(Repository.open(old.root)).ok
