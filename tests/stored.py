"""An object's bytes on disk, wherever they lie: for tests that damage them behind the library's back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.packformat import CHUNK, Entry, read_pack, write_pack


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stored bytes of one object are: all of a loose file, or a range of a pack."""

    path: Path
    offset: int
    length: int

    def read(self) -> bytes:
        return self.path.read_bytes()[self.offset : self.offset + self.length]

    def write(self, data: bytes) -> None:
        """Put other bytes of the same length there, in place: whoever has the file open sees them."""
        assert len(data) == self.length
        mode = self.path.stat().st_mode
        self.path.chmod(0o644)
        with self.path.open("r+b") as file:
            file.seek(self.offset)
            file.write(data)
        self.path.chmod(mode)

    def flip(self, at: int = 0) -> None:
        """Flip one bit of the byte at `at` (from the end if negative)."""
        data = bytearray(self.read())
        data[at % len(data)] ^= 1
        self.write(bytes(data))


def packs(store: Path) -> list[Path]:
    """All packs below the store's folder, in order."""
    return sorted((store / "objects" / "pack").glob("*.pack"))


def loose_path(store: Path, object_id: str) -> Path:
    return store / "objects" / object_id[:2] / object_id[2:]


def object_ids(store: Path) -> list[str]:
    """Every object, loose or packed: by the names of files and the indexes of packs."""
    loose = [path.parent.name + path.name for path in (store / "objects").glob("??/*")]
    entries = (entry for pack in packs(store) for entry in read_pack(pack.read_bytes()))
    return sorted({*loose, *(entry.id for entry in entries if entry.kind != CHUNK)})


def find(store: Path, object_id: str) -> Place:
    """Where the object is: the loose copy if there is one, for that is what is read."""
    path = loose_path(store, object_id)
    if path.is_file():
        return Place(path, 0, path.stat().st_size)
    pack, entry = _packed(store, object_id)
    return Place(pack, entry.offset, len(entry.stored))


def _packed(store: Path, object_id: str) -> tuple[Path, Entry]:
    for pack in packs(store):
        for entry in read_pack(pack.read_bytes()):
            if entry.id == object_id:
                return pack, entry
    raise KeyError(object_id)


def replace(store: Path, object_id: str, data: bytes) -> None:
    """Make the store hold `data` under that id, with every checksum right: only the id tells."""
    path = loose_path(store, object_id)
    if path.is_file():
        path.chmod(0o644)
        path.write_bytes(data)
        path.chmod(0o444)
        return
    pack, wrong = _packed(store, object_id)
    entries = read_pack(pack.read_bytes())
    at = entries.index(wrong)
    entries[at] = wrong._replace(size=len(data), zstd=False, stored=data, checksum=b"")
    _exchange(pack, entries)


def remove(store: Path, object_id: str) -> None:
    """Take the object out of the store: its loose file, or its entry of a pack."""
    path = loose_path(store, object_id)
    if path.is_file():
        path.unlink()
        return
    pack, gone = _packed(store, object_id)
    _exchange(pack, [entry for entry in read_pack(pack.read_bytes()) if entry != gone])


def _exchange(pack: Path, entries: list[Entry]) -> None:
    object_format = pack.read_bytes()[8:16].rstrip(b"\0").decode()
    name, data = write_pack(entries, object_format)
    put_pack(pack.parent, name, data)
    if pack.stem != name:
        pack.unlink()


def put_pack(folder: Path, name: str, data: bytes) -> Path:
    """Put a pack into the folder of packs, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pack"
    aside = folder.parent / "new-pack"
    aside.write_bytes(data)
    aside.chmod(0o444)
    os.replace(aside, path)
    return path


@contextlib.contextmanager
def undone(store: Path) -> Iterator[None]:
    """Put every file of the objects' folder back to how it was, whatever the block did to them."""
    files = {path: path.read_bytes() for path in (store / "objects").rglob("*") if path.is_file()}
    try:
        yield
    finally:
        for path in (store / "objects").rglob("*"):
            if path.is_file() and path not in files:
                path.unlink()
        for path, data in files.items():
            if not path.exists() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(data)
                path.chmod(0o444)
