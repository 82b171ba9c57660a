"""Keeping a store small: what is needed, what may go, the trash, and what takes the space."""

from mlstore.maintenance.expiry import parse_expiry
from mlstore.maintenance.gc import GcReport, Removal, collect_garbage, prune, repack, undo
from mlstore.maintenance.usage import Usage, measure_usage

__all__ = [
    "GcReport",
    "Removal",
    "Usage",
    "collect_garbage",
    "measure_usage",
    "parse_expiry",
    "prune",
    "repack",
    "undo",
]
