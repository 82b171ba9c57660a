"""Keys and lists of signers for the tests, made anew each time: no private key is kept anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = shutil.which("ssh-keygen")
needs_keygen = pytest.mark.skipif(PROGRAM is None, reason="ssh-keygen is not installed")


class Keys:
    """A folder outside of every repository: keys by name, the list of allowed signers, the revoked keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.allowed = folder / "allowed"
        self.revoked = folder / "revoked"
        self.allowed.touch()

    def make(self, name: str, *, passphrase: str = "", kind: str = "ed25519") -> Path:
        """Make a key pair and give the path of the private half."""
        self._run("-q", "-t", kind, "-N", passphrase, "-C", name, "-f", str(self.folder / name))
        return self.folder / name

    def public(self, name: str) -> str:
        """Give the public key as one line, without its comment."""
        return " ".join((self.folder / f"{name}.pub").read_text().split()[:2])

    def allow(self, name: str, principal: str, options: str = 'namespaces="mlstore.*"') -> None:
        """Add the key to the list of allowed signers."""
        with self.allowed.open("a") as file:
            file.write(" ".join(filter(None, [principal, options, self.public(name)])) + "\n")

    def certify(self, name: str, authority: str, principal: str, validity: str) -> Path:
        """Have *authority* certify the key; *validity* is ssh-keygen's. Gives the path of the certificate."""
        public = self.folder / f"{name}.pub"
        self._run(
            "-q", "-s", str(self.folder / authority), "-I", name, "-n", principal, "-V", validity, str(public)
        )
        return self.folder / f"{name}-cert.pub"

    def revoke(self, name: str, *, krl: bool = False) -> None:
        """Make the list of revoked keys: of that one key."""
        public = self.folder / f"{name}.pub"
        if krl:
            self._run("-q", "-k", "-f", str(self.revoked), str(public))
        else:
            shutil.copy(public, self.revoked)

    def sign(self, name: str, payload: bytes, namespace: str) -> str:
        """Sign by ssh-keygen itself, not by way of the code under test."""
        message = self.folder / "message"
        message.write_bytes(payload)
        self._run("-Y", "sign", "-f", str(self.folder / name), "-n", namespace, str(message))
        signature = self.folder / "message.sig"
        try:
            return signature.read_text()
        finally:
            signature.unlink()

    def _run(self, *arguments: str) -> None:
        assert PROGRAM is not None
        subprocess.run(
            [PROGRAM, *arguments],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC"},  # validities are told in local time
        )
