"""The page's part on artifacts, where there is little to show, or very much of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.store.report.dossiers import COLUMN, comparison, dossier
from tests.store.report.outcomes import ordinary

from mlstore.report.changed import changes_section
from mlstore.report.dossier import Change


def shown(measures: dict[str, Any], **more: Any) -> str:
    found = {**comparison("table", "a summary"), "measures": measures, **more}
    change = Change("data.csv", "output", "clean", "1" * 64, "2" * 64, found)
    return changes_section(replace(dossier(ordinary()), changes=(change,)))


def test_without_details_and_measures_there_is_no_empty_table_and_no_empty_list() -> None:
    page = shown({"rows_added": 0, "max_abs": 0.0, "names": []}, details=[])
    assert "a summary" in page
    assert "<table" not in page
    assert "Measures" not in page
    assert "Columns" not in page


def test_measures_are_told_by_their_kind_and_nested_ones_are_left_out() -> None:
    page = shown({"rows_added": 2, "max_abs": 0.123456, "versions": {"sklearn": "1.5"}, "apart": {"x": 1},
                  "new_globals": ["os.system"], "mixed": [1, "a"]})  # fmt: skip
    assert "<dt>rows added</dt><dd>2</dd>" in page
    assert "<dd>0.1235</dd>" in page
    assert "sklearn 1.5" in page
    assert "os.system" in page
    assert "<dt>apart</dt>" not in page
    assert "<dt>mixed</dt>" not in page


def test_the_most_drifted_columns_stand_first_and_the_rest_can_be_opened() -> None:
    columns = {}
    for number in range(30):
        drift = {**COLUMN["drift"], "statistic": number / 100}
        columns[f"column{number}"] = {**COLUMN, "drift": drift}
    columns["steady"] = {
        "old": {"dtype": "text", "count": 1, "mean": None},
        "new": {"dtype": "text", "count": 1},
    }
    page = shown({"columns": columns})
    first, rest = page.split("<details><summary>18 more columns</summary>")
    assert all(f"column{number}<" in first for number in range(24, 30))
    assert all(f"column{number}<" in rest for number in range(6, 24))
    assert "7 more columns, all less drifted" in page
    assert "steady" not in page


def test_a_column_that_was_not_measured_on_one_side_has_a_dash_there() -> None:
    page = shown(
        {"columns": {"x": {"old": {"dtype": "int", "count": 3, "mean": None}, "new": {"dtype": "text"}}}}
    )
    assert "int → text" in page
    assert "&#8211;" in page
