"""``close``."""

from __future__ import annotations

from mlstore.gate.judgement import Case, Judgement
from mlstore.manifest import GateRule


def by_closeness(rule: GateRule, case: Case) -> Judgement:
    """Judge by close."""
    return Judgement(
        "undecided", rule.name, f"undecided under {rule.name}: '{case.path}' was not looked into"
    )
