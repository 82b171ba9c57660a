"""How far an ``fsck`` got, kept in ``.mlstore/fsck`` while it runs; docs/format.md has its bytes.

What was checked counts for as long as the file that it is in is the same by size, times and inode. Damage
that was found is kept likewise. A recipe counts only while no pack and no loose object came or went.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from blake3 import blake3

from mlstore.durable import remove_file, replace_file
from mlstore.errors import StorageError
from mlstore.hashing import ObjectId, checksum_bytes, is_object_id
from mlstore.model import canonical_json
from mlstore.objects.audit import Audit, Flaw
from mlstore.objects.pack import EntryKind
from mlstore.objects.pack.codec import ROW
from mlstore.repository import Repository
from mlstore.worktree.clock import clock

STATE_NAME: Final = "fsck"
_HEADER: Final = b"mlstore fsck 1\n"
_FIRST: Final = 1.0  # seconds: a run that is over sooner writes nothing
_SHARE: Final = 50  # of the time at most one part in so many goes into saving
_STAMP: Final = 16
_AS_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")
_AS_BYTES: Final = bytes.maketrans(b"01", b"\0\1")
_LARGEST: Final = 256 << 20


class Saver:
    """Saves an audit's state now and then while its block runs, and removes it when the block ends well."""

    def __init__(self, repo: Repository, audit: Audit) -> None:
        self._repo = repo
        self._audit = audit
        self._path = repo.store / STATE_NAME
        self._next = time.monotonic() + _FIRST
        # What changes from now on may have been read before it did: nothing is recorded of it.
        self._begun = clock()
        self._tick: Callable[[int, int], None] | None = None

    def watching(self, tick: Callable[[int, int], None] | None) -> Callable[[int, int], None]:
        """Give *tick* wrapped, so that the state is saved on the way."""
        self._tick = tick
        return self._ticked

    def _ticked(self, files: int, size: int) -> None:
        if self._tick is not None:
            self._tick(files, size)
        if time.monotonic() >= self._next:
            self.save()

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.save()
            return
        with contextlib.suppress(StorageError):
            if self._path.exists():
                remove_file(self._path, fsync=False)

    def save(self) -> None:
        """Write the state; that it cannot be written is no failure of the check."""
        begun = time.monotonic()
        with contextlib.suppress(StorageError):
            replace_file(
                self._path,
                encode_state(state_of(self._audit, self._begun)),
                scratch=self._repo.scratch,
                fsync=False,
            )
        now = time.monotonic()
        self._next = now + max(_FIRST, _SHARE * (now - begun))

    def load(self) -> None:
        """Take over what an interrupted run left, as far as it still holds."""
        try:
            if self._path.stat().st_size <= _LARGEST:
                state = decode_state(self._path.read_bytes())
                if state is not None:
                    _take_over(self._audit, state)
        except OSError:
            return


def encode_state(state: dict[str, Any]) -> bytes:
    """Give the bytes of the state file."""
    data = _HEADER + canonical_json(state) + b"\n"
    return data + checksum_bytes(data).hex().encode() + b"\n"


def decode_state(data: bytes) -> dict[str, Any] | None:
    """Read a state file; None for one that is damaged."""
    body, _, checksum = data.removesuffix(b"\n").rpartition(b"\n")
    body += b"\n"
    if not body.startswith(_HEADER) or checksum_bytes(body).hex().encode() != checksum:
        return None
    try:
        state = json.loads(body[len(_HEADER) :])
    except (ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) else None


def stamp_of(path: Path, name: str, before: int | None = None) -> bytes | None:
    """Give 16 bytes that change when the file does; None when it is gone, or is not older than *before*."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if before is not None and max(status.st_ctime_ns, status.st_mtime_ns) >= before:
        return None
    known = (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return blake3(repr(known).encode()).digest(_STAMP)


def state_of(audit: Audit, begun: int) -> dict[str, Any]:
    """Give how far *audit* got, as JSON-ready data; *begun* is when it began (``clock``)."""
    folder = audit.database.packs
    packs = {}
    for name, done in audit.done.items():
        stamp = stamp_of(folder.path(name), name, begun)
        if stamp is not None and any(done):
            packs[name] = {"stamp": stamp.hex(), "done": _pack_bits(done)}
    stamps = [stamp_of(audit.database.loose.path(one), one, begun) for one in sorted(audit.loose_done)]
    return {
        "quick": audit.quick,
        "store": _store_stamp(audit),
        "packs": packs,
        "loose": b"".join(filter(None, stamps)).hex(),
        "flaws": [_flaw_as_json(audit, flaw, begun) for flaw in list(audit.flaws.values())],
    }


def _take_over(audit: Audit, state: dict[str, Any]) -> None:
    try:
        if state["quick"] and not audit.quick:
            return  # what was held against a checksum only is not verified
        same_store = state["store"] == _store_stamp(audit)
        packs = {name: (row["stamp"], _unpack_bits(row["done"])) for name, row in state["packs"].items()}
        loose, flaws = bytes.fromhex(state["loose"]), [_flaw_from_json(row) for row in state["flaws"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return
    for name, (stamp, done) in packs.items():
        known = audit.done.get(name, bytearray())
        if known and len(done) == -(-len(known) // 8) * 8 and _is_same(audit, name, stamp):
            known[:] = done[: len(known)]
            if not same_store:
                _forget_recipes(audit, name)
    stamps = {loose[at : at + _STAMP] for at in range(0, len(loose), _STAMP)}
    for object_id in audit.loose:
        if stamps and stamp_of(audit.database.loose.path(object_id), object_id) in stamps:
            audit.loose_done.add(object_id)
    for stamp, flaw in flaws:
        _keep_flaw(audit, stamp, flaw)


def _is_same(audit: Audit, pack: str, stamp: str) -> bool:
    found = stamp_of(audit.database.packs.path(pack), pack)
    return found is not None and found.hex() == stamp


def _forget_recipes(audit: Audit, name: str) -> None:
    done, rows = audit.done[name], audit.packs[name][1].rows
    for number, row in enumerate(ROW.iter_unpack(rows)):
        if row[4] == EntryKind.RECIPE:
            done[number] = 0


def _keep_flaw(audit: Audit, stamp: str, flaw: Flaw) -> None:
    """What was damaged is not read again while its file is the same: it might read right by chance."""
    if flaw.kind == EntryKind.RECIPE:
        return
    if flaw.pack is None:
        found = stamp_of(audit.database.loose.path(flaw.id), flaw.id)
        if found is not None and found.hex() == stamp and flaw.id in audit.loose_set:
            audit.loose_done.add(flaw.id)
            audit.flaws[None, flaw.id] = flaw
    elif flaw.pack in audit.packs and _is_same(audit, flaw.pack, stamp):
        number = audit.packs[flaw.pack][0].number(flaw.id) if is_object_id(flaw.id) else None
        if number is not None:
            audit.done[flaw.pack][number] = 1
            audit.flaws[flaw.pack, flaw.id] = flaw


def _flaw_as_json(audit: Audit, flaw: Flaw, begun: int) -> list[Any]:
    database = audit.database
    path = database.loose.path(flaw.id) if flaw.pack is None else database.packs.path(flaw.pack)
    stamp = stamp_of(path, flaw.id if flaw.pack is None else flaw.pack, begun)
    return [stamp.hex() if stamp else "", *flaw]


def _flaw_from_json(row: list[Any]) -> tuple[str, Flaw]:
    stamp, object_id, pack, kind, reason, actual = row
    texts = all(isinstance(text, str) for text in (stamp, object_id, reason))
    if not texts or type(kind) is not int or not all(isinstance(text, str | None) for text in (pack, actual)):
        raise ValueError("a flaw that is none")
    return stamp, Flaw(ObjectId(object_id), pack, kind, reason, actual)


def _store_stamp(audit: Audit) -> str:
    """Give what changes when a pack or a loose object comes, goes or is another."""
    hasher = blake3()
    folder = audit.database.packs
    for name in sorted(audit.packs):
        hasher.update((stamp_of(folder.path(name), name) or b"").ljust(_STAMP, b"\0"))
    hasher.update("".join(audit.loose).encode())
    return hasher.hexdigest()


def _pack_bits(done: bytearray) -> str:
    """Give one bit for each entry, the first being the highest of the first byte, in hexadecimal."""
    digits = done.translate(_AS_DIGITS).decode().ljust(-(-len(done) // 8) * 8, "0")
    return int(digits, 2).to_bytes(len(digits) // 8, "big").hex()


def _unpack_bits(text: str) -> bytearray:
    """Give a byte for each bit: some more than there are entries."""
    data = bytes.fromhex(text)
    digits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""
    return bytearray(digits.encode().translate(_AS_BYTES))
