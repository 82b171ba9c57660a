"""A checkout on a file system that takes `Model.bin` and `model.BIN` for one name: a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostile.raw import Raw
from tests.support import run_mlstore


def why_not() -> str | None:
    """Why no such file system can be mounted here, None when it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may mount"
    if not (shutil.which("lowntfs-3g") and shutil.which("mkntfs")):
        return "ntfs-3g is not installed"
    return None if Path("/dev/fuse").exists() else "there is no /dev/fuse"


REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"needs a mount: {REASON}")


@pytest.fixture(scope="module")
def folding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Mount an image of NTFS that ignores case and refuses the names that Windows does."""
    base = tmp_path_factory.mktemp("folding")
    image, mount = base / "image", base / "mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkntfs", "-F", "-Q", "-q", str(image)], check=True, capture_output=True)
    options = "ignore_case,windows_names,fmask=0133,dmask=0022"
    done = subprocess.run(
        ["lowntfs-3g", "-o", options, str(image), str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        assert "CI" not in os.environ or not Path("/dev/fuse").exists(), done.stderr.decode()
        pytest.skip(f"the mount was refused: {done.stderr.decode().strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_the_mount_folds_case(folding: Path) -> None:
    """The control: elsewhere the tests below would show nothing."""
    (folding / "Probe").write_text("1")
    assert (folding / "pROBE").read_text() == "1"


@pytest.fixture
def raw(folding: Path, request: pytest.FixtureRequest) -> Raw:
    base = folding / f"case{abs(hash(request.node.name)) % 10**8}"
    base.mkdir()
    return Raw(base / "work")


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".mlstore" not in path.parts
    }


@pytest.mark.parametrize("command", [["checkout", "evil"], ["restore", "--source", "evil", "."]])
@pytest.mark.parametrize(
    ("one", "other"), [("Model.bin", "model.BIN"), ("caf\u00c9", "caf\u00e9"), ("x/A", "X/b")]
)
def test_two_names_that_are_one_there_are_refused_before_anything_is_written(
    raw: Raw, command: list[str], one: str, other: str
) -> None:
    entries = []
    for name in (one, other):
        folder, _, last = name.rpartition("/")
        entry = raw.entry(last, name.encode())
        entries.append(raw.folder(folder, raw.tree([entry])) if folder else entry)
    raw.evil_entries(*entries)
    before = files(raw.root)
    done = run_mlstore(command, raw.root)
    assert done.returncode == 2, done.stderr
    assert "are one name on file systems that fold case" in done.stderr
    assert files(raw.root) == before


@pytest.mark.parametrize("name", [".MLSTORE", ".Git", ".MlStore", ".g\u200cit", "MLSTOR~1", "GIT~1"])
def test_the_store_itself_is_not_reached_by_another_case_of_its_name(raw: Raw, name: str) -> None:
    config = (raw.store / "config").read_bytes()
    raw.evil_entries(raw.folder(name, raw.tree([raw.entry("config", b"[core]\nformat = 9\n")])))
    assert run_mlstore(["checkout", "evil"], raw.root).returncode == 3
    assert (raw.store / "config").read_bytes() == config
    assert run_mlstore(["status"], raw.root).returncode == 0


def test_a_sound_commit_is_checked_out_there(raw: Raw) -> None:
    raw.evil_entries(raw.entry("Model.bin", b"model\n"))
    done = run_mlstore(["checkout", "evil"], raw.root)
    assert done.returncode == 0, done.stderr
    assert (raw.root / "model.BIN").read_bytes() == b"model\n"
    verified = run_mlstore(["verify"], raw.root)
    assert verified.returncode == 0, verified.stdout


def test_a_device_name_that_the_file_system_refuses_is_one_clear_line(raw: Raw) -> None:
    raw.evil_entries(raw.entry("aux", b"x\n"))
    verified = run_mlstore(["verify", "evil"], raw.root)
    assert "Windows takes it for a device" in verified.stdout
    done = run_mlstore(["checkout", "evil"], raw.root)
    assert done.returncode == 6
    assert done.stderr.startswith("error: 'aux'")
    assert "Traceback" not in done.stderr
