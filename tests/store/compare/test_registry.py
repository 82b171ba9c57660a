from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlstore.compare import Artifact, Settings, Verdict, choices_for, choose, compare_artifacts
from mlstore.compare.registry import BUILTIN_NAMES, Comparator
from mlstore.errors import ConfigError, CorruptArtifact
from mlstore.manifest import parse_manifest


def compare(old: bytes, new: bytes, name: str, settings: Settings | None = None, wanted: str | None = None):
    return compare_artifacts(Artifact.from_bytes(old, name), Artifact.from_bytes(new, name), settings, wanted)


@pytest.mark.parametrize(
    ("name", "head", "comparator"),
    [
        ("a.ini", b"[a]\n", "configuration"),
        ("A.JSON", b"{}", "configuration"),
        ("a.csv", b"x,y\n1,2\n", "table"),
        ("a.csv", b"\x93NUMPY\x01\x00", "array"),
        ("a.csv", b"\x80\x04\x95", "model"),
        ("a.npz", b"PK\x03\x04", "arrays"),
        ("a.parquet", b"PAR1....", "columnar"),
        ("a.ipynb", b"{}", "notebook"),
        ("a.py", b"x = 1\n", "text"),
        ("a.bin", b"\0\1", "bytes"),
        ("noname", b"", "text"),
    ],
)
def test_the_comparator_goes_by_content_then_by_suffix(name: str, head: bytes, comparator: str) -> None:
    side = Artifact.from_bytes(head, name)
    assert choose(side, side).name == comparator


def test_two_files_of_different_kinds_are_bytes() -> None:
    assert compare(b"\x93NUMPY\x01\x00", b"1,2\n", "a.csv").comparator == "bytes"


def test_a_rule_overrides_and_an_unknown_name_is_refused() -> None:
    side = Artifact.from_bytes(b"x\n", "a.dat")
    assert choose(side, side, "table").name == "table"
    with pytest.raises(ConfigError, match="'tabel' is not a comparator"):
        choose(side, side, "tabel")
    assert "table" in BUILTIN_NAMES


def test_the_same_bytes_are_equal_and_streams_are_read_to_their_end() -> None:
    streams = [
        Artifact.from_stream("a.bin", 4, lambda pieces=pieces: iter(pieces))
        for pieces in ([b"\0a", b"bc"], [b"\0", b"abc"])
    ]
    assert compare_artifacts(*streams).verdict is Verdict.EQUAL
    with streams[0].open_seekable() as file:
        file.seek(1)
        assert file.read() == b"abc"
    assert streams[0].head(3) == b"\0ab"


def test_bytes_tell_where_and_how_large() -> None:
    found = compare(b"\0" * 10, b"\0" * 4 + b"\x07" + b"\0" * 6, "a.bin")
    assert found.verdict is Verdict.DIFFERENT
    assert found.lines() == [
        "bytes differ, first at offset 4",
        "byte at offset 4 0x00 -> 0x07",
        "size 10 -> 11 bytes",
    ]
    assert found.measures["first_difference"] == 4
    assert compare(b"\0ab", b"\0abc", "a.bin").lines()[1].startswith("equal up to offset 3 length (there one")


def test_dense_bytes_are_called_so() -> None:
    import random

    one, other = (bytes([0]) + random.Random(seed).randbytes(5000) for seed in (1, 2))
    assert any("compressed or encrypted" in line for line in compare(one, other, "a.bin").lines())


def test_details_are_capped_and_json_says_how_many_more() -> None:
    found = compare(b"a\nb\nc\n", b"x\ny\nz\n", "a.txt", Settings(rows=2))
    assert (len(found.details), found.omitted) == (2, 4)
    assert found.lines()[-1] == "and 4 more"
    value = json.loads(json.dumps(found.to_dict()))
    assert value["schema"] == "mlstore.comparison/1"
    assert (value["verdict"], value["omitted"], value["complete"]) == ("different", 4, True)


def test_text_line_by_line_and_line_ends_apart() -> None:
    found = compare(b"a\nb\n", b"a\nc\n", "a.txt")
    assert [str(detail) for detail in found.details] == ["line 2 removed: b", "line 2 added: c"]
    assert compare(b"a\nb\n", b"\xef\xbb\xbfa\r\nb\r\n", "a.txt").verdict is Verdict.EQUIVALENT


def test_text_too_large_for_lines_says_what_was_not_looked_at() -> None:
    found = compare(b"a" * 100, b"b" * 100, "a.txt", Settings(memory=50))
    assert found.verdict is Verdict.DIFFERENT
    assert not found.complete


def test_what_cannot_be_read_is_incomplete_and_never_a_failure() -> None:
    found = compare(b'{"a": 1}', b'{"a": 1', "a.json")
    assert found.verdict is Verdict.INCOMPLETE
    assert "a.json" in found.missing[0]
    assert found.measures["first_difference"] == 7


def test_missing_turns_equivalent_into_incomplete_and_leaves_different() -> None:
    same = compare(b"a\n", b"a\r\n", "a.txt")
    assert same.with_missing("the rest").verdict is Verdict.INCOMPLETE
    other = compare(b"a\n", b"b\n", "a.txt").with_missing("the rest")
    assert other.verdict is Verdict.DIFFERENT
    assert other.lines()[-1] == "not looked at: the rest"


# --- rules in mlstore.toml ---

RULES = """
[compare]
rows = 5
memory = "64 MiB"
allow = ["mine.Scaler"]

[[compare.rules]]
path = "data/*.dat"
as = "table"
key = ["id"]
delimiter = ";"

[[compare.rules]]
path = "data/raw.dat"
as = "bytes"
"""


def test_rules_choose_by_path_and_the_last_one_wins() -> None:
    spec = parse_manifest(RULES).compare
    settings, wanted = choices_for(spec, "data/a.dat")
    assert (settings.rows, settings.memory, settings.allow) == (5, 64 << 20, {"mine.Scaler"})
    assert (settings.key, settings.delimiter, wanted) == (("id",), ";", "table")
    assert choices_for(spec, "data/raw.dat")[1] == "bytes"
    assert choices_for(spec, "elsewhere.dat") == (
        Settings(rows=5, memory=64 << 20, allow=frozenset({"mine.Scaler"})),
        None,
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("compare = 1", "'compare' is not a table"),
        ("[compare]\nrow = 1", "did you mean 'rows'"),
        ("[compare]\nrows = true", "not a number of rows"),
        ("[compare]\nrows = -1", "not a number of rows"),
        ('[compare]\nmemory = "5 MB"', "not a size"),
        ("[compare]\nmemory = 1024", "not a size of at least"),
        ("[compare]\nallow = 1", "not a list"),
        ("[compare]\nrules = 1", "not a list"),
        ("[compare]\nrules = [1]", "no table"),
        ("[[compare.rules]]\nas = 'table'", "no path"),
        ("[[compare.rules]]\npath = '../x'", "not a path inside"),
        ("[[compare.rules]]\npath = 'x'\nas = 1", "not a text"),
        ("[[compare.rules]]\npath = 'x'\ndelimiter = ';;'", "not one character"),
        ("[[compare.rules]]\npath = 'x'\nkeys = ['a']", "did you mean 'key'"),
    ],
)
def test_every_complaint_about_compare_is_told(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_manifest(text)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.data["line"] >= 1


# --- plug-ins ---

PLUG_IN = """
from mlstore.compare import Comparison, Verdict

name = "gps"

def accepts(name, head):
    return head.startswith(b"GPS1")

def compare(old, new, settings):
    if b"!" in new.head():
        raise RuntimeError("oops")
    same = old.head().strip() == new.head().strip()
    verdict = Verdict.EQUIVALENT if same else Verdict.DIFFERENT
    return Comparison(name, verdict, "another track")
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with an entry point, as an installer leaves it."""
    (tmp_path / "gps_comparator.py").write_text(PLUG_IN)
    info = tmp_path / "gps_comparator-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gps-comparator\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlstore.comparators]\ngps = gps_comparator\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gps_comparator", raising=False)
    return tmp_path


def test_an_installed_plug_in_is_asked_first(plug_in: Path) -> None:
    found = compare(b"GPS1 a", b"GPS1 b", "track.csv")
    assert (found.comparator, found.summary) == ("gps", "another track")
    assert compare(b"GPS1 a", b"GPS1 a\n", "track.csv").verdict is Verdict.EQUIVALENT
    assert compare(b"a\n1\n", b"a\n2\n", "track.txt").comparator == "text"
    assert compare(b"a", b"b", "any.thing", wanted="gps").comparator == "gps"


def test_a_plug_in_that_fails_is_named_and_nothing_is_called_equal(plug_in: Path) -> None:
    found = compare(b"GPS1 a", b"GPS1 !", "track.bin")
    assert found.verdict is Verdict.INCOMPLETE
    assert "the comparator failed: RuntimeError: oops" in found.missing[0]


@pytest.mark.parametrize("target", ["nowhere", "json:dumps"])
def test_a_plug_in_that_cannot_be_used_disturbs_nobody(plug_in: Path, target: str) -> None:
    points = plug_in / "gps_comparator-1.0.dist-info/entry_points.txt"
    points.write_text(f"[mlstore.comparators]\ngps = {target}\n")
    assert compare(b"GPS1 a", b"GPS1 b", "track.txt").comparator == "text"
    with pytest.raises(ConfigError, match="'gps'"):
        compare(b"a", b"b", "track.txt", wanted="gps")


def test_without_plug_ins_the_protocol_is_that_of_the_builtins() -> None:
    side = Artifact.from_bytes(b"x", "a.txt")
    assert isinstance(choose(side, side), Comparator)
    assert issubclass(CorruptArtifact, Exception)
