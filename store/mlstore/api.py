"""The library for the scoring job: bytes are used only when they are exactly those of the golden pipeline.

::

    import mlstore

    store = mlstore.open(".")
    model = store.load("model.joblib", at="golden")      # hashed first, then deserialised from those bytes
    store.verify(against="golden").ok
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlstore.compare import first_difference
from mlstore.errors import NotVerified, PathNotFound, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import resolve_commit
from mlstore.lockfile import LOCK_NAME
from mlstore.model import TreeEntry
from mlstore.repository import Repository, find_entry
from mlstore.verify.pins import read_lock
from mlstore.worktree import read_file

if TYPE_CHECKING:
    import pandas as pd

    from mlstore.verify import Report

_TABLES = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".parquet": "read_parquet",
    ".feather": "read_feather",
}


def open(  # noqa: A001 - `mlstore.open` is what users say
    path: str | PathLike[str] = ".", *, trusted: Collection[str | PathLike[str]] = ()
) -> Store:
    """Open the repository that *path* lies in.

    One that belongs to another user (root excepted) is refused, unless its folder is among *trusted* (``"*"``
    stands for every folder). Raises ``NotARepository``, ``ConfigError`` or ``NotOwned``.
    """
    folders = {"*" if str(folder) == "*" else str(Path(folder).resolve()) for folder in trusted}
    return Store(
        Repository.discover(Path(path), trusted=lambda root, _: "*" in folders or str(root) in folders)
    )


def init(path: str | PathLike[str] = ".", *, object_format: str | None = None) -> Store:
    """Make a repository in *path* (or open the one that is there).

    *object_format* is ``blake3`` (the default) or ``sha256``; raises ``UsageError`` for any other.
    """
    return Store(Repository.init(Path(path), object_format))


class Store:
    """One repository, for reading artifacts that are proved before they are used."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo

    @property
    def root(self) -> Path:
        """The folder that holds ``.mlstore``."""
        return self._repo.root

    def resolve(self, rev: str) -> ObjectId:
        """Give the commit that *rev* names.

        A name that ``mlstore.lock`` pins must stand for the pinned commit: raises ``NotVerified`` when
        the tag was moved, ``RefNotFound`` and its like when *rev* names nothing.
        """
        lock = read_lock(self._repo)
        pin = lock.pins.get(rev) if lock is not None else None
        if pin is not None and pin.commit in self._repo.objects:
            target = (
                resolve_commit(self._repo, rev) if self._repo.refs.read(f"refs/tags/{rev}") else pin.commit
            )
            if target != pin.commit:
                raise NotVerified(
                    f"'{rev}' is not the commit that '{LOCK_NAME}' pins",
                    hint="'mlstore verify' tells more; do not trust either before you know which is right",
                    expected=pin.commit,
                    actual=target,
                )
            return target
        return resolve_commit(self._repo, rev)

    def read_bytes(self, path: str | PathLike[str], *, at: str = "golden") -> bytes:
        """Give the bytes of *path* (relative to the root), proved to be those recorded at *at*.

        They are read once, from the worktree or (where there is no such file) from the store, hashed,
        and given only on a match. Raises ``NotVerified`` when they differ, ``PathNotFound`` when *at* has
        no such file, ``CorruptObject`` when the store is damaged.
        """
        name = self._repo.path_of(self.root / path)
        commit = self.resolve(at)
        entry = find_entry(self._repo.objects, self._repo.objects.read_commit(commit).tree, name)
        if entry is None or entry.kind == "tree":
            raise PathNotFound(
                f"'{name}' is not a file at '{at}'", hint=f"'mlstore ls-tree -r {at}' lists them", path=name
            )
        try:
            data = read_file(self._repo, name)
        except PathNotFound:
            return self._repo.objects.read(entry.id)
        actual = self._repo.format.hash_bytes(data)
        if actual != entry.id:
            raise self._not_verified(name, at, entry, data, actual)
        return data

    def _not_verified(
        self, path: str, at: str, entry: TreeEntry, data: bytes, actual: ObjectId
    ) -> NotVerified:
        found = first_difference(self._repo.objects.stream(entry.id), [data])
        where = f", first at byte {found.offset}" if found is not None else ""
        return NotVerified(
            f"'{path}' is not what '{at}' holds: it differs{where}",
            hint=f"restore it with 'mlstore checkout {at} -- {path}', or find out who changed it",
            path=path,
            expected=entry.id,
            actual=actual,
            offset=found.offset if found is not None else None,
        )

    def open(self, path: str | PathLike[str], *, at: str = "golden") -> BinaryIO:
        """Give *path* as a readable binary file of bytes that are proved; raises as ``read_bytes``."""
        return io.BytesIO(self.read_bytes(path, at=at))

    def load(
        self,
        path: str | PathLike[str],
        *,
        at: str = "golden",
        loader: Callable[[BinaryIO], Any] | None = None,
    ) -> Any:
        """Deserialise *path* from exactly the bytes that were proved to be those recorded at *at*.

        The suffix says how: joblib, pkl, pickle (by joblib), npy, npz (without pickles), json, toml,
        csv, tsv, jsonl, parquet, feather (by pandas); *loader* takes a binary file and does it its own way.
        Raises as ``read_bytes``, and ``UsageError`` for a suffix that is not known.
        """
        chosen = loader or _loader_for(str(path))
        return chosen(self.open(path, at=at))

    def read_table(self, path: str | PathLike[str], *, at: str = "golden", **options: Any) -> pd.DataFrame:
        """Give the table at *path* as a pandas data frame; *options* go to the pandas reader."""
        return _read_table(str(path), self.open(path, at=at), **options)

    def verify(self, rev: str = "HEAD", *, against: str | None = None, history: bool = False) -> Report:
        """Verify the pipeline at *rev*; see ``mlstore.verify.verify``. Differences do not raise."""
        from mlstore.verify import verify

        return verify(self._repo, rev, against=against, history=history)

    def require(self, rev: str = "HEAD", *, against: str = "golden") -> Report:
        """Verify *rev* against a golden pipeline; raises ``NotVerified`` unless everything matches."""
        report = self.verify(rev, against=against)
        if not report.ok:
            first = report.findings[0]
            raise NotVerified(
                f"'{rev}' is not '{against}': {first.message}" + (f" ({first.cause})" if first.cause else ""),
                hint=first.hint,
                verdict=report.verdict,
                report=report,
            )
        return report


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _loader_for(path: str) -> Callable[[BinaryIO], Any]:
    suffix = _suffix(path)
    if suffix in (".joblib", ".pkl", ".pickle"):
        return _load_joblib
    if suffix in (".npy", ".npz"):
        return _load_numpy
    if suffix == ".json":
        import json

        return json.load
    if suffix == ".toml":
        import tomllib

        return tomllib.load
    if suffix in _TABLES:
        return lambda file: _read_table(path, file)
    raise UsageError(
        f"'{path}': do not know how to load this", hint="pass loader=, a function of a binary file"
    )


def _load_joblib(file: BinaryIO) -> Any:
    import joblib

    return joblib.load(file)


def _load_numpy(file: BinaryIO) -> Any:
    import numpy as np

    return np.load(file, allow_pickle=False)


def _read_table(path: str, file: BinaryIO, **options: Any) -> pd.DataFrame:
    import pandas as pd

    suffix = _suffix(path)
    reader = _TABLES.get(suffix)
    if reader is None:
        raise UsageError(f"'{path}' is not a table", hint=f"tables are {', '.join(sorted(_TABLES))}")
    if suffix == ".tsv":
        options.setdefault("sep", "\t")
    if suffix == ".jsonl":
        options.setdefault("lines", True)
    table: pd.DataFrame = getattr(pd, reader)(file, **options)
    return table
