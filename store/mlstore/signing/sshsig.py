"""The container of an SSH signature, taken apart to name its key, and to know when to ask about it.

The format is OpenSSH's PROTOCOL.sshsig: ``SSHSIG``, a 32-bit version, and length-prefixed strings of which
the first is the public key, all in base64 between two marker lines. A key may be a certificate
(PROTOCOL.certkeys): its type, a nonce, the parts of the key, a serial number (64 bits), a kind (32 bits), a
name, principals, and the seconds since 1970 from and until which it is valid (64 bits each); the rest is not
looked at.
"""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass

BEGIN = "-----BEGIN SSH SIGNATURE-----\n"
END = "-----END SSH SIGNATURE-----\n"
_MAGIC = b"SSHSIG"
_LONGEST = 1 << 16
_CERTIFICATE = "-cert-v01@openssh.com"
# Of how many strings the key of a certificate consists.
_PARTS = {
    "ssh-rsa": 2,
    "ssh-dss": 4,
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519": 2,
    "sk-ecdsa-sha2-nistp256": 3,
}
# Moments that every ``ssh-keygen`` takes: none before the third day, no year of five digits.
_FIRST, _LAST = 2 * 86400, 253_402_300_799


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

    @property
    def is_certificate(self) -> bool:
        """Whether it is a key with somebody's word about it."""
        return self.type.endswith(_CERTIFICATE)

    @property
    def valid_at(self) -> str | None:
        """A moment (``YYYYMMDDhhmmss``, UTC) at which a certificate claims to be valid; None for other keys.

        It tells when to ask about it, and proves nothing. None also where there is no such moment.
        """
        try:
            first, end = self._claimed()
        except ValueError:
            return None
        moment = max(first, _FIRST)
        if moment >= end or moment > _LAST:
            return None
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(moment))

    def _claimed(self) -> tuple[int, int]:
        """Give from when and until when; raises ``ValueError`` where it is no certificate of a known type."""
        parts = _PARTS.get(self.type.removesuffix(_CERTIFICATE)) if self.is_certificate else None
        if parts is None:
            raise ValueError("this is no certificate")
        at = 0
        for _ in range(2 + parts):  # the type, the nonce, the key
            _, at = _string(self.blob, at)
        at += 8 + 4
        for _ in range(2):  # the name, the principals
            _, at = _string(self.blob, at)
        bounds = self.blob[at : at + 16]
        if len(bounds) < 16:
            raise ValueError("the data end too early")
        return int.from_bytes(bounds[:8], "big"), int.from_bytes(bounds[8:], "big")


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
