"""Every byte of every object, pack and ref of a small repository, one at a time: nothing passes unnoticed.

What a change means is judged by other code (`tests.damaged.content`, by `tests.store.independent`): it reads
all that refs and history lead to, and knows nothing of the library.
"""

from __future__ import annotations

import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.damaged import FOLDER, content, extract

from mlstore.errors import CorruptError, MlstoreError, NotFoundError
from mlstore.maintenance import repair
from mlstore.repository import Repository, read_snapshot
from mlstore.verify import fsck, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1768577088.0
with tarfile.open(FOLDER / "sound.tar.gz") as _tar:
    FILES = sorted(name for name in _tar.getnames() if name.startswith(".mlstore/"))
STORED = [name for name in FILES if name.startswith((".mlstore/objects/", ".mlstore/refs/"))]
SMALL = [name for name in FILES if "/pack/" not in name]
NOTED = pytest.mark.parametrize("name", STORED, ids=lambda name: name[9:30])


@pytest.fixture
def sound(memory: Path) -> Path:
    root = memory / "sound"
    return root if root.exists() else extract("sound", root)


@contextmanager
def holding(path: Path, data: bytes) -> Iterator[None]:
    """Make the file hold other bytes for the length of the block."""
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)


def flips(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each byte with one bit flipped, every bit having its turn."""
    for at in range(len(data)):
        yield at, data[:at] + bytes([data[at] ^ 1 << (5 * at + 2) % 8]) + data[at + 1 :]


def meaning(root: Path) -> Any:
    """All that the store says, None where it cannot be read."""
    try:
        return content(root)
    except Exception:  # noqa: BLE001 - whatever stops a reader, stops it
        return None


def fsck_is_content(root: Path) -> bool:
    """What fsck says; anything but a report or one of our errors fails the test."""
    try:
        return fsck(Repository.open(root), jobs=1).ok
    except MlstoreError:
        return False


def verify_is_content(root: Path) -> bool:
    try:
        return verify(Repository.open(root), history=True, jobs=1).ok
    except (CorruptError, NotFoundError):
        return False


def test_the_oracle_reads_the_sound_one_and_so_do_we(sound: Path) -> None:
    assert meaning(sound) is not None
    assert fsck_is_content(sound)
    assert verify_is_content(sound)


@NOTED
def test_fsck_notices_every_flipped_byte(sound: Path, name: str) -> None:
    path, whole = sound / name, meaning(sound)
    passed = []
    for at, data in flips(path.read_bytes()):
        with holding(path, data):
            if fsck_is_content(sound) and (meaning(sound) != whole or not verify_is_content(sound)):
                passed.append(at)
    assert passed == []


@NOTED
def test_what_verify_calls_verified_has_the_bytes_that_it_had(sound: Path, name: str) -> None:
    """It need not look at what HEAD does not need; what it vouches for, every reader gets."""
    path, files = sound / name, (meaning(sound) or {})["files"]
    passed = []
    for at, data in list(flips(path.read_bytes()))[::3]:
        with holding(path, data):
            if verify_is_content(sound) and what_is_given(sound) != files:
                passed.append(at)
    assert passed == []


def what_is_given(root: Path) -> Any:
    """The files of every commit of HEAD's history, as the library hands them out."""
    repo = Repository.open(root)
    objects, head = repo.objects, repo.refs.head().commit
    assert head is not None
    found, pending = {}, [head]
    while pending:
        one = pending.pop()
        commit = objects.read_commit(one)
        snapshot = read_snapshot(objects, commit.tree).items()
        found[one] = [(path, entry.kind, objects.read(entry.id)) for path, entry in snapshot]
        pending += commit.parents
    return found


@pytest.mark.parametrize("name", SMALL, ids=lambda name: name[9:30])
def test_a_file_cut_off_at_any_length_is_noticed(sound: Path, name: str) -> None:
    path, whole = sound / name, meaning(sound)
    data = path.read_bytes()
    passed = []
    # A log is a line an entry: where within it is cut says little.
    for length in range(0, len(data), 13 if "/logs/" in name else 1):
        with holding(path, data[:length]):
            ok = fsck_is_content(sound) and verify_is_content(sound)
            if ok and (meaning(sound) != whole or (name.endswith("/index") and length)):
                passed.append(length)
    assert passed == []


@NOTED
def test_what_was_flipped_is_mended_from_a_copy(sound: Path, name: str, tmp_path: Path) -> None:
    """A sample of the bytes: each 61st, from a place that differs from file to file."""
    whole = meaning(sound)
    for at, data in list(flips((sound / name).read_bytes()))[len(name) % 61 :: 61]:
        root = extract("sound", tmp_path / f"{at}")
        (root / name).chmod(0o644)
        (root / name).write_bytes(data)
        report = repair(Repository.open(root), [sound], now=NOW, jobs=1)
        if name.startswith(".mlstore/refs/"):
            assert not report.ok  # told, never guessed
        else:
            assert report.ok, (at, report.to_dict())
            assert meaning(root) == whole
