"""The shape that all formats are made from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.store.report.outcomes import ID, TIME, all_outcomes, damaged_store, ordinary, sound

from mlstore.errors import UsageError
from mlstore.report import FORMATS, outcome_of, render
from mlstore.report.kinds import KINDS, kind_of
from mlstore.verify import FsckReport


def test_the_judgement_names_the_first_cause():
    assert ordinary().judgement == "not verified: corrupt-object"
    at_stage = replace(ordinary(), findings=ordinary().findings[1:], verdict="changed-input")
    assert at_stage.judgement == "not verified: changed-input at 'clean'"
    assert sound().judgement == "verified"
    assert replace(sound(), against="golden").judgement == "verified: it matches golden"
    good = replace(sound(), against="golden")
    assert replace(good, verdict="equivalent").judgement == "verified: it is equivalent to golden"
    partly = replace(good, data={"partial": "5% of 9 blobs hashed"})
    assert partly.judgement == "verified: it matches golden (5% of 9 blobs hashed)"
    assert damaged_store().judgement == "the store is damaged: 3 errors"
    assert outcome_of(FsckReport(), time=TIME).judgement == "the store is sound"


def test_a_stage_has_the_tone_of_what_was_found_there():
    outcome = ordinary()
    assert [outcome.tone(row) for row in outcome.stages] == ["good", "bad", "warn", "bad"]


def test_a_stage_that_matches_golden_and_has_an_error_of_its_own_is_not_good():
    outcome = ordinary()
    finding = replace(outcome.findings[1], stage="fetch", kind="overwritten")
    changed = replace(outcome, findings=(finding,))
    assert changed.tone(outcome.stages[0]) == "bad"
    assert changed.label(outcome.stages[0]) == "match, but overwritten"
    for kind in ("html", "markdown"):
        assert b"match, but overwritten" in render(kind, changed)
    assert [outcome.label(row) for row in outcome.stages] == [row.verdict for row in outcome.stages]


def test_counts_and_subject_are_for_people():
    assert ordinary().counts == "6 commits, 9 blobs, 8 files, 4 stages, 1 pin, 150,013 bytes"
    assert ordinary().subject == f"HEAD ({ID[:10]}) against golden"
    assert damaged_store().subject == "the store"


def test_a_path_outside_of_the_project_is_no_place():
    outcome = ordinary()
    assert outcome.place(replace(outcome.findings[1], path="/etc/allowed_signers")) is None
    assert replace(outcome, prefix="ml/").place(outcome.findings[1]) == "ml/config.ini"


def test_json_is_what_the_command_prints():
    assert ordinary().data["schema"] == "mlstore.verify/1"
    assert damaged_store().data["schema"] == "mlstore.fsck/1"
    assert b'"verdict": "corrupt-object"' in render("json", ordinary())


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("outcome", all_outcomes().values(), ids=all_outcomes())
def test_every_format_takes_every_outcome_and_gives_harmless_utf8(kind, outcome):
    text = render(kind, outcome).decode("utf-8")
    assert not set(text) & set("\x00\x1b\u202e\u2066\x7f")


def test_the_same_outcome_gives_the_same_bytes():
    assert [render(kind, ordinary()) for kind in FORMATS] == [render(kind, ordinary()) for kind in FORMATS]


def test_an_unknown_format_is_refused():
    with pytest.raises(UsageError, match="'pdf' is not a format"):
        render("pdf", ordinary())


def test_every_kind_has_a_title_and_help_and_an_unknown_one_stands_for_itself():
    assert all(kind.title and kind.help.endswith(".") for kind in KINDS.values())
    assert kind_of("not-yet-known").title == "Not yet known"
