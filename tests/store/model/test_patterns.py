from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstore.model.patterns import fixed_part, has_magic, matches


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a.csv", "a.csv", True),
        ("a.csv", "b/a.csv", False),
        ("a.csv", "a.csvx", False),
        ("a.csv", "aXcsv", False),
        ("data", "data/raw.csv", True),
        ("data", "data/deep/raw.csv", True),
        ("data/", "data/raw.csv", True),
        ("data", "data2/raw.csv", False),
        ("*.csv", "a.csv", True),
        ("*.csv", "data/a.csv", False),
        ("*.csv", ".csv", True),
        ("data/*.csv", "data/a.csv", True),
        ("data/*.csv", "data/deep/a.csv", False),
        ("data/*", "data/deep/a.csv", True),  # a folder that fits, and what lies below it
        ("?.csv", "a.csv", True),
        ("?.csv", "ab.csv", False),
        ("a?b", "a/b", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("data/**/a.csv", "data/a.csv", True),
        ("data/**/a.csv", "data/x/y/a.csv", True),
        ("data/**/a.csv", "data/xa.csv", False),
        ("data/**", "data/x/y", True),
        ("data/**", "data", False),
        ("a**b", "a/x/b", True),
        ("a**b", "a/x/c", False),
        ("a**", "a/x/c", True),
        ("[ab].csv", "a.csv", True),
        ("[ab].csv", "c.csv", False),
        ("[a-c].csv", "b.csv", True),
        ("[a-a].csv", "a.csv", True),
        ("[!ab].csv", "c.csv", True),
        ("[!ab].csv", "a.csv", False),
        ("[^ab].csv", "c.csv", True),
        ("[^ab].csv", "a.csv", False),
        ("[a^].csv", "^.csv", True),
        ("a[!x]b", "a/b", False),
        ("[]x].csv", "].csv", True),
        ("[^a]", "^", True),
        ("[a-]", "-", True),
        ("[", "[", True),
        ("[abc", "[abc", True),
        ("a+b(c)", "a+b(c)", True),
        ("", "anything/at/all", True),
        (".", "anything", True),
        ("naïve*", "naïve.csv", True),
        ("a\nb", "a\nb", True),
        ("*", "a\nb", True),
    ],
)
def test_patterns_mean_what_they_mean_in_the_shell(pattern: str, path: str, fits: bool) -> None:
    assert matches(pattern, path) is fits


@pytest.mark.parametrize("pattern", ["a[z-a]", "[9-0]", "[b-a]x"])
def test_a_range_that_runs_backwards_fits_nothing(pattern: str) -> None:
    assert not matches(pattern, "a")
    assert not matches(pattern, pattern[-1])


def test_a_backward_range_that_is_negated_fits_every_character_but_the_slash() -> None:
    assert matches("[!z-a]", "m")
    assert not matches("a[!z-a]b", "a/b")


@pytest.mark.parametrize("pattern", ["[a--b]", "[&&]", "[a||b]", "[~~]", "[[a]", "[\\]", "[\\d]x"])
def test_characters_that_are_special_to_regular_expressions_are_not_in_a_set(pattern: str) -> None:
    matches(pattern, "0")  # a FutureWarning would be an error
    assert not matches(pattern, "0x")


@given(st.text("ab*?[]!-^/\\.", max_size=12), st.text("ab/-.", max_size=8))
def test_no_pattern_breaks_the_matcher(pattern: str, path: str) -> None:
    assert matches(pattern, path) in (True, False)


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=8))
def test_within_a_component_a_pattern_is_a_plain_glob(pattern: str, path: str) -> None:
    oracle = re.compile(re.sub(r"\*+", ".*", pattern).replace("?", ".") + r"\Z")
    assert matches(pattern, path) == bool(oracle.match(path))


@settings(max_examples=300)
@given(st.text("ab*?/", max_size=9), st.text("ab/", max_size=9))
def test_the_quick_way_finds_what_the_plain_way_finds(pattern: str, path: str) -> None:
    plain = re.split(r"((?:^|(?<=/))\*\*/|\*\*|\*|\?)", pattern.rstrip("/"))
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    oracle = re.compile("".join(meaning.get(part, part) for part in plain) + r"(?:/.*)?\Z", re.DOTALL)
    if pattern.rstrip("/"):
        assert matches(pattern, path) == bool(oracle.match(path))


def test_a_path_that_does_not_fit_is_refused_though_it_nearly_does() -> None:
    """Tried in every way, this would take longer than anybody waits."""
    assert not matches("*a" * 40 + "*b", "a" * 250)
    assert matches("*a" * 40 + "*b", "a" * 249 + "b")


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [("a/b/*.csv", "a/b"), ("a/b", "a/b"), ("*.csv", ""), ("a/b?/c", "a"), ("a/", "a"), ("a[1]/b", "")],
)
def test_the_fixed_part_is_the_folder_that_all_matches_lie_in(pattern: str, folder: str) -> None:
    assert fixed_part(pattern) == folder


def test_only_wildcards_are_magic() -> None:
    assert [has_magic(text) for text in ("a*", "a?", "a[b]", "a!b{c}", "a/b.csv")] == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a*", "ba"),
        ("*a*b?", "xaybz"),
        ("?*a*", "bbab"),
        ("*/*a*", "x/ba"),
        ("[a-cx]", "x"),
        ("[a-cx-z]", "y"),
    ],
)
def test_what_stands_behind_a_star_or_a_range_counts_too(pattern: str, path: str) -> None:
    assert matches(pattern, path)
