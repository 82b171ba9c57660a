"""Commits, garbage, damage and crashes in any order, against a model that is a few dictionaries and sets.

What stands in the store is asked of a second reader of the format. A crash is an exception that nothing
catches, at the n-th change of the disk; after it no change gets through any more, as after a death.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests import stored
from tests.store.conftest import fast_folder
from tests.store.independent import Reader
from tests.store.support import ADA, Work, fast_repository

from mlstore.errors import CorruptError, NotFoundError, NothingToCommit
from mlstore.history import create_branch, delete_branch
from mlstore.maintenance import collect_garbage, prune, repack, undo
from mlstore.repository import Repository
from mlstore.verify import fsck

Files: TypeAlias = dict[str, str]
PATHS = ["a", "d/x", "d/y", "table.csv"]
TEXTS = ["1", "22", "333", "4444"]
BRANCHES = ["main", "one", "two"]
CHANGES = ("link", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "write", "fsync", "truncate")


class Crash(BaseException):
    """The process is dead."""


@contextmanager
def dying(after: int) -> Iterator[None]:
    """Let AFTER changes of the disk through, and none from then on."""
    left = after

    def mortal(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return change(*args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, mortal(getattr(os, name)))
        yield


class StoreMachine(RuleBasedStateMachine):
    """``commits``, ``branches``, ``logged`` and ``index`` say what the store has to hold, and no more."""

    @initialize(pack=st.booleans())
    def start(self, pack: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=fast_folder()))
        self.work = Work(fast_repository(self.folder / "work", pack=pack))
        self.work.clock = int(time.time())  # log entries of long ago would be dropped by a collection
        self.index: Files = {}
        self.commits: dict[str, tuple[Files, str | None]] = {}
        self.branches: dict[str, str] = {}
        self.branch = "main"
        self.logged: set[str] = set()
        self.trash: list[set[str]] = []
        self.damaged = False
        self.add("a", "1")
        self.commit()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    # --- what the store holds, and what it has to ---

    def held(self) -> set[str]:
        return set(stored.object_ids(self.work.repo.store))

    def needed(self) -> set[str]:
        """All that branches, logs and the index lead to, by the second reader."""
        reader = Reader(self.work.root)
        found = {reader.hash(text.encode()) for text in self.index.values()}
        pending = [*self.branches.values(), *self.logged]
        while pending:
            commit = pending.pop()
            if commit in found:
                continue
            value = reader.json("commit", commit)
            found |= {commit, *trees(reader, value["tree"])}
            pending += value["parents"]
        return found

    # --- what a user does ---

    @rule(path=st.sampled_from(PATHS), text=st.sampled_from(TEXTS))
    def add(self, path: str, text: str) -> None:
        self.work.write(path, text)
        self.work.add(path)
        self.index[path] = text

    @rule()
    def commit(self) -> None:
        """Its parent is where the branch was; the logs remember it."""
        before = self.branches.get(self.branch)
        if before is not None and self.commits[before][0] == self.index:
            with pytest.raises(NothingToCommit):
                self.work.record()
            return
        self.committed(self.work.record())

    def committed(self, made: str) -> None:
        self.commits[made] = dict(self.index), self.branches.get(self.branch)
        self.branches[self.branch] = made
        self.logged.add(made)

    @rule(name=st.sampled_from(BRANCHES))
    def make_branch(self, name: str) -> None:
        if name not in self.branches:
            create_branch(self.work.repo, name, who=ADA, time=self.work.now())
            self.branches[name] = self.branches[self.branch]

    @rule(name=st.sampled_from(BRANCHES))
    def drop_branch(self, name: str) -> None:
        if name in self.branches and name != self.branch:
            delete_branch(self.work.repo, name, force=True)
            del self.branches[name]

    @rule(name=st.sampled_from(BRANCHES))
    def switch(self, name: str) -> None:
        if name in self.branches:
            self.work.switch(name, force=True)
            self.at(name)

    def at(self, name: str) -> None:
        self.logged.add(self.branches[self.branch])
        self.branch = name
        self.index = dict(self.commits[self.branches[name]][0])
        self.logged.add(self.branches[name])

    @rule()
    def step_back(self) -> None:
        here = self.branches[self.branch]
        parent = self.commits[here][1]
        if parent is not None:
            self.work.reset(parent, "hard")
            self.logged |= {here, parent}
            self.branches[self.branch] = parent
            self.index = dict(self.commits[parent][0])

    @rule()
    def forget(self) -> None:
        """Throw the logs away: now only branches and the index keep anything."""
        shutil.rmtree(self.work.repo.store / "logs", ignore_errors=True)
        self.logged = set()

    # --- what cleans up ---

    @rule()
    def collect(self) -> None:
        before = self.held()
        report = collect_garbage(self.work.repo, now=time.time() + 10, expire="now")
        self.assert_only_needed(before, untouched=bool(report.untouched))
        if before - self.held():
            self.trash.append(before - self.held())

    def assert_only_needed(self, before: set[str], *, untouched: bool) -> None:
        """A pack with damage in it stays as it is, with what else is in it: that is for `fsck` to tell."""
        assert self.needed() <= self.held() <= before
        assert self.held() == self.needed() or (untouched and self.damaged)

    @rule()
    def collect_what_is_old(self) -> None:
        """Nothing is: all of it was written just now."""
        before = self.held()
        collect_garbage(self.work.repo, now=time.time())
        assert self.held() == before

    @rule()
    def undo(self) -> None:
        before = self.held()
        if not self.trash:
            with pytest.raises(NotFoundError):
                undo(self.work.repo)
            return
        undo(self.work.repo)
        assert self.held() == before | self.trash.pop()

    @rule()
    def prune(self) -> None:
        before = self.held()
        report = prune(self.work.repo, now=time.time() + 10)
        self.assert_only_needed(before, untouched=bool(report.untouched))
        assert not list((self.work.repo.store / "trash").glob("*"))
        self.trash = []

    @rule(everything=st.booleans())
    def repack(self, everything: bool) -> None:
        before = self.held()
        repack(self.work.repo, everything=everything)
        assert self.held() == before

    # --- what goes wrong ---

    @precondition(lambda self: self.index)
    @rule(data=st.data(), meanwhile=st.sampled_from(["nothing", "repack", "gc"]))
    def damage_and_heal(self, data: st.DataObject, meanwhile: str) -> None:
        """A bit flips; it is seen, does not spread, and adding the good file again heals it."""
        path = data.draw(st.sampled_from(sorted(self.index)))
        text, repo = self.index[path], self.work.repo
        object_id = repo.format.hash_bytes(text.encode())
        stored.find(repo.store, object_id).flip()
        self.damaged = True
        before = self.held()
        if meanwhile == "repack":
            repack(repo)
        elif meanwhile == "gc":
            collect_garbage(repo, now=time.time())
        assert self.held() == before
        try:  # a crash may have left another copy, which is as good
            assert repo.objects.read(object_id) == text.encode()
        except CorruptError:
            pass
        assert not fsck(Repository.open(self.work.root), jobs=1).ok
        self.work.path(path).unlink()
        self.add(path, text)
        assert Reader(self.work.root).object(object_id) == text.encode()

    @rule(
        what=st.sampled_from(["commit", "add", "collect", "undo", "prune", "repack", "branch", "switch"]),
        after=st.integers(0, 30),
    )
    def crash(self, what: str, after: int) -> None:
        """Die in the middle: refs are old or new, and the next command needs no repair."""
        old_refs, before = Reader(self.work.root).refs(), self.held()
        new = "two" if what == "branch" else self.branch
        operations: dict[str, Callable[[], object]] = {
            "commit": lambda: self.work.record(allow_empty=True),
            "add": self.work.add,
            "collect": lambda: collect_garbage(self.work.repo, now=time.time() + 10, expire="now"),
            "undo": lambda: undo(self.work.repo),
            "prune": lambda: prune(self.work.repo, now=time.time() + 10),
            "repack": lambda: repack(self.work.repo, everything=True),
            "branch": lambda: create_branch(
                self.work.repo, new, force=self.branch != new, who=ADA, time=self.work.now()
            ),
            "switch": lambda: self.work.switch(max(self.branches), force=True),
        }
        if (what == "undo" and not self.trash) or (what == "branch" and new == self.branch):
            return
        self.work.write("a", "44444")
        with dying(after):
            try:
                operations[what]()
            except Crash:
                pass
        self.come_back(what, old_refs, before)

    def come_back(self, what: str, old_refs: dict[str, str], before: set[str]) -> None:
        """Open it again, adopt what may be either way, and go on."""
        self.work.repo = Repository.open(self.work.root)
        refs = Reader(self.work.root).refs()
        changed = {name for name in refs.keys() | old_refs.keys() if refs.get(name) != old_refs.get(name)}
        mine = f"refs/heads/{self.branch}"
        assert changed <= {"commit": {mine}, "branch": {"refs/heads/two"}}.get(what, set())
        if what == "commit" and changed:
            self.committed(refs[mine])
        elif what == "branch" and changed:
            self.branches["two"] = refs["refs/heads/two"]
        assert what in ("collect", "prune", "undo") or before <= self.held()
        head = (self.work.repo.store / "HEAD").read_text().strip()
        name = head.removeprefix("ref: refs/heads/")
        assert name in (self.branch, max(self.branches))
        self.work.reset(self.branches[name], "hard")
        self.at(name)
        # Whatever else a log remembers by now, those who forget it know what is left.
        self.forget()
        self.prune()

    # --- what always holds ---

    @invariant()
    def refs_and_all_that_they_lead_to_are_whole(self) -> None:
        if not hasattr(self, "work"):
            return
        reader = Reader(self.work.root)
        assert reader.refs() == {f"refs/heads/{name}": commit for name, commit in self.branches.items()}
        for commit in {*self.branches.values(), *self.logged}:
            files = {
                path: data.decode() for path, _, data in reader.files(reader.json("commit", commit)["tree"])
            }
            assert files == self.commits[commit][0]
        hashed = {path: reader.hash(text.encode()) for path, text in self.index.items()}
        assert {path: entry["id"] for path, entry in reader.index().items()} == hashed


def trees(reader: Reader, tree: str) -> Iterator[str]:
    """A tree, and all trees and blobs below it."""
    yield tree
    for entry in reader.json("tree", tree)["entries"]:
        if entry["kind"] == "tree":
            yield from trees(reader, entry["id"])
        else:
            yield entry["id"]


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=25)
