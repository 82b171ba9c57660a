"""Add, commit, switch, restore and reset, in any order, against a model that is a few dictionaries."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.store.conftest import fast_folder
from tests.store.support import Work, fast_repository, listing

from mlstore.errors import NothingToCommit, PathNotFound, WouldOverwrite
from mlstore.worktree import remove_paths, restore_paths

Files: TypeAlias = dict[str, str]

# Few names, and such as get in each other's way: a file and a folder of one name, one that sorts between.
PATHS = ["a", "d", "d-x", "d/x", "d/y/z", "e/f"]
PATH = st.sampled_from(PATHS)
TEXT = st.sampled_from(["1", "22", "333"])
BRANCHES = ["main", "one", "two"]


def below(path: str, other: str) -> bool:
    return other.startswith(path + "/")


FILES = st.dictionaries(PATH, TEXT).map(
    lambda files: {
        path: text for path, text in files.items() if not any(below(other, path) for other in files)
    }
)


def would_lose(old: Files, new: Files, index: Files, here: Files) -> set[str]:
    """What a switch from OLD to NEW would lose: the whole rule, on dictionaries."""
    moving = {
        path
        for path in old.keys() | new.keys()
        if old.get(path) != new.get(path) and not (path not in new and path not in index)
    }
    lost, going, coming = set(), set(), set()
    for path in moving:
        staged = index.get(path)
        if staged not in (old.get(path), new.get(path)):
            lost.add(path)  # staged, and in no commit
        elif path in new and here.get(path) == new[path]:
            continue
        elif path in here and here[path] != staged:
            lost.add(path)  # edited, and nowhere else
        else:
            (coming if path in new else going).add(path)
    for path in coming:
        lost |= {other for other in here if (below(other, path) or below(path, other)) and other not in going}
    for path in new.keys() - index.keys():
        if old.get(path) != new[path]:
            lost |= {
                other for other in index if (below(other, path) or below(path, other)) and other not in going
            }
    return lost


class Machine(RuleBasedStateMachine):
    """``work`` is the real thing; ``here``, ``index``, ``commits`` and ``branches`` are what it should be."""

    @initialize(first=FILES, second=FILES, third=FILES)
    def start(self, first: Files, second: Files, third: Files) -> None:
        """Two branches that differ, and a worktree with work in it: most runs are too short to get there."""
        self.folder = Path(tempfile.mkdtemp(dir=fast_folder()))
        self.work = Work(fast_repository(self.folder / "work"))
        self.here: Files = {}
        self.index: Files = {}
        self.commits: dict[str, Files] = {}
        self.branches: dict[str, str | None] = {"main": None}
        self.branch = "main"
        self.become(first)
        self.add_all()
        self.commit()
        self.switch("one", force=False)
        self.become(second)
        self.add_all()
        self.commit()
        self.become(third)

    def become(self, files: Files) -> None:
        for path in sorted(self.here.keys() - files.keys()):
            self.delete(path)
        for path, text in files.items():
            self.write(path, text)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @property
    def head(self) -> Files:
        commit = self.branches[self.branch]
        return self.commits[commit] if commit else {}

    def snapshot(self, commit: str | None) -> Files:
        return dict(self.commits[commit]) if commit else {}

    # --- what a user does to files ---

    @rule(path=PATH, text=TEXT)
    def write(self, path: str, text: str) -> None:
        for other in [other for other in self.here if below(other, path) or below(path, other)]:
            self.delete(other)
        self.work.write(path, text)
        self.here[path] = text

    @rule(path=PATH)
    def delete(self, path: str) -> None:
        if self.here.pop(path, None) is not None:
            self.work.path(path).unlink()
            for folder in self.work.path(path).parents:
                if folder == self.work.root or any(folder.iterdir()):
                    break
                folder.rmdir()

    # --- what mlstore does ---

    @rule()
    def add_all(self) -> None:
        self.work.add()
        self.index = dict(self.here)

    @rule(path=PATH)
    def add_one(self, path: str) -> None:
        inside = {other: text for other, text in self.here.items() if other == path or below(path, other)}
        known = {other for other in self.index if other == path or below(path, other)}
        if not inside and not known:
            with pytest.raises(PathNotFound):
                self.work.add(path)
            return
        self.work.add(path)
        for other in known - inside.keys():
            del self.index[other]
        for added in inside.keys() - self.index.keys():
            for other in [other for other in self.index if below(other, added) or below(added, other)]:
                del self.index[other]
        self.index |= inside

    @rule(path=PATH)
    def forget(self, path: str) -> None:
        if path in self.index:
            remove_paths(self.work.repo, [path], cached=True, force=True)
            del self.index[path]

    @rule()
    def commit(self) -> None:
        if self.index == self.head:  # nothing before the first commit
            with pytest.raises(NothingToCommit):
                self.work.record()
            return
        made = self.work.record()
        self.commits[made] = dict(self.index)
        self.branches[self.branch] = made

    @rule(name=st.sampled_from(BRANCHES), force=st.booleans())
    def switch(self, name: str, force: bool) -> None:
        if self.branches[self.branch] is None:
            return
        if name not in self.branches:
            self.work.switch(name, create=True)
            self.branches[name] = self.branches[self.branch]
            self.branch = name
            return
        target = self.snapshot(self.branches[name])
        old, gone = dict(self.head), set(self.index) | set(self.head)
        lost = set() if force else would_lose(old, target, self.index, self.here)
        if lost:
            before = self.work.everything()
            with pytest.raises(WouldOverwrite) as caught:
                self.work.switch(name)
            assert set(caught.value.data["paths"]) == lost
            assert self.work.everything() == before
            return
        self.work.switch(name, force=force)
        self.branch = name
        if force:
            self.put(target, gone - target.keys())
            self.index = target
            return
        changed = {path for path in old.keys() | target.keys() if old.get(path) != target.get(path)}
        changed -= {path for path in changed if path not in target and path not in self.index}
        for path in changed:
            self.put({path: target[path]} if path in target else {}, set() if path in target else {path})
            self.index.pop(path, None)
            if path in target:
                self.index[path] = target[path]

    def put(self, files: Files, gone: set[str]) -> None:
        """What a checkout does to the worktree: whatever stands in the way goes."""
        for path in gone:
            self.here.pop(path, None)
        for path in files:
            for other in [other for other in self.here if below(other, path) or below(path, other)]:
                del self.here[other]
        self.here |= files

    @precondition(lambda self: self.commits)
    @rule(data=st.data(), mode=st.sampled_from(["soft", "mixed", "hard"]))
    def reset(self, data: st.DataObject, mode: str) -> None:
        if self.branches[self.branch] is None:
            return
        target = data.draw(st.sampled_from(sorted(self.commits)), label="target")
        gone = set(self.index) | set(self.head)
        self.work.reset(target, mode)
        if mode == "hard":
            self.put(self.commits[target], gone - self.commits[target].keys())
        if mode != "soft":
            self.index = self.snapshot(target)
        self.branches[self.branch] = target

    @rule(path=PATH)
    def restore(self, path: str) -> None:
        """`restore PATH`: from the index into the worktree."""
        chosen = {other: text for other, text in self.index.items() if other == path or below(path, other)}
        source = self.work.index.snapshot()
        if not chosen:
            with pytest.raises(PathNotFound):
                restore_paths(self.work.repo, [path], source=source, staged=False, worktree=True)
            return
        blocked = {
            other
            for one, text in chosen.items()
            if self.here.get(one) != text
            for other in self.here
            if below(other, one) or below(one, other)
        }
        if blocked:
            before = self.work.everything()
            with pytest.raises(WouldOverwrite) as caught:
                restore_paths(self.work.repo, [path], source=source, staged=False, worktree=True)
            assert set(caught.value.data["paths"]) == blocked
            assert self.work.everything() == before
            return
        restore_paths(self.work.repo, [path], source=source, staged=False, worktree=True)
        self.here |= chosen

    # --- what always holds ---

    @invariant()
    def everything_is_as_in_the_model(self) -> None:
        if not hasattr(self, "work"):
            return
        files = {
            path: data.decode() for path, (what, _, data) in listing(self.work.root).items() if what == "file"
        }
        assert files == self.here
        folders = {path for path, (what, _, _) in listing(self.work.root).items() if what == "folder"}
        assert folders == {path for path in folders if any(below(path, other) for other in files)}, (
            "empty folders"
        )
        hashed = {path: self.work.repo.format.hash_bytes(text.encode()) for path, text in self.index.items()}
        assert {path: entry.id for path, entry in self.work.index.snapshot().items()} == hashed
        head = self.work.repo.refs.head()
        assert (head.branch, head.commit) == (self.branch, self.branches[self.branch])

    @invariant()
    def status_tells_the_truth(self) -> None:
        if hasattr(self, "work"):
            said = self.work.status()
            assert said["staged"] == told(self.head, self.index)
            tracked = {path: text for path, text in self.here.items() if path in self.index}
            assert said["unstaged"] == told(self.index, tracked)
            assert said["untracked"] == sorted(self.here.keys() - self.index.keys())

    @invariant()
    def no_commit_is_ever_lost(self) -> None:
        if hasattr(self, "work"):
            for commit, files in self.commits.items():
                found = self.work.files_of(commit)  # type: ignore[arg-type]
                assert {path: data.decode() for path, data in found.items()} == files


def told(old: Files, new: Files) -> list[str]:
    """Two versions compared, as `status` tells it."""
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            what = "added" if path not in old else "deleted" if path not in new else "modified"
            lines.append(f"{what} {path}")
    return lines


TestRepository = Machine.TestCase
TestRepository.settings = settings(max_examples=80, stateful_step_count=25)
