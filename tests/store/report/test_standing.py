"""The rules in force, signatures and anchors, as far as a verification tells them."""

from __future__ import annotations

from dataclasses import replace

from tests.store.report.dossiers import standing
from tests.store.report.outcomes import HARM, ordinary, sound

from mlstore.report import render
from mlstore.report.standing import rules_in_force, trust


def told(**data):
    return replace(sound(), data={**sound().data, **data})


def test_rules_are_told_with_their_source_and_how_often_they_were_used():
    assert rules_in_force(told(**standing("a.csv"))) == [
        "source: mlstore.toml of the golden commit (4444444444)",
        "note: a.csv",
        "the default: '*' bytes",
        "rule 1: 'a.csv' close (rtol 1e-09, on a.csv, keys a.csv), used 2 times",
    ]


def test_without_rules_only_the_same_bytes_count():
    assert rules_in_force(told(policy={"source": "default", "rules": [], "used": {}, "commit": None})) == [
        "source: there are none: only the same bytes count"
    ]


def test_a_verification_that_tells_nothing_of_it_says_nothing():
    outcome = told(policy=None, anchors={}, signatures=[])
    assert rules_in_force(outcome) == trust(outcome) == []


def test_anchors_and_signatures_are_told_by_their_states():
    assert trust(told(**standing("ada"))) == [
        "lock: MATCH (name ada)",
        "last-seen: NONE",
        "stage ada: GOOD (principal ada)",
        "tag golden: UNSIGNED",
    ]


def test_markdown_has_both_and_nothing_of_it_becomes_markup():
    text = render("markdown", replace(ordinary(), data={**ordinary().data, **standing(HARM)})).decode()
    assert "### Rules in force" in text
    assert "### Signatures and anchors" in text
    assert not [line for line in text.splitlines() if line.lstrip().startswith(("::", "##["))]
