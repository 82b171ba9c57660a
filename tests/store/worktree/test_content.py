from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.support import listing

from mlstore.errors import ConfigError, InvalidPath, PathNotFound, Refused, StorageError
from mlstore.index import StatData
from mlstore.objects import ObjectWriter
from mlstore.worktree import ContentCache, add_paths, content, hash_path, open_file, read_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.store.support import Work

    from mlstore.hashing import Digest
    from mlstore.repository import Repository


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"!")
    os.utime(path, ns=(1, 1))  # whoever writes may also lie about when


def truncated(path: Path) -> None:
    os.truncate(path, 1)


CHANGES = [appended, overwritten, truncated]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_hashed_is_refused(
    work: Work, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = work.write("a", "content")
    real = content.hash_fd

    def change_then_hash(fmt: object, fd: int) -> object:
        digest = real(fmt, fd)  # type: ignore[arg-type]
        change(path)
        return digest

    monkeypatch.setattr(content, "hash_fd", change_then_hash)
    with pytest.raises(Refused, match="'a' changed while it was read"):
        hash_path(work.repo, "a")


@pytest.mark.parametrize("change", CHANGES)
def test_a_large_file_that_changes_while_it_is_added_is_refused_and_nothing_is_staged(
    work: Work, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    size = 2 << 20
    work.write("b", "other")
    path = work.write("a", b"x" * size)
    real = ObjectWriter.add_fd

    def change_in_the_middle(self: ObjectWriter, fd: int, **how: Any) -> Digest:
        found = real(self, fd, **how)
        if os.fstat(fd).st_size == size:
            change(path)
        return found

    monkeypatch.setattr(ObjectWriter, "add_fd", change_in_the_middle)
    with pytest.raises(Refused, match="'a' changed while it was read"):
        add_paths(work.repo, [""])
    assert work.index.paths() == []
    assert list(work.repo.objects.ids()) == []
    assert list(work.repo.scratch.iterdir()) == []


def on_read(monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[], None]) -> None:
    """Call *change* right after each ``os.read`` of *path*."""
    real, inode = os.read, path.stat().st_ino

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if os.fstat(fd).st_ino == inode:
            change()
        return data

    monkeypatch.setattr(os, "read", read)


@pytest.mark.parametrize("change", CHANGES)
def test_a_small_file_that_changed_once_while_it_was_read_is_read_again(
    work: Work, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    path = work.write("a", b"content")
    changes = iter([change])
    on_read(monkeypatch, path, lambda: next(changes, lambda _: None)(path))
    add_paths(work.repo, [""])
    entry = work.index.get("a")
    assert entry is not None
    assert entry.id == work.repo.format.hash_bytes(path.read_bytes())
    assert work.repo.objects.read(entry.id) == path.read_bytes() != b"content"


def test_a_small_file_that_keeps_changing_is_refused_and_nothing_is_staged(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.write("b", "other")
    path = work.write("a", b"content")
    on_read(monkeypatch, path, lambda: appended(path))
    with pytest.raises(Refused, match="'a' changed while it was read"):
        add_paths(work.repo, [""])
    assert work.index.paths() == []
    assert list(work.repo.objects.ids()) == []


def test_an_unchanged_small_file_costs_four_system_calls(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        work.write(f"data/{number}", f"content {number}")
    calls: list[str] = []
    for name in ("open", "read", "readv", "pread", "fstat", "close", "stat", "lseek"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, real=real, name=name, **k: calls.append(name) or real(*a, **k)
        )
    add_paths(work.repo, [""])
    assert {name: calls.count(name) // 50 for name in ("read", "open", "fstat", "close")} == {
        "read": 1, "open": 1, "fstat": 1, "close": 1,
    }  # fmt: skip
    assert len(calls) < 50 * 4 + 100


def test_a_file_that_is_replaced_after_it_was_opened_is_hashed_as_it_was(work: Work) -> None:
    path = work.write("a", "old")
    fd = open_file(work.repo, "a")
    path.unlink()
    work.write("a", "new")
    assert os.read(fd, 10) == b"old"
    os.close(fd)
    assert hash_path(work.repo, "a").digest.id == work.repo.format.hash_bytes(b"new")


@pytest.mark.parametrize("read", [open_file, hash_path, read_file])
def test_links_pipes_and_folders_are_not_read(work: Work, read: Callable[..., object]) -> None:
    (work.root / "link").symlink_to("/etc/passwd")
    os.mkfifo(work.path("pipe"))
    work.path("folder").mkdir()
    for name, kind in {"link": "symlink", "pipe": "named pipe", "folder": "folder"}.items():
        with pytest.raises(InvalidPath, match=f"is a {kind}"):
            read(work.repo, name)
    (work.root / "way").symlink_to("/etc")
    for name in ("nothing", "way/passwd"):
        with pytest.raises(PathNotFound):
            read(work.repo, name)


def test_a_disk_that_cannot_be_read_is_an_error_that_names_the_file(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.write("a", "x")

    def broken(*_args: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "readv", broken)
    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(StorageError, match="'a': input/output error"):
        hash_path(work.repo, "a")
    with pytest.raises(StorageError, match="'a': input/output error"):
        add_paths(work.repo, ["a"])
    assert listing(work.repo.store / "objects") == {}


def test_a_file_so_new_that_its_next_change_would_not_show_has_no_stat_data(work: Work) -> None:
    path = work.write("a", "x")
    os.utime(path, ns=(2**62, 2**62))
    assert hash_path(work.repo, "a").stat is None


def test_the_cache_reads_a_file_once_and_again_when_it_changed(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = work.write("a", "x")
    os.utime(path, ns=(10**18, 10**18))
    monkeypatch.setattr(content, "clock", lambda: 2**62)  # long ago, for this file
    reads: list[str] = []
    real = content.hash_path

    def counting(repo: Repository, name: str, *more: Any) -> object:
        reads.append(name)
        return real(repo, name, *more)

    monkeypatch.setattr(content, "hash_path", counting)
    cache = ContentCache(work.repo)
    assert cache.entry("a") == cache.entry("a")
    assert reads == ["a"]
    path.write_text("y")
    found = cache.entry("a")
    assert found is not None
    assert found.id == work.repo.format.hash_bytes(b"y")
    assert reads == ["a", "a"]
    assert cache.entry("nothing") is None


def test_a_trusting_cache_believes_the_index_and_a_distrusting_one_nobody(work: Work) -> None:
    work.commit(a="x")
    index = work.index
    entry = index.get("a")
    assert entry is not None
    lie = entry._replace(id=work.repo.format.hash_bytes(b"lie"), stat=StatData.of(work.path("a").stat()))
    index.set(lie)
    believed = ContentCache(work.repo, index).entry("a")
    checked = ContentCache(work.repo, index, trusted=True).entry("a")
    assert believed is not None
    assert checked is not None
    assert believed.id == lie.id
    assert checked.id == work.repo.format.hash_bytes(b"x")


def failing(*_args: object) -> Any:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_an_error_of_the_disk_is_about_the_file(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.write("a", "content")
    with monkeypatch.context() as patch:
        patch.setattr(content, "hash_fd", failing)
        with pytest.raises(StorageError, match="'a': input/output error"):
            hash_path(work.repo, "a")
    real = os.open

    def refuse(path: str, *more: Any, **named: Any) -> int:
        return failing() if path.endswith("/a") else real(path, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match="'a': input/output error"):
        open_file(work.repo, "a")


def test_a_file_larger_than_such_a_file_may_be_is_not_read(work: Work) -> None:
    work.write("a", b"x" * 100)
    assert read_file(work.repo, "a", 100) == b"x" * 100
    with pytest.raises(ConfigError, match="'a' is larger than 0 MiB"):
        read_file(work.repo, "a", 99)
