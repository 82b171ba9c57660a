"""A clone that is killed, or that the disk refuses, at one system call after another: whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.killing import Server, fail_at, kill_at, points, why_not
from tests.store.independent import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")
ALL = bool(os.environ.get("MLSTORE_ALL_CRASH_POINTS"))
A_PART = 12
FILES = {"a.txt": b"a\n", "data/b.csv": b"b\n", "data/deep/c.bin": bytes(range(256)) * 8192}
KINDS = {
    "full": ["clone", "-q", "../source", "copy"],
    "thin": ["clone", "-q", "--filter=blob:none", "../source", "copy"],
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    started = Server(folder)
    yield started
    started.close()


@pytest.fixture(scope="module")
def source(server: Server, folder: Path) -> Path:
    root = folder / "source"
    root.mkdir()
    for path, data in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    for argv in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"], ["tag", "-a", "-m", "x", "v1"]):
        assert server.run(argv, root).status == 0
    return root


def fresh(source: Path) -> Path:
    """An empty folder beside the source."""
    work = source.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    return work


def chosen(found: list[tuple[str, int]], part: int) -> list[tuple[str, int]]:
    """All points; or a part, spread over the whole run, with the last of each call."""
    if ALL or len(found) <= part:
        return found
    keep = {*found[:: -(-len(found) // part)], *{point[0]: point for point in found}.values()}
    return [point for point in found if point in keep]


def check_whole(copy: Path, kind: str, where: str) -> None:
    """A repository that is to be seen has every ref, and all that it leads to, byte for byte."""
    reader = Reader(copy)
    assert sorted(reader.refs()) == ["refs/heads/main", "refs/tags/v1"], where
    tag = reader.refs()["refs/tags/v1"]
    assert reader.json("tag", tag)["target"] == reader.refs()["refs/heads/main"], where
    for _, commit in reader.history(reader.refs()["refs/heads/main"]):
        if kind == "full":
            assert {path: data for path, _, data in reader.files(commit["tree"])} == FILES, where
        else:
            reader.json("tree", commit["tree"])
    for path, data in FILES.items():  # no file is torn
        if (copy / path).exists():
            assert (copy / path).read_bytes() == data, where


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_change_leaves_a_whole_clone_or_none(server: Server, source: Path, kind: str) -> None:
    argv = KINDS[kind]
    found = points(server, argv, fresh(source))
    assert len(found) > 20, "nothing to kill: is the trace right?"
    seen, unseen = 0, 0
    for point in chosen(found, A_PART):
        where, work = f"killed at {point[0]} number {point[1]}", fresh(source)
        if kill_at(server, argv, work, point).status != -9:
            continue
        copy = work / "copy"
        if (copy / ".mlstore").exists():
            seen += 1
            check_whole(copy, kind, where)
            assert ".mlstore.clone" not in server.run(["status", "-s"], copy).out, where
            assert server.run(["reset", "-q", *(["--hard"] if kind == "full" else [])], copy).status == 0, (
                where
            )
        else:
            unseen += 1
            assert server.run(argv, work).status == 0, where
            assert ".mlstore.clone" not in os.listdir(copy), where
        check_whole(copy, kind, where)
        if kind == "full":
            assert all((copy / path).read_bytes() == data for path, data in FILES.items()), where
    assert unseen > 5
    assert seen > 0


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_disk_that_refuses_leaves_a_whole_clone_or_none(server: Server, source: Path, error: str) -> None:
    argv = KINDS["full"]
    found = points(server, argv, fresh(source))
    writing = [point for point in found if point[0] not in ("unlink", "rmdir", "unlinkat")]
    refused = 0
    for point in chosen(writing, A_PART // 2):
        where, work = f"{error} at {point[0]} number {point[1]}", fresh(source)
        done = fail_at(server, argv, work, point, error)
        copy = work / "copy"
        if (copy / ".mlstore").exists():
            check_whole(copy, "full", where)
        else:
            refused += 1
            assert done.status == 6, where + done.err
            assert done.err.startswith("error: "), where
            assert not copy.exists(), where
    assert refused > 2
