"""Judging signatures: by the exit status of ``ssh-keygen``, never by what it prints."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from mlstore.errors import ConfigError, UsageError
from mlstore.hashing import ObjectId
from mlstore.model import Commit, Tag
from mlstore.repository import Repository
from mlstore.signing.state import Signature
from mlstore.signing.trust import Trust, read_list, without_bounds

if TYPE_CHECKING:
    from mlstore.signing.keygen import Keygen
    from mlstore.signing.sshsig import PublicKey


class Verifier:
    """Judges signatures under one *trust*, whose lists are read once, when the first signature is met.

    May be used from several threads. *keygen* is called when ``ssh-keygen`` is needed, and may raise
    ``CannotRun``; an object without a signature needs none.
    """

    def __init__(self, keygen: Callable[[], Keygen], trust: Trust) -> None:
        self.trust = trust
        self._find = keygen
        self._numbers = itertools.count()
        self._principals: dict[bytes, list[str]] = {}
        self._mutex = threading.Lock()
        self._clean: Callable[[], object] | None = None

    def close(self) -> None:
        """Remove what was written aside; that happens by itself, unless the process is replaced."""
        if self._clean is not None:
            self._clean()

    # what callers ask

    def commit(self, commit: Commit, wanted: Sequence[str] = ()) -> Signature:
        """Judge the signature of *commit*; with *wanted* it is ``GOOD`` only for one of these principals.

        A key that the list allows for somebody else gives ``UNKNOWN-KEY``. Raises ``CannotRun`` without
        ``ssh-keygen``, ``ConfigError`` when a list cannot be used.
        """
        if commit.signature is None:
            return Signature("UNSIGNED")
        from mlstore.signing.payload import COMMIT_NAMESPACE, commit_payload

        return self._judge(commit_payload(commit), commit.signature, COMMIT_NAMESPACE, commit.time, wanted)

    def tag(self, tag: Tag, wanted: Sequence[str] = (), *, name: str | None = None) -> Signature:
        """Judge the signature of *tag*, which is ``BAD`` under another *name* than its own."""
        if tag.signature is None:
            return Signature("UNSIGNED")
        from mlstore.signing.payload import TAG_NAMESPACE, tag_payload

        found = self._judge(tag_payload(tag), tag.signature, TAG_NAMESPACE, tag.time, wanted)
        if name is not None and name != tag.name and found.state != "BAD":
            return replace(found, state="BAD", principal=None, reason=f"it was made for the tag '{tag.name}'")
        return found

    # judging

    def _judge(
        self, payload: bytes, signature: str, namespace: str, time: str, wanted: Sequence[str]
    ) -> Signature:
        from mlstore.signing.judging import Case
        from mlstore.signing.sshsig import public_key

        _check_names(wanted)
        key = public_key(signature)
        if key is None:
            return Signature("BAD", reason="it is no SSH signature")
        case = Case(self, key, payload, signature, namespace, time)
        try:
            return case.judge(wanted)
        finally:
            case.path.unlink(missing_ok=True)

    # what a case needs

    @cached_property
    def keygen(self) -> Keygen:
        """The program."""
        return self._find()

    @cached_property
    def _folder(self) -> Path:
        import shutil
        import tempfile
        import weakref

        folder = tempfile.mkdtemp(prefix="mlstore-verify-")
        self._clean = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def new_file(self, data: bytes) -> Path:
        """Write *data* aside and give the path."""
        with self._mutex:
            path = self._folder / str(next(self._numbers))
        path.write_bytes(data)
        return path

    @cached_property
    def signers(self) -> Path | None:
        """A private copy of the allowed signers: all verdicts are by one and the same list."""
        path = self.trust.signers
        return None if path is None else self.new_file(read_list(path, "list of allowed signers"))

    @cached_property
    def signers_at_any_time(self) -> Path | None:
        """The same list, with every key valid at every time."""
        return None if self.signers is None else self.new_file(without_bounds(self.signers.read_bytes()))

    @cached_property
    def revoked(self) -> Path | None:
        """A private copy of the revoked keys; raises ``ConfigError`` when ``ssh-keygen`` cannot read it."""
        path = self.trust.revoked
        if path is None:
            return None
        from mlstore.signing.judging import can_be_read

        copy = self.new_file(read_list(path, "list of revoked keys"))
        if not can_be_read(self, copy):
            raise ConfigError(
                f"'{path}' is no list of revoked keys that ssh-keygen can read",
                hint="one public key a line, or a KRL as 'ssh-keygen -k' makes it",
                file=str(path),
            )
        return copy

    def known_principals(self, key: PublicKey) -> list[str]:
        """Give those whom this key stood for before: whether it does now is asked each time."""
        with self._mutex:
            return list(self._principals.get(key.blob, ()))

    def remember(self, key: PublicKey, principal: str) -> None:
        """Note that *key* stood for *principal*."""
        with self._mutex:
            self._principals[key.blob] = [principal]


def _check_names(wanted: Sequence[str]) -> None:
    for name in wanted:
        if not name or name.startswith("-") or not name.isprintable():
            raise UsageError(
                f"{name!r} cannot be the name of a signer", hint="use a name from the list of allowed signers"
            )


def verifier_of(
    repo: Repository,
    signers: str | PathLike[str] | None = None,
    revoked: str | PathLike[str] | None = None,
) -> Verifier:
    """Give the verifier by these lists, else by those that the repository's own settings name.

    ``signing.allowedsigners`` and ``signing.revocation`` in ``.mlstore/config``, relative to the root;
    ``ssh-keygen`` is looked for where the system keeps its programs.
    """
    from mlstore.signing.keygen import find_keygen

    def look_up(given: str | PathLike[str] | None, setting: str) -> Path | None:
        configured = repo.config.get_text(setting)
        if given is not None:
            return Path(given).absolute()
        return None if configured is None else repo.root / configured

    trust = Trust(look_up(signers, "signing.allowedsigners"), look_up(revoked, "signing.revocation"))
    return Verifier(lambda: find_keygen(None), trust)


def is_signed_good(repo: Repository, commit: ObjectId, verifier: Verifier | None = None) -> bool:
    """Whether *commit* carries a signature that is ``GOOD``.

    By *verifier*, else by the one that the caller of the whole operation put into ``repo.verifier``, else
    by ``verifier_of``. An unsigned commit is never good, and needs no ``ssh-keygen``. Raises as
    ``Verifier.commit``.
    """
    judge: Verifier = verifier or repo.verifier or verifier_of(repo)
    return judge.commit(repo.objects.read_commit(commit)).good
