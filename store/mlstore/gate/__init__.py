"""What "equal" means: the rules of the gate, and the judgement of two artifacts by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.gate.judgement import Judgement, Outcome, judge
    from mlstore.gate.loading import Loading, Trust, any_of, golden_files, made_here, signed
    from mlstore.gate.metric import judged_keys
    from mlstore.gate.policy import Policy, bytes_only, read_policy
    from mlstore.gate.strictness import Loosened, compare_policies, say

__all__ = [
    "Judgement",
    "Loading",
    "Loosened",
    "Outcome",
    "Policy",
    "Trust",
    "any_of",
    "bytes_only",
    "compare_policies",
    "golden_files",
    "judge",
    "judged_keys",
    "made_here",
    "read_policy",
    "say",
    "signed",
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
        "any_of": "mlstore.gate.loading",
        "bytes_only": "mlstore.gate.policy",
        "compare_policies": "mlstore.gate.strictness",
        "golden_files": "mlstore.gate.loading",
        "judge": "mlstore.gate.judgement",
        "judged_keys": "mlstore.gate.metric",
        "made_here": "mlstore.gate.loading",
        "read_policy": "mlstore.gate.policy",
        "say": "mlstore.gate.strictness",
        "signed": "mlstore.gate.loading",
    },
)
