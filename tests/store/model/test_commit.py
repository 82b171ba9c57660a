from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import DecodeError, UsageError
from mlstore.hashing import ObjectId
from mlstore.model import Commit, Person, StageRecord, decode_commit, encode_commit
from mlstore.model.canonical import canonical_json
from mlstore.model.commit import MOST_PARENTS

ONE, TWO = ObjectId("ab" * 32), ObjectId("cd" * 32)
IDS = st.sampled_from([ONE, TWO, ObjectId("0" * 64), ObjectId("f" * 64)])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PEOPLE = st.builds(
    Person,
    *[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>", min_codepoint=160))] * 2,
)
PATHS = st.sampled_from(["a", "data/raw.csv", "ünïcode/x", "config.ini"])
STAGES = st.builds(
    StageRecord,
    name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(str.isascii),
    command=st.lists(TEXT).map(tuple),
    inputs=st.dictionaries(PATHS | PATHS.map(lambda path: path + "#data.seed"), IDS),
    outputs=st.dictionaries(PATHS, IDS),
    upstream=st.dictionaries(st.sampled_from(["generate", "clean"]), IDS),
    record=st.sampled_from(["observed", "asserted"]),
    environment=st.none() | IDS,
    parameters=st.dictionaries(TEXT, TEXT),
    duration_ms=st.none() | st.integers(0, 2**63 - 1),
)
COMMITS = st.builds(
    Commit,
    tree=IDS,
    parents=st.lists(IDS, unique=True).map(tuple),
    height=st.integers(0, 2**63 - 1),
    lineage=IDS,
    author=PEOPLE,
    time=st.sampled_from(["2026-01-16T15:24:48Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
    message=TEXT,
    stage=st.none() | STAGES,
    signature=st.none() | TEXT,
)
PLAIN = Commit(ONE, (), 0, None, Person("Ada", "ada@example.org"), "2026-01-16T15:24:48Z", "first")
STAGE = StageRecord("clean", ("sh", "-c", "x"), {"config.ini#data": ONE}, {"data/clean.csv": TWO})
BLOCK = replace(PLAIN, parents=(TWO,), height=1, lineage=TWO, stage=STAGE)


def raw(**changes: Any) -> bytes:
    """A commit in canonical JSON, whatever it says; `...` leaves a field out."""
    value: dict[str, Any] = {
        "author": {"email": "e", "name": "n"},
        "height": 0,
        "lineage": TWO,
        "message": "m",
        "parents": [],
        "time": "2026-01-16T15:24:48Z",
        "tree": ONE,
    }
    value = {key: item for key, item in (value | changes).items() if item is not ...}
    return b"mlstore commit 1\n" + canonical_json(value)


def stage(**changes: Any) -> dict[str, Any]:
    value = {"command": ["x"], "inputs": {}, "name": "clean", "outputs": {"a": ONE}, "record": "observed"}
    return {key: item for key, item in (value | changes).items() if item is not ...}


@given(COMMITS)
def test_every_commit_survives_and_its_bytes_too(commit: Commit) -> None:
    data = encode_commit(commit)
    assert decode_commit(data) == commit
    assert encode_commit(decode_commit(data)) == data


def test_the_bytes_are_those_of_the_document() -> None:
    one, two = ONE.encode(), TWO.encode()
    assert encode_commit(PLAIN) == (
        b'mlstore commit 1\n{"author":{"email":"ada@example.org","name":"Ada"},"height":0,"message":"first",'
        b'"parents":[],"time":"2026-01-16T15:24:48Z","tree":"' + one + b'"}'
    )
    assert encode_commit(BLOCK) == (
        b'mlstore commit 1\n{"author":{"email":"ada@example.org","name":"Ada"},"height":1,"lineage":"' + two
        + b'","message":"first","parents":["' + two
        + b'"],"stage":{"command":["sh","-c","x"],"inputs":{"config.ini#data":"' + one
        + b'"},"name":"clean","outputs":{"data/clean.csv":"' + two
        + b'"},"record":"asserted"},"time":"2026-01-16T15:24:48Z","tree":"' + one + b'"}'
    )  # fmt: skip


def test_the_subject_is_the_first_line() -> None:
    assert replace(PLAIN, message="one\n\ntwo").subject == "one"
    assert replace(PLAIN, message="").subject == ""


def test_the_example_is_accepted_as_it_stands() -> None:
    assert decode_commit(raw(stage=stage())).lineage == TWO


@pytest.mark.parametrize(
    "changes",
    [
        {"tree": ...},
        {"tree": ONE[:-1]},
        {"tree": ONE.upper()},
        {"tree": None},
        {"parents": ...},
        {"parents": ONE},
        {"parents": [ONE, ONE]},
        {"parents": [None]},
        {"parents": {}},
        {"height": ...},
        {"height": -1},
        {"height": 2**63},
        {"height": True},
        {"height": "0"},
        {"height": None},
        {"lineage": "x"},
        {"lineage": None},
        {"author": ...},
        {"author": "Ada"},
        {"author": {"name": "n"}},
        {"author": {"email": "e", "name": "n", "phone": "1"}},
        {"author": {"email": "e", "name": 5}},
        {"author": {"email": "e", "name": "two\nlines"}},
        {"author": {"email": "a>b", "name": "n"}},
        {"author": {"email": "e", "name": "n <other@example.org"}},
        {"author": {"email": "e", "name": "\x1b[31m"}},
        {"time": ...},
        {"time": "2026-01-16T15:24:48"},
        {"time": "2026-01-16T15:24:48+00:00"},
        {"time": "2026-01-16 15:24:48Z"},
        {"time": "2026-13-16T15:24:48Z"},
        {"time": "2026-02-30T15:24:48Z"},
        {"time": "2026-01-16T25:24:48Z"},
        {"time": "\u0662026-01-16T15:24:48Z"},
        {"time": "2026-01-16T15:24:48Z\n"},
        {"time": 1768577088},
        {"message": ...},
        {"message": None},
        {"message": ["m"]},
        {"signature": None},
        {"signature": 5},
        {"extra": "x"},
        {"gpgsig": "x"},
        {"stage": None},
        {"stage": []},
        {"stage": {}},
        {"stage": stage(), "lineage": ...},
    ],
)
def test_a_wrong_missing_or_unknown_field_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode_commit(raw(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ...},
        {"name": ""},
        {"name": "-x"},
        {"name": ".x"},
        {"name": "a b"},
        {"name": "a/b"},
        {"name": "a\n"},
        {"name": "é"},
        {"name": "x" * 101},
        {"command": ...},
        {"command": "x"},
        {"command": [1]},
        {"inputs": ...},
        {"inputs": []},
        {"inputs": {"a": "x"}},
        {"inputs": {"../a": ONE}},
        {"inputs": {"/a#key": ONE}},
        {"inputs": {".mlstore/config#core": ONE}},
        {"inputs": {"#key": ONE}},
        {"outputs": {"../../a": ONE}},
        {"outputs": {".git/hooks/post-commit": ONE}},
        {"outputs": {"a\nb": ONE}},
        {"outputs": {"a": None}},
        {"record": "signed"},
        {"record": ...},
        {"record": None},
        {"upstream": {}},  # empty is left out: one value, one encoding
        {"upstream": {"x": "y"}},
        {"upstream": []},
        {"parameters": {}},
        {"parameters": {"lr": 1}},
        {"environment": "python"},
        {"environment": None},
        {"duration_ms": -1},
        {"duration_ms": True},
        {"duration_ms": None},
        {"extra": 1},
    ],
)
def test_a_wrong_missing_or_unknown_field_of_a_stage_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode_commit(raw(stage=stage(**changes)))


def test_a_commit_has_no_more_parents_than_the_most() -> None:
    parents = [ObjectId(f"{number:064x}") for number in range(MOST_PARENTS + 1)]
    assert len(decode_commit(raw(parents=parents[1:])).parents) == MOST_PARENTS
    with pytest.raises(DecodeError, match="more than 64 parents"):
        decode_commit(raw(parents=parents))


@given(COMMITS, st.data())
def test_no_flipped_bit_gives_the_same_commit(commit: Commit, data: st.DataObject) -> None:
    good = encode_commit(commit)
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[at // 8] ^= 1 << at % 8
    try:
        assert decode_commit(bytes(bad)) != commit
    except DecodeError:
        pass


def test_the_bytes_of_one_kind_are_never_read_as_another() -> None:
    data = encode_commit(PLAIN)
    with pytest.raises(DecodeError, match="first line"):
        decode_commit(data.replace(b"mlstore commit", b"mlstore tree", 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"author": Person("Ada <ada", "e")},
        {"author": Person("Ada\nEve", "e")},
        {"author": Person("Ada", "\udcff")},
        {"time": "yesterday"},
        {"time": ""},
        {"message": "\udcff"},
        {"height": -1},
        {"parents": (ONE, ONE)},
        {"tree": ObjectId("HEAD")},
        {"stage": STAGE, "lineage": None},
        {"stage": replace(STAGE, name="two words"), "lineage": ONE},
        {"stage": replace(STAGE, outputs={"../x": ONE}), "lineage": ONE},
        {"stage": replace(STAGE, parameters={"lr": 0.1}), "lineage": ONE},  # type: ignore[dict-item]
    ],
)
def test_what_no_reader_would_accept_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        encode_commit(replace(PLAIN, **changes))
