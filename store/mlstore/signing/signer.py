"""Making signatures."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlstore._lazy import LazyPattern
from mlstore.errors import CannotRun, ConfigError, PathNotFound
from mlstore.model import Commit, Tag
from mlstore.signing.keygen import Keygen
from mlstore.signing.payload import (
    COMMIT_NAMESPACE,
    PROBE_NAMESPACE,
    TAG_NAMESPACE,
    commit_payload,
    tag_payload,
)
from mlstore.signing.sshsig import public_key

_LITERAL = LazyPattern(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[!-~]+ [A-Za-z0-9+/=]+( [^\x00-\x1f\x7f]*)?\Z")
_PREFIX = "key::"


def is_literal(key: str) -> bool:
    """Whether *key* is a public key itself (``key::ssh-ed25519 AAAA...``, or without ``key::``), no path."""
    return key.startswith(_PREFIX) or bool(_LITERAL.match(key))


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with *key*: the path of a private or public key, or the public key itself.

    The private half lies beside a public key's file, or an agent holds it. With *terminal* a passphrase may
    be asked for there.
    """

    keygen: Keygen
    key: str
    terminal: bool = False

    def sign_commit(self, commit: Commit) -> str:
        """Give the signature of *commit*; raises as ``sign``."""
        return self.sign(commit_payload(commit), COMMIT_NAMESPACE)

    def sign_tag(self, tag: Tag) -> str:
        """Give the signature of *tag*; raises as ``sign``."""
        return self.sign(tag_payload(tag), TAG_NAMESPACE)

    def probe(self) -> None:
        """Sign something of no meaning: whoever is about to compute for hours learns now that it fails."""
        self.sign(b"mlstore\n", PROBE_NAMESPACE)

    def sign(self, payload: bytes, namespace: str) -> str:
        """Sign *payload* for *namespace*.

        Raises ``CannotRun`` when the key cannot be used (a passphrase and no terminal, no agent that has it),
        ``PathNotFound`` when there is no such file, ``ConfigError`` for a text that is no public key.
        """
        with tempfile.TemporaryDirectory(prefix="mlstore-sign-") as folder:
            key = self._key_file(Path(folder))
            message = Path(folder, "payload")
            message.write_bytes(payload)
            done = self.keygen.sign("-Y", "sign", "-f", key, "-n", namespace, message, terminal=self.terminal)
            try:
                text = Path(folder, "payload.sig").read_text("ascii") if done.ok else ""
            except (OSError, UnicodeDecodeError):
                text = ""
        if public_key(text) is None:
            raise CannotRun(
                f"cannot sign with '{self.key}': {done.complaint}",
                hint="a key with a passphrase needs a terminal or an agent; --no-sign leaves it unsigned",
            )
        return text

    def _key_file(self, folder: Path) -> Path:
        if not is_literal(self.key):
            path = Path(self.key).absolute()
            if not path.is_file():
                raise PathNotFound(
                    f"there is no signing key '{self.key}'",
                    hint="'mlstore config user.signingkey FILE' names another",
                    path=self.key,
                )
            return path
        text = self.key.removeprefix(_PREFIX)
        if not _LITERAL.match(text):
            raise ConfigError(
                "the signing key after 'key::' is not a public key",
                hint="write it as its .pub file does: key::ssh-ed25519 AAAA...",
                key="user.signingkey",
            )
        path = folder / "key.pub"
        path.write_text(text + "\n", "utf-8")
        return path
