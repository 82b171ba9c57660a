"""One signature, and the questions that ``ssh-keygen`` answers about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlstore.signing.sshsig import BEGIN, END, PublicKey
from mlstore.signing.state import Signature, State
from mlstore.signing.trust import OPEN_TIME

if TYPE_CHECKING:
    from mlstore.signing.verifier import Verifier

ANYBODY = "anybody"

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


class Case:
    """One signature, and the questions that ``ssh-keygen`` answers about it."""

    def __init__(
        self, verifier: Verifier, key: PublicKey, payload: bytes, signature: str, namespace: str, time: str
    ) -> None:
        self._all = verifier
        self._key = key
        self._payload = payload
        self._namespace = namespace
        self._time = "".join(filter(str.isdigit, time))
        # When nothing but its time could be against it: a certificate has bounds of its own.
        self._open = key.valid_at or OPEN_TIME
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
        for principal in [*wanted, *self._listed(forever, self._open)]:
            if self._holds(forever, principal, self._open, None):
                what = "certificate" if self._key.is_certificate else "key"
                return self._verdict("EXPIRED", f"the {what} of '{principal}' was not valid then")
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
        own = self._all.new_file(f"{ANYBODY} {self._key.line}\n".encode())
        try:
            if self._holds(own, ANYBODY, OPEN_TIME, None):
                return not self._holds(own, ANYBODY, OPEN_TIME, revoked)
        finally:
            own.unlink(missing_ok=True)
        signers = self._all.signers_at_any_time  # a certificate is listed by who signed it
        return signers is not None and any(
            self._holds(signers, principal, self._open, None)
            and not self._holds(signers, principal, self._open, revoked)
            for principal in self._listed(signers, self._open)
        )


def can_be_read(verifier: Verifier, revoked: Path) -> bool:
    """Whether ``ssh-keygen`` can read a list of *revoked* keys: it says "revoked" where it cannot."""
    signers = verifier.new_file(f"{ANYBODY} {_CONTROL_KEY}\n".encode())
    signature = verifier.new_file(_CONTROL_SIGNATURE.encode())
    control = ("-Y", "verify", "-I", ANYBODY, "-n", _CONTROL_NAMESPACE, "-f", signers, "-s", signature)
    judge = verifier.keygen.judge
    holds = judge(*control, message=_CONTROL_MESSAGE).ok
    return not holds or judge(*control, "-r", revoked, message=_CONTROL_MESSAGE).ok
