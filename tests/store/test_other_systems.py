"""What other systems lack, taken away from this one: the store holds and says the same without it."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import sys
from typing import TYPE_CHECKING

import pytest
from tests.store.support import EPOCH, Work, fast_repository

from mlstore import hashing
from mlstore._twin import may_fork
from mlstore.durable import FileLock, Staging, sync
from mlstore.errors import CorruptObject, Locked
from mlstore.hashing import object_format
from mlstore.maintenance import repair
from mlstore.objects import SMALL
from mlstore.repository import Repository
from mlstore.verify import fsck
from mlstore.worktree import beneath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = random.Random(5).randbytes(SMALL + SMALL // 2)
FILES = {"small.txt": b"a few bytes", "model.bin": LARGE, "data.csv": b"1,2,3\n" * (SMALL // 4)}


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without what Windows does not have: reading at an offset, and into a buffer."""
    for name in ("pread", "pwrite", "readv"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(hashing, "_HAS_READV", False)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("pack", [True, False], ids=["packed", "loose"])
def test_without_pread_the_same_ids_are_written_and_the_same_bytes_are_read(
    tmp_path: Path, pack: bool
) -> None:
    work = Work(fast_repository(tmp_path / "work", pack=pack))
    for name, data in FILES.items():
        work.write(name, data)
    work.add()
    commit = work.record()
    for entry in work.index.entries():
        assert entry.id == object_format("blake3").hash_bytes(FILES[entry.path])
    assert work.files_of(commit) == FILES
    source = work.repo.objects.open_source(object_format("blake3").hash_bytes(LARGE))
    assert source.read_at(SMALL - 5, 10) == LARGE[SMALL - 5 : SMALL + 5]
    source.close()
    assert fsck(work.repo).ok


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("pack", [True, False], ids=["packed", "loose"])
def test_without_pread_damage_is_found_too(tmp_path: Path, pack: bool) -> None:
    work = Work(fast_repository(tmp_path / "work", pack=pack))
    work.commit(a=b"some bytes")
    blob = object_format("blake3").hash_bytes(b"some bytes")
    work.damage(blob)
    with pytest.raises(CorruptObject):
        work.repo.objects.read(blob)
    assert [finding.kind for finding in fsck(work.repo).findings if finding.expected == blob] == [
        "corrupt-object"
    ]


@pytest.mark.usefixtures("windows")
def test_without_pread_a_damaged_pack_is_rescued_too(tmp_path: Path) -> None:
    work = Work(fast_repository(tmp_path / "work"))
    work.commit(a=b"some bytes", b=b"others")
    blob = object_format("blake3").hash_bytes(b"some bytes")
    work.damage(blob)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a").write_bytes(b"some bytes")
    assert repair(work.repo, [tmp_path / "copy"], now=EPOCH).after.ok
    assert Repository.open(work.root).objects.read(blob) == b"some bytes"
    assert fsck(Repository.open(work.root)).ok


@pytest.mark.usefixtures("windows")
def test_without_pwrite_a_lock_still_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("what an earlier and longer holder has left there, which must not show through" * 3)
    with FileLock(path, purpose="mine"), pytest.raises(Locked, match=rf"process {os.getpid()} \(mine, since"):
        FileLock(path, purpose="another", wait=0).acquire()


# --- another kernel, another C library ---


@pytest.fixture
def _forgotten() -> Iterator[None]:
    """What was asked of the system once is asked again, and once more when the test is over."""
    asked = (sync._syncfs, sync._sync_file_range, beneath.open_beneath)
    for one in asked:
        one.cache_clear()
    yield
    for one in asked:
        one.cache_clear()


@pytest.fixture
def musl(_forgotten: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A C library that has none of the calls, or cannot be opened at all."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: object())


@pytest.mark.usefixtures("musl")
def test_without_the_calls_of_the_c_library_files_are_synced_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(fd) or real(fd))
    with Staging(tmp_path / "tmp") as staging:
        files = [staging.new_file() for _ in range(6)]
        for file in files:
            file.write(b"bytes")
            sync.start_writeback(file.fd, 0, 5)  # a hint, which nobody takes
            file.close()
        moves = [(file.path, tmp_path / "made" / str(at)) for at, file in enumerate(files)]
        staging.publish(moves, is_corrupt=lambda _path: False)
    assert len(synced) >= 6 + 2, "each file, and the folders that have new names"
    assert [(tmp_path / "made" / str(at)).read_bytes() for at in range(6)] == [b"bytes"] * 6
    assert beneath.open_beneath() is None


@pytest.mark.usefixtures("_forgotten")
def test_a_system_that_is_no_linux_is_asked_for_nothing_of_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: pytest.fail("it was looked up"))
    assert sync._of_libc("syncfs") is None
    assert beneath.open_beneath() is None
    assert not may_fork()


@pytest.mark.usefixtures("_forgotten")
def test_a_system_without_uname_is_no_new_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "uname")
    assert sync.sync_file_system(tmp_path) is False


class Kernel:
    """``syscall`` of a C library whose kernel answers *codes*, one after the other, and then as it does."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.calls = 0
        self.real = ctypes.CDLL(None, use_errno=True).syscall
        self.syscall = self

    def __call__(self, *args: object) -> int:
        self.calls += 1
        if self.codes:
            ctypes.set_errno(self.codes.pop(0))
            return -1
        self.real.restype, self.real.argtypes = self.restype, self.argtypes
        return self.real(*args)


@pytest.fixture
def linux(_forgotten: None) -> None:
    if beneath.open_beneath() is None:
        pytest.skip("this kernel has no openat2")
    beneath.open_beneath.cache_clear()


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM], ids=["an older kernel", "a sandbox"])
def test_where_openat2_is_refused_folders_are_walked_one_by_one(
    work: Work, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = work.commit(**{"a/b/c": "deep"})
    work.reset(commit)
    kernel = Kernel(*[code] * 1000)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: kernel)
    assert beneath.open_beneath() is None
    work.path("a/b/c").unlink()
    work.reset(commit)
    assert work.path("a/b/c").read_text() == "deep"
    assert kernel.calls == 1, "it was asked once"


@pytest.mark.usefixtures("linux")
def test_openat2_is_asked_again_when_a_rename_came_between_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    kernel = Kernel()
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: kernel)
    try:
        call = beneath.open_beneath()
        assert call is not None
        kernel.codes = [errno.EAGAIN, errno.EINTR]
        os.close(call(root, "a/b", os.O_RDONLY))
        kernel.codes = [errno.EAGAIN] * 1000
        with pytest.raises(BlockingIOError):
            call(root, "a/b", os.O_RDONLY)
        assert 900 < len(kernel.codes) < 1000
    finally:
        os.close(root)
