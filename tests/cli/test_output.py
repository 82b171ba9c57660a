from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore_cli.output import PLAIN, Style, escape, escape_lines, quote, to_json

HOSTILE = {
    "escape sequence": "\x1b[31mred",
    "osc": "\x1b]0;title\x07",
    "c1": "\x9b31m",
    "delete": "a\x7fb",
    "carriage return": "good\rbad",
    "newline": "a\nb",
    "bidi override": "gpj.\u202eexe",
    "bidi isolate": "\u2066a\u2069",
    "zero width": "a\u200bb\u200d",
    "byte order mark": "\ufeffa",
    "line separator": "a\u2028b",
    "tag characters": "a\U000e0041",
    "lone surrogate": "a\ud800",
    "undecodable byte": "a\udcff",
    "soft hyphen": "a\u00adb",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_escape_leaves_nothing_that_moves_hides_or_breaks(text: str) -> None:
    safe = escape(text)
    assert safe != text
    assert safe.isprintable()
    safe.encode("utf-8")


@given(st.text(st.characters(codec=None)))
def test_escape_is_printable_utf8_for_any_text_and_idempotent(text: str) -> None:
    safe = escape(text)
    safe.encode("utf-8")
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in safe)
    assert escape(safe) == safe


@pytest.mark.parametrize("text", ["plain", "Größe.csv", "数据.csv", "emoji 🎉", "a b", ""])
def test_escape_keeps_ordinary_names(text: str) -> None:
    assert escape(text) == text
    assert quote(text) == text


def test_escape_shows_the_undecodable_byte_itself() -> None:
    assert escape("a\udcff") == "a\\xff"


def test_quote_marks_a_name_that_was_escaped() -> None:
    assert quote("a\nb") == '"a\\nb"'
    assert quote('say "x"') == '"say \\"x\\""'


def test_a_message_keeps_its_lines_and_tabs_but_nothing_else() -> None:
    assert escape_lines("a\tb\n\x1b[2J") == ["a\tb", "\\x1b[2J"]


@given(st.dictionaries(st.text(st.characters(codec=None)), st.text(st.characters(codec=None))))
def test_json_round_trips_any_name_and_is_harmless_utf8(data: dict[str, str]) -> None:
    text = to_json(data)
    assert json.loads(text.encode("utf-8")) == json.loads(json.dumps(data))
    assert escape(text.replace("\n", "")) == text.replace("\n", "")


def test_style_adds_nothing_when_off() -> None:
    assert PLAIN.red("x") == "x"
    assert Style(enabled=True).red("x") == "\x1b[31mx\x1b[m"
    assert Style(enabled=True).red("") == ""
