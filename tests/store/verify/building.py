"""Pipelines made by hand, block by block, so that a test can make each thing wrong by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored

from mlstore.compare import load_values, select, value_id
from mlstore.history import read_chain, record_commit, upstream_of
from mlstore.model import Commit, Person, StageRecord, canonical_json
from mlstore.repository import Repository
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.hashing import ObjectId

ADA = Person("Ada Lovelace", "ada@example.org")
EITHER = pytest.mark.parametrize("pipeline", ["packed", "loose"], indirect=True)
"""For what has to hold however the objects are stored."""

CONFIG = "[DEFAULT]\ndate = 2026-01-16\n[generate]\nrows = 1000\nseed = 42\n[train]\nalpha = 1\n"


def commit_time(number: int) -> str:
    """A moment that differs from run to run."""
    return f"2026-01-{1 + number % 28:02}T15:24:48Z"


class Pipeline:
    """A repository with the stages generate -> clean -> train, and the means to run them by hand."""

    def __init__(self, root: Path, *, object_format: str = "blake3", pack: bool = True) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.repo = Repository.init(root, object_format)
        config = self.repo.config.with_value("core.fsync", False).with_value("core.pack", pack)
        self.repo.save_config(config)
        self.repo = Repository.open(root)
        self.root = self.repo.root
        self.clock = 0
        self.write("config.ini", CONFIG)

    def write(self, path: str, text: str) -> None:
        """Write a file of the worktree."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def value(self, selector: str) -> ObjectId:
        """The id of what `path` or `path#key` is in the worktree now."""
        path, _, key = selector.partition("#")
        data = (self.root / path).read_bytes()
        if not key:
            return self.repo.format.hash_bytes(data)
        return value_id(self.repo.format, select(load_values(data, path), key))

    def stage(
        self,
        name: str,
        inputs: list[str],
        outputs: dict[str, str],
        *,
        command: tuple[str, ...] | None = None,
        environment: dict[str, Any] | None = None,
        follows: str | None = None,
        change: dict[str, Any] | None = None,
    ) -> ObjectId:
        """Write the outputs and record them as a block; `change` overrides fields of the record."""
        for path, text in outputs.items():
            self.write(path, text)
        add_paths(self.repo, [*{selector.partition("#")[0] for selector in inputs}, *outputs])
        head = self.repo.refs.head().commit
        blocks = read_chain(self.repo, head) if head else {}
        environment_id = None
        if environment is not None:
            with self.repo.objects.transaction() as writer:
                environment_id = writer.add_bytes(canonical_json(environment))
        record = StageRecord(
            name,
            command or ("python", f"{name}.py"),
            {selector: self.value(selector) for selector in inputs},
            {path: self.value(path) for path in outputs},
            upstream_of(blocks, name, inputs, follows=follows),
            "observed",
            environment_id,
        )
        return self.commit(f"run {name}", replace(record, **(change or {})))

    def commit(self, message: str, stage: StageRecord | None = None) -> ObjectId:
        """Commit the index."""
        self.clock += 1
        return record_commit(
            self.repo,
            message=message,
            author=ADA,
            time=commit_time(self.clock),
            stage=stage,
            allow_empty=True,
        )

    def generate(self, text: str = "a,b\n1,2\n", **more: Any) -> ObjectId:
        return self.stage("generate", ["config.ini#generate"], {"data/raw.csv": text}, **more)

    def clean(self, text: str = "a\n1\n", **more: Any) -> ObjectId:
        return self.stage("clean", ["data/raw.csv"], {"data/clean.csv": text}, **more)

    def train(self, text: str = "model 1", **more: Any) -> ObjectId:
        inputs = ["config.ini#train", "data/clean.csv"]
        return self.stage("train", inputs, {"model.joblib": text}, **more)

    def run(self, suffix: str = "") -> ObjectId:
        """Run all three; `suffix` makes the outputs other ones."""
        self.generate("a,b\n1,2\n" + suffix)
        self.clean("a\n1\n" + suffix)
        return self.train("model 1" + suffix)

    def forge(self, **fields: Any) -> ObjectId:
        """Put a commit on HEAD that differs from HEAD's own in some fields, as no command would make it."""
        head = self.repo.refs.head()
        assert head.commit is not None
        commit = replace(self.repo.objects.read_commit(head.commit), **fields)
        return self.put(commit)

    def put(self, commit: Commit) -> ObjectId:
        """Store a commit as it is and move the branch there."""
        with self.repo.objects.transaction() as writer:
            forged = writer.add_commit(commit)
        (self.repo.store / "refs/heads/main").write_text(forged + "\n")
        return forged

    def flip(self, object_id: str, at: int = 0) -> None:
        """Flip a bit of a stored object, wherever it lies."""
        stored.find(self.repo.store, object_id).flip(at)
        self.repo = Repository.open(self.root)

    def replace_object(self, object_id: str, data: bytes) -> None:
        """Make the store hold other bytes under that id, with every checksum right."""
        stored.replace(self.repo.store, object_id, data)
        self.repo = Repository.open(self.root)

    def remove_object(self, object_id: str) -> None:
        stored.remove(self.repo.store, object_id)
        self.repo = Repository.open(self.root)

    @contextmanager
    def spoilt(self) -> Iterator[None]:
        """Undo at the end whatever is done to the stored objects in the block."""
        with stored.undone(self.repo.store):
            yield
        self.repo = Repository.open(self.root)


def show(value: object) -> str:
    """For a failing assertion: all of it."""
    return json.dumps(value, indent=1, default=str)
