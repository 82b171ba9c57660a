"""What differs between HEAD, the index and the worktree.

Where ``stat`` agrees with the index no file is opened. Where it does not, the size and then an xxh3-128
fingerprint tell a touched file from a changed one, and the stat cache is brought up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlstore.errors import CannotRun, PathNotFound
from mlstore.index import Index, IndexEntry
from mlstore.index.table import EXECUTABLE
from mlstore.model.tree import TreeEntry
from mlstore.repository import (
    Change,
    Repository,
    Snapshot,
    compare_entries,
    diff_snapshots,
    read_snapshot,
)
from mlstore.worktree.ignore import ALWAYS_IGNORED
from mlstore.worktree.survey import Found, survey

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.refs import Head
    from mlstore.worktree.content import ContentCache

_PLAIN_COMMIT = 1 << 20  # bytes


class Status(NamedTuple):
    """``staged``: index against HEAD; ``unstaged``: worktree against index; ``untracked`` paths, sorted.

    A folder without any tracked file stands in ``untracked`` once, as ``folder/``, unless all are
    asked for. ``special`` names what can never be tracked (path -> symlink, named pipe...).
    """

    head: Head
    staged: list[Change]
    unstaged: list[Change]
    untracked: list[str]
    special: dict[str, str]

    @property
    def clean(self) -> bool:
        """Whether nothing differs among the tracked files."""
        return not self.staged and not self.unstaged


def status(repo: Repository, *, untracked: str = "normal") -> Status:
    """Compare HEAD, index and worktree; *untracked* is ``normal``, ``all`` or ``no``.

    Raises ``CorruptFile``, ``CorruptObject`` or ``StorageError``: a damaged store is never "clean".
    """
    head = repo.refs.head()
    index = repo.read_index()
    staged = staged_changes(repo, head, index)
    found = survey(str(repo.root), index, listing=untracked != "no")
    unstaged = _changes(repo, index, found)
    loose: list[str] = []
    special: dict[str, str] = {}
    if _worth_a_walk(found):
        from mlstore.worktree.untracked import list_untracked

        loose, special = list_untracked(repo, found.strangers, index.paths(), whole=untracked == "all")
    _save_touched(repo, index, found)
    return Status(head=head, staged=staged, unstaged=unstaged, untracked=loose, special=special)


def _worth_a_walk(found: Found) -> bool:
    """Whether something is there that is neither tracked nor always ignored."""
    return any(not ALWAYS_IGNORED.issuperset(names) for names in found.strangers.values())


def staged_changes(repo: Repository, head: Head, index: Index) -> list[Change]:
    """Compare the index with HEAD's tree, without reading it when the index is known to equal it."""
    if head.commit is None:
        return diff_snapshots({}, index.snapshot())
    if index.tree is not None and index.tree in repo.objects and _is_tree_of(repo, head.commit, index.tree):
        return []
    tree = repo.objects.read_commit(head.commit).tree
    if index.tree == tree and tree in repo.objects:
        return []
    return diff_snapshots(read_snapshot(repo.objects, tree), index.snapshot())


def _is_tree_of(repo: Repository, commit: ObjectId, tree: ObjectId) -> bool:
    """Whether *commit* plainly has *tree*: its bytes are proved by its id, and the tree's is the last key.

    Saves taking it apart, for which a JSON parser would have to be loaded.
    """
    if repo.objects.size(commit) > _PLAIN_COMMIT:
        return False
    data = repo.objects.read(commit)
    return data.startswith(b"mlstore commit 1\n{") and data.endswith(b'Z","tree":"%b"}' % tree.encode())


def unstaged_changes(repo: Repository, paths: list[str] | None = None) -> list[Change]:
    """Compare the worktree with the index; only at or below *paths* (repository paths) if given."""
    index = repo.read_index()
    found = survey(str(repo.root), index, listing=False)
    changes = _changes(repo, index, found)
    _save_touched(repo, index, found)
    return [change for change in changes if is_below(change.path, paths)]


def tracked_changes(
    repo: Repository, tree: ObjectId | None, paths: list[str] | None = None, *, trusted: bool = False
) -> list[Change]:
    """Compare the worktree's files with *tree*: those of the tree and those that are tracked.

    *trusted* True hashes every file, whatever ``stat`` says.
    """
    from mlstore.worktree.content import ContentCache

    expected = read_snapshot(repo.objects, tree)
    index = repo.read_index()
    cache = ContentCache(repo, index, trusted=trusted)
    wanted = {path for path in (*expected, *index.paths()) if is_below(path, paths)}
    actual: Snapshot = {}
    for path in wanted:
        entry = cache.entry(path)
        if entry is not None:
            actual[path] = entry
    return diff_snapshots({path: entry for path, entry in expected.items() if path in wanted}, actual)


def is_below(path: str, paths: list[str] | None) -> bool:
    """Whether *path* is one of *paths* or lies below one; None and "" mean everything."""
    if paths is None:
        return True
    return any(base in ("", path) or path.startswith(f"{base}/") for base in paths)


def _changes(repo: Repository, index: Index, found: Found) -> list[Change]:
    """Give the changes among the tracked files, in the order of their paths."""
    table = index.table
    changes = []
    for row, _, _, _, executable in found.touched:
        if executable != (table.kinds[row] == EXECUTABLE):
            entry = table.entry(row)
            new = TreeEntry(entry.path, "executable" if executable else "file", entry.id, entry.size)
            changes.append(Change(entry.path, "mode", entry.as_tree_entry(), new))
    if found.suspects:
        from mlstore.worktree.content import ContentCache

        cache = ContentCache(repo, trusted=True)
        for row in found.suspects:
            change = _look(cache, table.entry(row))
            if change is not None:
                changes.append(change)
    return sorted(changes, key=lambda change: change.path) if len(changes) > 1 else changes


def _look(cache: ContentCache, entry: IndexEntry) -> Change | None:
    old = entry.as_tree_entry()
    try:
        new = cache.entry(entry.path)
    except PathNotFound:
        new = None
    return compare_entries(entry.path, old, new)


def _save_touched(repo: Repository, index: Index, found: Found) -> None:
    """Write the new stat data, if nobody else is writing and the store lets us: it is only a cache."""
    kinds = index.table.kinds
    fresh = [row for row in found.touched if any(row[1:3]) and row[4] == (kinds[row[0]] == EXECUTABLE)]
    if not fresh:
        return
    try:
        with repo.write_lock("status", wait=0):
            if repo.index_stamp() != index.stamp:
                return  # it was written meanwhile: whoever looks next sees to it
            for row, mtime_ns, ctime_ns, inode, _ in fresh:
                index.refresh(row, mtime_ns, ctime_ns, inode)
            repo.save_index(index)
    except CannotRun:
        return
