"""Two sets of rules beside each other: for which files one is looser than the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mlstore.gate.policy import Policy
from mlstore.manifest import GateRule

Relation: TypeAlias = Literal["same", "stricter", "looser", "other"]


@dataclass(frozen=True, slots=True)
class Loosened:
    """A file for which *other* rules would hold than golden's; ``relation`` is seen from golden."""

    path: str
    golden: str
    other: str
    relation: Relation

    def __str__(self) -> str:
        verb = "would be other than" if self.relation == "other" else f"would be {self.relation} than"
        return f"'{self.path}': {self.other} {verb} golden's {self.golden}"


def compare_policies(golden: Policy, other: Policy, paths: Iterable[str]) -> list[Loosened]:
    """Give the *paths* for which *other* judges in another way than *golden*, looser ones first."""
    found = []
    for path in paths:
        ours, theirs = golden.rules_for(path), other.rules_for(path)
        relation = relate(ours, theirs)
        if relation == "same" and _how(golden, path) != _how(other, path) and ours[0].equal != "bytes":
            relation = "other"
        if relation != "same":
            found.append(Loosened(path, say(ours), say(theirs), relation))
    order: dict[Relation, int] = {"looser": 0, "other": 1, "stricter": 2, "same": 3}
    return sorted(found, key=lambda one: (order[one.relation], one.path))


def _how(policy: Policy, path: str) -> object:
    return policy.compare.rule_for(path), policy.compare.allow


def relate(golden: tuple[GateRule, ...], other: tuple[GateRule, ...]) -> Relation:
    """Say how *other* rules stand to *golden* ones for one path."""
    one, two = ([_terms(rule) for rule in rules] for rules in (golden, other))
    if sorted(map(repr, one)) == sorted(map(repr, two)):
        return "same"
    kinds = golden[0].equal, other[0].equal
    if kinds[0] == "bytes":
        return "looser"
    if kinds[1] == "bytes":
        return "stricter"
    if "content" in kinds and "close" in kinds:
        return "looser" if kinds[0] == "content" else "stricter"
    if kinds[0] == kinds[1] and len(golden) == len(other) == 1:
        return _relate_terms(golden[0], other[0])
    return "other"


def _terms(rule: GateRule) -> tuple[object, ...]:
    return (rule.equal, rule.rtol, rule.atol, rule.on, rule.keys, rule.min, rule.max, rule.max_change)


def _relate_terms(golden: GateRule, other: GateRule) -> Relation:
    if (golden.on, golden.keys) != (other.on, other.keys):
        return "other"
    inf = float("inf")
    # How much each lets through: more is looser.
    room = [
        (
            rule.rtol,
            rule.atol,
            inf if rule.min is None else -rule.min,
            inf if rule.max is None else rule.max,
            inf if rule.max_change is None else rule.max_change,
        )
        for rule in (golden, other)
    ]
    wider = [two > one for one, two in zip(*room, strict=True)]
    narrower = [two < one for one, two in zip(*room, strict=True)]
    if any(wider) and any(narrower):
        return "other"
    return "looser" if any(wider) else "stricter"


def say(rules: tuple[GateRule, ...]) -> str:
    """Give rules in a few words: ``close (atol 1e-09)``."""
    return " and ".join(_say(rule) for rule in sorted(rules, key=lambda rule: rule.number))


def _say(rule: GateRule) -> str:
    words = [f"{name} {value:g}" for name, value in (("rtol", rule.rtol), ("atol", rule.atol)) if value]
    if rule.on is not None:
        words.append(f"on {rule.on}")
    words += rule.keys
    bounds = (("min", rule.min), ("max", rule.max), ("max_change", rule.max_change))
    words += [f"{name} {value:g}" for name, value in bounds if value is not None]
    return f"{rule.equal} ({', '.join(words)})" if words else rule.equal
