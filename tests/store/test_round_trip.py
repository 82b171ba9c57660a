"""Random trees survive add, commit and a checkout elsewhere, byte for byte."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.support import Work, fast_repository, listing
from tests.support import run_mlstore

from mlstore.errors import InvalidPath
from mlstore.model import Collisions, validate_component

Files: TypeAlias = dict[str, tuple[bytes, bool]]
"""What a tree holds: bytes by path, and whether they may be executed."""


def allowed(name: str) -> bool:
    try:
        validate_component(name)
    except InvalidPath:
        return False
    return name not in (".mlstoreignore", "mlstore.lock")


NAMES = st.one_of(
    st.sampled_from(
        [
            "a",
            "b",
            "data",
            "src",
            "x.csv",
            ".hidden",
            "-rf",
            "a b",
            "naïve",
            "日本語",
            "🎉",
            "e\u0301",
            "#",
            "*",
        ]
    ),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:"), min_size=1, max_size=10
    ).filter(allowed),
)
PATHS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=4),
    st.integers(5, 25).flatmap(lambda depth: st.lists(NAMES, min_size=depth, max_size=depth)),
).map("/".join)
CONTENT = st.one_of(
    st.just(b""),
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"\r\n",
            b"\0",
            bytes(5000),
            b"mlstore tree 1\n",
            b'mlstore tree 1\n{"entries":[]}',
            b"x" * ((1 << 20) + 1),
        ]
    ),
)


@st.composite
def trees(draw: st.DrawFn) -> Files:
    """Files that can lie beside each other on every file system."""
    found: Files = {}
    collisions = Collisions()
    folders: set[str] = set()
    for path in draw(st.lists(PATHS, max_size=6)):
        parts = path.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if path in found or path in folders or above & found.keys() or len(path.encode()) > 900:
            continue
        try:
            collisions.add(path)
        except InvalidPath:
            collisions = Collisions()
            for other in found:
                collisions.add(other)
            continue
        folders |= above
        found[path] = draw(CONTENT), draw(st.booleans())
    return found


def put(root: Path, files: Files) -> None:
    """Make the worktree hold exactly FILES."""
    for entry in root.iterdir():
        if entry.name != ".mlstore":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for path, (data, executable) in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if executable else 0o644)


def held(root: Path) -> Files:
    """What the worktree holds; an empty folder or anything but a file is a mistake."""
    found = {}
    for path, (what, mode, data) in listing(root).items():
        if what == "folder":
            assert os.listdir(root / path), f"{path} is empty"
        else:
            assert what == "file", f"{path} is a {what}"
            found[path] = data, bool(mode & stat.S_IXUSR)
    return found


@pytest.fixture(scope="module")
def here(memory: Path) -> Work:
    return Work(fast_repository(memory / "here"))


@pytest.fixture(scope="module")
def elsewhere(memory: Path, here: Work) -> Work:
    """Another worktree on the same objects: it has seen none of the files."""
    there = Work(fast_repository(memory / "elsewhere"))
    objects = there.repo.store / "objects"
    objects.rmdir()
    objects.symlink_to(here.repo.store / "objects")
    return there


@settings(max_examples=500)
@given(files=trees())
def test_every_tree_survives_add_commit_and_checkout_elsewhere(
    here: Work, elsewhere: Work, files: Files
) -> None:
    put(here.root, files)
    here.add()
    commit = here.record("a tree", allow_empty=True)
    assert here.status() == {"staged": [], "unstaged": [], "untracked": []}
    # From whatever the example before left there: so every transition is tried as well.
    elsewhere.switch(commit, detach=True)
    assert held(elsewhere.root) == files
    assert elsewhere.status() == {"staged": [], "unstaged": [], "untracked": []}


@settings(max_examples=5)
@given(files=trees())
def test_every_tree_survives_through_the_installed_command(memory: Path, files: Files) -> None:
    here, there = (Path(tempfile.mkdtemp(dir=memory)) for _ in range(2))
    put(here, files)
    for args in (["init", "-q"], ["add", "."], ["commit", "-q", "--allow-empty", "-m", "a tree"]):
        done = run_mlstore(args, here)
        assert done.returncode == 0, done.stderr
    shutil.copytree(here / ".mlstore", there / ".mlstore")
    done = run_mlstore(["reset", "--hard", "HEAD"], there)
    assert done.returncode == 0, done.stderr
    assert held(there) == held(here) == files
    assert run_mlstore(["status", "--porcelain"], there).stdout == ""
    assert run_mlstore(["fsck"], there).returncode == 0
