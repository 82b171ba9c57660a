"""Every tool of the benchmark, in the order in which reports show them."""

from __future__ import annotations

from tests.benchmarks.tools.base import Commands, Package, Place, Tool
from tests.benchmarks.tools.borg import Borg
from tests.benchmarks.tools.dvc import Dvc
from tests.benchmarks.tools.git import Git
from tests.benchmarks.tools.git_annex import GitAnnex
from tests.benchmarks.tools.git_lfs import GitLfs
from tests.benchmarks.tools.limits import Blake3, Cat, Click, Copy, Find, Python, Tar
from tests.benchmarks.tools.mlstore import Mlstore
from tests.benchmarks.tools.model_signing import ModelSigning
from tests.benchmarks.tools.oxen import Oxen
from tests.benchmarks.tools.restic import Restic

PEERS: tuple[type[Tool], ...] = (Git, GitLfs, GitAnnex, Dvc, Oxen, Restic, Borg, ModelSigning)
LIMITS: tuple[type[Tool], ...] = (Tar, Copy, Find, Cat, Blake3)
START_LIMITS: tuple[type[Tool], ...] = (Python, Click)
ALL: tuple[type[Tool], ...] = (Mlstore, *PEERS, *LIMITS, *START_LIMITS)

__all__ = [
    "ALL",
    "LIMITS",
    "PEERS",
    "START_LIMITS",
    "Commands",
    "Mlstore",
    "Package",
    "Place",
    "Tool",
]
