"""``metric``: values by key within bounds; the other keys of the file do not count, and are counted."""

from __future__ import annotations

import math
from typing import Any

from mlstore.compare import compare_artifacts, diff_values, select
from mlstore.errors import CorruptArtifact, PathNotFound
from mlstore.gate.judgement import Case, Judgement, name_of
from mlstore.gate.numeric import Number, distance, number_of
from mlstore.manifest import GateRule


def by_metric(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    """Judge by the keys that the rules name."""
    from mlstore.compare.configuration import load

    name = name_of(rules)
    found = compare_artifacts(case.golden, case.current, case.settings, "configuration")
    try:
        old, new = (load(side, case.settings) for side in (case.golden, case.current))
    except CorruptArtifact as exc:
        return Judgement("undecided", name, f"undecided under {name}: {exc.message}", found)
    good: list[str] = []
    bad: list[str] = []
    for rule in reversed(rules):
        for key in rule.keys:
            if not _is_overruled(rule, key, rules):
                text, fits = _look(rule, key, old, new, text=case.golden.suffix in (".ini", ".cfg"))
                (good if fits else bad).append(text)
    if bad:
        return Judgement("different", name, f"different under {name}: {'; '.join(bad)}", found)
    unjudged = _others(old, new, {key for rule in rules for key in rule.keys})
    note = f"; {unjudged} other key{'s' * (unjudged > 1)} changed and not judged" if unjudged else ""
    return Judgement("equivalent", name, f"equivalent under {name} ({'; '.join(good)}{note})", found)


def judged_keys(rules: tuple[GateRule, ...]) -> frozenset[str] | None:
    """Give the keys that *rules* look at; None where they look at all of the file."""
    if rules[0].equal != "metric":
        return None
    return frozenset(key for rule in rules for key in rule.keys)


def _is_overruled(rule: GateRule, key: str, rules: tuple[GateRule, ...]) -> bool:
    """Whether a later rule of the file names the same key."""
    return any(other.number > rule.number and key in other.keys for other in rules)


def _look(rule: GateRule, key: str, old: Any, new: Any, *, text: bool) -> tuple[str, bool]:
    before, after = (_value(side, key, text=text) for side in (old, new))
    if after is None or not math.isfinite(after):
        return f"{key} is {'no number' if after is None else after}", False
    checks = []
    if rule.min is not None:
        checks.append((f"{key} {_show(after)}", after >= rule.min, ">=", "<", rule.min))
    if rule.max is not None:
        checks.append((f"{key} {_show(after)}", after <= rule.max, "<=", ">", rule.max))
    if rule.max_change is not None:
        if before is None or not math.isfinite(before):
            return f"golden's {key} is {'no number' if before is None else before}", False
        apart = distance(before, after)
        checks.append((f"{key} |d| {apart:.3g}", apart <= rule.max_change, "<=", ">", rule.max_change))
    failed = [check for check in checks if not check[1]]
    told = failed or checks
    return ", ".join(
        f"{what} {yes if fits else no} {bound:g}" for what, fits, yes, no, bound in told
    ), not failed


def _value(values: Any, key: str, *, text: bool) -> Number | None:
    try:
        return number_of(select(values, key), text=text)
    except PathNotFound:
        return None


def _show(value: Number) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _others(old: Any, new: Any, keys: set[str]) -> int:
    changes = diff_values(old, new)
    return sum(change.key not in keys for change in changes)
