"""Proving or refuting: ``verify`` judges one pipeline, ``fsck`` the whole store."""

from mlstore.verify.findings import Finding, Report, StageVerdict
from mlstore.verify.fsck import FsckReport, fsck
from mlstore.verify.golden import pin_golden
from mlstore.verify.verify import verify

__all__ = ["Finding", "FsckReport", "Report", "StageVerdict", "fsck", "pin_golden", "verify"]
