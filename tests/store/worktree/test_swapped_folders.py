"""Somebody swaps a folder for a link out of the worktree, over and over, while files are put there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.support import Work

from mlstore.errors import MlstoreError
from mlstore.worktree import WorktreeWriter, folders
from mlstore.worktree.beneath import open_beneath

SWAPPER = """
import os, sys
here, outside = sys.argv[1:]
real, count = here + ".real", 0
print("ready", flush=True)
os.set_blocking(0, False)
while True:
    try:
        if not os.read(0, 1):
            break
    except BlockingIOError:
        pass
    try:
        os.rename(here, real)
        os.symlink(outside, here)
        os.unlink(here)
        os.rename(real, here)
        count += 1
    except OSError:
        # The writer made the folder anew: begin again with what is there.
        if os.path.islink(here):
            os.unlink(here)
        os.makedirs(here, exist_ok=True)
        os.system("rm -rf " + real)
print(count, flush=True)
"""
ROUNDS = 150


@pytest.fixture(params=["openat2", "by component"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Open folders in one call of the kernel, or one component after another."""
    if request.param == "openat2":
        if open_beneath() is None:
            pytest.skip("this kernel, or the sandbox, has no openat2")
    else:
        monkeypatch.setattr(folders, "open_beneath", lambda: None)
    return str(request.param)


@contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[list[int]]:
    """Have another process swap *folder* for a link to *outside* meanwhile; gives how often, at the end."""
    command = [sys.executable, "-S", "-c", SWAPPER, str(folder), str(outside)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        swaps: list[int] = []
        try:
            yield swaps
        finally:
            process.stdin.close()
            swaps.append(int(process.stdout.read()))


@pytest.fixture
def outside(work: Work) -> Path:
    folder = work.root.parent / "outside"  # on the same file system: a rename would reach it
    folder.mkdir()
    (folder / "precious").write_text("not yours\n")
    return folder


@pytest.mark.parametrize("folder", ["a/swapped", "a/swapped/below/deep"])
def test_no_file_is_written_or_removed_outside(work: Work, way: str, outside: Path, folder: str) -> None:
    swapped = work.root / "a" / "swapped"
    (work.root / folder).mkdir(parents=True)
    (outside / "below" / "deep").mkdir(parents=True)
    (outside / "below" / "deep" / "precious").write_text("not yours\n")
    before = sorted(outside.rglob("*"))
    done = refused = 0
    with swapping(swapped, outside) as swaps:
        for number in range(ROUNDS):
            with WorktreeWriter(work.repo) as writer:
                writer.remove(f"{folder}/precious")
                for name in ("one", "two", f"new{number}/three"):
                    writer.stage_bytes(f"{folder}/{name}", b"evil\n")
                try:
                    writer.apply(replace=bool(number % 2))
                    done += 1
                except (MlstoreError, OSError):
                    refused += 1
    assert sorted(outside.rglob("*")) == before
    assert {path.read_text() for path in before if path.is_file()} == {"not yours\n"}
    assert done + refused == ROUNDS
    assert swaps[0] > 0


def test_a_writer_that_goes_by_names_is_caught_by_the_same_swaps(work: Work, outside: Path) -> None:
    """The control: were there no escape, the test above would prove nothing."""
    swapped = work.root / "a" / "swapped"
    swapped.mkdir(parents=True)
    staged = work.root / "staged"
    with swapping(swapped, outside) as swaps:
        for _ in range(100_000):
            staged.write_text("evil\n")
            with contextlib.suppress(OSError):
                os.replace(staged, swapped / "one")
            if (outside / "one").exists():
                break
    assert (outside / "one").exists(), f"after {swaps} swaps"


def test_openat2_follows_no_link_and_leaves_nowhere(tmp_path: Path) -> None:
    opened = open_beneath()
    if opened is None:
        pytest.skip("this kernel, or the sandbox, has no openat2")
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "link").symlink_to("a")
    (tmp_path / "in" / "out").symlink_to("..")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    root = os.open(tmp_path / "in", flags)
    try:
        os.close(opened(root, "a", flags))
        for path in ("link", "out", "..", "a/../..", "/", "/proc/self/root", "missing"):
            with pytest.raises(OSError, match=r".+"):
                opened(root, path, flags)
    finally:
        os.close(root)
