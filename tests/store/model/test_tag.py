from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import DecodeError, UsageError
from mlstore.hashing import ObjectId
from mlstore.model import Person, Tag, decode_tag, encode_tag
from mlstore.model.canonical import canonical_json

ID = ObjectId("ab" * 32)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
GOLDEN = Tag("golden", ID, "commit", Person("Ada", "a@b"), "2026-01-16T15:24:48Z", "it scores")


def raw(**changes: Any) -> bytes:
    value: dict[str, Any] = {
        "kind": "commit",
        "message": "m",
        "name": "golden",
        "tagger": {"email": "e", "name": "n"},
        "target": ID,
        "time": "2026-01-16T15:24:48Z",
    }
    value = {key: item for key, item in (value | changes).items() if item is not ...}
    return b"mlstore tag 1\n" + canonical_json(value)


@given(
    st.builds(
        Tag,
        name=TEXT,
        target=st.just(ID),
        target_kind=st.sampled_from(["blob", "tree", "commit", "tag"]),
        tagger=st.just(GOLDEN.tagger),
        time=st.just(GOLDEN.time),
        message=TEXT,
        signature=st.none() | TEXT,
    )
)
def test_every_tag_survives_and_its_bytes_too(tag: Tag) -> None:
    data = encode_tag(tag)
    assert decode_tag(data) == tag
    assert encode_tag(decode_tag(data)) == data


def test_the_bytes_are_those_of_the_document() -> None:
    assert encode_tag(GOLDEN) == (
        b'mlstore tag 1\n{"kind":"commit","message":"it scores","name":"golden","tagger":{"email":"a@b",'
        b'"name":"Ada"},"target":"' + ID.encode() + b'","time":"2026-01-16T15:24:48Z"}'
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"target": ...},
        {"target": "main"},
        {"kind": ...},
        {"kind": "branch"},
        {"name": ...},
        {"name": 5},
        {"tagger": ...},
        {"tagger": {"email": "e"}},
        {"tagger": {"email": "e", "name": "a\nb"}},
        {"time": "2026"},
        {"message": None},
        {"signature": None},
        {"extra": 1},
    ],
)
def test_a_wrong_missing_or_unknown_field_is_refused(changes: dict[str, Any]) -> None:
    assert decode_tag(raw()).name == "golden"
    with pytest.raises(DecodeError):
        decode_tag(raw(**changes))


@pytest.mark.parametrize(
    "changes",
    [{"target": ObjectId("main")}, {"target_kind": "branch"}, {"time": "now"}, {"message": "\ud800"}],
)
def test_what_no_reader_would_accept_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        encode_tag(replace(GOLDEN, **changes))
