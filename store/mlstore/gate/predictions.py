"""``predictions``."""

from __future__ import annotations

from mlstore.gate.judgement import Case, Judgement
from mlstore.manifest import GateRule


def by_predictions(rule: GateRule, case: Case) -> Judgement:
    """Judge by predictions."""
    return Judgement(
        "undecided", rule.name, f"undecided under {rule.name}: '{case.path}' was not looked into"
    )
