"""Proving or refuting: ``verify`` judges one pipeline, ``fsck`` the whole store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.verify.coverage import Coverage
    from mlstore.verify.findings import Finding, Report, StageVerdict
    from mlstore.verify.golden import pin_golden
    from mlstore.verify.sampling import Sample, Selection, parse_duration, parse_sample
    from mlstore.verify.storecheck import FsckReport, fsck
    from mlstore.verify.verification import verify

__all__ = [
    "Coverage",
    "Finding",
    "FsckReport",
    "Report",
    "Sample",
    "Selection",
    "StageVerdict",
    "fsck",
    "parse_duration",
    "parse_sample",
    "pin_golden",
    "verify",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Finding": "mlstore.verify.findings",
        "FsckReport": "mlstore.verify.storecheck",
        "Report": "mlstore.verify.findings",
        "Coverage": "mlstore.verify.coverage",
        "Sample": "mlstore.verify.sampling",
        "Selection": "mlstore.verify.sampling",
        "parse_duration": "mlstore.verify.sampling",
        "parse_sample": "mlstore.verify.sampling",
        "StageVerdict": "mlstore.verify.findings",
        "fsck": "mlstore.verify.storecheck",
        "pin_golden": "mlstore.verify.golden",
        "verify": "mlstore.verify.verification",
    },
)
