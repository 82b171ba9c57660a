"""Whether two patterns can match one path: against brute force over all short paths."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.model.patterns import matches
from mlstore.pipeline.overlap import overlap

NAMES = ["a", "b", "aa", "ab", "ba", "bb", "aba", "bab"]
PATHS = ["/".join(parts) for depth in (1, 2, 3, 4) for parts in product(NAMES, repeat=depth)]
COMPONENTS = st.sampled_from(["a", "b", "ab", "ba", "*", "a*", "*b", "?", "?b", "*a*", "**", "[ab]", "[!a]b"])
PATTERNS = st.lists(COMPONENTS, min_size=1, max_size=2).map("/".join)


@given(PATTERNS, PATTERNS, st.sampled_from(PATHS))
def test_patterns_that_match_one_path_overlap(one: str, other: str, path: str) -> None:
    if matches(one, path) and matches(other, path):
        assert overlap(one, other)


@given(PATTERNS, PATTERNS)
def test_patterns_that_overlap_have_a_path_in_common(one: str, other: str) -> None:
    # Two sets at one place are answered with a careful yes.
    if overlap(one, other) and not ("[" in one and "[" in other):
        assert any(matches(one, path) and matches(other, path) for path in PATHS), (one, other)


@given(PATTERNS, PATTERNS)
def test_the_order_of_the_patterns_does_not_matter(one: str, other: str) -> None:
    assert overlap(one, other) == overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("data/raw.csv", "data/raw.csv", True),
        ("data/raw.csv", "data/raw.csv.gz", False),
        ("data", "data/raw.csv", True),
        ("data/", "data/deep/raw.csv", True),
        ("data", "database.csv", False),
        ("data/*.csv", "data/raw.csv", True),
        ("data/*.csv", "data/raw.json", False),
        ("data/*.csv", "data", True),
        ("**/*.csv", "data/raw.csv", True),
        ("**/*.csv", "models/**", True),
        ("models/a*.pkl", "models/*b.pkl", True),
        ("models/a*.pkl", "models/b*.pkl", False),
        ("models/model-?.pkl", "models/model-10.pkl", False),
        ("a**z", "a/b/z", True),
        ("data", "**/*.csv", True),
        ("data/raw.csv", "data/**", True),
        ("model.joblib", "**/*.csv", False),
        ("model.joblib", "**/*.joblib", True),
        ("model.joblib/", "**/*.csv", True),
        ("model.joblib", "model.joblib/*.csv", True),
        ("models/v1.0", "**/*.csv", True),
        ("data/*.csv", "**/*.json", False),
        ("**/*.csv", "**/*.json", False),
        ("a/**/b", "**/b/**", True),
    ],
)
def test_overlap_of_typical_patterns(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected
