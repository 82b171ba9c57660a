"""Access to the fields of a decoded object: what is asked for, of the right type, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from mlstore.errors import DecodeError
from mlstore.model.canonical import MAX_INTEGER
from mlstore.model.fields import Fields

ID = "ab" * 32
GOOD: list[tuple[str, Any, Any]] = [
    ("text", "x", "x"),
    ("text", "", ""),
    ("number", 0, 0),
    ("number", MAX_INTEGER, MAX_INTEGER),
    ("id", ID, ID),
    ("optional_id", ID, ID),
    ("ids", [ID, ID], (ID, ID)),
    ("ids", [], ()),
    ("texts", ["a", ""], ("a", "")),
    ("texts", [], ()),
    ("text_map", {"a": "b"}, {"a": "b"}),
    ("text_map", {}, {}),
    ("id_map", {"a": ID}, {"a": ID}),
    ("id_map", {}, {}),
]
BAD: list[tuple[str, Any, str]] = [
    ("text", 5, "is not a string"),
    ("text", None, "is not a string"),
    ("number", -1, "is not a size or count"),
    ("number", MAX_INTEGER + 1, "is not a size or count"),
    ("number", True, "is not a size or count"),
    ("number", "1", "is not a size or count"),
    ("id", ID[1:], "is not an object id"),
    ("id", ID.upper(), "is not an object id"),
    ("optional_id", None, "is not an object id"),
    ("ids", ID, "is not a list of object ids"),
    ("ids", [ID, "x"], "is not a list of object ids"),
    ("texts", "ab", "is not a list of strings"),
    ("texts", ["a", 1], "is not a list of strings"),
    ("text_map", ["a"], "is not an object of strings"),
    ("text_map", {"a": "b", "c": 1}, "is not an object of strings"),
    ("id_map", [ID], "is not an object of object ids"),
    ("id_map", {"a": ID, "b": "x"}, "is not an object of object ids"),
]


@pytest.mark.parametrize(("how", "value", "expected"), GOOD)
def test_a_field_is_given_once(how: str, value: Any, expected: Any) -> None:
    fields = Fields({"key": value}, "thing")
    assert fields.has("key")
    assert getattr(fields, how)("key") == expected
    assert not fields.has("key")
    fields.done()


@pytest.mark.parametrize(("how", "value", "reason"), BAD)
def test_a_field_of_another_type_is_refused_by_name(how: str, value: Any, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        getattr(Fields({"key": value}, "thing"), how)("key")
    assert caught.value.message == f"thing: 'key' {reason}"


@pytest.mark.parametrize("how", ["take", "text", "number", "id", "ids", "texts", "text_map", "id_map"])
def test_a_field_that_is_not_there_is_said_to_be_missing(how: str) -> None:
    with pytest.raises(DecodeError) as caught:
        getattr(Fields({}, "thing"), how)("key")
    assert caught.value.message == "thing: 'key' is missing"


def test_a_word_is_one_of_those_allowed() -> None:
    assert Fields({"key": "b"}, "thing").one_of("key", {"a", "b"}) == "b"
    with pytest.raises(DecodeError) as caught:
        Fields({"key": "c" * 99}, "thing").one_of("key", {"b", "a"})
    assert caught.value.message == f"thing: 'key' is '{'c' * 40}', not one of a, b"


def test_an_optional_id_may_be_absent() -> None:
    assert Fields({}, "thing").optional_id("key") is None


def test_what_nobody_asked_for_is_refused() -> None:
    fields = Fields({"b": 1, "a" * 99: 2, "c": 3}, "thing")
    fields.take("c")
    with pytest.raises(DecodeError) as caught:
        fields.done()
    assert caught.value.message == f"thing: '{'a' * 40}' is not a known field"


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_only_an_object_has_fields(value: Any) -> None:
    with pytest.raises(DecodeError, match="thing: not a JSON object"):
        Fields(value, "thing")
