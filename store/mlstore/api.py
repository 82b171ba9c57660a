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
from mlstore.errors import NotVerified, ObjectNotFound, PathNotFound
from mlstore.hashing import ObjectId
from mlstore.history import resolve_commit
from mlstore.lockfile import LOCK_NAME
from mlstore.model import TreeEntry
from mlstore.production import ArtifactVerdict, Mode, OnVerdict, loader_for, parse_mode, read_table, warn
from mlstore.repository import Repository, find_entry
from mlstore.verify.pins import read_lock
from mlstore.worktree import read_file

if TYPE_CHECKING:
    import pandas as pd

    from mlstore.verify import Report, Selection


def open(  # noqa: A001 - `mlstore.open` is what users say
    path: str | PathLike[str] = ".",
    *,
    mode: Mode | None = None,
    on_verdict: OnVerdict | None = None,
    allowed_signers: str | PathLike[str] | None = None,
    revocation: str | PathLike[str] | None = None,
    trusted: Collection[str | PathLike[str]] = (),
) -> Store:
    """Open the repository that *path* lies in.

    *mode* and *on_verdict* are those of all that is read through it, unless a call says otherwise. Without
    *mode* it is ``exec.mode`` of ``.mlstore/config``, and ``enforce`` where that is not set.
    *allowed_signers* and *revocation* are the lists that signatures are judged by, where they are required
    (None: those of the repository's settings).

    A repository that belongs to another user (root excepted) is refused, unless its folder is among *trusted*
    (``"*"`` stands for every folder). Raises ``NotARepository``, ``ConfigError`` or ``NotOwned``.
    """
    folders = {"*" if str(folder) == "*" else str(Path(folder).resolve()) for folder in trusted}
    repo = Repository.discover(Path(path), trusted=lambda root, _: "*" in folders or str(root) in folders)
    if allowed_signers is not None or revocation is not None:
        from mlstore.signing.verifier import verifier_of

        repo.verifier = verifier_of(repo, allowed_signers, revocation)
    return Store(repo, mode=mode, on_verdict=on_verdict)


def init(path: str | PathLike[str] = ".", *, object_format: str | None = None) -> Store:
    """Make a repository in *path* (or open the one that is there).

    *object_format* is ``blake3`` (the default) or ``sha256``; raises ``UsageError`` for any other.
    """
    return Store(Repository.init(Path(path), object_format))


class Store:
    """One repository, for reading artifacts that are proved before they are used.

    Reading takes *mode*: ``enforce`` raises ``NotVerified`` where bytes differ; ``warn`` logs that (logger
    ``mlstore``) and goes on with exactly the bytes that were hashed. Whatever the mode, damage to the store,
    a pin that was moved and what is not there are errors. *on_verdict* is given every verdict, good ones too.
    """

    def __init__(
        self, repo: Repository, *, mode: Mode | None = None, on_verdict: OnVerdict | None = None
    ) -> None:
        self._repo = repo
        self._mode = parse_mode(mode if mode is not None else repo.config.get_mode("exec.mode"))
        self._on_verdict = on_verdict

    @property
    def root(self) -> Path:
        """The folder that holds ``.mlstore``."""
        return self._repo.root

    @property
    def mode(self) -> Mode:
        """What happens where bytes differ."""
        return self._mode

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

    def read_bytes(
        self,
        path: str | PathLike[str],
        *,
        at: str = "golden",
        mode: Mode | None = None,
        on_verdict: OnVerdict | None = None,
    ) -> bytes:
        """Give the bytes of *path* (relative to the root), proved to be those recorded at *at*.

        They are read once, from the worktree or (where there is no such file) from the store, hashed,
        and given only on a match, or with a warning in *mode* ``warn``. Raises ``NotVerified`` when they
        differ, ``PathNotFound`` when *at* has no such file, ``CorruptObject`` when the store is damaged.
        """
        chosen = self._mode if mode is None else parse_mode(mode)
        name = self._repo.path_of(self.root / path)
        commit = self.resolve(at)
        entry = find_entry(self._repo.objects, self._repo.objects.read_commit(commit).tree, name)
        if entry is None or entry.kind == "tree":
            raise PathNotFound(
                f"'{name}' is not a file at '{at}'", hint=f"'mlstore ls-tree -r {at}' lists them", path=name
            )
        data, verdict = self._look(name, at, commit, entry)
        self._tell(verdict.to_dict(chosen), on_verdict)
        if not verdict.ok:
            if chosen == "enforce":
                raise verdict.error()
            warn(verdict.message, verdict.to_dict(chosen))
        return data

    def _look(self, name: str, at: str, commit: ObjectId, entry: TreeEntry) -> tuple[bytes, ArtifactVerdict]:
        try:
            data = read_file(self._repo, name)
        except PathNotFound:
            data = self._repo.objects.read(entry.id)
            return data, ArtifactVerdict(name, at, commit, entry.id, entry.id, len(data), "store")
        actual = self._repo.format.hash_bytes(data)
        offset = self._first_difference(entry, data) if actual != entry.id else None
        return data, ArtifactVerdict(name, at, commit, entry.id, actual, len(data), "worktree", offset)

    def _first_difference(self, entry: TreeEntry, data: bytes) -> int | None:
        left_out = self._repo.filter
        try:
            found = first_difference(self._repo.objects.stream(entry.id), [data])
        except ObjectNotFound:
            if left_out is None or not left_out.leaves_out(entry.size):
                raise
            return None  # a clone without that blob knows only that it is another
        return found.offset if found is not None else None

    def _tell(self, verdict: dict[str, Any], on_verdict: OnVerdict | None) -> None:
        listener = on_verdict if on_verdict is not None else self._on_verdict
        if listener is not None:
            listener(verdict)

    def open(
        self,
        path: str | PathLike[str],
        *,
        at: str = "golden",
        mode: Mode | None = None,
        on_verdict: OnVerdict | None = None,
    ) -> BinaryIO:
        """Give *path* as a readable binary file of bytes that are proved; raises as ``read_bytes``."""
        return io.BytesIO(self.read_bytes(path, at=at, mode=mode, on_verdict=on_verdict))

    def load(
        self,
        path: str | PathLike[str],
        *,
        at: str = "golden",
        loader: Callable[[BinaryIO], Any] | None = None,
        mode: Mode | None = None,
        on_verdict: OnVerdict | None = None,
    ) -> Any:
        """Deserialise *path* from exactly the bytes that were proved to be those recorded at *at*.

        The suffix says how: joblib, pkl, pickle (by joblib), npy, npz (without pickles), json, toml,
        csv, tsv, jsonl, parquet, feather (by pandas); *loader* takes a binary file and does it its own way.
        Raises as ``read_bytes``, and ``UsageError`` for a suffix that is not known.
        """
        chosen = loader or loader_for(str(path))
        return chosen(self.open(path, at=at, mode=mode, on_verdict=on_verdict))

    def read_table(
        self,
        path: str | PathLike[str],
        *,
        at: str = "golden",
        mode: Mode | None = None,
        on_verdict: OnVerdict | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Give the table at *path* as a pandas data frame; *options* go to the pandas reader."""
        return read_table(str(path), self.open(path, at=at, mode=mode, on_verdict=on_verdict), **options)

    def verify(
        self,
        rev: str = "HEAD",
        *,
        against: str | None = None,
        history: bool = False,
        allow_load: bool = False,
        dataless: bool = False,
        selection: Selection | None = None,
    ) -> Report:
        """Verify the pipeline at *rev*; see ``mlstore.verify.verify``. Differences do not raise."""
        from mlstore.verify import verify

        return verify(
            self._repo,
            rev,
            against=against,
            history=history,
            allow_load=allow_load,
            dataless=dataless,
            selection=selection,
        )

    def require(
        self,
        rev: str = "HEAD",
        *,
        against: str = "golden",
        mode: Mode | None = None,
        on_verdict: OnVerdict | None = None,
    ) -> Report:
        """Verify *rev* against a golden pipeline; raises ``NotVerified`` unless everything matches.

        What golden's own rules call equivalent matches; ``load`` goes by bytes all the same. In *mode*
        ``warn`` a pipeline that differs is let through with a warning; one that is damaged, or of which
        something is missing, is not.
        """
        chosen = self._mode if mode is None else parse_mode(mode)
        report = self.verify(rev, against=against)
        opens = report.opens(chosen)
        verdict = {"schema": "mlstore.verify/1", **report.to_dict(), "mode": chosen, "used": opens}
        self._tell(verdict, on_verdict)
        if report.passes:
            return report
        message = f"'{rev}' is not '{against}': {report.why}"
        if opens:
            warn(message, verdict)
            return report
        hint = report.findings[0].hint if report.findings else None
        raise NotVerified(message, hint=hint, verdict=report.verdict, report=report)
