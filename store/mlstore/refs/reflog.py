"""The reflog: where each ref pointed before, one canonical JSON object a line.

JSON escapes line breaks, so a message can never forge an entry. A line that cannot be read (the tail
of a writer that died) is passed over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mlstore.durable import append_line, read_regular, storage_error
from mlstore.hashing import ObjectId, is_object_id
from mlstore.model import canonical_json

_LARGEST = 64 << 20
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ReflogEntry:
    """One move of a ref: ``old`` and ``new`` are None where it did not exist."""

    old: ObjectId | None
    new: ObjectId | None
    time: str
    who: str
    message: str


def append_entry(path: Path, entry: ReflogEntry, *, fsync: bool = True) -> None:
    """Add *entry* to the log at *path*, durably."""
    value = {
        "message": entry.message,
        "new": entry.new,
        "old": entry.old,
        "time": entry.time,
        "who": entry.who,
    }
    append_line(path, canonical_json(value), fsync=fsync)


def read_entries(path: Path) -> tuple[list[ReflogEntry], int]:
    """Give the entries at *path*, newest first, and the number of lines that could not be read.

    Raises ``StorageError`` where the disk does not say.
    """
    try:
        data = read_regular(path, _LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    except OSError as exc:
        raise storage_error(exc, path) from exc
    entries: list[ReflogEntry] = []
    unreadable = 0
    for line in data.split(b"\n"):
        if line:
            entry = _parse(line)
            if entry is None:
                unreadable += 1
            else:
                entries.append(entry)
    entries.reverse()
    return entries, unreadable


def split_entries(path: Path, since: str) -> tuple[bytes, int]:
    """Give the log at *path* without the entries from before *since*, and the number of those."""
    try:
        data = read_regular(path, _LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return b"", 0
    kept, gone = [], 0
    for line in data.splitlines(keepends=True):
        entry = _parse(line)
        if entry is not None and entry.time < since:
            gone += 1
        else:
            kept.append(line)
    return b"".join(kept), gone


def _parse(line: bytes) -> ReflogEntry | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.keys() != {"message", "new", "old", "time", "who"}:
        return None
    ids = (value["old"], value["new"])
    texts = (value["time"], value["who"], value["message"])
    if not all(i is None or is_object_id(i) for i in ids) or not all(isinstance(t, str) for t in texts):
        return None
    return ReflogEntry(*ids, *texts)
