from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import DecodeError, UsageError
from mlstore.model import canonical
from mlstore.model.canonical import MAX_INTEGER, canonical_json, decode_object, encode_object

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, VALUES))
def test_every_value_survives_and_has_one_encoding(value: dict[str, object]) -> None:
    data = encode_object("thing", value)
    assert decode_object("thing", data) == value
    assert encode_object("thing", decode_object("thing", data)) == data
    assert encode_object("thing", dict(reversed(value.items()))) == data


@pytest.mark.parametrize("number", [MAX_INTEGER, -MAX_INTEGER])
def test_the_largest_and_the_smallest_integer_survive(number: int) -> None:
    data = encode_object("thing", {"a": number})
    assert decode_object("thing", data) == {"a": number}


def test_the_bytes_are_those_of_the_document() -> None:
    value = {"b": [1, True, None], "a": 'é\n\t"\\\x01\x7f\u2028\U0001f389', "A": {}}
    assert (
        canonical_json(value)
        == ('{"A":{},"a":"é\\n\\t\\"\\\\\\u0001\x7f\u2028\U0001f389","b":[1,true,null]}').encode()
    )


def test_keys_are_sorted_by_code_point_and_not_by_utf16() -> None:
    # U+1F389 is a surrogate pair in UTF-16, which would sort before U+FF5E.
    assert canonical_json({"\U0001f389": 1, "\uff5e": 2}) == '{"\uff5e":2,"\U0001f389":1}'.encode()


CANONICAL = b'mlstore thing 1\n{"a":[1,"x"],"b":2}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"mlstore thing 1",
        b"mlstore thing 1\n",
        CANONICAL[:-1],
        CANONICAL[:5],
        CANONICAL + b"\n",
        CANONICAL + b" ",
        CANONICAL + b"\0",
        CANONICAL + b"{}",
        b" " + CANONICAL,
        b"\xef\xbb\xbf" + CANONICAL,
        b"mlstore thing 2\n{}",
        b"mlstore thing 01\n{}",
        b"mlstore thing 1\r\n{}",
        b"mlstore Thing 1\n{}",
        b"mlstore  thing 1\n{}",
        b"mlstore other 1\n{}",
        b"mlstore thing 1\n\n{}",
        b"mlstore thing 1\n[]",
        b'mlstore thing 1\n"text"',
        b"mlstore thing 1\nnull",
        b"mlstore thing 1\n5",
    ],
)
def test_a_truncated_foreign_or_trailing_byte_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_object("thing", data)


@pytest.mark.parametrize(
    "body",
    [
        b'{"b":2,"a":1}',  # keys out of order
        b'{"a":1,"a":1}',  # a key twice
        b'{"a":1,"a":2}',
        b'{"a": 1}',  # white space
        b'{ "a":1}',
        b'{"a":1 }',
        b'{"a":\t1}',
        b'{"a":"\\u00e9"}',  # an escape that is not needed
        b'{"a":"\\/"}',
        b'{"a":"\\u000a"}',
        b'{"a":"\\u001F"}',
        b'{"a":"\n"}',  # an escape that is needed
        b'{"a":01}',
        b'{"a":-0}',
        b'{"a":+5}',
        b'{"a":1_000}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":1E400}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":9223372036854775808}',  # 2^63
        b'{"a":-9223372036854775808}',
        b'{"a":' + b"9" * 10_000 + b"}",
        '{"a":\u0663}'.encode(),  # ARABIC-INDIC DIGIT THREE
        b'{"a":"\\ud800"}',  # a lone surrogate
        b'{"a":"\xed\xa0\x80"}',  # the same in bytes
        b'{"a":"\xff"}',
        b'{"a":"\xc0\xaf"}',  # an overlong slash
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":[1,]}',
        b"{a:1}",
        b'{"a":0x10}',
        b'{"a":1}//x',
    ],
)
def test_what_is_not_canonical_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_object("thing", b"mlstore thing 1\n" + body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused_and_not_followed(opening: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_object("thing", b"mlstore thing 1\n" + opening * 100_000)
    closing = b"]" if opening == b"[" else b"}"
    body = b'{"a":' + opening * 50_000 + b"1" + closing * 50_000 + b"}"
    with pytest.raises(DecodeError, match="nested too deeply"):
        decode_object("thing", b"mlstore thing 1\n" + body)


def test_a_first_line_without_end_is_refused_without_being_searched() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_object("thing", b"mlstore " + b"x" * (64 << 20))
    assert len(caught.value.message) < 200


@given(st.binary(max_size=60))
def test_random_bytes_never_do_anything_but_be_refused_or_read(data: bytes) -> None:
    try:
        value = decode_object("thing", b"mlstore thing 1\n" + data)
    except DecodeError:
        return
    assert json.loads(data) == value


@given(st.data())
def test_every_flipped_bit_changes_the_value_or_is_refused(data: st.DataObject) -> None:
    value = {"id": "ab" * 32, "list": [1, 22, "x"], "text": "é\n"}
    good = encode_object("thing", value)
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[at // 8] ^= 1 << at % 8
    try:
        assert decode_object("thing", bytes(bad)) != value
    except DecodeError:
        pass


def test_no_object_is_made_that_is_larger_than_its_readers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"a": "x" * (3 << 20)}
    size = len(encode_object("tree", value))
    monkeypatch.setattr(canonical, "LARGEST", {"tree": size, "commit": size + 2})
    assert len(encode_object("tree", value)) == size
    assert len(encode_object("commit", value)) == size + 2
    monkeypatch.setattr(canonical, "LARGEST", {"tree": size - 1, "commit": size + 1})
    with pytest.raises(UsageError, match="larger than 3 MiB") as caught:
        encode_object("tree", value)
    assert "use folders" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="larger than 3 MiB") as caught:
        encode_object("commit", value)
    assert caught.value.hint is None


def test_text_that_is_not_unicode_is_a_mistake_of_whoever_writes_it() -> None:
    with pytest.raises(UsageError, match="not valid unicode"):
        encode_object("thing", {"a": "\udcff"})


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), float("nan"), float("inf")])
def test_other_types_are_not_encoded(value: object) -> None:
    with pytest.raises(ValueError, match="not allowed in canonical JSON|not JSON compliant"):
        canonical_json(value)
