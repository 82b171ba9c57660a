"""GitHub: the caps are kept, and no name becomes a command of the runner."""

from __future__ import annotations

from dataclasses import replace

from tests.store.report.outcomes import HARM, hostile, ordinary
from tests.store.report.runner import obeyed

from mlstore.report.github import MOST_ANNOTATIONS, SUMMARY_LIMIT, fenced, summary, workflow_commands
from mlstore.verify import Finding


def test_an_annotation_has_file_line_title_and_message():
    line = workflow_commands(ordinary())[1]
    assert line == (
        "::error file=config.ini,line=1,title=mlstore%3A changed-input at clean::"
        "stage 'clean': its input changed: 'config.ini#clean'%0Acause: config.ini: clean.rows 1 -> 2"
    )


def test_levels_are_those_that_github_has():
    assert obeyed(workflow_commands(ordinary())) == ["error"] * 4 + ["warning", "notice"]


def test_no_more_than_ten_of_a_level_and_a_line_says_how_many_more():
    findings = [Finding("modified", f"'{n}' is modified", path=str(n)) for n in range(25)]
    findings += [Finding("mode", "m", severity="warning") for _ in range(10)]
    findings += [Finding("unused-change", "u", severity="info") for _ in range(11)]
    lines = workflow_commands(replace(ordinary(), findings=tuple(findings)))
    counts = {level: obeyed(lines).count(level) for level in ("error", "warning", "notice")}
    assert counts == dict.fromkeys(counts, MOST_ANNOTATIONS)
    assert lines[-1] == (
        "mlstore: GitHub shows 10 annotations of each level; "
        "not shown: 15 more of level error, 1 more of level notice"
    )
    assert lines[0].startswith("::error file=0,")  # the first cause is among those that are shown


def test_hostile_names_forge_no_command():
    lines = workflow_commands(hostile())
    assert obeyed(lines) == ["error", "error"]
    assert all(line.startswith("::error file=") for line in lines)
    assert all(len(line.splitlines()) == 1 for line in lines)
    properties = lines[0].partition("::error ")[2].partition("::")[0]
    assert [part.partition("=")[0] for part in properties.split(",")] == ["file", "line", "title"]


def test_a_percent_sign_is_not_taken_for_an_escape():
    finding = Finding("modified", "100%0A::error::x", path="50%2C,a:b")
    (line,) = workflow_commands(replace(ordinary(), findings=(finding,)))
    assert line.startswith("::error file=50%252C%2Ca%3Ab,line=1,")
    assert line.endswith("::100%250A::error::x")


def test_what_is_printed_in_between_is_fenced():
    bare = ["::error::forged", "   ::set-output name=a::b", "text ##[add-mask]x", HARM]
    assert obeyed(bare)  # without the fence they would be obeyed
    token = "0123456789abcdef" * 2
    assert obeyed([*fenced(bare, token), "::notice::after"]) == ["notice"]


def test_a_short_summary_is_the_markdown():
    assert summary(ordinary()).decode().startswith("## ❌ mlstore: not verified")


def test_a_long_summary_is_cut_between_characters_and_says_so():
    findings = tuple(Finding("modified", "ü" * 1000, path=f"{n}") for n in range(1500))
    outcome = replace(ordinary(), findings=findings)
    for used in (0, 1, 2, 3):
        text = summary(outcome, used)
        assert SUMMARY_LIMIT - 4 <= len(text) + used <= SUMMARY_LIMIT
        assert text.decode().endswith("Other formats of this report hold all of it.\n")
    assert summary(outcome, SUMMARY_LIMIT) == b""
    assert summary(outcome, SUMMARY_LIMIT - 10) == b""
