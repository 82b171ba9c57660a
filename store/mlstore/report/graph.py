"""A layered layout of a small graph: who stands in which layer, in which order, and how edges run between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands: ``layer`` along the direction of flow, ``slot`` across it (may be a half)."""

    layer: int
    slot: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of all nodes, and for each edge (by its number) the places that it passes, its ends included."""

    spots: dict[str, Spot]
    routes: tuple[tuple[Spot, ...], ...]
    layers: int
    slots: int


def lay_out(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Lay out a graph whose *names* stand in pipeline order; edges that go against it are drawn all the same.

    An edge over several layers gets a place in each layer between, so that it runs past the nodes there.
    """
    wanted = list(edges)
    layer_of = _layers(names, wanted)
    layers: list[list[object]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name in names:
        layers[layer_of[name]].append(name)
    chains: list[list[object]] = []
    for number, (source, target) in enumerate(wanted):
        start, end = layer_of[source], layer_of[target]
        between = range(start + 1, end) if start < end else range(start - 1, end, -1)
        bends: list[object] = []
        for layer in between:
            layers[layer].append((number, layer))
            bends.append((number, layer))
        chains.append([source, *bends, target])
    _reduce_crossings(layers, chains)
    most = max(map(len, layers), default=0)
    spots: dict[object, Spot] = {}
    for number, row in enumerate(layers):
        for slot, item in enumerate(row):
            spots[item] = Spot(number, slot + (most - len(row)) / 2)
    routes = tuple(tuple(spots[item] for item in chain) for chain in chains)
    return Layout({name: spots[name] for name in names}, routes, len(layers), most)


def _layers(names: Sequence[str], edges: list[tuple[str, str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        before = [found[source] for source, target in edges if target == name and source in found]
        found[name] = max(before, default=-1) + 1
    return found


def _reduce_crossings(layers: list[list[object]], chains: list[list[object]]) -> None:
    """Order each layer by the mean place of its neighbours, forwards and backwards in turn."""
    neighbours: dict[object, list[object]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    for sweep in range(_SWEEPS):
        order = range(1, len(layers)) if sweep % 2 == 0 else range(len(layers) - 2, -1, -1)
        for number in order:
            beside = layers[number - 1] if sweep % 2 == 0 else layers[number + 1]
            place = {item: at / max(1, len(beside) - 1) for at, item in enumerate(beside)}
            row = layers[number]
            old = {item: at / max(1, len(row) - 1) for at, item in enumerate(row)}

            def key(
                item: object, place: dict[object, float] = place, old: dict[object, float] = old
            ) -> float:
                near = [place[other] for other in neighbours.get(item, ()) if other in place]
                return sum(near) / len(near) if near else old[item]

            row.sort(key=key)
