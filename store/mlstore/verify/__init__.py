"""Proving or refuting: ``verify`` judges one pipeline, ``fsck`` the whole store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.verify.findings import Finding, Report, StageVerdict
    from mlstore.verify.golden import pin_golden
    from mlstore.verify.signatures import Requirement, Signing
    from mlstore.verify.storecheck import FsckReport, Sample, fsck
    from mlstore.verify.verification import verify

__all__ = [
    "Finding",
    "FsckReport",
    "Report",
    "Requirement",
    "Sample",
    "Signing",
    "StageVerdict",
    "fsck",
    "pin_golden",
    "verify",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Finding": "mlstore.verify.findings",
        "FsckReport": "mlstore.verify.storecheck",
        "Report": "mlstore.verify.findings",
        "Requirement": "mlstore.verify.signatures",
        "Sample": "mlstore.verify.storecheck",
        "Signing": "mlstore.verify.signatures",
        "StageVerdict": "mlstore.verify.findings",
        "fsck": "mlstore.verify.storecheck",
        "pin_golden": "mlstore.verify.golden",
        "verify": "mlstore.verify.verification",
    },
)
