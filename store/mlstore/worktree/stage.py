"""``add`` and ``rm``: from the worktree into the index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mlstore._progress import Progress, expect
from mlstore.errors import InvalidPath, PathNotFound, Refused
from mlstore.index import Index, StatResult, Table
from mlstore.model import Collisions, validate_path, validate_paths
from mlstore.model.patterns import has_magic, matches
from mlstore.objects import ObjectWriter
from mlstore.repository import Repository, read_snapshot
from mlstore.worktree.content import ContentCache
from mlstore.worktree.ignore import is_ignored
from mlstore.worktree.overlap import Occupied
from mlstore.worktree.scan import Lookup, Scan, scan
from mlstore.worktree.status import is_below
from mlstore.worktree.storer import Storer
from mlstore.worktree.writer import WorktreeWriter


@dataclass(slots=True)
class AddResult:
    """What ``add`` staged, as sorted paths."""

    added: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Selection:
    """The files to look at: ``always`` are named ones, which are read whatever ``stat`` says."""

    files: dict[str, StatResult] = field(default_factory=dict)
    always: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    special: dict[str, str] = field(default_factory=dict)


def add_paths(
    repo: Repository,
    paths: Sequence[str],
    *,
    update: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> AddResult:
    """Stage what lies at *paths* (repository paths; "" is everything), deletions below them included.

    A path that does not exist and holds wildcards is a pattern. A file that is named is read and its
    stored copy checked (a damaged one is healed); files found in folders are read only when their
    stat data changed. *update* looks at tracked files only, *force* takes ignored ones too. All or
    nothing: raises ``PathNotFound``, ``Refused`` (ignored), ``InvalidPath`` (symlinks, names that no
    repository may hold) before anything is staged.
    """
    with repo.write_lock("add"):
        index = repo.read_index()
        selected = _select(repo, index, paths, update=update, force=force)
        _refuse_special(selected.special)
        _refuse_collisions(index, selected)
        result = AddResult(deleted=sorted(selected.gone))
        with repo.objects.transaction() as writer:
            staged = _stage_files(repo, index, selected, None if dry_run else writer, result, progress)
        if not dry_run:
            _save(repo, index, staged, selected.gone)
        return result


def _stage_files(
    repo: Repository,
    index: Index,
    selected: _Selection,
    writer: ObjectWriter | None,
    result: AddResult,
    progress: Progress | None,
) -> Table:
    expect(progress, len(selected.files), sum(found.st_size for found in selected.files.values()))
    changed: list[tuple[str, StatResult]] = []
    tracked = bool(len(index))  # a first import asks nothing of an empty index, three times a file
    for path in sorted(selected.files):
        found = selected.files[path]
        if path in selected.always or not (tracked and index.is_unchanged(path, found)):
            changed.append((path, found))
        elif progress is not None:
            progress(path, found.st_size)
    staged = Storer(repo, index, writer).store_all(changed, progress) if writer else Table()
    cache = ContentCache(repo, index)
    for row, (path, _) in enumerate(changed):
        known = index.get(path) if tracked else None
        if known is None:
            result.added.append(path)
        else:
            entry = staged.entry(row).as_tree_entry() if writer else cache.entry(path)
            if not known.as_tree_entry().same_content(entry):
                result.modified.append(path)
    return staged


def _save(repo: Repository, index: Index, staged: Table, gone: Iterable[str]) -> None:
    new = [path for path in staged.paths if path not in index] if len(index) else []
    if new:
        tracked = Occupied(index.paths())
        for stale in {stale for path in new for stale in tracked.in_the_way_of(path)}:
            index.remove(stale)
    index.set_rows(staged)
    for path in gone:
        index.remove(path)
    if index.dirty:
        repo.save_index(index)


def _select(repo: Repository, index: Index, paths: Sequence[str], *, update: bool, force: bool) -> _Selection:
    selected = _Selection()
    lookup = Lookup(repo.root)
    for path in paths:
        found = lookup.status(path) if path else os.lstat(repo.root)
        if found is None:
            _select_absent(repo, index, path, selected)
        elif stat.S_ISDIR(found.st_mode):
            _select_folder(repo, index, path, selected, update=update, force=force)
        else:
            _select_file(repo, index, path, found, selected, update=update, force=force)
    return selected


def _select_file(
    repo: Repository,
    index: Index,
    path: str,
    found: StatResult,
    selected: _Selection,
    *,
    update: bool,
    force: bool,
) -> None:
    tracked = path in index
    if update and not tracked:
        return
    validate_path(path)
    if not tracked and not force and is_ignored(repo.root, path):
        raise Refused(
            f"'{path}' is ignored", hint="use 'mlstore add -f' to add it all the same", paths=[path]
        )
    if stat.S_ISREG(found.st_mode):
        selected.files[path] = found
        selected.always.add(path)
    else:
        from mlstore.worktree.scan import special_kind

        selected.special[path] = special_kind(found)


def _select_folder(
    repo: Repository, index: Index, folder: str, selected: _Selection, *, update: bool, force: bool
) -> None:
    found: Scan = scan(repo, folder, ignored=force)
    lookup = Lookup(repo.root)
    below = [path for path in index.paths() if is_below(path, [folder])]
    for path in below:
        status = found.files.get(path) or lookup.status(path)
        if status is None or not stat.S_ISREG(status.st_mode) or path in found.special:
            selected.gone.add(path)
        else:
            selected.files[path] = status
    if not update:
        selected.files.update(found.files)
        selected.special.update(found.special)
        if folder and not found.files and not found.special and not below and is_ignored(repo.root, folder):
            raise Refused(f"'{folder}' is ignored", hint="use 'mlstore add -f'", paths=[folder])


def _select_absent(repo: Repository, index: Index, path: str, selected: _Selection) -> None:
    gone = [tracked for tracked in index.paths() if is_below(tracked, [path])]
    if gone:
        selected.gone.update(gone)
        return
    if has_magic(path):
        found = scan(repo)
        hits = {name: status for name, status in found.files.items() if matches(path, name)}
        lookup = Lookup(repo.root)
        gone = [name for name in index.paths() if matches(path, name) and lookup.status(name) is None]
        if hits or gone:
            selected.files.update(hits)
            selected.gone.update(gone)
            return
    raise PathNotFound(f"'{path}' did not match any files", hint="check the spelling", path=path)


def _refuse_special(special: dict[str, str]) -> None:
    if not special:
        return
    path, kind = min(special.items())
    more = f" (and {len(special) - 1} more)" if len(special) > 1 else ""
    raise InvalidPath(
        f"'{path}' is a {kind}, not a regular file{more}: nothing was added",
        hint="replace it by the file itself, or list it in .mlstoreignore",
        path=path,
        paths=sorted(special),
    )


def _refuse_collisions(index: Index, selected: _Selection) -> None:
    new = [path for path in selected.files if path not in index] if len(index) else list(selected.files)
    if not new:
        return
    collisions = Collisions()
    for path in (*index.paths(), *new):
        if path not in selected.gone:
            collisions.add(path)
    validate_paths(new)


def remove_paths(
    repo: Repository,
    paths: Sequence[str],
    *,
    cached: bool = False,
    recursive: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> list[str]:
    """Untrack *paths* and, unless *cached*, remove the files; gives what was removed, sorted.

    Raises ``PathNotFound`` for what is not tracked, ``UsageError`` for a folder without *recursive*,
    ``Refused`` when content that no commit holds would be lost (unless *force*).
    """
    with repo.write_lock("rm"):
        index = repo.read_index()
        chosen = sorted({path for wanted in paths for path in _tracked(index, wanted, recursive)})
        if not force:
            _refuse_loss(repo, index, chosen, cached)
        if dry_run:
            return chosen
        if not cached:
            with WorktreeWriter(repo) as writer:
                for path in chosen:
                    writer.remove(path)
                writer.apply()
        for path in chosen:
            index.remove(path)
        repo.save_index(index)
        return chosen


def _tracked(index: Index, wanted: str, recursive: bool) -> list[str]:
    if wanted and wanted in index:
        return [wanted]
    below = [path for path in index.paths() if is_below(path, [wanted])]
    if below and not recursive:
        raise Refused(f"'{wanted or '.'}' is a folder", hint="use 'mlstore rm -r' to remove all below it")
    if not below and has_magic(wanted):
        below = [path for path in index.paths() if matches(wanted, path)]
    if not below:
        raise PathNotFound(f"'{wanted}' is not tracked", hint="'mlstore status' shows what is", path=wanted)
    return below


def _refuse_loss(repo: Repository, index: Index, paths: list[str], cached: bool) -> None:
    head = repo.refs.head().commit
    committed = read_snapshot(repo.objects, repo.objects.read_commit(head).tree if head else None)
    cache = ContentCache(repo, index)
    lost = []
    for path in paths:
        entry = index.get(path)
        assert entry is not None
        now = cache.entry(path)
        staged_differs = not entry.as_tree_entry().same_content(committed.get(path))
        file_differs = now is not None and now.id != entry.id
        if (staged_differs and file_differs) if cached else (staged_differs or file_differs):
            lost.append(path)
    if lost:
        raise Refused(
            f"'{lost[0]}' has changes that no commit holds"
            + (f" (and {len(lost) - 1} more)" if lost[1:] else ""),
            hint="commit them, keep the file with --cached, or use -f to lose them",
            paths=lost,
        )
