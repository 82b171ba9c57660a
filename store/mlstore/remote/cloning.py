"""``clone``: a copy of a repository that lies in a folder of this machine.

It is built aside, in ``DIR/.mlstore.clone``, every object verified, and gets its place by one rename: until
then there is no repository to be seen, and what a killed clone leaves is swept away by the next one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlstore import durable
from mlstore._progress import Progress, expect
from mlstore.durable import FileLock, storage_errors
from mlstore.errors import ObjectNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.index import Index
from mlstore.model import Person
from mlstore.refs import NOTES, Head, ReflogEntry
from mlstore.remote.copying import copy_objects
from mlstore.remote.wanted import Wanted, find_wanted
from mlstore.repository import STORE_NAME, Filter, Repository, Snapshot, read_snapshot
from mlstore.worktree import ContentCache, checkout_snapshot
from mlstore.worktree.checkout import unread_entry

ASIDE = f"{STORE_NAME}.clone"
LOCKS = "locks"


@dataclass(frozen=True, slots=True)
class Cloned:
    """A clone and what it has, in objects and their bytes; ``files`` is None where none were checked out."""

    repo: Repository
    head: Head
    objects: int
    bytes: int
    left_out: int
    left_out_bytes: int
    files: int | None


def clone(
    source: Repository,
    target: Path,
    *,
    chosen: Filter | None = None,
    checkout: bool = True,
    who: Person,
    time: str,
    progress: Progress | None = None,
) -> Cloned:
    """Make the folder *target* a clone of *source*: its branches, tags and HEAD, and all that they lead to.

    *chosen* leaves blobs out; then no file is written, and the index is that of HEAD. Files are written
    only into a folder that is new or empty; without (*checkout* False, or *chosen*) any folder will do that
    is no repository yet. Raises ``Refused`` where it will not, ``Locked``, ``ObjectNotFound`` or
    ``CorruptError`` where *source* is damaged, ``StorageError``; then there is no repository. When the files
    cannot be written there is one, as in git, and ``mlstore reset --hard`` goes on.
    """
    writes = checkout and chosen is None
    _refuse_taken(target, empty=writes)
    refs, head = source.refs.all(), source.refs.head()
    roots = {*refs.values(), *([head.commit] if head.commit else [])}
    notes = [target for name, target in refs.items() if name.startswith(NOTES)]
    wanted = find_wanted(source, sorted(roots), chosen, notes=notes)
    _refuse_gaps(source, wanted)
    entry = ReflogEntry(None, None, time, str(who), f"clone: from {source.root}")
    with _aside(target) as folder:
        repo = Repository.init(folder, source.format.name)
        with repo.objects.transaction() as writer:
            ids = wanted.metadata | wanted.blobs.keys()
            expect(progress, len(ids), wanted.size)
            size = copy_objects(source.objects, writer, ids, progress)
        _copy_refs(repo, refs, head, entry)
        root = os.fsencode(source.root).decode("utf-8", "replace")
        repo.save_config(repo.config.as_clone(root, str(chosen) if chosen is not None else None))
        durable.move_folder(repo.store, target / STORE_NAME)
    made = Repository.open(target)
    files = _fill(made, head.commit, writes, progress) if checkout and head.commit else None
    left = wanted.left_out
    return Cloned(made, made.refs.head(), len(ids), size, len(left), sum(left.values()), files)


def _refuse_taken(target: Path, *, empty: bool) -> None:
    with storage_errors(target):
        try:
            names = set(os.listdir(target)) - {ASIDE}
        except FileNotFoundError:
            return
        except NotADirectoryError:
            raise Refused(f"'{target}' is a file", hint="choose another name for the clone") from None
    if STORE_NAME in names:
        raise Refused(f"'{target}' is a repository already", hint="choose another folder for the clone")
    if names and empty:
        raise Refused(
            f"'{target}' exists and is not an empty folder",
            hint=f"choose another one; with --no-checkout only '{STORE_NAME}' is made in it",
        )


def _refuse_gaps(source: Repository, wanted: Wanted) -> None:
    """A clone that left blobs out has none to give on."""
    if source.filter is None:
        return
    gone = [
        blob for blob in source.objects.absent(wanted.blobs) if source.filter.leaves_out(wanted.blobs[blob])
    ]
    if gone:
        raise ObjectNotFound(
            f"'{source.root}' is a clone without {len(gone)} of the blobs ({source.filter})",
            hint=f"clone '{source.source}', where it came from, or ask for --filter={source.filter}",
            id=gone[0],
        )


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Give a folder in *target* for what is not to be seen yet; when it goes wrong nothing is left behind."""
    made = not target.exists()
    folder = target / ASIDE
    if folder.is_symlink():
        raise Refused(f"'{folder}' is a link", hint="look at it, then remove it", path=str(folder))
    try:
        durable.make_folder(folder)
        # The lock goes along with the rename: whoever dies right after it leaves an empty folder at most.
        with FileLock(folder / STORE_NAME / LOCKS / "clone", purpose="clone", wait=0):
            try:
                _clear(folder / STORE_NAME)  # of a clone that was killed
                yield folder
            finally:
                durable.remove_folder(folder)
    except BaseException:
        for path in (folder / STORE_NAME / LOCKS, folder / STORE_NAME, folder):
            durable.remove_empty_folder(path)
        if made:
            durable.remove_empty_folder(target)
        raise


def _clear(store: Path) -> None:
    for path in store.iterdir():
        if path.is_symlink() or not path.is_dir():
            durable.remove_file(path)
        elif path.name != LOCKS:
            durable.remove_folder(path)


def _copy_refs(repo: Repository, refs: dict[str, ObjectId], head: Head, entry: ReflogEntry) -> None:
    with repo.write_lock("clone"):
        if head.branch is not None:
            repo.refs.set_head_branch(head.branch)
        elif head.commit is not None:
            repo.refs.set_head_detached(head.commit, _moved(entry, head.commit))
        for name, target in refs.items():
            repo.refs.update(name, target, old=None, entry=_moved(entry, target))


def _moved(entry: ReflogEntry, new: ObjectId) -> ReflogEntry:
    return ReflogEntry(None, new, entry.time, entry.who, entry.message)


def _fill(repo: Repository, commit: ObjectId, writes: bool, progress: Progress | None) -> int | None:
    """Check *commit* out, or (not *writes*) note in the index what it has; gives how many were written."""
    tree = repo.objects.read_commit(commit).tree
    target = read_snapshot(repo.objects, tree)
    index = Index()
    with repo.write_lock("clone"):
        if writes:
            repo.progress = progress
            checkout_snapshot(repo, index, {}, target)
        else:
            _note(repo, index, target)
        index.mark_tree(tree)
        repo.save_index(index)
    return len(target) if writes else None


def _note(repo: Repository, index: Index, target: Snapshot) -> None:
    """Files that are there already, as the commit has them, need not be looked at again."""
    cache = ContentCache(repo, trusted=True)
    for path, entry in target.items():
        same = entry.same_content(cache.entry(path))
        here = cache.hashed(path) if same else None
        index.set(unread_entry(repo, entry) if here is None else here.as_index_entry())
