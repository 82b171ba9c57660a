"""Drawings of the page, as SVG without a script: the pipeline's graph, and bars golden over current."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mlstore.report.dossier import Edge
from mlstore.report.graph import Layout, Spot, lay_out
from mlstore.report.markup import ICONS, text
from mlstore.report.outcome import Outcome
from mlstore.verify.findings import StageVerdict

_WIDTH, _HEIGHT = 196, 66
_ALONG, _ACROSS = 64, 26
_EDGE = 8
_LONGEST = 17
_LONGEST_LABEL = 22
_SCALED = 1700  # wider ones would become too small to read: they scroll
_CHART = (320, 120)
_FOOT = 16


def draw_graph(outcome: Outcome, edges: Sequence[Edge], *, down: bool) -> str:
    """Draw the pipeline, from left to right or *down* the page; each stage links to ``#stage-NUMBER``."""
    stages = outcome.stages
    names = [row.stage for row in stages]
    known = set(names)
    edges = [edge for edge in edges if edge.source in known and edge.target in known]
    layout = lay_out(names, [(edge.source, edge.target) for edge in edges])
    width, height = _size(layout, down)
    way = "down" if down else "across"
    kind = f"graph {'tall' if down else 'wide'}" + (" fit" if width <= _SCALED else "")
    parts = [
        (
            f'<svg class="{kind}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'role="group" aria-label="The pipeline as a graph">'
            f'<defs><marker id="tip-{way}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" '
            'markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
            '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
        )
    ]
    for edge, route in zip(edges, layout.routes, strict=True):
        parts.append(
            f'<path class="edge {edge.where}" marker-end="url(#tip-{way})" d="{_curve(route, down)}">'
            f"<title>{text(edge.target)} reads what {text(edge.source)} writes"
            f"{'' if edge.where == 'both' else f' (only in the {edge.where} pipeline)'}</title></path>"
        )
    for number, row in enumerate(stages):
        parts.append(
            _node(number, row, outcome.tone(row), outcome.label(row), *_corner(layout.spots[row.stage], down))
        )
    return "".join([*parts, "</svg>"])


def _size(layout: Layout, down: bool) -> tuple[int, int]:
    layers, slots = max(1, layout.layers), max(1, layout.slots)
    if down:
        return (
            slots * (_WIDTH + _ACROSS) - _ACROSS + 2 * _EDGE,
            layers * (_HEIGHT + _ALONG // 2) - _ALONG // 2 + 2 * _EDGE,
        )
    return (
        layers * (_WIDTH + _ALONG) - _ALONG + 2 * _EDGE,
        slots * (_HEIGHT + _ACROSS) - _ACROSS + 2 * _EDGE,
    )


def _corner(spot: Spot, down: bool) -> tuple[float, float]:
    if down:
        return _EDGE + spot.slot * (_WIDTH + _ACROSS), _EDGE + spot.layer * (_HEIGHT + _ALONG // 2)
    return _EDGE + spot.layer * (_WIDTH + _ALONG), _EDGE + spot.slot * (_HEIGHT + _ACROSS)


def _curve(route: tuple[Spot, ...], down: bool) -> str:
    """Run from the end of the first place to the start of the last, straight through those between."""
    corners = [_corner(spot, down) for spot in route]
    points: list[tuple[float, float]] = []
    for number, (x, y) in enumerate(corners):
        ends = [(x + _WIDTH / 2, y), (x + _WIDTH / 2, y + _HEIGHT)] if down else [
            (x, y + _HEIGHT / 2), (x + _WIDTH, y + _HEIGHT / 2)]  # fmt: skip
        points += ends[1:] if number == 0 else ends[:1] if number == len(corners) - 1 else ends
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x, y), (u, v) in pairwise(points):
        bend = (
            f"{x:g} {(y + v) / 2:g} {u:g} {(y + v) / 2:g}"
            if down
            else f"{(x + u) / 2:g} {y:g} {(x + u) / 2:g} {v:g}"
        )
        path += f"C{bend} {u:g} {v:g}"
    return path


def _node(number: int, row: StageVerdict, tone: str, label: str, x: float, y: float) -> str:
    gone = " gone" if row.verdict == "missing" else ""
    verdict = label if len(label) <= _LONGEST_LABEL else row.verdict
    short = row.stage if len(row.stage) <= _LONGEST else row.stage[: _LONGEST - 1] + "…"
    return (
        f'<a href="#stage-{number}" class="{tone}{gone}">'
        f"<title>{text(row.stage)}: {text(label)}</title>"
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="10"/>'
        f'<svg class="icon" x="{x + 12:g}" y="{y + 22:g}" width="22" height="22" viewBox="0 0 24 24">'
        f"{ICONS[tone]}</svg>"
        f'<text class="name" x="{x + 44:g}" y="{y + 29:g}">{text(short)}</text>'
        f'<text class="sub" x="{x + 44:g}" y="{y + 48:g}">{text(verdict)}</text></a>'
    )


def draw_bars(bars: dict[str, Any]) -> str:
    """Draw a histogram of ``mlstore.compare``: golden as wide bars, current as narrow ones upon them."""
    categories = "names" in bars
    shares = [_shares(bars[side], bars["others"][at] if categories else sum(bars["outside"][at]))
              for at, side in enumerate(("old", "new"))]  # fmt: skip
    top = max([*shares[0], *shares[1]], default=0) or 1
    width, height = _CHART
    base = height - _FOOT
    step = width / max(1, len(shares[0]))
    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{_describe(bars)}">']
    for at, (old, new) in enumerate(zip(*shares, strict=True)):
        parts.append(_bar("g-old", at * step + step * 0.04, step * 0.92, old / top * (base - 6), base))
        parts.append(_bar("g-new", at * step + step * 0.26, step * 0.48, new / top * (base - 6), base))
    parts.append(f'<line class="axis" x1="0" x2="{width}" y1="{base}" y2="{base}"/>')
    parts += _ticks(bars, step, height - 4)
    return "".join([*parts, "</svg>"])


def _shares(counts: list[int], rest: int) -> list[float]:
    total = sum(counts) + rest
    return [number / total if total else 0.0 for number in counts]


def _bar(name: str, x: float, width: float, height: float, base: float) -> str:
    if height <= 0:
        return ""
    height = max(height, 1.5)
    size = f'width="{width:.2f}" height="{height:.2f}"'
    return f'<rect class="{name}" x="{x:.2f}" y="{base - height:.2f}" {size}/>'


def _ticks(bars: dict[str, Any], step: float, y: float) -> list[str]:
    width = _CHART[0]
    if "names" in bars:
        most = max(3, int(step / 6))
        return [
            f'<text class="tick" text-anchor="middle" x="{(at + 0.5) * step:.1f}" y="{y:g}">'
            f"{text(name if len(name) <= most else name[: most - 1] + '…')}</text>"
            for at, name in enumerate(bars["names"])
        ]
    edges = bars["edges"]
    places = (
        ("start", 0, edges[0]),
        ("middle", width / 2, (edges[0] + edges[-1]) / 2),
        ("end", width, edges[-1]),
    )
    return [
        f'<text class="tick" text-anchor="{anchor}" x="{x:g}" y="{y:g}">{value:.4g}</text>'
        for anchor, x, value in places
    ]


def _describe(bars: dict[str, Any]) -> str:
    """Say a chart in words, for those who do not see it."""
    if "names" in bars:
        totals = [sum(bars[side]) + bars["others"][at] or 1 for at, side in enumerate(("old", "new"))]
        told = [
            f"{name}: {old / totals[0]:.0%} golden, {new / totals[1]:.0%} current"
            for name, old, new in zip(bars["names"], bars["old"], bars["new"], strict=True)
        ]
        return text("Shares of categories. " + "; ".join(told))
    peaks = [bars[side].index(max(bars[side])) for side in ("old", "new")]
    edges = bars["edges"]
    at = [f"{edges[peak]:.4g} to {edges[peak + 1]:.4g}" for peak in peaks]
    return text(
        f"Histogram from {edges[0]:.4g} to {edges[-1]:.4g}; most golden values {at[0]}, current {at[1]}."
    )
