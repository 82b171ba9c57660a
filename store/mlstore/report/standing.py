"""What a verdict stands on: the rules of the gate, signatures, anchors; read from the outcome's public JSON.

Whatever of it a verification does not tell is left out, so outcomes of older versions can be shown too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstore.report.outcome import SHORT, Outcome, count

_SOURCES = {
    "commit": "mlstore.toml of the golden commit",
    "pinned": "mlstore.toml of the worktree, as pinned in mlstore.lock",
    "worktree": "mlstore.toml of the worktree",
    "default": "there are none: only the same bytes count",
}
# Told in the sentence itself, or said by its own words.
_TOLD = frozenset({"rule", "path", "equal"})


def rules_in_force(outcome: Outcome) -> list[str]:
    """Give the rules that judged, one a line, where they come from first; nothing where nobody said."""
    policy = outcome.data.get("policy")
    if not isinstance(policy, Mapping):
        return []
    source = str(policy.get("source", ""))
    commit = policy.get("commit")
    lines = ["source: " + _SOURCES.get(source, source) + (f" ({commit[:SHORT]})" if commit else "")]
    if policy.get("note"):
        lines.append(f"note: {policy['note']}")
    if source == "default":
        return lines
    used = policy.get("used") or {}
    default = {"rule": "the default", **(policy.get("default") or {})}
    return lines + [_rule(rule, used) for rule in (default, *(policy.get("rules") or ()))]


def _rule(rule: Mapping[str, Any], used: Mapping[str, int]) -> str:
    terms = [
        f"{name} {_plain(value)}"
        for name, value in rule.items()
        if name not in _TOLD and value not in (None, 0.0, "", [], {})
    ]
    more = f" ({', '.join(terms)})" if terms else ""
    times = used.get(str(rule.get("rule")), 0)
    told = f", used {count(times, 'time')}" if times else ""
    return f"{rule.get('rule')}: '{rule.get('path', '*')}' {rule.get('equal', 'bytes')}{more}{told}"


def trust(outcome: Outcome) -> list[str]:
    """Give what was judged of signatures and anchors, one a line."""
    lines = []
    anchors = outcome.data.get("anchors")
    for name, anchor in anchors.items() if isinstance(anchors, Mapping) else ():
        state = anchor.get("state") if isinstance(anchor, Mapping) else anchor
        more = _terms(anchor, without="state") if isinstance(anchor, Mapping) else ""
        lines.append(f"{name}: {state}{more}")
    for row in outcome.data.get("signatures") or ():
        commit, tag, stage = (row.get(name) for name in ("commit", "tag", "stage"))
        what = f"tag {tag}" if tag else f"stage {stage}" if stage else f"commit {str(commit)[:SHORT]}"
        rest = {key: value for key, value in row.items() if key not in ("commit", "tag", "stage", "state")}
        lines.append(f"{what}: {row.get('state')}{_terms(rest)}")
    return lines


def _terms(values: Mapping[str, Any], without: str = "") -> str:
    told = [
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in values.items()
        if name != without and value not in (None, "", [], {})
    ]
    return f" ({', '.join(told)})" if told else ""


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
