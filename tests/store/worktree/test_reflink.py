"""Large files on a file system that can share blocks: nothing is copied, everything is hashed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.store.support import Work, fast_repository

from mlstore.errors import CorruptObject
from mlstore.objects import SMALL

if TYPE_CHECKING:
    from pathlib import Path

DATA = os.urandom(30 << 20)


def used(folder: Path) -> int:
    os.sync()
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


@pytest.fixture
def shared(reflinking: Path) -> Work:
    """A repository with one large opaque file, staged."""
    work = Work(fast_repository(reflinking / "work"))
    work.write("model.bin", DATA)
    before = used(reflinking)
    work.add("model.bin")
    assert used(reflinking) - before < 2 << 20
    return work


def test_adding_and_restoring_share_blocks(shared: Work, reflinking: Path) -> None:
    shared.commit("one")
    assert shared.files_of(shared.head) == {"model.bin": DATA}
    shared.path("model.bin").unlink()
    before = used(reflinking)
    shared.reset("HEAD")
    assert shared.path("model.bin").read_bytes() == DATA
    assert used(reflinking) - before < 2 << 20
    assert shared.path("model.bin").stat().st_mode & 0o777 != 0o444


def test_writing_to_the_file_leaves_the_object_alone(shared: Work) -> None:
    with shared.path("model.bin").open("r+b") as file:
        file.write(b"scribble")
    entry = shared.index.get("model.bin")
    assert entry is not None
    assert shared.repo.objects.read(entry.id) == DATA


def test_a_damaged_object_is_not_shared_with_the_worktree(shared: Work) -> None:
    shared.commit("one")
    object_id = shared.repo.format.hash_bytes(DATA)
    stored.find(shared.repo.store, object_id).flip(17 << 20)
    shared.path("model.bin").unlink()
    with pytest.raises(CorruptObject):
        shared.reset("HEAD")
    assert not shared.path("model.bin").exists()


def test_a_file_that_is_read_from_its_middle_is_not_cloned_whole(shared: Work) -> None:
    with shared.path("model.bin").open("rb") as file, shared.repo.objects.transaction() as store:
        file.seek(1 << 20)
        os.lseek(file.fileno(), 1 << 20, os.SEEK_SET)
        digest = store.add_fd(file.fileno())
    assert digest.id == shared.repo.format.hash_bytes(DATA[1 << 20 :])


def test_where_blocks_cannot_be_shared_the_bytes_are_copied(
    on_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlstore.durable.clone_file", lambda source, target: False)
    monkeypatch.setattr("mlstore.objects.writer.clone_file", lambda source, target: False)
    work = Work(fast_repository(on_disk / "work"))
    work.write("model.bin", DATA)
    work.commit("one")
    work.path("model.bin").unlink()
    work.reset("HEAD")
    assert work.path("model.bin").read_bytes() == DATA
    assert len(DATA) > SMALL
