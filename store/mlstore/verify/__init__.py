"""Proving or refuting: ``verify`` judges one pipeline, ``fsck`` the whole store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.verify.fsck import FsckReport, fsck
from mlstore.verify.verify import verify

if TYPE_CHECKING:
    from mlstore.verify.findings import Finding, Report, StageVerdict
    from mlstore.verify.golden import pin_golden

__all__ = ["Finding", "FsckReport", "Report", "StageVerdict", "fsck", "pin_golden", "verify"]

__getattr__ = lazy_names(
    __name__,
    {
        "Finding": "mlstore.verify.findings",
        "Report": "mlstore.verify.findings",
        "StageVerdict": "mlstore.verify.findings",
        "pin_golden": "mlstore.verify.golden",
    },
)
