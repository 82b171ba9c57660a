"""``parameters``: the same estimators, hyperparameters, and fitted arrays within the tolerance.

Recorded versions and the layout of the pickle do not count; nothing in the file is imported or called.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlstore.compare import Comparison, compare_artifacts
from mlstore.gate.defaults import default_of
from mlstore.gate.judgement import Case, Judgement
from mlstore.gate.numeric import limit_text
from mlstore.manifest import GateRule

_SHOWN = 3


def by_parameters(rule: GateRule, case: Case) -> Judgement:
    """Judge two models by what they consist of."""
    settings = replace(case.settings, rtol=rule.rtol, atol=rule.atol)
    found = compare_artifacts(case.golden, case.current, settings, case.wanted)
    if found.comparator != "model" or not found.complete or "apart" not in found.measures:
        if found.comparator == "model" and found.measures.get("parts_changed"):
            return _different(rule, found)
        why = (
            found.summary
            if found.complete
            else f"not everything could be read: {'; '.join(found.missing[:2])}"
        )
        what = why if found.comparator == "model" else f"it is read as {found.comparator}, not as a model"
        return Judgement("undecided", rule.name, f"undecided under {rule.name}: {what}", found)
    measures = found.measures
    excused = _excused(measures)
    apart = dict(measures["apart"])
    apart["parameter"] -= len(excused)
    if (
        measures["parts_changed"]
        or measures["forms_changed"]
        or any(apart[role] for role in ("parameter", "fitted", "value"))
    ):
        return _different(rule, found)
    notes = [limit_text(rule, float(measures["max_abs"])), *_versions(measures)]
    if excused:
        names = ", ".join(f"'{name}'" for name in excused[:_SHOWN])
        notes.append(f"{names} known to one of the versions only, at its default")
    return Judgement("equivalent", rule.name, f"equivalent under {rule.name} ({'; '.join(notes)})", found)


def _different(rule: GateRule, found: Comparison) -> Judgement:
    notes = "; ".join([found.summary, *_versions(found.measures)])
    return Judgement("different", rule.name, f"different under {rule.name}: {notes}", found)


def _versions(measures: dict[str, Any]) -> list[str]:
    old, new = (", ".join(measures.get(f"{side}_versions", ())) or "none" for side in ("old", "new"))
    return [f"scikit-learn {old} -> {new}"] if old != new else []


def _excused(measures: dict[str, Any]) -> list[str]:
    """Give the parameters that only one version knows and that have their default."""
    if measures["old_versions"] == measures["new_versions"]:
        return []
    found = []
    for one in measures["one_sided_parameters"]:
        if one["class"] is None or one["array"]:
            continue
        default = default_of(one["class"], one["path"].rpartition(".")[2])
        if type(default) is type(one["value"]) and default == one["value"]:
            found.append(one["path"])
    return found
