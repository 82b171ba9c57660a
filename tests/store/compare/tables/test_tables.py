from __future__ import annotations

import io
import json
import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstore.compare import Artifact, Settings, Verdict, compare_artifacts
from mlstore.compare.tables import bykey, byposition
from mlstore.compare.tables.cells import Cell, CellReader
from mlstore.compare.tables.hashes import Hashes


def compare(old: str | bytes, new: str | bytes, name: str = "a.csv", **options):
    sides = [Artifact.from_bytes(one if isinstance(one, bytes) else one.encode(), name) for one in (old, new)]
    return compare_artifacts(*sides, Settings(**options))


def table(rows: int = 100, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    body = [f"{n},{rng.random():.6f},{rng.choice('abc')}" for n in range(rows)]
    return ["id,x,c", *body]


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


# --- the same content in another encoding ---

ENCODINGS = [
    ("a,b\n1.5,x\n2.0,y\n", "a,b\r\n1.50,x\r\n2,y\r\n"),
    ("a,b\n1.0,x\n", '"a","b"\n1.00,"x"\n'),
    ("a,b\n1.0,x\n", "a,b\n1e0,x"),
    ("a,b\n0.001,x\n", "\ufeffa,b\n1E-3,x\n"),
    ("a;b\n1;x\n", "a,b\n1,x\n"),
    ("a,b\n1,x\n\n2,y\n", "a,b\n1,x\n2,y\n"),
    ("a,b\n1,x\n", "a,b\r1,x\r"),
    ("a\n-0.0\n", "a\n0.00\n"),
]


@pytest.mark.parametrize(("old", "new"), ENCODINGS)
def test_line_ends_quotes_and_the_spelling_of_numbers_are_encoding(old: str, new: str) -> None:
    found = compare(old, new)
    assert found.verdict is Verdict.EQUIVALENT, found.lines()
    assert "the same content in another encoding" in found.summary


def test_utf_16_is_encoding() -> None:
    assert compare("a,b\n1,ä\n", "a,b\n1,ä\n".encode("utf-16")).comparator == "table"
    assert compare("a,b\n1,ä\n", "a,b\n1,ä\n".encode("utf-16")).verdict is Verdict.EQUIVALENT


def test_pandas_and_a_person_write_the_same_table() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.5, 1e-7], "n": [1, 2, 3], "s": ["a", "b,c", 'd"e']})
    by_hand = 'x,n,s\n1,1,a\n2.50,2,"b,c"\n0.0000001,3,"d""e"\n'
    assert compare(frame.to_csv(index=False), by_hand).verdict is Verdict.EQUIVALENT


NOT_THE_SAME = [
    ("a\n007\n", "a\n7\n"),
    ("a\nx\n", "a\nx \n"),
    ("a,b\n,1\n", "a,b\nNA,1\n"),
    ("a\n12345678901234567890\n", "a\n12345678901234567891\n"),
    ("a\n0.1\n", "a\n0.10000000000000002\n"),
    ("a\nTrue\n", "a\n1\n"),
    ("a,b\nx\x1fy,z\n", "a,b\nx,y\x1fz\n"),
    ("a\n1_000\n", "a\n1000\n"),
    ("a\n+49\n", "a\n49\n"),
    ("a\n1\n2\n", "a\n1.0\n2.0\n"),  # pandas reads other dtypes
    ("a\n1\n\n2\n".replace("\n\n", "\n,\n"), "a\n1\n2\n"),
]


@pytest.mark.parametrize(("old", "new"), NOT_THE_SAME)
def test_what_only_looks_alike_is_different(old: str, new: str) -> None:
    assert compare(old, new).verdict is Verdict.DIFFERENT


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_spelling_of_a_number_is_one(value: float) -> None:
    assert Cell(repr(value)).text == Cell(f"{value:.17e}").text == Cell(f"{value:.25g}").text


# --- rows ---


def test_a_row_put_in_at_the_top_is_one_row() -> None:
    lines = table()
    found = compare(text(lines), text([lines[0], "900,0.5,b", *lines[1:]]))
    assert found.summary == "1 row added (100 -> 101 rows)"
    assert [str(one) for one in found.details] == ["row 1 added: 900, 0.5, b"]
    assert (found.measures["rows_added"], found.measures["rows_changed"]) == (1, 0)


@pytest.mark.parametrize("at", [1, 50, 100])
def test_a_row_taken_out_anywhere_is_one_row(at: int) -> None:
    lines = table()
    found = compare(text(lines), text(lines[:at] + lines[at + 1 :]))
    assert found.summary == "1 row removed (100 -> 99 rows)"
    assert found.details[0].where == f"row {at}"


def test_a_changed_cell_is_told_with_row_column_and_distance() -> None:
    lines = table()
    new = list(lines)
    new[8] = new[8].replace(new[8].split(",")[1], "9.5")
    found = compare(text(lines), text(new))
    assert found.summary == "1 row changed, 1 cell changed (100 rows)"
    assert found.details[0].where == "row 8, column 'x'"
    assert (found.details[0].old, found.details[0].new) == (lines[8].split(",")[1], "9.5")
    assert found.measures["changed_columns"]["x"]["cells"] == 1
    assert found.measures["beyond_tolerance"] == 1
    assert compare(text(lines), text(new), atol=10.0).measures["beyond_tolerance"] == 0


def test_insertions_removals_and_changes_together() -> None:
    lines = table(500)
    new = list(lines)
    new[400] = new[400] + "!"
    del new[300:303]
    new[200:200] = ["900,1,z", "901,2,z"]
    new[100] = new[100].replace("99,", "77,")
    found = compare(text(lines), text(new), rows=100)
    assert [found.measures[f"rows_{kind}"] for kind in ("added", "removed", "changed")] == [2, 3, 2]
    cells = [one.where for one in found.details if one.kind == "changed"]
    assert "row 100, column 'id'" in cells
    assert "row 399, column 'c'" in cells


def test_rows_in_another_order_are_moved_and_not_the_same() -> None:
    lines = table(50)
    found = compare(text(lines), text([lines[0], *lines[:0:-1]]))
    assert found.verdict is Verdict.DIFFERENT
    assert found.measures["rows_moved"] == 50


def test_a_column_that_changed_everywhere_stays_aligned() -> None:
    lines = table(300)
    new = [lines[0]] + [f"{n},{1 + float(x):.6f},{c}" for n, x, c in (line.split(",") for line in lines[1:])]
    found = compare(text(lines), text(new))
    assert found.measures["rows_changed"] == 300
    assert found.measures["changed_columns"]["x"] == {"cells": 300, "max_abs": pytest.approx(1.0)}
    assert (
        any("KS D = 1" in str(one) and "n = 300 and 300" in str(one) for one in found.details)
        or found.omitted
    )
    drift = found.measures["columns"]["x"]["drift"]
    assert drift["p_value"] < 1e-9
    assert drift["sizes"] == [300, 300]


def test_rows_by_key_wherever_they_stand() -> None:
    lines = table(200)
    body = lines[1:]
    random.Random(1).shuffle(body)
    new = [line for line in body if not line.startswith("17,")] + ["900,0.5,z"]
    new = [line + "!" if line.startswith("5,") else line for line in new]
    found = compare(text(lines), text([lines[0], *new]), key=("id",))
    assert [found.measures[f"rows_{kind}"] for kind in ("added", "removed", "changed")] == [1, 1, 1]
    assert any("column 'c'" in one.where and "was row 6" in one.note for one in found.details)
    same = compare(text(lines), text([lines[0], *body]), key=("id",))
    assert same.verdict is Verdict.EQUIVALENT
    assert "order" in same.summary


def test_a_key_that_is_not_unique_or_not_there_is_said() -> None:
    found = compare("k,v\n1,a\n1,b\n", "k,v\n1,a\n1,c\n", key=("k",))
    assert found.verdict is Verdict.DIFFERENT
    assert "it is not unique" in found.missing[0]
    assert found.measures["rows_changed"] == 1
    assert compare("k\n1\n", "k\n2\n", key=("id",)).verdict is Verdict.INCOMPLETE


def test_a_key_of_two_columns() -> None:
    found = compare("a,b,v\n1,2,x\n12,,y\n", "a,b,v\n12,,y\n1,2,z\n", key=("a", "b"))
    assert (found.measures["rows_changed"], found.measures["rows_added"]) == (1, 0)


# --- schema ---


def test_columns_added_removed_and_reordered_leave_the_rows_alone() -> None:
    found = compare("a,b,c\n1,2,3\n4,5,6\n", "c,a,d\n3,1,x\n6,4,y\n")
    assert [str(one) for one in found.details] == [
        "column 'b' removed",
        "column 'd' added",
        "order of columns a, c -> c, a",
    ]
    assert found.measures["rows_changed"] == 0
    assert found.measures["schema_changed"] == 3


def test_another_dtype_is_another_schema() -> None:
    found = compare("a,b\n1,x\n2,y\n", "a,b\n1,x\nz,y\n")
    assert "dtype of column 'a' int -> text" in found.lines()


def test_names_that_repeat_and_rows_of_another_length() -> None:
    found = compare("a,a\n1,2\n3\n4,5,6\n", "a,a\n1,2\n3\n4,5,7\n")
    assert found.details[0].where == "row 3, column 'a#2'"
    assert compare("a,a,a#2\n1,2,3\n", "a,a,a#2\n1,2,4\n").verdict is Verdict.INCOMPLETE


def test_a_table_without_names() -> None:
    found = compare("1,2\n3,4\n", "1,2\n3,5\n")
    assert found.details[0].where == "row 2, column 'column 2'"


def test_empty_tables() -> None:
    assert compare("a,b\n", "a,b\n1,2\n").measures["rows_added"] == 1
    assert compare("", "a\n1\n").verdict is Verdict.DIFFERENT
    assert compare("\n", "\n\n").verdict is Verdict.EQUIVALENT


def test_json_lines() -> None:
    old = '{"a": 1, "b": "x"}\n{"a": 2, "c": [1, 2]}\n'
    assert (
        compare(old, '{"b": "x", "a": 1}\n\n{"c": [1,2], "a": 2}\n', "a.jsonl").verdict is Verdict.DIFFERENT
    )
    assert compare(old, '{"a":1,"b":"x"}\n\n{"a":2,"c":[1,2]}\n', "a.jsonl").verdict is Verdict.EQUIVALENT
    found = compare(old, old.replace("2, ", "3, "), "a.jsonl")
    assert found.details[0].where == "row 2, column 'a'"
    assert compare('{"a": 1}\n', '{"a": "1"}\n', "a.jsonl").verdict is Verdict.DIFFERENT
    for bad in ("[1]\n", "{\n", '{"a": 1}\nx\n'):
        assert compare(old, bad, "a.jsonl").verdict is Verdict.INCOMPLETE


def test_tsv_and_a_declared_delimiter() -> None:
    assert compare("a\tb\n1\t2\n", "a\tb\n1\t3\n", "a.tsv").details[0].where == "row 1, column 'b'"
    found = compare("a:b\n1:2\n", "a:b\n1:3\n", delimiter=":")
    assert found.details[0].where == "row 1, column 'b'"


def test_what_is_no_csv_is_incomplete() -> None:
    found = compare("a\n" + "x" * 200_000 + "\n", "a\nx\n")
    assert found.verdict is Verdict.INCOMPLETE
    assert "field larger" in found.missing[0]
    assert compare("a\n" + "x" * 9_000_000, "a\nx\n").verdict is Verdict.INCOMPLETE


# --- columns ---


def test_summaries_agree_with_pandas() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(3, 2, 5000), "n": rng.integers(0, 9, 5000)})
    frame.loc[::10, "x"] = np.nan
    other = frame.assign(x=frame["x"] + 0.5)
    found = compare(frame.to_csv(index=False), other.to_csv(index=False))
    told = found.measures["columns"]["x"]
    for side, expected in (("old", frame["x"]), ("new", other["x"])):
        assert told[side]["mean"] == pytest.approx(expected.mean())
        assert told[side]["std"] == pytest.approx(expected.std())
        assert (told[side]["min"], told[side]["max"]) == (expected.min(), expected.max())
        assert (told[side]["count"], told[side]["nulls"]) == (5000, 500)
    assert told["drift"]["effect"] == pytest.approx(0.25, abs=0.01)


def test_the_tests_agree_with_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(1)
    old, new = rng.normal(0, 1, 800), rng.normal(0.2, 1, 900)
    found = compare(
        pd.DataFrame({"x": old}).to_csv(index=False), pd.DataFrame({"x": new}).to_csv(index=False)
    )
    drift = found.measures["columns"]["x"]["drift"]
    expected = stats.ks_2samp(old, new, method="asymp")
    assert drift["statistic"] == pytest.approx(expected.statistic)
    assert drift["p_value"] == pytest.approx(expected.pvalue, rel=0.2)
    counts = {"a": (500, 400), "b": (300, 330), "c": (200, 270)}
    sides = ["x\n" + "".join(f"{name}\n" * pair[side] for name, pair in counts.items()) for side in (0, 1)]
    drift = compare(*sides).measures["columns"]["x"]["drift"]
    expected = stats.chi2_contingency([[pair[side] for pair in counts.values()] for side in (0, 1)])
    assert drift["statistic"] == pytest.approx(expected.statistic)
    assert drift["p_value"] == pytest.approx(expected.pvalue)
    assert drift["effect_name"] == "PSI"


def test_the_sample_is_bounded_and_the_same_rows_do_not_drift() -> None:
    rng = random.Random(3)
    lines = ["x"] + [f"{rng.gauss(0, 1):.9f}" for _ in range(60_000)]
    found = compare(text(lines), text([lines[0], "0.123", *lines[1:]]))
    drift = found.measures["columns"]["x"]["drift"]
    assert 5_000 < drift["sizes"][0] < 25_000
    assert drift["p_value"] > 0.99


def test_measures_are_json_even_for_odd_numbers() -> None:
    found = compare("x\n1e308\n-1e308\n1e999\n", "x\n1\n2\n3\n")
    json.loads(json.dumps(found.to_dict(), allow_nan=False))


# --- bounds ---


def test_more_rows_than_can_be_aligned_are_counted_as_sets() -> None:
    rng = random.Random(5)
    lines = [f"{n},{rng.random()}" for n in range(3000)]
    new = [*lines[100:], *(f"new{n},1" for n in range(7))]
    new[0], new[-1] = new[-1], new[0]
    old_cost, byposition._ROW_COST = byposition._ROW_COST, 1 << 20
    try:
        found = compare(text(["a,b", *lines]), text(["a,b", *new]), memory=64 << 20)
    finally:
        byposition._ROW_COST = old_cost
    assert (found.measures["rows_added"], found.measures["rows_removed"]) == (7, 100)
    assert "too many to be aligned" in found.missing[0]


def test_keys_are_matched_in_parts_and_capped() -> None:
    lines = table(3000)
    new = [lines[0], *(line + "!" for line in reversed(lines[1:]))]
    costs = bykey._ROW_COST, bykey._CELL_COST
    bykey._ROW_COST, bykey._CELL_COST = 1 << 20, 1 << 20
    try:
        found = compare(text(lines), text(new), key=("id",), memory=64 << 20)
    finally:
        bykey._ROW_COST, bykey._CELL_COST = costs
    assert found.measures["rows_changed"] == 3000
    assert found.measures["cells_changed"] == 1000
    assert "2000 changed rows" in found.missing[0]


def test_hashes_go_to_a_file_when_they_are_many() -> None:
    few, many = Hashes(1 << 20), Hashes(64)
    data = [n.to_bytes(8, "little") for n in range(1000)]
    for side in (few, many):
        for start in range(0, 1000, 7):
            side.extend(data[start : start + 7])
            side.slice(0, 3)
        assert len(side) == 1000
        assert side.slice(10, 13).tolist() == [10, 11, 12]
        assert [n for chunk in side.chunks(990) for n in chunk.tolist()] == list(range(990, 1000))
    many.close()


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from("abc1 ,\"'\n\r."), max_size=4).map("".join), max_size=12),
    st.lists(st.lists(st.sampled_from("abc1 ,\"'\n\r."), max_size=4).map("".join), max_size=12),
)
def test_counts_always_add_up(old: list[str], new: list[str]) -> None:
    found = compare("\n".join(old), "\n".join(new))
    if "rows_added" in found.measures:
        counts = found.measures
        change = counts["rows_added"] - counts["rows_removed"]
        assert counts["new_rows"] - counts["old_rows"] == change


@settings(max_examples=60)
@given(st.data())
def test_edits_are_found_again(data: st.DataObject) -> None:
    lines = table(60)
    new = list(lines)
    removed = data.draw(st.integers(0, 3))
    start = data.draw(st.integers(1, 50))
    del new[start : start + removed]
    added = data.draw(st.integers(0, 3))
    at = data.draw(st.integers(1, 50))
    new[at:at] = [f"new{n},{n},z" for n in range(added)]
    found = compare(text(lines), text(new))
    counts = found.measures
    if (removed, added) == (0, 0):
        assert found.verdict is Verdict.EQUAL
    else:
        assert counts["rows_added"] + counts["rows_changed"] <= added + removed
        assert counts["rows_added"] - counts["rows_removed"] == added - removed


def test_memory_stays_bounded() -> None:
    import tracemalloc

    rng = random.Random(2)
    buffer = io.StringIO()
    buffer.write("id,x,c\n")
    for n in range(150_000):
        buffer.write(f"{n},{rng.random()},{rng.choice('abc')}\n")
    old = buffer.getvalue().encode()
    new = old.replace(b"\n777,", b"\n888888,", 1)
    sides = [Artifact.from_bytes(one, "a.csv") for one in (old, new)]
    tracemalloc.start()
    try:
        found = compare_artifacts(*sides, Settings(memory=16 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.measures["rows_changed"] == 1
    assert peak < 48 << 20


WORDS = """
0 -0 7 007 1.50 -0.0 1e3 1e999 .5 5. NaN NA True x 2026-01-16 - 1_0 +1 1e
9007199254740993 9007199254740993.0 12345678901234567890
"""
CELLS = st.one_of(
    st.sampled_from(["", "a\nb", "1\n2", *WORDS.split()]),
    st.integers().map(str),
    st.floats().map(repr),
    st.text(max_size=3),
)


@settings(max_examples=300)
@given(st.lists(CELLS, min_size=1, max_size=8))
def test_many_cells_at_once_are_read_as_one_by_one(texts: list[str]) -> None:
    found = CellReader().read(texts)
    cells = [Cell(text) for text in texts]
    assert found.texts == [cell.text for cell in cells]
    assert found.nulls == sum(cell.kind == "null" for cell in cells)
    assert found.kinds - {"int"} == {cell.kind for cell in cells} - {"int"}
    numbers = [math.nan] * len(texts) if found.numbers is None else found.numbers.tolist()
    expected = [math.nan if cell.number is None else cell.number for cell in cells]
    assert [repr(number) for number in numbers] == [repr(number) for number in expected]


# --- lines of JSON ---


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_values_of_json_are_cells_by_their_kind() -> None:
    old = jsonl({"a": True, "b": None, "c": [1, {"x": 2}], "d": "1", "e": 1.5}, {"a": False})
    assert compare(old, old.replace(", ", ","), "a.jsonl").verdict is Verdict.EQUIVALENT
    for changed in ({"a": "true"}, {"a": 1}, {"b": "null"}, {"b": ""}, {"c": [1, {"x": 3}]}, {"d": 1}):
        first = {"a": True, "b": None, "c": [1, {"x": 2}], "d": "1", "e": 1.5} | changed
        found = compare(old, jsonl(first, {"a": False}), "a.jsonl")
        assert found.verdict is Verdict.DIFFERENT, changed


def test_more_rows_than_a_batch_are_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlstore.compare.tables.readers.BATCH", 4)
    for count in (8, 10):  # whole batches, and a rest
        rows = [{"id": number, "x": number * 2} for number in range(count)]
        other = [dict(row) for row in rows]
        other[-1]["x"] += 1
        found = compare(jsonl(*rows), jsonl(*other), "a.jsonl")
        assert found.verdict is Verdict.DIFFERENT
        assert compare(jsonl(*rows), jsonl(*rows) + "\n", "a.jsonl").verdict is Verdict.EQUIVALENT


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_table_with_more_columns_than_any_is_incomplete(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlstore.compare.tables.readers._MOST_COLUMNS", 5)
    wide = {f"c{number}": number for number in range(9)}
    data = jsonl(wide) if name == "a.jsonl" else ",".join(wide) + "\n" + ",".join(map(str, wide.values()))
    found = compare(data, data + "\n", name)
    assert found.verdict is Verdict.INCOMPLETE
    assert "more than 5" in " ".join(found.missing)


@pytest.mark.parametrize("bad", ["{", "[1]", "5", "{}" * 2, "[" * 100_000])
def test_a_line_that_is_no_object_is_named(bad: str) -> None:
    found = compare(jsonl({"a": 1}), jsonl({"a": 1}) + bad, "a.jsonl")
    assert found.verdict is Verdict.INCOMPLETE
    assert "line 2 is not" in " ".join(found.missing)


# --- drift ---


def test_a_sample_of_the_same_row_again_and_again_stays_small() -> None:
    """Rows are drawn by their hash, and these all have the same."""
    rows = text(["x", *["1.5"] * 40_000])
    other = text(["x", *["1.5"] * 40_000, "2.5"])
    found = compare(rows, other)
    assert found.verdict is Verdict.DIFFERENT
    assert found.measures["rows_added"] == 1


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [
        (0.0, 3, 1.0),
        (-1.0, 3, 1.0),
        (3.841459, 1, 0.05),
        (18.307038, 10, 0.05),
        (2.705543, 1, 0.1),
        (1e4, 5, 0.0),
    ],
)
def test_the_tail_of_chi_square_is_that_of_the_tables(statistic: float, freedom: int, p: float) -> None:
    from mlstore.compare.tables.columns import _chi_square_tail

    assert _chi_square_tail(statistic, freedom) == pytest.approx(p, abs=1e-6)
