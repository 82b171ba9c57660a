"""From a snapshot into worktree and index: all of it, or nothing at all."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from mlstore.durable import files_below
from mlstore.errors import ObjectNotFound, PathNotFound, WouldOverwrite
from mlstore.hashing import ObjectId
from mlstore.index import Index, IndexEntry, Table
from mlstore.model import Collisions, TreeEntry, parents_of
from mlstore.model.patterns import has_magic, matches
from mlstore.repository import Repository, Snapshot, diff_trees
from mlstore.repository.snapshot import iter_files
from mlstore.worktree.content import ContentCache
from mlstore.worktree.ignore import ALWAYS_IGNORED
from mlstore.worktree.overlap import Occupied
from mlstore.worktree.scan import Lookup
from mlstore.worktree.status import is_below
from mlstore.worktree.writer import WorktreeWriter

_SHOWN = 10


@dataclass(slots=True)
class _Plan:
    write: dict[str, TreeEntry] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    keep: dict[str, TreeEntry] = field(default_factory=dict)


def checkout_snapshot(
    repo: Repository, index: Index, old: Snapshot, target: Snapshot, *, force: bool = False
) -> list[str]:
    """Bring worktree and *index* from *old* to *target*; gives the paths that were written or removed.

    Changes that *old* and *target* do not disagree about are carried over, as in git. Without *force*,
    ``WouldOverwrite`` is raised (every path in ``data["paths"]``) when a file holds something that would
    be lost; with it, worktree and index become exactly *target*. Every blob is read and verified before
    the first file changes, so ``CorruptObject`` and ``StorageError`` leave all as it was. The caller
    holds the write lock and saves the index.
    """
    cache = ContentCache(repo, index)
    plan = _force_plan(repo, index, old, target, cache) if force else _plan(repo, index, old, target, cache)
    _refuse_collisions(old, target, plan)
    with WorktreeWriter(repo) as writer:
        writer.stage_all(plan.write, repo.progress)
        for path in plan.remove:
            writer.remove(path)
        written = writer.apply(replace=force)
    for path in plan.remove:
        index.remove(path)
    index.set_rows(written)
    for path, entry in plan.keep.items():
        _index_kept(index, path, entry, cache)
    if force:
        for path in index.paths()[:]:
            if path not in target:
                index.remove(path)
    return sorted([*plan.write, *plan.remove])


def checkout_changes(repo: Repository, index: Index, old: ObjectId | None, target: ObjectId) -> list[str]:
    """As ``checkout_snapshot`` without *force*, from tree *old* to *target*: what they share is not read."""
    changes = diff_trees(repo.objects, old, target)
    before = {change.path: change.old for change in changes if change.old is not None}
    after = {change.path: change.new for change in changes if change.new is not None}
    if after.keys() - before.keys():
        # A new name may be one with any other of the target where case is folded.
        collisions = Collisions()
        for entry in iter_files(repo.objects, target):
            collisions.add(entry.name)
    return checkout_snapshot(repo, index, before, after)


def _plan(repo: Repository, index: Index, old: Snapshot, target: Snapshot, cache: ContentCache) -> _Plan:
    plan = _Plan()
    lost: set[str] = set()
    for path in sorted(old.keys() | target.keys()):
        before, after = old.get(path), target.get(path)
        indexed = index.get(path)
        staged = indexed.as_tree_entry() if indexed else None
        if before == after or (after is None and staged is None):
            continue  # nothing to do; or untracked since, and what lies there is nobody's business
        here = cache.entry(path)
        if not (_same(staged, before) or _same(staged, after)):
            lost.add(path)  # staged, and in no commit
        elif after is not None and after.same_content(here):
            plan.keep[path] = after
        elif here is not None and not here.same_content(staged):
            lost.add(path)  # changed, and not even staged
        elif after is None:
            plan.remove.append(path)
        else:
            plan.write[path] = after
    lost |= _obstacles(repo, plan)
    arriving = [*plan.write, *plan.keep, *(path for path in lost if path in target)]
    lost |= _shut_out(index, arriving, plan.remove)
    if lost:
        _refuse(lost)
    return plan


def _shut_out(index: Index, arriving: Iterable[str], leaving: Iterable[str]) -> set[str]:
    """Give what is staged where a folder is to be, or below a file that is to be."""
    tracked = set(index.paths())
    new = [path for path in arriving if path not in tracked]
    if not new:
        return set()
    occupied = Occupied(tracked.difference(leaving))
    return {other for path in new for other in occupied.in_the_way_of(path)}


def _refuse_collisions(old: Snapshot, target: Snapshot, plan: _Plan) -> None:
    """Refuse a target with names that are one on some file systems; raises ``InvalidPath``."""
    if any(path not in old for path in plan.write):
        collisions = Collisions()
        for path in target:
            collisions.add(path)


def _same(one: TreeEntry | None, other: TreeEntry | None) -> bool:
    return one is None if other is None else other.same_content(one)


def _obstacles(repo: Repository, plan: _Plan) -> set[str]:
    """What stands where a file or a folder is to be made, and is not about to be removed.

    Nor may a link that took a tracked file's place be removed as if it were the file.
    """
    lookup = Lookup(repo.root)
    leaving = set(plan.remove)
    found: set[str] = set()
    for folder in _folders_of(plan.write):
        status = lookup.status(folder)
        if status is not None and not stat.S_ISDIR(status.st_mode) and folder not in leaving:
            found.add(folder)
    for path in plan.write:
        status = lookup.status(path)
        if status is None:
            continue
        if stat.S_ISDIR(status.st_mode):
            found |= {below for below in _files_below(repo, path) if below not in leaving}
        elif not stat.S_ISREG(status.st_mode):
            found.add(path)
    for path in plan.remove:
        status = lookup.status(path)
        if status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            found.add(path)
    return found


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Give all folders above *paths*, each once: many files share few."""
    direct = {path.rpartition("/")[0] for path in paths}
    return {above for folder in direct if folder for above in (folder, *parents_of(folder))}


def _refuse_folders(repo: Repository, plan: _Plan) -> None:
    """Refuse to remove a folder that holds another repository, even where everything else may go."""
    lookup = Lookup(repo.root)
    lost: set[str] = set()
    for path in plan.write:
        status = lookup.status(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            below = _files_below(repo, path)
            lost.update(name for name in below if ALWAYS_IGNORED & set(name.split("/")))
    if lost:
        _refuse_place(lost)


def _refuse_restore(repo: Repository, index: Index, write: dict[str, TreeEntry], remove: list[str]) -> None:
    """Refuse when something that nobody named would have to go; links are no content and do go."""
    lookup = Lookup(repo.root)
    lost = _shut_out(index, write, remove)
    leaving = set(remove)
    for folder in _folders_of(write):
        status = lookup.status(folder)
        if status is not None and stat.S_ISREG(status.st_mode) and folder not in leaving:
            lost.add(folder)
    for path in write:
        status = lookup.status(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            lost.update(name for name in _files_below(repo, path) if name not in leaving)
    if lost:
        _refuse_place(lost)


def _refuse_place(lost: set[str]) -> NoReturn:
    raise WouldOverwrite(
        f"this stands where a file or folder is to be put: {_listed(lost)}",
        hint="move it away first; nothing was changed",
        paths=sorted(lost),
    )


def _files_below(repo: Repository, folder: str) -> list[str]:
    return [path.relative_to(repo.root).as_posix() for path in files_below(repo.root / folder)]


def _force_plan(
    repo: Repository, index: Index, old: Snapshot, target: Snapshot, cache: ContentCache
) -> _Plan:
    plan = _Plan()
    for path, after in target.items():
        if after.same_content(cache.entry(path)):
            plan.keep[path] = after
        else:
            plan.write[path] = after
    plan.remove = [path for path in {*old, *index.paths()} if path not in target]
    _refuse_folders(repo, plan)
    return plan


def _index_kept(index: Index, path: str, entry: TreeEntry, cache: ContentCache) -> None:
    known = index.get(path)
    if known is not None and known.id == entry.id and known.kind == entry.kind:
        return
    hashed = cache.hashed(path)
    assert hashed is not None  # it was read: the index did not know these bytes
    index.set(hashed.as_index_entry())


def _refuse(lost: set[str]) -> NoReturn:
    raise WouldOverwrite(
        f"this would overwrite work that is stored nowhere: {_listed(lost)}",
        hint="commit it, move it away, or use --force to lose it; nothing was changed",
        paths=sorted(lost),
    )


def _listed(lost: set[str]) -> str:
    paths = sorted(lost)
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(f"'{path}'" for path in paths[:_SHOWN]) + more


def select_paths(snapshot: Collection[str], paths: Sequence[str]) -> list[str]:
    """Give the paths of *snapshot* that *paths* (files, folders or patterns) name.

    Raises ``PathNotFound`` for one that names nothing.
    """
    chosen: set[str] = set()
    for wanted in paths:
        hits = [path for path in snapshot if is_below(path, [wanted])] if wanted else list(snapshot)
        if not hits and has_magic(wanted):
            hits = [path for path in snapshot if matches(wanted, path)]
        if not hits:
            raise PathNotFound(
                f"'{wanted or '.'}' did not match any tracked file", hint="check the spelling", path=wanted
            )
        chosen.update(hits)
    return sorted(chosen)


def restore_paths(
    repo: Repository,
    paths: Sequence[str],
    *,
    source: Snapshot | None,
    staged: bool,
    worktree: bool,
    overlay: bool = False,
) -> list[str]:
    """Bring *paths* in index (*staged*) and worktree back to *source* (None: the index); gives what changed.

    What is tracked but not in *source* is removed, unless *overlay* (``checkout REV -- PATH``). Local
    changes to the files are overwritten: that is what this is for. Raises ``PathNotFound``; a corrupt
    object or a full disk leaves all as it was.
    """
    with repo.write_lock("restore"):
        index = repo.read_index()
        from_index = source is None
        source = index.snapshot() if source is None else source
        chosen = select_paths(source if overlay else dict.fromkeys((*index.paths(), *source)), paths)
        cache = ContentCache(repo, index)
        write = {p: source[p] for p in chosen if p in source and not source[p].same_content(cache.entry(p))}
        remove = [path for path in chosen if path not in source]
        changed = _staged_differences(index, source, chosen) if staged else set()
        written = Table()
        _refuse_restore(repo, index, write if worktree else {}, remove)
        if staged and (lost := _shut_out(index, [path for path in chosen if path in source], remove)):
            _refuse_place(lost)
        if worktree:
            changed |= {*write, *remove}
            _refuse_two_names(source, chosen if write else ())
            with WorktreeWriter(repo) as writer:
                writer.stage_all(write, repo.progress)
                for path in remove:
                    writer.remove(path)
                written = writer.apply(replace=True)
        index.set_rows(written if staged or from_index else _as_staged(index, written))
        if staged:
            _stage(repo, index, source, sorted(set(chosen).difference(written.paths)))
        if index.dirty:
            repo.save_index(index)
        return sorted(changed)


def _refuse_two_names(source: Snapshot, chosen: Iterable[str]) -> None:
    names = Collisions()
    for path in chosen:
        if path in source:
            names.add(path)  # with what is there already, too


def _as_staged(index: Index, written: Table) -> Table:
    """Give the rows of files that were written as the index has them: only their stat data is news."""
    rows = []
    for row, path in enumerate(written.paths):
        known = index.get(path)
        if known is not None and known.as_tree_entry().same_content(written.entry(row).as_tree_entry()):
            rows.append(row)
    return written.pick(rows)


def _staged_differences(index: Index, source: Snapshot, chosen: list[str]) -> set[str]:
    now = index.snapshot()
    return {path for path in chosen if not _same(now.get(path), source.get(path))}


def _stage(repo: Repository, index: Index, source: Snapshot, paths: list[str]) -> None:
    """Bring the index to *source* where no file was written: it had these bytes, or was not asked for."""
    for path in paths:
        entry, known = source.get(path), index.get(path)
        if entry is None:
            index.remove(path)
        elif not (known and entry.same_content(known.as_tree_entry())):
            index.set(unread_entry(repo, entry))


def unread_entry(repo: Repository, entry: TreeEntry) -> IndexEntry:
    """Give an index entry for *entry* without stat data: the file will be looked at.

    The fingerprint is taken from the stored blob, which is read (and verified) for it. Where a clone left
    that out there is none: the file is then hashed as a whole to know it.
    """
    try:
        digest = repo.objects.check(entry.id)
    except ObjectNotFound:
        if repo.filter is None or not repo.filter.leaves_out(entry.size):
            raise
        return IndexEntry(entry.name, entry.kind, entry.id, entry.size, bytes(16), None)
    return IndexEntry(entry.name, entry.kind, entry.id, digest.size, digest.checksum, None)
