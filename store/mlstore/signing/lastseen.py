"""The heads that this client saw last: an anchor that whoever replaces the store cannot replace with it.

A small file for each repository, in a folder of the user's that is no part of any store. What is remembered
is moved by this client's own commands and by verifications that passed; what moved otherwise has to descend
from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mlstore import durable
from mlstore.errors import MlstoreError, StorageError
from mlstore.hashing import ObjectId, is_object_id
from mlstore.history.revision import peel
from mlstore.history.walk import walk
from mlstore.refs import Move
from mlstore.repository import Repository

Anchor: TypeAlias = Literal["MATCH", "NEWER", "ROLLED-BACK", "NONE"]

_SCHEMA = "mlstore.seen/1"
_LARGEST = 16 << 20
_WAIT = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a ref stood: the id in it, and the commit that it leads to (None for others) with its height.

    ``pending`` is where a command of this client was about to move it (None: to remove it) and may have been
    killed.
    """

    id: ObjectId
    commit: ObjectId | None
    height: int = 0
    pending: tuple[ObjectId | None, ...] = ()


class LastSeen:
    """The memory of one client, in *folder*.

    A repository is known by the place where it lies, and by *machine*, since homes are shared: not by
    anything in it, for all of that is what an attacker would replace. Nothing here fails a command:
    ``problem`` says why nothing could be read or written.
    """

    def __init__(self, folder: Path, machine: str = "") -> None:
        self.folder = folder
        self._machine = machine
        self.problem: str | None = None

    def path_of(self, root: Path) -> Path:
        """Give the file about the repository at *root*."""
        import hashlib

        key = os.fsencode(self._machine) + b"\0" + os.fsencode(os.path.realpath(root))
        return self.folder / "seen" / f"{hashlib.sha256(key).hexdigest()[:32]}.json"

    def read(self, repo: Repository) -> dict[str, Seen]:
        """Give what was seen of each ref (``HEAD``, ``refs/...``); nothing where that cannot be read."""
        try:
            return self._load(self.path_of(repo.root))
        except (OSError, ValueError) as exc:
            self.problem = f"'{self.path_of(repo.root)}' cannot be used: {_reason(exc)}"
            return {}

    def judge(self, repo: Repository, name: str, seen: Mapping[str, Seen]) -> Anchor:
        """Say how the ref *name* as it stands now relates to what was *seen*."""
        before, now = seen.get(name), look(repo, name)
        if before is None:
            return "NONE"
        if (None if now is None else now.id) in before.pending:
            return "MATCH"
        if now is not None and now.id == before.id:
            return "MATCH"
        if now is not None and _descends(repo, now, before):
            return "MATCH" if now.commit == before.commit and name == "HEAD" else "NEWER"
        return "ROLLED-BACK"

    def note(self, repo: Repository, names: Iterable[str]) -> None:
        """Remember where these refs stand now: a verification passed, or the user accepts it."""
        now = {name: found for name in names if (found := look(repo, name)) is not None}
        known = self.read(repo)
        if any(known.get(name) != found for name, found in now.items()):
            self._change(repo, lambda known: {**known, **now})

    def expect(self, repo: Repository, moves: Iterable[Move]) -> None:
        """Note *moves* that this client's own command is about to make: it may be killed right after.

        What descends from what was seen needs no note.
        """
        seen = self.read(repo)
        wanted = []
        for move in moves:
            before = seen.get(move.name)
            if before is None or move.new in (before.id, *before.pending):
                continue
            forward = move.new is not None and _descends(repo, _resolved(repo, move.new), before)
            if not forward and (move.switched or _is_honest(repo, move, before)):
                wanted.append(move)

        def add(known: dict[str, Seen]) -> dict[str, Seen]:
            for move in wanted:
                if (before := known.get(move.name)) is not None:
                    known[move.name] = replace(before, pending=(*before.pending, move.new))
            return known

        if wanted:
            self._change(repo, add)

    def note_moves(self, repo: Repository, moves: Iterable[Move]) -> None:
        """Follow *moves* that this client's own command made.

        One that began where something else had put the ref is not followed: it would cover that up.
        """

        def follow(known: dict[str, Seen]) -> dict[str, Seen]:
            for move in moves:
                if move.new is None:
                    known.pop(move.name, None)
                elif move.switched or _is_honest(repo, move, known.get(move.name)):
                    known[move.name] = _resolved(repo, move.new)
            return known

        self._change(repo, follow)

    def forget(self, repo: Repository) -> None:
        """Know nothing of the repository: it was made just now."""
        try:
            if self.path_of(repo.root).exists():
                self._change(repo, lambda _known: {})
        except OSError as exc:
            self.problem = _reason(exc)

    # the file

    def _load(self, path: Path) -> dict[str, Seen]:
        try:
            with open(path, "rb") as file:
                data = file.read(_LARGEST)
        except FileNotFoundError:
            return {}
        value = json.loads(data)
        if (
            not isinstance(value, dict)
            or value.get("schema") != _SCHEMA
            or not isinstance(value.get("refs"), dict)
        ):
            raise ValueError(f"it is not of schema {_SCHEMA}")
        return {name: _seen(row) for name, row in value["refs"].items()}

    def _change(self, repo: Repository, change: Any) -> None:
        path = self.path_of(repo.root)
        lock = durable.FileLock(path.with_suffix(".lock"), purpose="remember", wait=_WAIT)
        try:
            durable.make_folder(path.parent, fsync=repo.fsync)
            with lock:
                known = self._load(path)
                changed = change(dict(known))
                if changed != known:
                    self._save(repo, path, changed)
        except (MlstoreError, OSError, ValueError) as exc:
            self.problem = f"'{path}' cannot be used: {_reason(exc)}"

    def _save(self, repo: Repository, path: Path, known: Mapping[str, Seen]) -> None:
        rows = {
            name: {"id": seen.id, "commit": seen.commit, "height": seen.height}
            | ({"pending": seen.pending} if seen.pending else {})
            for name, seen in sorted(known.items())
        }
        value = {
            "schema": _SCHEMA,
            "repository": os.fsencode(repo.root).decode("utf-8", "backslashreplace"),
            "machine": self._machine,
            "refs": rows,
        }
        data = json.dumps(value, indent=1).encode() + b"\n"
        durable.replace_file(path, data, scratch=path.parent, fsync=repo.fsync, mode=0o600)


def look(repo: Repository, name: str) -> Seen | None:
    """Give where the ref *name* stands now, None when it does not exist or cannot be read."""
    try:
        found = repo.refs.head().commit if name == "HEAD" else repo.refs.read(name)
    except MlstoreError:
        return None
    return None if found is None else _resolved(repo, found)


def _resolved(repo: Repository, object_id: ObjectId) -> Seen:
    try:
        commit = peel(repo, object_id, "commit", object_id)
        return Seen(object_id, commit, repo.objects.read_commit(commit).height)
    except MlstoreError:
        return Seen(object_id, None)


def _descends(repo: Repository, now: Seen, before: Seen) -> bool:
    """Whether *now* is what was seen before, or stands on it; the commit itself need not be in the store."""
    if before.commit is None or now.commit is None:
        return False
    try:
        for commit_id, commit in walk(repo, [now.commit]):
            if commit_id == before.commit:
                return True
            if commit.height < before.height:
                break
    except MlstoreError:
        pass  # a damaged history leads nowhere
    return False


def _is_honest(repo: Repository, move: Move, before: Seen | None) -> bool:
    if before is None or move.new == before.id or move.old in (before.id, *before.pending):
        return True
    ends = (end for end in (move.old, move.new) if end is not None)
    return any(_descends(repo, _resolved(repo, end), before) for end in ends)


def _seen(row: object) -> Seen:
    if not isinstance(row, dict) or not is_object_id(row.get("id")) or type(row.get("height")) is not int:
        raise ValueError("an entry is not one of ours")
    commit, pending = row.get("commit"), row.get("pending", [])
    if not isinstance(pending, list) or not all(
        one is None or is_object_id(one) for one in (commit, *pending)
    ):
        raise ValueError("an entry is not one of ours")
    return Seen(ObjectId(row["id"]), commit, row["height"], tuple(pending))


def _reason(exc: Exception) -> str:
    if isinstance(exc, StorageError):
        return exc.message
    if isinstance(exc, OSError):
        return (exc.strerror or str(exc)).lower()
    return exc.message if isinstance(exc, MlstoreError) else str(exc)
