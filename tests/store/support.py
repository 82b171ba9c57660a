"""What the library's tests share: a repository to work in, and looks at the disk that ask nobody."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import stored

from mlstore.history import record_commit, reset, resolve_commit, switch
from mlstore.index import Index
from mlstore.model import Person, StageRecord, format_time
from mlstore.repository import Repository, read_snapshot
from mlstore.worktree import add_paths, status
from mlstore.worktree.clock import clock

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId

ADA = Person("Ada Lovelace", "ada@example.org")
EPOCH = 1768577088  # 2026-01-16T15:24:48Z
MOMENT = format_time(EPOCH)


def fast_repository(root: Path, object_format: str = "blake3", *, pack: bool = True) -> Repository:
    """A repository that does not wait for the disk; only tests about durability do."""
    root.mkdir(parents=True, exist_ok=True)
    Repository.init(root, object_format)
    with (root / ".mlstore" / "config").open("a") as config:
        config.write(f"fsync = false\npack = {str(pack).lower()}\n")
    return Repository.open(root)


def listing(folder: Path, *, skip: tuple[str, ...] = (".mlstore",)) -> dict[str, tuple[str, int, bytes]]:
    """Everything below FOLDER: what it is, its mode, its bytes or its target. Nothing is followed."""
    found = {}
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in skip]
        for name in (*folders, *files):
            path = Path(base, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                what = ("link", 0, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(mode):
                what = ("folder", 0, b"")
            elif stat.S_ISREG(mode):
                what = ("file", stat.S_IMODE(mode), path.read_bytes())
            else:
                what = ("other", 0, b"")
            found[path.relative_to(folder).as_posix()] = what
    return found


@dataclass
class Work:
    """A repository and the moves that every test makes in it. Each commit is a minute after the last."""

    repo: Repository
    clock: int = EPOCH
    commits: dict[str, ObjectId] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.repo.root

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, data: bytes | str = b"", *, executable: bool = False) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(0o755 if executable else 0o644)
        return path

    def add(self, *paths: str) -> None:
        add_paths(self.repo, paths or [""])

    def now(self) -> str:
        self.clock += 60
        return format_time(self.clock)

    def record(self, message: str = "a commit", **more: Any) -> ObjectId:
        """Commit the index."""
        return record_commit(self.repo, message=message, author=ADA, time=self.now(), **more)

    def commit(self, message: str = "a commit", **files: str | bytes | None) -> ObjectId:
        """Write FILES (None removes one; `__` in a name is a dot), stage everything, commit."""
        for name, data in files.items():
            name = name.replace("__", ".")
            if data is None:
                self.path(name).unlink()
            else:
                self.write(name, data)
        self.add()
        made = self.record(message, allow_empty=True)
        self.commits[message] = made
        return made

    def block(
        self,
        name: str,
        *,
        inputs: dict[str, ObjectId] | None = None,
        outputs: dict[str, ObjectId] | None = None,
        upstream: dict[str, ObjectId] | None = None,
        command: tuple[str, ...] = ("true",),
    ) -> ObjectId:
        """Commit the index as the block of stage NAME."""
        stage = StageRecord(name, command, inputs or {}, outputs or {}, upstream or {})
        return self.record(name, stage=stage)

    def switch(self, target: str, **more: Any) -> Any:
        return switch(self.repo, target, who=ADA, time=self.now(), **more)

    def branch(self, name: str) -> None:
        """Make a branch here and go there."""
        self.switch(name, create=True)

    def reset(self, target: str, mode: Any = "hard") -> Any:
        return reset(self.repo, resolve_commit(self.repo, target), mode, who=ADA, time=self.now())

    def status(self) -> dict[str, list[str]]:
        """What `status` says, as paths."""
        found = status(self.repo, untracked="all")
        return {
            "staged": [f"{change.status} {change.path}" for change in found.staged],
            "unstaged": [f"{change.status} {change.path}" for change in found.unstaged],
            "untracked": found.untracked,
        }

    @property
    def index(self) -> Index:
        return self.repo.read_index()

    @property
    def head(self) -> ObjectId:
        commit = self.repo.refs.head().commit
        assert commit is not None
        return commit

    def files_of(self, commit: ObjectId) -> dict[str, bytes]:
        """The files of a commit, by way of the object database."""
        tree = self.repo.objects.read_commit(commit).tree
        return {
            path: self.repo.objects.read(entry.id)
            for path, entry in read_snapshot(self.repo.objects, tree).items()
        }

    def object_path(self, object_id: str) -> Path:
        """Where a loose copy of the object lies, or would lie."""
        return stored.loose_path(self.repo.store, object_id)

    def settle(self) -> None:
        """Wait until a new file would be dated after all of ours: a tick of the clock, milliseconds."""
        newest = max(path.lstat().st_ctime_ns for path in self.root.rglob("*"))
        probe = self.root.parent / "clock"
        while True:
            probe.write_bytes(b"x")
            if min(clock(), probe.stat().st_mtime_ns) > newest:
                return
            time.sleep(0.002)

    def damage(self, object_id: str, data: bytes | None = None) -> None:
        """Flip the first byte of an object, or make it hold DATA, wherever it lies."""
        if data is None:
            stored.find(self.repo.store, object_id).flip()
        else:
            stored.replace(self.repo.store, object_id, data)
        self.repo = Repository.open(self.root)

    def remove_object(self, object_id: str) -> None:
        stored.remove(self.repo.store, object_id)
        self.repo = Repository.open(self.root)

    def everything(self) -> tuple[object, ...]:
        """All that a refused command has to leave alone: worktree, refs, and what the index says."""
        refs = {
            path: what for path, what in listing(self.repo.store).items() if path.startswith(("refs", "HEAD"))
        }
        return listing(self.root), refs, self.index.snapshot()
