"""Filters are git's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import ConfigError, UsageError
from mlstore.repository import Filter, Repository


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("blob:none", 0),
        ("blob:limit=0", 0),
        ("blob:limit=1000", 1000),
        ("blob:limit=64k", 65536),
        ("blob:limit=2M", 2 << 20),
        ("blob:limit=1g", 1 << 30),
    ],
)
def test_a_filter_is_read_as_git_reads_it(text: str, limit: int) -> None:
    assert Filter.parse(text).limit == limit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "blob",
        "tree:0",
        "blob:limit=",
        "blob:limit=k",
        "blob:limit=-1",
        "blob:limit=1t",
        "blob:limit=\u0663",
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a filter"):
        Filter.parse(text)


@given(st.integers(0, 1 << 50))
def test_what_is_written_is_what_is_read(limit: int) -> None:
    assert Filter.parse(str(Filter(limit))) == Filter(limit)


def test_a_blob_of_exactly_the_limit_is_left_out() -> None:
    chosen = Filter.parse("blob:limit=10")
    assert [chosen.leaves_out(size) for size in (0, 9, 10, 11)] == [False, False, True, True]
    assert Filter.parse("blob:none").leaves_out(0)


def test_a_filter_that_cannot_be_read_is_a_configuration_error(tmp_path) -> None:
    repo = Repository.init(tmp_path)
    with (repo.store / "config").open("a") as file:
        file.write('filter = "tree:0"\n')
    with pytest.raises(ConfigError, match="core.filter"):
        _ = Repository.open(tmp_path).filter


def test_a_filter_cannot_be_set_by_hand_but_taken_away(tmp_path) -> None:
    config = Repository.init(tmp_path).config
    with pytest.raises(UsageError, match="what a clone left out"):
        config.with_value("core.filter", "blob:none")
    cloned = config.as_clone("/srv/models", "blob:none")
    assert cloned.get("core.filter") == "blob:none"
    assert cloned.without("core.filter").get("core.filter") is None
