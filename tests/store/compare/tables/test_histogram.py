"""Counts per bin of two columns, for whoever draws them."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest

from mlstore.compare import Artifact, compare_artifacts


def bars(old, new, name="v"):
    """Compare two tables of one column and give its histogram."""
    sides = [
        Artifact.from_bytes("\n".join([name, *map(str, values)]).encode() + b"\n", "t.csv")
        for values in (old, new)
    ]
    measures = compare_artifacts(*sides).measures
    json.dumps(measures, allow_nan=False)
    return measures["columns"][name].get("histogram")


def test_every_value_is_in_a_bin_or_outside():
    rng = random.Random(1)
    old, new = ([rng.gauss(mean, 1) for _ in range(3000)] for mean in (0, 2))
    found = bars(old, new)
    assert found["sizes"] == [3000, 3000]
    for side, (name, values) in enumerate((("old", old), ("new", new))):
        assert sum(found[name]) + sum(found["outside"][side]) == 3000
        edges = found["edges"]
        expected = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
        expected[-1] += values.count(edges[-1])
        assert found[name] == expected


def test_few_whole_numbers_get_a_bin_each():
    found = bars([1, 1, 2, 5], [1, 2, 2, 5, 5])
    assert found["edges"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert (found["old"], found["new"]) == ([2, 1, 0, 0, 1], [1, 2, 0, 0, 2])


def test_whole_numbers_beyond_what_a_float_tells_apart_do_no_harm():
    found = bars([12345678901234567890], [12345678901234567891])
    assert sum(found["old"]) == sum(found["new"]) == 1


def test_one_far_value_does_not_squash_the_others():
    values = [number / 10 for number in range(1000)]
    found = bars(values, [*values, 1e12])
    assert found["edges"][-1] < 101
    assert found["outside"][1][1] >= 1


def test_a_constant_column_has_a_bin_around_it():
    found = bars([2.5] * 3, [2.5] * 4)
    assert (found["old"], found["new"]) == ([3], [4])


@pytest.mark.parametrize(("old", "new"), [([1e308, -1e308], [1e308]), (["NA"] * 2, ["NA"] * 3), ([1], ["x"])])
def test_what_no_bins_fit_has_no_histogram(old, new):
    assert bars(old, new) is None


def test_categories_come_by_frequency_and_the_rest_together():
    old = ["a"] * 5 + ["b"] * 3 + [f"x{number}" for number in range(20)]
    found = bars(old, [*old, "b", "b", "b"])
    assert found["names"][:2] == ["a", "b"]
    assert (found["old"][:2], found["new"][:2]) == ([5, 3], [5, 6])
    assert sum(found["old"]) + found["others"][0] == 28
    assert sum(found["new"]) + found["others"][1] == 31
    assert len(found["names"]) == 12
