"""Notes: one sequence of bytes for each, and nothing else is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.store.support import ADA, MOMENT

from mlstore.errors import DecodeError, UsageError
from mlstore.hashing import ObjectId
from mlstore.model import Note, decode_note, encode_note

COMMIT = ObjectId("ab" * 32)
NOTE = Note(COMMIT, "reproduce", ADA, MOMENT, "reproduced", {"runs": 2, "verdict": "reproduced"})


def test_a_note_is_read_back_as_it_was_written() -> None:
    assert decode_note(encode_note(NOTE)) == NOTE


def test_the_bytes_of_a_note_are_canonical() -> None:
    assert encode_note(NOTE) == (
        b'mlstore note 1\n{"author":{"email":"ada@example.org","name":"Ada Lovelace"},"commit":"'
        + b"ab" * 32
        + b'","data":{"runs":2,"verdict":"reproduced"},"kind":"reproduce","text":"reproduced",'
        b'"time":"2026-01-16T15:24:48Z"}'
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"note 1", b"note 2"),
        (b'"kind":"reproduce"', b'"kind":"Reproduce"'),
        (b'"kind":"reproduce"', b'"kind":"../heads"'),
        (b'"data":{"runs":2,"verdict":"reproduced"}', b'"data":[]'),
        (b'"runs":2', b'"runs":2.0'),
        (b'"runs":2', b'"runs": 2'),
        (b'"text":"reproduced"', b'"text":7'),
        (b'"text":', b'"also":1,"text":'),
        (b'"text":', b'"tags":1,"text":'),
        (b"2026-01-16T", b"2026-01-16 "),
        (b'"commit":"ab', b'"commit":"AB'),
    ],
)
def test_what_is_no_note_is_refused(old: bytes, new: bytes) -> None:
    data = encode_note(NOTE)
    assert old in data
    with pytest.raises(DecodeError):
        decode_note(data.replace(old, new))


def test_what_no_reader_would_take_is_not_written() -> None:
    for bad in (replace(NOTE, kind="a/b"), replace(NOTE, data={"rate": 0.5}), replace(NOTE, time="now")):
        with pytest.raises(UsageError):
            encode_note(bad)
