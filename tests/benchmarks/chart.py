"""The charts of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from tests.benchmarks.growth import size_of
from tests.benchmarks.summary import MLSTORE
from tests.benchmarks.tools import PEERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.benchmarks.summary import Summary

plt.switch_backend("svg")
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "mlstore",  # the same figures give the same file
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLOURS = dict(zip((peer.name for peer in PEERS), plt.colormaps["tab10"].colors, strict=False))  # type: ignore[attr-defined]
MARKERS = dict(zip((peer.name for peer in PEERS), "osD^v<>P", strict=False))


def save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")
    plt.close(figure)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")


def draw_ratios(found: Mapping[str, Summary], path: Path) -> bool:
    """Draw each peer's time over mlstore's, row by row, on a logarithmic axis."""
    panels = [summary for name, summary in found.items() if name != "start"]
    if not panels:
        return False
    with plt.rc_context(STYLE):
        heights = [len(shown_rows(summary)) + 1 for summary in panels]
        figure, axes = plt.subplots(
            len(panels),
            1,
            figsize=(8, 0.33 * sum(heights) + 1.2),
            height_ratios=heights,
            squeeze=False,
            sharex=True,
            layout="constrained",
        )
        for summary, (axis,) in zip(panels, axes, strict=True):
            draw_panel(summary, axis)
        axes[-1][0].set_xlabel("times as long as mlstore (right of the line: slower than mlstore)")
        handles = {h.get_label(): h for (axis,) in axes for h in axis.get_legend_handles_labels()[0]}
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5, frameon=False)
        save(figure, path)
    return True


def shown_rows(summary: Summary) -> list[tuple[str, str]]:
    """Give key and title of the rows that a chart shows."""
    return list({row.key: row.title for row in summary.plan.rows if row.shown}.items())


def draw_panel(summary: Summary, axis: Any) -> None:
    rows = shown_rows(summary)
    for peer in PEERS:
        points = [
            (figure.ratio, number)
            for number, (key, _) in enumerate(rows)
            if (figure := summary.figure(key, peer.name)) is not None and figure.ratio is not None
        ]
        if points:
            axis.plot(
                *zip(*points, strict=True), MARKERS[peer.name], color=COLOURS[peer.name], label=peer.name
            )
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_yticks(range(len(rows)), [title for _, title in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="x", color="0.9")
    axis.set_title(summary.plan.workload, loc="left", fontweight="bold")


def draw_growth(found: Mapping[str, Summary], path: Path) -> bool:
    """Draw time and memory of mlstore against size, with a dotted straight line through the largest point."""
    kinds = [kind for kind in ("files", "gib") if any(name.startswith(f"{kind}-") for name in found)]
    if not kinds:
        return False
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(kinds), 2, figsize=(8, 3 * len(kinds)), squeeze=False, layout="constrained"
        )
        for (time, memory), kind in zip(axes, kinds, strict=True):
            mine = {name: summary for name, summary in found.items() if name.startswith(f"{kind}-")}
            draw_lines(mine, time, "seconds", straight=True)
            draw_lines(mine, memory, "peak memory, MB", straight=False)
            for axis in (time, memory):
                axis.set_xlabel("files of 1 KB" if kind == "files" else "GiB in one file")
        axes[0][0].legend(frameon=False, fontsize=8)
        save(figure, path)
    return True


def draw_lines(found: Mapping[str, Summary], axis: Any, label: str, *, straight: bool) -> None:
    by_size = sorted(found.values(), key=lambda summary: size_of(summary.plan.workload))
    for key, title in shown_rows(by_size[0]):
        points = [
            (size_of(summary.plan.workload), figure.usage.wall if straight else figure.usage.peak / 1e6)
            for summary in by_size
            if (figure := summary.figure(key, MLSTORE)) is not None and figure.state == "ok"
        ]
        if not points:
            continue
        (line,) = axis.plot(*zip(*points, strict=True), "o-", label=title, markersize=4)
        if straight:
            size, value = points[-1]
            sizes = [s for s, _ in points]
            axis.plot(sizes, [value * s / size for s in sizes], ":", color=line.get_color(), linewidth=1)
    axis.set_xscale("log", base=10 if size_of(by_size[0].plan.workload) > 10 else 2)
    if straight:
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.set_ylabel(label)
    axis.grid(color="0.9")
