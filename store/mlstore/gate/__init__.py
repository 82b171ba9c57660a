"""What "equal" means: the rules of the gate, and the judgement of two artifacts by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.gate.judgement import Judgement, Outcome, judge
    from mlstore.gate.loading import Loading, Trust
    from mlstore.gate.policy import Policy, read_policy
    from mlstore.gate.strictness import Loosened, compare_policies

__all__ = [
    "Judgement",
    "Loading",
    "Loosened",
    "Outcome",
    "Policy",
    "Trust",
    "compare_policies",
    "judge",
    "read_policy",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Judgement": "mlstore.gate.judgement",
        "Loading": "mlstore.gate.loading",
        "Loosened": "mlstore.gate.strictness",
        "Outcome": "mlstore.gate.judgement",
        "Policy": "mlstore.gate.policy",
        "Trust": "mlstore.gate.loading",
        "compare_policies": "mlstore.gate.strictness",
        "judge": "mlstore.gate.judgement",
        "read_policy": "mlstore.gate.policy",
    },
)
