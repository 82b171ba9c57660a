"""Judging signatures: by the exit status of ``ssh-keygen``, never by what it prints."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path

from mlstore.errors import ConfigError, UsageError
from mlstore.hashing import ObjectId
from mlstore.model import Commit, Tag
from mlstore.repository import Repository
from mlstore.signing.keygen import Keygen, find_keygen
from mlstore.signing.payload import COMMIT_NAMESPACE, TAG_NAMESPACE, commit_payload, tag_payload
from mlstore.signing.sshsig import BEGIN, END, PublicKey, public_key
from mlstore.signing.state import Signature, State
from mlstore.signing.trust import OPEN_TIME, Trust, read_list, without_bounds

# Made once, by a key that was thrown away. It holds against every list that can be read: where it does not,
# the list is at fault and not the signature that is judged.
_CONTROL_NAMESPACE = "mlstore.control.v1"
_CONTROL_MESSAGE = b"mlstore\n"
_CONTROL_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPDrguhy+0Z76/cSPNDBf9iyTa8b6jXiWA5wlvB2MG3V"
_CONTROL_SIGNATURE = f"""{BEGIN}\
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg8OuC6HL7Rnvr9xI80MF/2LJNrx
vqNeJYDnCW8HYwbdUAAAASbWxzdG9yZS5jb250cm9sLnYxAAAAAAAAAAZzaGE1MTIAAABT
AAAAC3NzaC1lZDI1NTE5AAAAQFsfqL4+nswULTpHmLrBaG/Zfp72sAkcz/FWTARiwU4Wmx
sQLxMdNI/DOxp6jMG8EOeay3XSWGO0q/QamqtJhAc=
{END}"""
_ANYBODY = "anybody"


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
        return self._judge(commit_payload(commit), commit.signature, COMMIT_NAMESPACE, commit.time, wanted)

    def tag(self, tag: Tag, wanted: Sequence[str] = (), *, name: str | None = None) -> Signature:
        """Judge the signature of *tag*, which is ``BAD`` under another *name* than its own."""
        if tag.signature is None:
            return Signature("UNSIGNED")
        found = self._judge(tag_payload(tag), tag.signature, TAG_NAMESPACE, tag.time, wanted)
        if name is not None and name != tag.name and found.state != "BAD":
            return replace(found, state="BAD", principal=None, reason=f"it was made for the tag '{tag.name}'")
        return found

    # judging

    def _judge(
        self, payload: bytes, signature: str, namespace: str, time: str, wanted: Sequence[str]
    ) -> Signature:
        _check_names(wanted)
        key = public_key(signature)
        if key is None:
            return Signature("BAD", reason="it is no SSH signature")
        case = _Case(self, key, payload, signature, namespace, time)
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
        copy = self.new_file(read_list(path, "list of revoked keys"))
        signers = self.new_file(f"{_ANYBODY} {_CONTROL_KEY}\n".encode())
        signature = self.new_file(_CONTROL_SIGNATURE.encode())
        control = ("-Y", "verify", "-I", _ANYBODY, "-n", _CONTROL_NAMESPACE, "-f", signers, "-s", signature)
        holds = self.keygen.judge(*control, message=_CONTROL_MESSAGE).ok
        if holds and not self.keygen.judge(*control, "-r", copy, message=_CONTROL_MESSAGE).ok:
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


class _Case:
    """One signature, and the questions that ``ssh-keygen`` answers about it."""

    def __init__(
        self, verifier: Verifier, key: PublicKey, payload: bytes, signature: str, namespace: str, time: str
    ) -> None:
        self._all = verifier
        self._key = key
        self._payload = payload
        self._namespace = namespace
        self._time = "".join(filter(str.isdigit, time))
        self.path = verifier.new_file(signature.encode("utf-8", "replace"))

    def judge(self, wanted: Sequence[str]) -> Signature:
        """Give the verdict: the good case takes one or two calls, finding out why not some more."""
        signers, revoked = self._all.signers, self._all.revoked
        if signers is not None:
            for principal in self._candidates(signers, wanted):
                if self._holds(signers, principal, self._time, revoked):
                    self._all.remember(self._key, principal)
                    return self._verdict("GOOD", principal=principal)
        if not self._is_intact():
            return self._verdict("BAD", "these bytes were not signed by this key for this purpose")
        if revoked is not None and self._is_revoked(revoked):
            return self._verdict("REVOKED", f"its key is in '{self._all.trust.revoked}'")
        return self._unlisted(signers, wanted)

    def _unlisted(self, signers: Path | None, wanted: Sequence[str]) -> Signature:
        if signers is None:
            return self._verdict("UNKNOWN-KEY", "nobody said which signers are allowed")
        for principal in self._listed(signers, self._time):
            if self._holds(signers, principal, self._time, None):
                return self._verdict("UNKNOWN-KEY", f"its key is that of '{principal}', who is not asked for")
        forever = self._all.signers_at_any_time
        assert forever is not None
        for principal in [*wanted, *self._listed(forever, OPEN_TIME)]:
            if self._holds(forever, principal, OPEN_TIME, None):
                return self._verdict("EXPIRED", f"the key of '{principal}' was not valid then")
        where = "its key is not listed"
        if self._listed(signers, self._time):
            where = "its key is listed, but not for this purpose"
        return self._verdict("UNKNOWN-KEY", f"{where} in '{self._all.trust.signers}'")

    def _verdict(self, state: State, reason: str | None = None, *, principal: str | None = None) -> Signature:
        return Signature(state, principal, self._key.type, self._key.fingerprint, reason)

    def _candidates(self, signers: Path, wanted: Sequence[str]) -> Iterator[str]:
        """Whom to ask for: those wanted; else whom this key stood for last, and then whom the list names."""
        if wanted:
            yield from wanted
            return
        yield from self._all.known_principals(self._key)
        yield from self._listed(signers, self._time)

    def _listed(self, signers: Path, time: str) -> list[str]:
        """Give the names that the list has for this key: what is printed is only whom to ask for next."""
        found = self._all.keygen.judge(
            "-Y", "find-principals", "-s", self.path, "-f", signers, f"-Overify-time={time}"
        )
        names = found.out.decode("utf-8", "surrogateescape").split("\n") if found.ok else []
        return [name for line in names if (name := line.strip("\r")) and not name.startswith("-")]

    def _holds(self, signers: Path, principal: str, time: str, revoked: Path | None) -> bool:
        more = () if revoked is None else ("-r", revoked)
        return self._all.keygen.judge(
            "-Y", "verify", "-I", principal, "-n", self._namespace, "-f", signers, "-s", self.path,
            f"-Overify-time={time}", *more, message=self._payload,
        ).ok  # fmt: skip

    def _is_intact(self) -> bool:
        return self._all.keygen.judge(
            "-Y", "check-novalidate", "-n", self._namespace, "-s", self.path, message=self._payload
        ).ok

    def _is_revoked(self, revoked: Path) -> bool:
        """Whether it holds for a list of its own that names its key, and not beside the revoked ones."""
        own = self._all.new_file(f"{_ANYBODY} {self._key.line}\n".encode())
        try:
            if self._holds(own, _ANYBODY, OPEN_TIME, None):
                return not self._holds(own, _ANYBODY, OPEN_TIME, revoked)
        finally:
            own.unlink(missing_ok=True)
        signers = self._all.signers_at_any_time  # a certificate is listed by who signed it
        return signers is not None and any(
            self._holds(signers, principal, self._time, None)
            and not self._holds(signers, principal, self._time, revoked)
            for principal in self._listed(signers, self._time)
        )


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
