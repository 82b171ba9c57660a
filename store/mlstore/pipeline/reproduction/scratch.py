"""Scratch folders: what a stage finds when it is run again, and nothing else.

A scratch folder lies outside the worktree. ``work`` holds the recorded inputs, ``home`` and ``tmp`` are empty
folders for whoever wants to write there.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlstore.compare.keyed import load_values, select, value_id
from mlstore.durable import storage_errors
from mlstore.durable.files import write_all
from mlstore.errors import CorruptObject, PathNotFound, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import Block
from mlstore.model import TreeEntry, parents_of, validate_path
from mlstore.repository import Repository, find_entry


class Scratch:
    """One scratch folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.home = root / "home"
        self.tmp = root / "tmp"
        self.kept = False

    def put(self, repo: Repository, entry: TreeEntry) -> None:
        """Write the file that *entry* names, verified; raises what reading or writing it raises."""
        path = self.work / validate_path(entry.name)
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o755 if entry.kind == "executable" else 0o644
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                for chunk in repo.objects.stream(entry.id):
                    write_all(fd, chunk)
            finally:
                os.close(fd)

    def make_folders_for(self, paths: Mapping[str, ObjectId]) -> None:
        """Make the folders of *paths*: commands tend to take them for granted."""
        for path in paths:
            folder = (self.work / validate_path(path)).parent
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)

    def files(self) -> dict[str, os.stat_result]:
        """Give everything below ``work`` that is no folder, with its ``lstat``; no link is followed."""
        found = {}
        for base, folders, names in os.walk(self.work):
            links = [name for name in folders if os.path.islink(os.path.join(base, name))]
            for name in (*names, *links):
                path = os.path.join(base, name)
                found[os.path.relpath(path, self.work).replace(os.sep, "/")] = os.lstat(path)
        return found


@contextmanager
def scratch_folder(repo: Repository, parent: Path, name: str, *, keep: bool) -> Iterator[Scratch]:
    """Make a scratch folder below *parent*; it is gone at the end, whatever ends it, unless it is to be kept.

    Raises ``UsageError`` when *parent* lies in the worktree, which nobody may touch.
    """
    if parent.resolve().is_relative_to(repo.root):
        raise UsageError(
            f"the folder for temporary files, '{parent}', is inside the worktree",
            hint="let TMPDIR name a folder outside of it",
        )
    with storage_errors(parent):
        scratch = Scratch(Path(tempfile.mkdtemp(prefix=f"mlstore-{name}-", dir=parent)).resolve())
    try:
        with storage_errors(scratch.root):
            for folder in (scratch.work, scratch.home, scratch.tmp):
                folder.mkdir()
        scratch.kept = keep
        yield scratch
    finally:
        if not scratch.kept:
            _remove(scratch.root)


def _remove(root: Path) -> None:
    """Remove a folder, also where a command took away its own right to write there."""

    def retry(function: Callable[..., Any], path: str, _why: object) -> None:
        try:
            if os.path.abspath(path) != str(root):  # the folder above that one is everybody's
                os.chmod(os.path.dirname(path), stat.S_IRWXU)
            if os.path.isdir(path) and not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
                shutil.rmtree(path, ignore_errors=True)
            else:
                function(path)
        except OSError:
            return  # what somebody else's process holds on to stays in the folder for temporary files

    shutil.rmtree(root, onerror=retry)


def recorded_files(repo: Repository, block: Block) -> dict[str, TreeEntry]:
    """Give the files that *block* records as inputs, each by its path.

    An input that is a whole file is the blob that the record names. One that is a key stands for the whole
    file of the block's snapshot, in which the key must have the recorded value. Raises ``CorruptObject`` for
    a record that its own snapshot refutes, ``PathNotFound`` when the file is not in it.
    """
    tree = block.commit.tree
    found: dict[str, TreeEntry] = {}
    for selector, object_id in block.stage.inputs.items():
        path, hash_sign, key = selector.partition("#")
        entry = find_entry(repo.objects, tree, path)
        if hash_sign:
            if entry is None or entry.kind == "tree":
                raise PathNotFound(
                    f"stage '{block.name}' reads '{selector}', and its commit has no file '{path}'",
                    hint=f"'mlstore verify {block.id[:10]}' tells what is wrong with the record",
                    path=path,
                )
            _require_value(repo, block, entry, key, object_id)
            found.setdefault(path, entry)
        elif entry is not None and entry.id == object_id:
            found[path] = entry
        else:
            found[path] = TreeEntry(path, "file", object_id, repo.objects.size(object_id))
    for path in found:
        for folder in parents_of(path):
            if folder in found:
                raise CorruptObject(
                    f"stage '{block.name}' records '{folder}' as file and folder", id=block.id
                )
    return found


def _require_value(repo: Repository, block: Block, entry: TreeEntry, key: str, expected: ObjectId) -> None:
    value = select(load_values(repo.objects.read(entry.id), entry.name), key, entry.name)
    if value_id(repo.format, value) != expected:
        raise CorruptObject(
            f"stage '{block.name}' records another value of '{entry.name}#{key}' than its commit holds",
            hint=f"'mlstore verify {block.id[:10]}' tells what is wrong with the record",
            id=block.id,
        )
