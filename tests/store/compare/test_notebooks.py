from __future__ import annotations

import json

from mlstore.compare import Artifact, Verdict, compare_artifacts


def notebook(*sources: str, count: int = 1, output: str = "") -> bytes:
    cells = [
        {"cell_type": "code", "execution_count": count, "id": f"x{count}{n}", "source": text.splitlines(True),
         "outputs": [{"text": output}]}
        for n, text in enumerate(sources)
    ]  # fmt: skip
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


def compare(old: bytes, new: bytes):
    return compare_artifacts(Artifact.from_bytes(old, "a.ipynb"), Artifact.from_bytes(new, "a.ipynb"))


def test_outputs_counts_and_ids_do_not_count() -> None:
    found = compare(notebook("x = 1\n", output="1"), notebook("x = 1\n", count=7, output="2"))
    assert found.verdict is Verdict.EQUIVALENT


def test_a_changed_cell_is_told_line_by_line() -> None:
    found = compare(notebook("a = 1", "b = 2\nc = 3"), notebook("a = 1", "b = 2\nc = 4"))
    assert found.summary == "1 cell changed"
    assert [str(one) for one in found.details] == [
        "cell 2 line 2 removed: c = 3",
        "cell 2 line 2 added: c = 4",
    ]


def test_a_cell_that_was_put_in_is_one_cell() -> None:
    found = compare(notebook("a", "b"), notebook("a", "new", "b"))
    assert found.measures == {"cells_added": 1, "cells_removed": 0, "cells_changed": 0}
    assert compare(notebook("a", "b"), notebook("b")).measures["cells_removed"] == 1


def test_another_type_of_cell_is_a_change() -> None:
    new = notebook("a").replace(b'"code"', b'"markdown"')
    assert "cell 1 type code -> markdown" in compare(notebook("a"), new).lines()


def test_what_is_no_notebook_is_incomplete() -> None:
    for bad in (b"[]", b"{", b'{"cells": [1]}', b'{"cells": [{"source": 1}]}'):
        assert compare(notebook("a"), bad).verdict is Verdict.INCOMPLETE


def test_very_many_cells_are_compared_side_by_side() -> None:
    many = ["x"] * 1500
    found = compare(notebook(*many), notebook(*many[:-1], "y"))
    assert found.measures["cells_changed"] == 1
