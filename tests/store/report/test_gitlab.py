"""GitLab's code quality report.

GitLab publishes no schema of it as a package: this one is written from its documentation, which asks for
these fields with these values (https://docs.gitlab.com/ci/testing/code_quality/).
"""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from tests.store.report.outcomes import all_outcomes, damaged_store, ordinary

from mlstore.report.gitlab import render

SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "pattern": r"^(?!\./|/)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.mark.parametrize("outcome", all_outcomes().values(), ids=all_outcomes())
def test_it_has_what_gitlab_asks_for(outcome):
    found = json.loads(render(outcome))
    VALIDATOR.validate(found)
    assert len(found) == len(outcome.findings)
    assert len({issue["fingerprint"] for issue in found}) == len(found)


def test_the_schema_refuses_what_gitlab_would():
    found = json.loads(render(ordinary()))
    for key in ("description", "fingerprint", "severity", "location"):
        assert not VALIDATOR.is_valid([{name: value for name, value in found[0].items() if name != key}])
    assert not VALIDATOR.is_valid([{**found[0], "severity": "error"}])


def test_severity_goes_by_what_is_at_stake():
    assert [issue["severity"] for issue in json.loads(render(ordinary()))] == [
        "blocker", "major", "major", "minor", "minor", "info"
    ]  # fmt: skip
    assert [issue["severity"] for issue in json.loads(render(damaged_store()))] == [
        "blocker", "critical", "critical"
    ]  # fmt: skip


def test_equal_findings_have_fingerprints_of_their_own_that_stay():
    outcome = ordinary()
    twice = replace(outcome, findings=(outcome.findings[1],) * 3)
    names = [issue["fingerprint"] for issue in json.loads(render(twice))]
    assert len(set(names)) == 3
    assert names == [issue["fingerprint"] for issue in json.loads(render(twice))]
