"""What can be said of a signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["GOOD", "UNSIGNED", "UNKNOWN-KEY", "EXPIRED", "REVOKED", "BAD"]


@dataclass(frozen=True, slots=True)
class Signature:
    """The verdict on one signature.

    ``GOOD``: made by a key that the allowed signers list, for ``principal``. ``UNSIGNED``: there is none.
    ``UNKNOWN-KEY``: it is intact, and nobody says whose key that is. ``EXPIRED``: the key is listed, but
    not for the time that the commit or tag states. ``REVOKED``: the key was called back. ``BAD``: these
    bytes were not signed by that key for this purpose. ``fingerprint`` is OpenSSH's, of the key that the
    signature names.
    """

    state: State
    principal: str | None = None
    key_type: str | None = None
    fingerprint: str | None = None
    reason: str | None = None

    @property
    def good(self) -> bool:
        """Whether the state is ``GOOD``."""
        return self.state == "GOOD"

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return {
            "state": self.state,
            "principal": self.principal,
            "key": self.key_type,
            "fingerprint": self.fingerprint,
            "reason": self.reason,
        }
