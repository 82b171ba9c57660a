"""JUnit: valid by the published schema, and every finding in exactly one case."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from lxml import etree
from tests.store.report.outcomes import JUNIT_SCHEMA, all_outcomes, damaged_store, hostile, ordinary, sound

from mlstore.report.junit import render
from mlstore.verify import Finding


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """The published schema: that of the Jenkins xUnit plugin."""
    if not JUNIT_SCHEMA.is_file() and not os.environ.get("CI"):
        pytest.skip(f"'{JUNIT_SCHEMA}' is not there: './dev test' fetches it")
    return etree.XMLSchema(etree.parse(JUNIT_SCHEMA))


def parse(outcome):
    return etree.fromstring(render(outcome).encode())


@pytest.mark.parametrize("outcome", all_outcomes().values(), ids=all_outcomes())
def test_it_is_valid_by_the_published_schema(outcome, schema):
    schema.assertValid(parse(outcome))


def test_the_schema_refuses_what_is_not_junit(schema):
    broken = parse(ordinary())
    broken.find("testsuite").find("testcase").attrib.pop("name")
    assert not schema.validate(broken)


def test_numbers_are_those_of_the_cases():
    suite = parse(ordinary()).find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases)
    for word, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.get(count)) == len([case for case in cases if case.find(word) is not None])


def test_every_finding_is_told_once():
    text = render(ordinary())
    for finding in ordinary().findings:
        assert text.count(f"{finding.severity}: {finding.message}") == 1, finding


def test_damage_is_an_error_and_a_difference_a_failure():
    cases = {case.get("name"): case for case in parse(ordinary()).iter("testcase")}
    assert cases["content"].find("error").get("type") == "corrupt-object"
    failure = cases["clean · changed-input"].find("failure")
    assert "cause: config.ini: clean.rows 1 -> 2" in failure.text
    assert cases["fetch · match"].find("failure") is None
    assert cases["deploy · missing"].find("failure").get("type") == "missing"


def test_what_was_not_checked_is_skipped_and_not_passed():
    cases = {case.get("name"): case for case in parse(sound()).iter("testcase")}
    assert cases["pins"].find("skipped").get("message") == "there is no mlstore.lock"
    assert cases["worktree"].find("skipped") is None
    assert cases["history"].find("skipped") is None
    assert "against" not in cases


def test_old_blobs_that_were_left_out_are_not_the_history():
    cases = {case.get("name"): case for case in parse(ordinary()).iter("testcase")}
    assert cases["history"].find("skipped") is None
    assert cases["content of earlier commits"].find("skipped") is not None


def test_a_damaged_store_fails_too():
    suite = parse(damaged_store()).find("testsuite")
    assert (suite.get("errors"), suite.get("name")) == ("1", "mlstore fsck: the store")


def test_a_kind_that_is_not_known_here_is_told_apart_and_not_lost():
    outcome = replace(ordinary(), findings=(Finding("brand-new", "something new"),))
    cases = {case.get("name"): case for case in parse(outcome).iter("testcase")}
    assert cases["other"].find("failure").get("type") == "brand-new"
    assert cases["against"].find("failure") is None


def test_hostile_texts_neither_end_an_element_nor_break_a_line():
    found = parse(hostile())
    known = {element.tag for element in (*parse(ordinary()).iter(), *parse(sound()).iter())}
    assert {element.tag for element in found.iter()} <= known
    for element in found.iter():
        for text in (element.text or "", *element.attrib.values()):
            assert not any(line.lstrip().startswith("::") for line in text.splitlines())
            assert "\u202e" not in text
