"""``metric``."""

from __future__ import annotations

from mlstore.gate.judgement import Case, Judgement
from mlstore.manifest import GateRule


def by_metric(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    """Judge by metric."""
    return Judgement(
        "undecided", rules[0].name, f"undecided under {rules[0].name}: '{case.path}' was not looked into"
    )
