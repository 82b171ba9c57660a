"""The stage graph: edges, order, and the declarations that cannot run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.pipeline.conftest import stage

from mlstore.errors import ConfigError, UsageError
from mlstore.manifest import parse_manifest
from mlstore.pipeline import StageGraph


def graph(*stages: str) -> StageGraph:
    return StageGraph.build(parse_manifest("\n".join(stages)))


def order(built: StageGraph) -> list[str]:
    return [one.name for one in built.order]


def test_a_stage_stands_after_those_whose_outputs_it_reads() -> None:
    built = graph(
        stage("train", "x", ["clean.csv"], ["model"]),
        stage("clean", "x", ["raw.csv"], ["clean.csv"]),
        stage("fetch", "x", ["url.txt"], ["raw.csv"]),
    )
    assert order(built) == ["fetch", "clean", "train"]
    assert built.upstream == {"train": ("clean",), "clean": ("fetch",), "fetch": ()}


def test_independent_stages_keep_the_order_of_the_file() -> None:
    built = graph(*(stage(name, "x", ["in"], [name]) for name in ("zeta", "alpha", "mid")))
    assert order(built) == ["zeta", "alpha", "mid"]


@pytest.mark.parametrize(
    ("reads", "writes"),
    [
        ("data/raw.csv", "data/raw.csv"),
        ("data/raw.csv", "data"),
        ("data", "data/raw.csv"),
        ("data/*.csv", "data/raw.csv"),
        ("data/raw.csv", "data/*"),
        ("data/**/*.csv", "data/deep/*"),
        ("params.json#train.rate", "params.json"),
    ],
)
def test_an_edge_is_drawn_where_an_input_can_be_an_output(reads: str, writes: str) -> None:
    built = graph(stage("a", "x", ["in"], [writes]), stage("b", "x", [reads], ["out"]))
    assert built.upstream["b"] == ("a",)


def test_no_edge_is_drawn_where_names_only_begin_alike() -> None:
    built = graph(stage("a", "x", ["in"], ["data/raw.csv"]), stage("b", "x", ["data/raw.csv.bak"], ["out"]))
    assert built.upstream["b"] == ()


def test_a_stage_without_inputs_follows_the_one_before_it_in_the_file() -> None:
    built = graph(*(stage(name, "x", [], [name]) for name in ("one", "two", "three")))
    assert built.upstream == {"one": (), "two": ("one",), "three": ("two",)}
    assert built.follows == {"one": None, "two": "one", "three": "two"}


def test_a_stage_with_inputs_follows_nobody() -> None:
    built = graph(stage("one", "x", [], ["a"]), stage("two", "x", ["b"], ["c"]))
    assert built.follows["two"] is None
    assert built.upstream["two"] == ()


def refusal(*stages: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        graph(*stages)
    return caught.value


def test_a_cycle_names_its_stages_in_the_direction_of_the_data() -> None:
    error = refusal(
        stage("free", "x", ["in"], ["free"]),
        stage("a", "x", ["c.out"], ["a.out"]),
        stage("b", "x", ["a.out"], ["b.out"]),
        stage("c", "x", ["b.out"], ["c.out"]),
        stage("below", "x", ["c.out"], ["below"]),
    )
    assert error.message.endswith("stages wait for each other: b -> c -> a -> b")
    assert error.data["file"] == "mlstore.toml"
    assert error.data["line"] == 11
    assert error.data["key"].endswith(".inputs")


def test_a_cycle_by_a_stage_without_inputs_says_so() -> None:
    error = refusal(stage("train", "x", ["raw"], ["model"]), stage("fetch", "x", [], ["raw"]))
    assert error.hint == "'fetch' has no inputs and so follows 'train': give it inputs, or move it up"


def test_two_stages_cannot_write_the_same_file() -> None:
    error = refusal(stage("a", "x", ["in"], ["out"]), stage("b", "x", ["in"], ["out"]))
    assert error.message == "'mlstore.toml:6': stages 'a' and 'b' both write 'out'"
    assert (error.data["line"], error.data["key"]) == (6, "stages.b.outputs")


def test_two_stages_cannot_write_overlapping_patterns() -> None:
    error = refusal(stage("a", "x", ["in"], ["models/*.pkl"]), stage("b", "x", ["in"], ["models/x.*"]))
    assert "'models/x.*', which overlaps 'models/*.pkl'" in error.message


def test_a_stage_cannot_read_what_it_writes() -> None:
    error = refusal(stage("a", "x", ["data"], ["data/out.csv"]))
    assert (
        error.message == "'mlstore.toml:1': stage 'a' reads 'data', which it writes itself ('data/out.csv')"
    )
    assert error.data["key"] == "stages.a.inputs"


def test_selecting_a_stage_takes_all_that_it_depends_on() -> None:
    built = graph(
        stage("a", "x", ["in"], ["a.out"]),
        stage("b", "x", ["a.out"], ["b.out"]),
        stage("c", "x", ["b.out"], ["c.out"]),
        stage("other", "x", ["in"], ["other.out"]),
    )
    assert [one.name for one in built.select(["b"])] == ["a", "b"]
    assert [one.name for one in built.select(["c", "other"])] == ["a", "b", "c", "other"]
    assert [one.name for one in built.select()] == ["a", "b", "c", "other"]


def test_an_unknown_stage_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        graph(stage("train", "x", ["in"], ["out"])).select(["trian"])
    assert caught.value.message == "'mlstore.toml' declares no stage 'trian'"
    assert caught.value.hint == "did you mean 'train'?"


EDGES = st.integers(2, 7).flatmap(
    lambda size: st.tuples(
        st.permutations(range(size)),
        st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda e: e[0] < e[1])),
    )
)


@given(EDGES)
def test_any_acyclic_pipeline_is_ordered_so_that_everything_is_written_before_it_is_read(
    drawn: tuple[list[int], set[tuple[int, int]]],
) -> None:
    placing, edges = drawn
    tables = {
        at: stage(f"s{at}", "x", ["in", *(f"f{a}" for a, b in edges if b == at)], [f"f{at}"])
        for at in placing
    }
    built = graph(*(tables[at] for at in placing))
    names = order(built)
    assert sorted(names) == sorted(f"s{at}" for at in placing)
    for above, below in edges:
        assert names.index(f"s{above}") < names.index(f"s{below}")
