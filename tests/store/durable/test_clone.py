from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mlstore.durable import clone_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def reflinking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small xfs, which shares blocks between files."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mkfs.xfs") is None:
        pytest.skip("needs root and mkfs.xfs")
    folder = tmp_path_factory.mktemp("reflink")
    image, mounted = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    mounted.mkdir()
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mounted], check=False, capture_output=True).returncode:
        pytest.skip("no loop mounts here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


def clone(source: Path, target: Path) -> bool:
    with source.open("rb") as one, target.open("wb") as other:
        return clone_file(one.fileno(), other.fileno())


def used(folder: Path) -> int:
    os.sync()
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def test_a_clone_has_the_bytes_and_takes_no_room(reflinking: Path) -> None:
    data = os.urandom(20 << 20)
    (reflinking / "source").write_bytes(data)
    before = used(reflinking)
    assert clone(reflinking / "source", reflinking / "target")
    assert used(reflinking) - before < 1 << 20
    (reflinking / "source").write_bytes(b"other")
    assert (reflinking / "target").read_bytes() == data


def test_where_it_cannot_be_done_the_target_is_empty_and_nothing_is_raised(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    if clone(tmp_path / "source", tmp_path / "target"):
        assert (tmp_path / "target").read_bytes() == b"x"
    else:
        assert (tmp_path / "target").read_bytes() == b""
    reader, writer = os.pipe()
    with (tmp_path / "other").open("wb") as other:
        assert not clone_file(reader, other.fileno())
    os.close(reader)
    os.close(writer)
