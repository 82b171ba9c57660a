"""What a stage's declared patterns are in the worktree right now: files, values, ids.

What is declared counts, whether ``.mlstoreignore`` lists it or not. Only ``__pycache__`` folders are
left out of folders and wildcards: Python rewrites them, and no result depends on them.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare.keyed import flatten, load_values, select, value_id
from mlstore.errors import InvalidPath, PathNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.index import StatResult
from mlstore.manifest import InputSpec, StageSpec
from mlstore.model import TreeEntry, parents_of, validate_path
from mlstore.model.patterns import fixed_part, matches
from mlstore.repository import Repository
from mlstore.worktree import ContentCache, read_file, scan
from mlstore.worktree.scan import Lookup, special_kind

_BYTECODE = "__pycache__"


@dataclass(frozen=True, slots=True)
class ResolvedInputs:
    """A stage's inputs at one moment.

    ``ids`` maps each selector (``path`` or ``path#key``) to the id of the file or value, ``files`` each
    file that is read (in whole or by key) to its entry, ``parameters`` each value that was selected by
    key to its text: ``{"config.ini#data.num_samples": "1000"}``.
    """

    ids: dict[str, ObjectId] = field(default_factory=dict)
    files: dict[str, TreeEntry] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


def is_bytecode(path: str) -> bool:
    """Whether *path* lies in one of Python's bytecode caches."""
    return _BYTECODE in path.split("/")[:-1]


def find_files(repo: Repository, pattern: str) -> dict[str, StatResult]:
    """Give the files that *pattern* matches in the worktree, sorted, with their ``lstat``.

    Raises ``InvalidPath`` when it leads to a symlink or another thing that is no regular file.
    """
    base = fixed_part(pattern)
    status = Lookup(repo.root).status(base) if base else os.lstat(repo.root)
    if status is None:
        _refuse_link_above(repo, base)
        return {}
    if stat.S_ISREG(status.st_mode):
        return {base: status} if matches(pattern, base) else {}
    if not stat.S_ISDIR(status.st_mode):
        raise _not_a_file(base, special_kind(status))
    found = scan(repo, base, ignored=True)
    for path, kind in sorted(found.special.items()):
        if matches(pattern, path) and not is_bytecode(path):
            raise _not_a_file(path, kind)
    return {
        path: status
        for path, status in sorted(found.files.items())
        if matches(pattern, path) and not is_bytecode(path)
    }


def _refuse_link_above(repo: Repository, path: str) -> None:
    for folder in reversed(parents_of(path)):
        if (repo.root / folder).is_symlink():
            raise _not_a_file(folder, "symlink")


def _not_a_file(path: str, kind: str) -> InvalidPath:
    return InvalidPath(
        f"'{path}' is a {kind}: a stage reads and writes regular files only",
        hint="replace it by the file or folder itself",
        path=path,
    )


def resolve_inputs(repo: Repository, stage: StageSpec, cache: ContentCache) -> ResolvedInputs:
    """Give what *stage* would read now.

    Raises ``PathNotFound`` when a pattern matches nothing or a key is not there, ``InvalidPath`` for
    files that no block can name, ``ConfigError`` for a file whose keys cannot be read.
    """
    resolver = _Resolver(repo, stage, cache)
    for spec in stage.inputs:
        resolver.add(spec)
    return resolver.result


class _Resolver:
    def __init__(self, repo: Repository, stage: StageSpec, cache: ContentCache) -> None:
        self._repo = repo
        self._stage = stage
        self._cache = cache
        self._values: dict[str, dict[str, Any]] = {}
        self.result = ResolvedInputs()

    def add(self, spec: InputSpec) -> None:
        found = find_files(self._repo, spec.pattern)
        if not found:
            raise self._missing(spec)
        for path in found:
            entry = self._entry(path, spec)
            self.result.files[path] = entry
            if spec.key is None:
                self.result.ids[path] = entry.id
        if spec.key is not None:
            self._add_value(spec, spec.key)

    def _entry(self, path: str, spec: InputSpec) -> TreeEntry:
        validate_path(path)
        if "#" in path:
            raise InvalidPath(
                f"stage '{self._stage.name}' cannot read '{path}': a '#' in its name would select a key",
                hint="rename the file",
                path=path,
            )
        entry = self._cache.entry(path)
        if entry is None:
            raise self._missing(spec)
        return entry

    def _add_value(self, spec: InputSpec, key: str) -> None:
        path = spec.pattern.rstrip("/")
        entry = self.result.files.get(path)
        if entry is None:
            raise InvalidPath(
                f"stage '{self._stage.name}' reads '{spec.text}', but '{path}' is a folder", path=path
            )
        if path not in self._values:
            self._values[path] = self._load(path, entry)
        try:
            value = select(self._values[path], key, path)
        except PathNotFound as exc:
            raise PathNotFound(
                f"stage '{self._stage.name}' reads '{spec.text}': '{path}' has no such key",
                hint="check the spelling in mlstore.toml",
                **exc.data,
            ) from None
        self.result.ids[spec.text] = value_id(self._repo.format, value)
        self.result.parameters.update(flatten(value, spec.text))

    def _load(self, path: str, entry: TreeEntry) -> dict[str, Any]:
        data = read_file(self._repo, path)
        if self._repo.format.hash_bytes(data) != entry.id:
            raise Refused(
                f"'{path}' changed while it was read", hint="try again when nothing writes to it", path=path
            )
        return load_values(data, path)

    def _missing(self, spec: InputSpec) -> PathNotFound:
        name = self._stage.name
        return PathNotFound(
            f"stage '{name}' reads '{spec.pattern}': there is no such file",
            hint=f"put it there, or correct 'inputs' of [stages.{name}] in mlstore.toml",
            path=spec.pattern,
            stage=name,
        )


def find_outputs(repo: Repository, stage: StageSpec) -> dict[str, dict[str, StatResult]]:
    """Give the files that each declared output of *stage* matches now, with their ``lstat``."""
    found = {}
    for pattern in stage.outputs:
        found[pattern] = find_files(repo, pattern)
        for path in found[pattern]:
            validate_path(path)
    return found
