from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlstore.hashing import ObjectId
from mlstore.refs import ReflogEntry
from mlstore.refs.reflog import append_entry, read_entries

ONE, TWO = ObjectId("ab" * 32), ObjectId("cd" * 32)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRIES = st.builds(
    ReflogEntry,
    st.none() | st.just(ONE),
    st.none() | st.just(TWO),
    st.just("2026-01-16T15:24:48Z"),
    TEXT,
    TEXT,
)


@given(st.lists(ENTRIES, max_size=6))
def test_entries_come_back_newest_first(memory: Path, entries: list[ReflogEntry]) -> None:
    log = Path(tempfile.mkdtemp(dir=memory)) / "HEAD"
    for entry in entries:
        append_entry(log, entry, fsync=False)
    assert read_entries(log) == (entries[::-1], 0)
    if entries:
        assert log.read_bytes().count(b"\n") == len(entries)


def test_a_line_is_canonical_json_as_in_the_document(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append_entry(log, ReflogEntry(None, ONE, "2026-01-16T15:24:48Z", "Ada <a@b>", "commit: x"), fsync=False)
    assert log.read_bytes() == (
        b'{"message":"commit: x","new":"' + ONE.encode() + b'","old":null,"time":"2026-01-16T15:24:48Z",'
        b'"who":"Ada <a@b>"}\n'
    )


def test_a_message_cannot_forge_an_entry(tmp_path: Path) -> None:
    log = tmp_path / "log"
    forged = json.dumps({"message": "x", "new": TWO, "old": None, "time": "t", "who": "Eve"})
    for message in (f"x\n{forged}", f"x\r{forged}", f"x\u2028{forged}", f"x\x85{forged}"):
        append_entry(log, ReflogEntry(None, ONE, "t", f"Ada\n{forged}", message), fsync=False)
    entries, unreadable = read_entries(log)
    assert len(entries) == 4
    assert unreadable == 0
    assert all(entry.new == ONE for entry in entries)


def test_a_torn_line_is_passed_over_and_counted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    entry = ReflogEntry(None, ONE, "t", "w", "m")
    append_entry(log, entry, fsync=False)
    with log.open("ab") as file:
        file.write(b'{"message":"half')
    append_entry(log, entry, fsync=False)
    assert read_entries(log) == ([entry, entry], 1)


def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log"
    good = {"message": "m", "new": ONE, "old": None, "time": "t", "who": "w"}
    bad: list[object] = [
        [],
        5,
        {},
        good | {"extra": 1},
        good | {"new": "x"},
        good | {"old": ONE.upper()},
        good | {"new": 5},
        good | {"who": None},
        {key: value for key, value in good.items() if key != "time"},
    ]
    lines = [json.dumps(value).encode() for value in bad]
    lines += [b"\xff\xfe", b"\0", b"[" * 100_000, b'{"a":' * 100_000]
    log.write_bytes(b"\n".join([*lines, json.dumps(good).encode(), b""]))
    entries, unreadable = read_entries(log)
    assert entries == [ReflogEntry(None, ONE, "t", "w", "m")]
    assert unreadable == len(lines)


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert read_entries(tmp_path / "none") == read_entries(tmp_path / "file" / "below") == ([], 0)
