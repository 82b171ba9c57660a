"""Write docs/benchmarks.md and its charts from the results, and from nothing else."""

from __future__ import annotations

import json
from collections import Counter
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks import growth, results
from tests.benchmarks.goals import GOALS, Goal
from tests.benchmarks.missed import MISSED
from tests.benchmarks.rows import PLANS, growth_plan
from tests.benchmarks.summary import MLSTORE, Figure, Summary, measured, summaries
from tests.benchmarks.tools import ALL, LIMITS, PEERS, START_LIMITS, Mlstore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.results import Unit
    from tests.benchmarks.tools import Tool

LIMIT_NAMES = [tool.name for tool in (*LIMITS, *START_LIMITS)]
INTRODUCTION = """\
# Benchmarks

This page is written by `./dev bench` and by nothing else: to change a figure, measure it again.

Seconds are medians of wall time. In parentheses stands how many times as long as mlstore a tool took: the
median of the ratios of pairs, for each tool runs in turn with mlstore, row by row, in the same minutes.
Machines drift, so ratios are what to look at, and dividing one column by another gives something else. ext4
looks at every inode freed in the last minutes for each new file beside them, which makes creating files after
a removal slower by ten times and more: so nothing is removed between rows, it is moved aside; and when it
was removed in the end, six minutes pass before anything is measured. Before each timed command everything
is written out (`sync`) and the files are read once: the page cache is warm, as far as the files fit. After
each row every byte of the tree is compared with what it has to be; a tool that left other bytes shows
**WRONG** instead of a time. Every tool has its own defaults, and mlstore its durable writes. Peak memory
has a floor of about 9 MB, which is the process that measures.
"""
AGAIN = """\
## Run it again

```sh
./dev bench                          # everything: some hours
./dev bench install                  # only install the peers
./dev bench rows --rows W1,W2        # some workloads, every peer, three runs
./dev bench rows --rows W1.restore --tools git,limits --runs 5
./dev bench damage growth            # the flipped byte; time and memory against size
./dev bench report                   # this page, from the results that are there
./dev bench rows --scale 0.01        # a quick look, at a hundredth of the size
```

Peers are installed by apt-get (as root on Debian and its kin) and pip, each of the latter in an environment
of its own. One that cannot be installed is left out. Everything is kept in `.bench/`; results are JSON, one
file for each run of a pair, and what is there is not measured again as long as mlstore's code is the same. A
command is stopped at its time limit (`--timeout`, 300 s).
"""


def write_report(folder: Path, scale: float, docs: Path) -> None:
    """Write the page and its charts into `docs`."""
    units = results.load_all(folder, scale)
    found = summaries(PLANS.values(), units)
    sizes = [growth_plan(name) for name in growth.workloads(max(growth.FILES), max(growth.GIB))]
    grown = summaries(sizes, units)
    docs.mkdir(parents=True, exist_ok=True)
    parts = [INTRODUCTION]
    if note := read_facts(folder).get("note"):
        parts.append(f"**Note: {note}.**\n")
    if scale != 1:
        parts.append(f"**These trees have {scale:g} of the real sizes: the figures say nothing.**\n")
    parts.append(goals_section(found))
    parts.append(charts(found, docs))
    parts += [workload_section(summary) for summary in found.values()]
    parts += [damage_section(folder), habits_section(), growth_section(grown, docs)]
    parts += [machine_section(folder, units), missing_section(found, grown), AGAIN]
    text = "\n".join(part for part in parts if part)
    (docs / "benchmarks.md").write_text(text, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Make a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def seconds(value: float) -> str:
    """Show seconds with two or three digits that mean something."""
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 1
        else f"{value:.3f}"
    )


def times(value: float) -> str:
    return f"{value:.0f} x" if value >= 10 else f"{value:.1f} x" if value >= 1 else f"{value:.2f} x"


def megabytes(value: float) -> str:
    return f"{value / 1e6:.0f}" if abs(value) >= 1e8 else f"{value / 1e6:.1f}"


# --- sections -----------------------------------------------------------------------------------------------


def goals_section(found: Mapping[str, Summary]) -> str:
    """Show every goal, what was measured, and whether it is met."""
    rows = []
    for goal in GOALS:
        value, met = goal_answer(goal, found.get(goal.workload))
        rows.append([goal_row(goal), goal.text, value, met])
    done = sum(1 for row in rows if row[3].startswith("yes"))
    text = f"## Goals\n\n{done} of {len(rows)} are met.\n\n" + table(["row", "goal", "measured", "met"], rows)
    missed = {(goal.workload, goal.row) for goal, row in zip(GOALS, rows, strict=True) if row[3] == "**no**"}
    reasons = [f"- **{title}**: {why}" for key, (title, why) in MISSED.items() if key in missed]
    if reasons:
        text += "\n### Where it is missed, why, and what was tried\n\n" + "\n".join(reasons) + "\n"
    return text


def goal_answer(goal: Goal, summary: Summary | None) -> tuple[str, str]:
    """Give what was measured, and whether the goal is met: a row that went wrong meets none."""
    own = summary.figure(goal.row, MLSTORE) if summary and goal.row else None
    if own is not None and own.state != "ok":
        return own.note, "**no**"
    answer = measured(goal, summary) if summary else None
    if answer is None:
        return "", "not measured"
    found = sum(1 for name in goal.over if summary and summary.figure(goal.row, name) is not None)
    partly = f" (against {found} of {len(goal.over)})" if found < len(goal.over) > 1 else ""
    return goal_value(goal, answer[0]), f"yes{partly}" if answer[1] else "**no**"


def goal_row(goal: Goal) -> str:
    titles = {row.key: row.title for row in PLANS[goal.workload].rows}
    return f"{goal.workload} {titles.get(goal.row, '')}".strip()


def goal_value(goal: Goal, value: float) -> str:
    """Show a measured value in the unit of its goal."""
    if goal.over:
        return f"{value:.2f} x" if value < 10 else f"{value:.0f} x"
    if goal.metric == "seconds":
        return f"{value * 1000:.0f} ms"
    return f"{value:.0f}" if goal.metric == "files" else f"{megabytes(value)} MB"


def charts(found: Mapping[str, Summary], docs: Path) -> str:
    if find_spec("matplotlib") is None:
        return ""
    from tests.benchmarks.chart import draw_ratios

    if not draw_ratios(found, docs / "benchmarks.svg"):
        return ""
    return "![each tool's time over mlstore's, for every row](benchmarks.svg)\n"


def workload_section(summary: Summary) -> str:
    """Show one workload: seconds, user CPU, peak memory, disk."""
    plan = summary.plan
    tools = [name for name in summary.tools() if name not in LIMIT_NAMES]
    notes: dict[str, None] = {}
    parts = [f"## {plan.workload}: {plan.title}\n"]
    body = row_table(summary, tools, lambda name, figure: time_cell(name, figure, notes), limits=True)
    runs = Counter(unit.peer for unit in summary.units)
    parts.append(f"Runs of each pair: {', '.join(f'{name} {count}' for name, count in runs.items())}.\n")
    parts += ["Seconds (and times as long as mlstore):\n", body, *(f"{note}\n" for note in notes)]
    parts += ["User CPU seconds:\n", row_table(summary, tools, lambda _, f: seconds(f.usage.user))]
    parts += [
        "Peak memory of the largest process, MB:\n",
        row_table(summary, tools, lambda _, f: megabytes(f.usage.peak)),
    ]
    if stores := store_table(summary, tools):
        parts += ["The store:\n", stores]
    return "\n".join(parts)


def row_table(
    summary: Summary, tools: Sequence[str], cell: Callable[[str, Figure], str], *, limits: bool = False
) -> str:
    """Make a table with a line per row and a column per tool."""
    lines = []
    for key, title in {row.key: row.title for row in summary.plan.rows if row.shown}.items():
        figures = [(name, summary.figure(key, name)) for name in tools]
        cells = [
            "" if f is None else "-" if f.state == "none" and not limits else shown(name, f, cell)
            for name, f in figures
        ]
        lines.append([title, *cells, *([machine_cell(summary, key)] if limits else [])])
    return table(["", *tools, *(["the machine"] if limits else [])], lines)


def shown(name: str, figure: Figure, cell: Callable[[str, Figure], str]) -> str:
    return cell(name, figure) if figure.state == "ok" else time_cell(name, figure, {})


def time_cell(name: str, figure: Figure, notes: dict[str, None]) -> str:
    """Show seconds and ratio, or what happened instead, with a note below the table."""
    if figure.state == "none":
        return "-"
    if figure.state != "ok":
        notes[f"{name}: {figure.note}"] = None
        return {"wrong": "**WRONG**", "failed": "failed", "late": "too long"}[figure.state]
    if figure.usage.background > 0.2:
        notes[f"{name} went on in the background for {seconds(figure.usage.background)} s; not counted."] = (
            None
        )
    ratio = f" ({times(figure.ratio)})" if figure.ratio is not None and name != MLSTORE else ""
    return f"{seconds(figure.usage.wall)}{ratio}"


def machine_cell(summary: Summary, key: str) -> str:
    """Show the plain programs of a row."""
    figures = [(name, summary.figure(key, name)) for name in LIMIT_NAMES]
    return ", ".join(f"{name} {time_cell(name, f, {})}" for name, f in figures if f and f.state != "none")


def store_table(summary: Summary, tools: Sequence[str]) -> str:
    """Show bytes and files of each store, and how much version 2 added."""
    lines = []
    for key, title in {
        row.key: row.title for row in summary.plan.rows if row.verb == "record" and row.shown
    }.items():
        figures = [summary.figure(key, name) for name in tools]
        stores = [f"{megabytes(f.store.bytes)} / {f.store.files:,}" if f and f.store else "" for f in figures]
        lines.append([f"after '{title}': MB / files", *stores])
    growths = [summary.growth(name) for name in tools]
    if any(value is not None for value in growths):
        lines.append(["growth by version 2: MB", *("" if g is None else megabytes(g) for g in growths)])
    if not lines:
        return ""
    return table(["", *tools], lines) + f"\nThe files of version 1 hold {megabytes(summary.size)} MB.\n"


def damage_section(folder: Path) -> str:
    """Show what each tool says about a flipped byte."""
    path = folder / "damage.json"
    if not path.exists():
        return ""
    value = json.loads(path.read_text(encoding="utf-8"))
    names = [tool.name for tool in ALL if tool.name in value]
    lines = [
        [name, *(str(value[name][key]) for key in ("status", "restoring", "verification"))] for name in names
    ]
    syncs = ", ".join(f"{n} {value[n]['syncs']}" for n in names if value[n]["syncs"] is not None)
    return (
        "## One byte flipped in a stored object: who notices?\n\nOne bit in the middle of the "
        "largest file of the store changes; its name, size, mode and time do not.\n\n"
        + table(["", "status of the worktree", "restoring it", "its own verification"], lines)
        + f"\nSync calls (fsync and its kin, by strace) in one add and commit of 11 files: {syncs}.\n"
    )


def habits_section() -> str:
    """Say what stands for each verb, and what is checked by default."""
    tools: list[type[Tool]] = [Mlstore, *PEERS]
    lines = [[tool.name, tool.verification, tool.how] for tool in tools]
    return "## What each tool does by default\n\n" + table(["", "when it restores", "commands"], lines)


def growth_section(grown: Mapping[str, Summary], docs: Path) -> str:
    """Show time and memory against size."""
    if not grown or find_spec("matplotlib") is None:
        return ""
    from tests.benchmarks.chart import draw_growth

    if not draw_growth(grown, docs / "benchmarks-growth.svg"):
        return ""
    lines = []
    for name, summary in grown.items():
        keys = list(dict.fromkeys(row.key for row in summary.plan.rows))
        figures = [summary.figure(key, MLSTORE) for key in keys]
        kind = "{:,} files of 1 KB" if name.startswith("files-") else "one file of {} GiB"
        cells = [
            f"{seconds(f.usage.wall)} / {megabytes(f.usage.peak)}" if f and f.state == "ok" else ""
            for f in figures
        ]
        lines.append([kind.format(growth.size_of(name)), *cells])
    titles = list(dict.fromkeys(row.title for row in next(iter(grown.values())).plan.rows))
    return (
        "## Time and memory against size\n\n![time and memory against size](benchmarks-growth.svg)\n\n"
        "Dotted: a straight line through the largest point. Seconds / peak MB:\n\n"
        + table(["", *titles], lines)
    )


def read_facts(folder: Path) -> dict[str, str]:
    """Read what was noted about the machine."""
    path = folder / "machine.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def machine_section(folder: Path, units: Sequence[Unit]) -> str:
    """Say what the figures depend on."""
    facts = read_facts(folder)
    versions: dict[str, str] = {}
    for unit in units:
        versions |= unit.versions
    tools = ", ".join(f"{tool.name} {versions[tool.name]}" for tool in ALL if tool.name in versions)
    lines = [f"- {key}: {value}" for key, value in facts.items() if key != "note"]
    if loads := [unit.load for unit in units if unit.load]:
        middle, most = f"{median(loads):.1f}", f"{max(loads):.1f}"
        lines.append(
            f"- load when pairs began: median {middle}, most {most}; the benchmark alone makes about 1"
        )
    return "\n".join(
        [
            "## The machine\n",
            *lines,
            f"- tools: {tools}",
            f"- state of mlstore's code: {_states(units)}\n",
        ]
    )


def _states(units: Sequence[Unit]) -> str:
    """Name the state of mlstore's code, or for each of several what was measured on it."""
    found: dict[str, dict[str, None]] = {}
    for unit in units:
        found.setdefault(unit.build, {})[unit.workload] = None
    if len(found) == 1:
        return next(iter(found))
    parts = [f"{build} ({', '.join(workloads)})" for build, workloads in sorted(found.items())]
    return f"**{len(found)} states**: {'; '.join(parts)}"


def missing_section(found: Mapping[str, Summary], grown: Mapping[str, Summary]) -> str:
    """Say what was not measured."""
    lines = []
    for name, plan in PLANS.items():
        if name not in found:
            lines.append(f"- {name}: {plan.title}")
            continue
        peers = {unit.peer for unit in found[name].units}
        absent = [peer for peer in ("limits", *(p.name for p in PEERS)) if peer not in peers]
        if absent:
            lines.append(f"- {name}: {', '.join(absent)}")
    sizes = [name for name in growth.workloads(max(growth.FILES), max(growth.GIB)) if name not in grown]
    if sizes:
        lines.append(f"- time and memory against size: {', '.join(sizes)}")
    return "## Not measured yet\n\n" + "\n".join(lines) + "\n" if lines else ""
