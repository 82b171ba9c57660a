"""The container of an SSH signature, taken apart only to name its key.

The format is OpenSSH's PROTOCOL.sshsig: ``SSHSIG``, a 32-bit version, and length-prefixed strings of which
the first is the public key, all in base64 between two marker lines.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

BEGIN = "-----BEGIN SSH SIGNATURE-----\n"
END = "-----END SSH SIGNATURE-----\n"
_MAGIC = b"SSHSIG"
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as it stands in a signature."""

    blob: bytes

    @property
    def type(self) -> str:
        """Its type, such as ``ssh-ed25519``."""
        return _string(self.blob, 0)[0].decode("ascii")

    @property
    def line(self) -> str:
        """The key as a file of public keys holds it."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """OpenSSH's fingerprint, ``SHA256:...`` (of the whole certificate where the key is one)."""
        import hashlib

        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def public_key(signature: str) -> PublicKey | None:
    """Give the key that *signature* says it is of, None when this is no signature at all."""
    if len(signature) > _LONGEST or not (signature.startswith(BEGIN) and signature.endswith(END)):
        return None
    try:
        data = base64.b64decode(signature[len(BEGIN) : -len(END)].replace("\n", ""), validate=True)
        if not data.startswith(_MAGIC):
            return None
        blob, _ = _string(data, len(_MAGIC) + 4)
        key = PublicKey(blob)
        return key if key.type.isprintable() and key.type else None
    except (ValueError, binascii.Error):
        return None


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Give the length-prefixed string at *at*, and where it ends; raises ``ValueError``."""
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    if len(data) < end or at + 4 > len(data):
        raise ValueError("the data end too early")
    return data[at + 4 : end], end
