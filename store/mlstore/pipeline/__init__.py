"""The pipeline: what ``mlstore.toml`` declares is run, watched, and recorded as the blocks of the chain."""

from mlstore.pipeline.asserted import record_asserted
from mlstore.pipeline.command import Commands
from mlstore.pipeline.declared import Declared, find_declared, read_declared
from mlstore.pipeline.environment import EnvironmentProbe
from mlstore.pipeline.graph import StageGraph
from mlstore.pipeline.inputs import ResolvedInputs, resolve_inputs
from mlstore.pipeline.runner import Listener, Request, RunReport, StageOutcome, run
from mlstore.pipeline.staleness import StageState, plan
from mlstore.pipeline.view import ChainView, view_chain
from mlstore.pipeline.why import Origin, StageOrigin, why

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
