"""Markdown: what is shown stays text."""

from __future__ import annotations

import re

from tests.store.report.outcomes import hostile, ordinary, sound

from mlstore.report.markdown import code, prose, render


def test_it_tells_the_verdict_the_stages_the_findings_and_what_was_not_checked():
    text = render(ordinary())
    assert text.startswith("## ❌ mlstore: not verified: corrupt-object\n")
    assert "| ✅ | `fetch` | match |" in text
    assert "| ❌ | `clean` | changed-input |" in text
    assert "| ⚠️ | `train` | changed-input |" in text
    assert "2. ❌ **changed-input**: stage `clean`: its input changed: `config.ini#clean`\n" in text
    assert "4. ↪ **changed-input**" in text
    assert "   - file: `config.ini`" in text
    assert "- **history**" in text


def test_a_sound_pipeline_says_so():
    assert render(sound()).startswith("## ✅ mlstore: verified\n")
    assert "### Findings" not in render(sound())


def test_a_code_span_ends_where_it_should():
    assert code("a`b``c") == "```a`b``c```"
    assert code("`x`") == "`` `x` ``"
    assert code("a\nb") == "`a\\nb`"


def test_prose_has_no_markup_of_its_own():
    assert prose("*b* <i> @all #1") == "&#42;b&#42; &#60;i&#62; &#64;all &#35;1"
    assert prose("'*b*' is not there") == "`*b*` is not there"


def test_hostile_texts_become_no_markup_and_no_line():
    text = render(hostile())
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)  # what stands in no code span
    for harm in ("<img", "<script", "](", "@all", "**b**", "\x1b", "\u202e"):
        assert harm not in outside, harm
    for line in text.splitlines():
        assert not line.lstrip().startswith(("::", "##[")), line
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    # Bars of names are escaped, so every row has the cells of the head.
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
