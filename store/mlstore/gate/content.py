"""``content``: the comparator says that only the encoding differs, and has seen all of it."""

from __future__ import annotations

from mlstore.compare import Verdict, compare_artifacts
from mlstore.gate.judgement import Case, Judgement
from mlstore.manifest import GateRule


def by_content(rule: GateRule, case: Case) -> Judgement:
    """Judge by content."""
    found = compare_artifacts(case.golden, case.current, case.settings, case.wanted)
    if found.verdict in (Verdict.EQUAL, Verdict.EQUIVALENT) and found.complete:
        return Judgement("equivalent", rule.name, f"equivalent under {rule.name} ({found.summary})", found)
    if found.verdict is Verdict.DIFFERENT:
        return Judgement("different", rule.name, f"different under {rule.name}: {found.summary}", found)
    return Judgement("undecided", rule.name, f"undecided under {rule.name}: {found.summary}", found)
