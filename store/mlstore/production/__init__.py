"""What production does with bytes once they were judged: the verdict as data, the modes, and the loaders."""

from mlstore.production.loaders import loader_for, read_table
from mlstore.production.verdict import ArtifactVerdict, Mode, OnVerdict, parse_mode, warn

__all__ = ["ArtifactVerdict", "Mode", "OnVerdict", "loader_for", "parse_mode", "read_table", "warn"]
