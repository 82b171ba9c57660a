"""Signatures and anchors: who recorded it, and does it descend from what was seen before?

Signatures are SSHSIG, made and judged by ``ssh-keygen``; an anchor is a commit that is remembered outside of
the store. A hash chain alone proves only that it agrees with itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.signing.keygen import Keygen, find_keygen
    from mlstore.signing.lastseen import LastSeen, Seen
    from mlstore.signing.signer import Signer
    from mlstore.signing.state import Signature, State
    from mlstore.signing.trust import Trust
    from mlstore.signing.verifier import Verifier, is_signed_good, verifier_of

__all__ = [
    "Keygen",
    "LastSeen",
    "Seen",
    "Signature",
    "Signer",
    "State",
    "Trust",
    "Verifier",
    "find_keygen",
    "is_signed_good",
    "verifier_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Keygen": "mlstore.signing.keygen",
        "LastSeen": "mlstore.signing.lastseen",
        "Seen": "mlstore.signing.lastseen",
        "Signature": "mlstore.signing.state",
        "Signer": "mlstore.signing.signer",
        "State": "mlstore.signing.state",
        "Trust": "mlstore.signing.trust",
        "Verifier": "mlstore.signing.verifier",
        "find_keygen": "mlstore.signing.keygen",
        "is_signed_good": "mlstore.signing.verifier",
        "verifier_of": "mlstore.signing.verifier",
    },
)
