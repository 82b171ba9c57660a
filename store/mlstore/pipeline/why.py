"""Where an artifact comes from: block by block, back to the configuration and the raw files."""

from __future__ import annotations

from dataclasses import dataclass

from mlstore.errors import PathNotFound, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain, read_chain, resolve_commit, walk
from mlstore.model import Commit
from mlstore.repository import Repository, find_entry


@dataclass(frozen=True, slots=True)
class Origin:
    """One file, or one value in a file, and where it comes from.

    ``name`` is ``path`` or ``path#key``. ``block`` is the stage that wrote it; a source has none, but
    ``values`` (key -> text) where it was selected by key, and ``commit``, the last one that changed the
    file. ``current`` is false when it is not what its block wrote, or not what the reader read.
    """

    name: str
    id: ObjectId
    current: bool
    block: StageOrigin | None = None
    values: tuple[tuple[str, str], ...] = ()
    commit: tuple[ObjectId, Commit] | None = None


@dataclass(frozen=True, slots=True)
class StageOrigin:
    """A block with what it read; ``follows`` instead for one without inputs.

    ``repeated``: it stands further up in the tree with all that is below it.
    """

    block: Block
    inputs: tuple[Origin, ...] = ()
    follows: tuple[StageOrigin, ...] = ()
    repeated: bool = False


def why(repo: Repository, path: str, rev: str = "HEAD") -> Origin:
    """Give where *path* at *rev* comes from.

    Raises ``PathNotFound`` for a path that is not in that commit, ``UsageError`` for a folder.
    """
    commit_id = resolve_commit(repo, rev)
    tree = repo.objects.read_commit(commit_id).tree
    entry = find_entry(repo.objects, tree, path)
    if entry is None:
        raise PathNotFound(
            f"'{path}' is not in {rev}",
            hint="'mlstore ls-tree -r HEAD' lists what is; 'mlstore status' what is not yet",
            path=path,
        )
    if entry.kind == "tree":
        raise UsageError(f"'{path or '.'}' is a folder", hint="ask for one of the files in it", path=path)
    return _Search(repo, commit_id, tree).trace(path, entry.id, None)


class _Search:
    def __init__(self, repo: Repository, commit_id: ObjectId, tree: ObjectId) -> None:
        self._repo = repo
        self._commit = commit_id
        self._tree = tree
        self._chain: Chain = read_chain(repo, commit_id)
        self._seen: set[str] = set()
        self._last: dict[str, tuple[ObjectId, Commit] | None] = {}

    def trace(self, name: str, found: ObjectId, reader: Block | None) -> Origin:
        """Give where *name* comes from; *found* is its id as *reader* read it."""
        path, _, key = name.partition("#")
        writer = self._writer(path, reader)
        if writer is None:
            return self._source(name, path, key, found, reader)
        current = bool(key) or writer.stage.outputs[path] == found
        values = _values(name, reader) if key else ()
        return Origin(name, found, current, self._stage(writer), values)

    def _writer(self, path: str, reader: Block | None) -> Block | None:
        if reader is None:
            return self._chain.producer(path)
        above = (self._chain.get(name) for name in reader.stage.upstream)
        return next((block for block in above if block is not None and path in block.stage.outputs), None)

    def _stage(self, block: Block) -> StageOrigin:
        if block.name in self._seen:
            return StageOrigin(block, repeated=True)
        self._seen.add(block.name)
        inputs = tuple(self.trace(name, found, block) for name, found in sorted(block.stage.inputs.items()))
        follows: tuple[StageOrigin, ...] = ()
        if not inputs:
            before = (self._chain.get(name) for name in block.stage.upstream)
            follows = tuple(self._stage(one) for one in before if one is not None)
        return StageOrigin(block, inputs, follows)

    def _source(self, name: str, path: str, key: str, found: ObjectId, reader: Block | None) -> Origin:
        entry = find_entry(self._repo.objects, self._tree, path)
        current = bool(key) or (entry is not None and entry.id == found)
        if path not in self._last:
            changes = walk(self._repo, [self._commit], paths=[path])
            self._last[path] = next(changes, None) if entry is not None else None
        values = _values(name, reader) if key else ()
        return Origin(name, found, current, None, values, self._last[path])


def _values(name: str, reader: Block | None) -> tuple[tuple[str, str], ...]:
    if reader is None:
        return ()
    return tuple(
        (key, text)
        for key, text in sorted(reader.stage.parameters.items())
        if key == name or key.startswith(f"{name}.")
    )
