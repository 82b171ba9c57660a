"""The pipeline: what ``mlstore.toml`` declares is run, watched, and recorded as the blocks of the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.pipeline.why import Origin, StageOrigin, why

if TYPE_CHECKING:
    from mlstore.pipeline.asserted import record_asserted
    from mlstore.pipeline.command import Commands
    from mlstore.pipeline.declared import Declared, find_declared, read_declared
    from mlstore.pipeline.environment import EnvironmentProbe
    from mlstore.pipeline.graph import StageGraph
    from mlstore.pipeline.inputs import ResolvedInputs, resolve_inputs
    from mlstore.pipeline.runner import Listener, Request, RunReport, StageOutcome, run
    from mlstore.pipeline.staleness import StageState, plan
    from mlstore.pipeline.view import ChainView, view_chain

__all__ = [
    "ChainView",
    "Commands",
    "Declared",
    "EnvironmentProbe",
    "Listener",
    "Origin",
    "Request",
    "ResolvedInputs",
    "RunReport",
    "StageGraph",
    "StageOrigin",
    "StageOutcome",
    "StageState",
    "find_declared",
    "plan",
    "read_declared",
    "record_asserted",
    "resolve_inputs",
    "run",
    "view_chain",
    "why",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ChainView": "mlstore.pipeline.view",
        "Commands": "mlstore.pipeline.command",
        "Declared": "mlstore.pipeline.declared",
        "EnvironmentProbe": "mlstore.pipeline.environment",
        "Listener": "mlstore.pipeline.runner",
        "Request": "mlstore.pipeline.runner",
        "ResolvedInputs": "mlstore.pipeline.inputs",
        "RunReport": "mlstore.pipeline.runner",
        "StageGraph": "mlstore.pipeline.graph",
        "StageOutcome": "mlstore.pipeline.runner",
        "StageState": "mlstore.pipeline.staleness",
        "find_declared": "mlstore.pipeline.declared",
        "plan": "mlstore.pipeline.staleness",
        "read_declared": "mlstore.pipeline.declared",
        "record_asserted": "mlstore.pipeline.asserted",
        "resolve_inputs": "mlstore.pipeline.inputs",
        "run": "mlstore.pipeline.runner",
        "view_chain": "mlstore.pipeline.view",
    },
)
