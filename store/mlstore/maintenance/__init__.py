"""Keeping a store small and sound: what is needed, what may go, the trash, the space, and repair."""

from mlstore.maintenance.expiry import parse_expiry
from mlstore.maintenance.gc import GcReport, Removal, collect_garbage, prune, repack, undo
from mlstore.maintenance.repair import RepairReport, repair
from mlstore.maintenance.usage import Usage, measure_usage

__all__ = [
    "GcReport",
    "Removal",
    "RepairReport",
    "Usage",
    "collect_garbage",
    "measure_usage",
    "parse_expiry",
    "prune",
    "repack",
    "repair",
    "undo",
]
