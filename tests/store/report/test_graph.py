"""The layout of the pipeline's graph."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlstore.report.graph import Spot, lay_out

NAMES = [f"s{number}" for number in range(9)]
EDGES = st.sets(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda pair: pair[0] != pair[1])
)


def test_a_chain_runs_straight():
    found = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c")])
    assert found.spots == {"a": Spot(0, 0), "b": Spot(1, 0), "c": Spot(2, 0)}
    assert (found.layers, found.slots) == (3, 1)


def test_a_long_edge_runs_past_the_stage_between():
    found = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    start, bend, end = found.routes[2]
    assert (start, end) == (found.spots["a"], found.spots["c"])
    assert bend.layer == 1
    assert bend != found.spots["b"]


def test_edges_that_need_not_cross_do_not():
    found = lay_out(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    assert (found.spots["a"].slot < found.spots["b"].slot) == (found.spots["y"].slot < found.spots["x"].slot)


def test_a_graph_of_nothing_is_empty():
    assert lay_out([], []).layers == 0


@given(EDGES)
def test_whatever_the_edges_no_two_things_share_a_spot_and_order_is_kept(edges):
    found = lay_out(NAMES, sorted(edges))
    spots = list(found.spots.values()) + [spot for route in found.routes for spot in route[1:-1]]
    assert len(set(spots)) == len(spots)
    for (source, target), route in zip(sorted(edges), found.routes, strict=True):
        assert (route[0], route[-1]) == (found.spots[source], found.spots[target])
        if NAMES.index(source) < NAMES.index(target):
            assert found.spots[source].layer < found.spots[target].layer
