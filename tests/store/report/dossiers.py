"""Dossiers for the tests of the page, with something in each of its parts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from tests.store.report.outcomes import HARM, all_outcomes

from mlstore.report.dossier import Change, Command, Dossier, Edge, Environment

BARS = {"edges": [0.0, 1.0, 2.0], "old": [3, 1], "new": [1, 3], "outside": [[0, 0], [0, 1]], "sizes": [4, 5]}
COLUMN = {
    "old": {"dtype": "float", "count": 4, "nulls": 0, "mean": 0.5},
    "new": {"dtype": "float", "count": 5, "nulls": 0, "mean": "inf"},
    "drift": {"test": "KS D", "statistic": 0.5, "p_value": 0.01, "effect_name": "shift", "effect": "inf",
              "sizes": [4, 5]},
    "histogram": BARS,
}  # fmt: skip


def comparison(name: str, text: str):
    return {
        "schema": "mlstore.comparison/1",
        "comparator": name,
        "verdict": "different",
        "complete": False,
        "summary": text,
        "details": [
            {"kind": "changed", "where": text, "old": text, "new": text, "note": text} for _ in range(12)
        ],
        "omitted": 3,
        "measures": {
            "rows_added": 2,
            "new_globals": [text],
            "new_versions": {"scikit-learn": text},
            "columns": {text: COLUMN, "kind": {**COLUMN, "histogram": {
                "names": [text, "b"], "old": [1, 2], "new": [2, 1], "others": [0, 1]}}},
            "changed_columns": {text: {"cells": 7, "max_abs": 1.0}},
        },
        "missing": [text],
    }  # fmt: skip


def standing(text: str):
    """What newer verifications tell beside their findings."""
    rule = {
        "rule": "rule 1",
        "path": text,
        "equal": "close",
        "rtol": 1e-9,
        "atol": 0.0,
        "on": text,
        "keys": [text],
    }
    return {
        "policy": {
            "source": "commit", "id": "3" * 64, "commit": "4" * 64, "file": "5" * 64, "note": text,
            "default": {"path": "*", "equal": "bytes"}, "rules": [rule], "used": {"rule 1": 2},
        },
        "anchors": {"lock": {"state": "MATCH", "name": text}, "last-seen": {"state": "NONE"}},
        "signatures": [
            {"commit": "4" * 64, "tag": None, "stage": text, "state": "GOOD", "principal": text,
             "reason": None},
            {"commit": "4" * 64, "tag": "golden", "stage": None, "state": "UNSIGNED"},
        ],
    }  # fmt: skip


def dossier(outcome, text="a plain text"):
    stages = [row.stage for row in outcome.stages]
    return Dossier(
        replace(outcome, data={**outcome.data, **standing(text)}),
        edges=tuple(Edge(one, other, "golden") for one, other in pairwise(stages)),
        changes=(
            Change(text, "output", text, "1" * 64, "2" * 64, comparison("table", text)),
            Change(text, "file", None, "1" * 64, None, None, text),
        ),
        environments=(Environment((text,), (text,)),),
        commands={stage: Command(text, text) for stage in stages},
        unseen=(text,),
    )


PAGES = {
    name: dossier(outcome, HARM if name == "hostile" else "plain") for name, outcome in all_outcomes().items()
}
