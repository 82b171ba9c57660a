"""Two versions of an artifact, judged by the rule for its path.

A comparison that is incomplete never counts as equivalent, and what no rule covers has to have the same
bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mlstore.compare import Artifact, Comparison, Settings, choices_for, compare_artifacts, first_difference
from mlstore.errors import ConfigError
from mlstore.gate.loading import Loading
from mlstore.gate.policy import Policy
from mlstore.hashing import ObjectId
from mlstore.manifest import GateRule

Outcome: TypeAlias = Literal["equal", "equivalent", "different", "undecided"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How two artifacts relate under a rule.

    ``undecided`` means that the rule could not be applied (something could not be read, or may not be
    loaded): it counts as different. ``rule`` names the rule or rules that judged (None where no rule of the
    file covers it), ``text`` says in one line what came out, ``loaded`` whether models were deserialised.
    """

    outcome: Outcome
    rule: str | None
    text: str
    comparison: Comparison | None = None
    loaded: bool = False

    @property
    def passes(self) -> bool:
        """Whether the two count as equal."""
        return self.outcome in ("equal", "equivalent")


@dataclass(frozen=True, slots=True)
class Case:
    """What there is to judge: two versions at one path, how to compare them, what may be loaded."""

    path: str
    golden: Artifact
    current: Artifact
    settings: Settings
    wanted: str | None
    current_id: ObjectId | None = None
    loading: Loading | None = None


def judge(
    policy: Policy,
    path: str,
    golden: Artifact,
    current: Artifact,
    *,
    settings: Settings | None = None,
    current_id: ObjectId | None = None,
    loading: Loading | None = None,
    explain: bool = True,
) -> Judgement:
    """Judge *current* by *golden* under the rules for *path*; nothing is executed but for ``predictions``.

    *current_id* is the id of the current bytes, which *loading* needs to decide whether they may be
    deserialised. Without *explain*, what has to have the same bytes is not compared by meaning. Raises what
    reading the bytes raises.
    """
    rules = policy.rules_for(path)
    chosen, wanted = choices_for(policy.compare, path, settings)
    case = Case(path, golden, current, chosen, wanted, current_id, loading)
    if _same_bytes(golden, current):
        return Judgement("equal", None, "the same bytes")
    if rules[0].equal == "bytes":
        return _by_bytes(rules[0], case, explain=explain)
    try:
        return _METHODS[rules[0].equal](rules, case)
    except ConfigError as exc:  # a comparator that is not installed here
        return Judgement("undecided", name_of(rules), f"undecided under {name_of(rules)}: {exc.message}")


def name_of(rules: tuple[GateRule, ...]) -> str:
    """Give what findings call these rules: ``rule 2``, ``rules 2 and 3``, ``the default``."""
    if len(rules) == 1:
        return rules[0].name
    numbers = sorted(rule.number for rule in rules)
    return f"rules {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _same_bytes(golden: Artifact, current: Artifact) -> bool:
    return golden.size == current.size and first_difference(golden.pieces(), current.pieces()) is None


def _by_bytes(rule: GateRule, case: Case, *, explain: bool) -> Judgement:
    name = rule.name if rule.number else None
    if not explain:
        return Judgement("different", name, "the bytes differ")
    try:
        found = compare_artifacts(case.golden, case.current, case.settings, case.wanted)
    except ConfigError as exc:
        return Judgement("different", name, f"the bytes differ; {exc.message}")
    return Judgement("different", name, found.summary, found)


def _by_content(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    from mlstore.gate.content import by_content

    return by_content(rules[0], case)


def _by_closeness(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    from mlstore.gate.close import by_closeness

    return by_closeness(rules[0], case)


def _by_parameters(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    from mlstore.gate.parameters import by_parameters

    return by_parameters(rules[0], case)


def _by_predictions(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    from mlstore.gate.predictions import by_predictions

    return by_predictions(rules[0], case)


def _by_metric(rules: tuple[GateRule, ...], case: Case) -> Judgement:
    from mlstore.gate.metric import by_metric

    return by_metric(rules, case)


_METHODS: dict[str, Callable[[tuple[GateRule, ...], Case], Judgement]] = {
    "content": _by_content,
    "close": _by_closeness,
    "parameters": _by_parameters,
    "predictions": _by_predictions,
    "metric": _by_metric,
}
