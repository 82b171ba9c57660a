"""Run units: mlstore and one peer over a workload, row by row in turn (A B, then B A, ...).

Creating files on one and the same machine drifts by several times within an hour. So a figure of one tool is
never compared with one that was taken at another time: each peer runs beside mlstore, and ratios are pairs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks.aside import Aside
from tests.benchmarks.measure import Usage, disk, run, warm
from tests.benchmarks.results import Outcome
from tests.benchmarks.tools.base import Place
from tests.benchmarks.workloads import read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from tests.benchmarks.results import State, Unit
    from tests.benchmarks.rows import Row
    from tests.benchmarks.tools.base import Tool
    from tests.benchmarks.workloads import Workload

CHECKED = {"record", "status", "switch", "restore", "verify"}


@dataclass(frozen=True, slots=True)
class Step:
    """What the commands of one verb did, all of them together."""

    usage: Usage
    state: State
    note: str
    output: str


@dataclass(slots=True)
class Contender:
    """A tool with its place on disk; `broken` says why nothing more is asked of it."""

    tool: Tool
    place: Place
    broken: str = ""
    samples: list[Usage] = field(default_factory=list)

    def step(self, verb: str, version: str, timeout: float) -> Step:
        """Run the commands of a verb, up to the first that fails."""
        usage, output = Usage(), ""
        env = self.tool.environment(self.place)
        for command in self.tool.commands(verb, self.place, version):
            ran = run(command, env, timeout)
            usage, output = usage + ran.usage, output + ran.output
            if not ran.ok:
                return Step(usage, "late" if ran.late else "failed", ran.complaint(), output)
        return Step(usage, "ok", "", output)


class Match:
    """One unit being measured."""

    def __init__(self, workload: Workload, tools: Sequence[Tool], scratch: Path, timeout: float) -> None:
        self.workload = workload
        self.aside = Aside(scratch.with_name(f"{scratch.name}-removed"))
        self.scratch = scratch
        self.timeout = timeout
        self.contenders = [Contender(tool, Place(scratch / tool.place_name)) for tool in tools]

    def set_up(self) -> None:
        """Give each tool its own copy of the tree, and an empty store."""
        self.aside.take(self.scratch)
        for one in self.contenders:
            if one.place.root.exists():
                continue  # limits share a place
            one.place.make()
            subprocess.run(["cp", "-r", str(self.workload.folder / "v1"), str(one.place.data)], check=True)
            for verb in ("version", "init"):  # the first also compiles and caches what the tool is made of
                step = one.step(verb, "", self.timeout)
                if step.state != "ok":
                    one.broken = f"could not start: {step.note}"

    def play(
        self, rows: Sequence[Row], wanted: Collection[str], unit: Unit, say: Callable[[str], None]
    ) -> None:
        """Run the rows, and put what was measured into the unit."""
        if not wanted:
            return
        last = max(number for number, row in enumerate(rows) if row.key in wanted)
        for number, row in enumerate(rows[: last + 1]):
            outcomes = self.play_row(row, flip=(number + unit.run) % 2 == 1)
            if row.key in wanted:
                unit.rows[row.name] = outcomes
                say(f"{row.name}: " + "  ".join(f"{n} {brief(o)}" for n, o in outcomes.items() if brief(o)))

    def play_row(self, row: Row, *, flip: bool) -> dict[str, Outcome]:
        """Run one row for every contender, in turn as often as it is repeated."""
        outcomes: dict[str, Outcome] = {}
        for one in self.contenders:
            one.samples = []
        for turn in range(row.repeat):
            order = self.contenders[::-1] if flip ^ (turn % 2 == 1) else self.contenders
            for one in order:
                if turn == 0 or outcomes[one.tool.name].state == "ok":
                    outcomes[one.tool.name] = self.turn(one, row, first=turn == 0)
        return {one.tool.name: outcomes[one.tool.name] for one in self.contenders}

    def turn(self, one: Contender, row: Row, *, first: bool) -> Outcome:
        """Let one tool do one row, and check what it did."""
        if one.broken:
            return Outcome("none", note=one.broken)
        if not one.tool.commands(row.verb, one.place, row.version):
            if "apply" in row.before:
                self.workload.apply(row.version, one.place.data)
            return Outcome("none", note="cannot do this")
        self.prepare(one, row, first=first)
        os.sync()
        warm((one.place.data, *one.tool.store(one.place)))
        step = one.step(row.verb, row.version, self.timeout)
        if step.state != "ok":
            if row.verb == "record":
                one.broken = f"'{row.title}': {step.note}"
            return Outcome(step.state, tuple(one.samples), note=step.note)
        one.samples.append(step.usage)
        if first and row.verb in CHECKED and (wrong := self.check(one, row, step.output)):
            return Outcome("wrong", tuple(one.samples), note=wrong)
        store = None
        if row.verb == "record":
            os.sync()
            store = disk(one.tool.store(one.place))
            one.step("mark", row.version, self.timeout)
        return Outcome("ok", tuple(one.samples), store)

    def prepare(self, one: Contender, row: Row, *, first: bool) -> None:
        """Do what comes before a row, which is not timed."""
        for before in row.before:
            if before == "settle" and first:
                one.step("settle", row.version, self.timeout)
            elif before == "touch":
                touch(one.place.data)
            elif before == "apply":
                self.workload.apply(row.version, one.place.data)
            elif before == "empty":
                self.aside.take(one.tool.target(one.place))

    def check(self, one: Contender, row: Row, output: str) -> str:
        """Compare the tree with what it has to be, byte for byte. Give what is wrong."""
        tree = one.tool.target(one.place) if row.verb == "restore" else one.place.data
        found, expected = read_tree(tree), self.workload.versions[row.version]
        if found != expected:
            differs = sorted(p for p in found.keys() | expected.keys() if found.get(p) != expected.get(p))
            return f"{len(differs)} files are not what they should be: {differs[0]}, ..."
        if row.verb == "status" and one.tool.clean not in output:
            return "says that something changed"
        return ""

    def clean_up(self) -> None:
        """Leave nothing of this unit where it was; what was moved aside goes at the end of all."""
        self.aside.take(self.scratch)


def touch(data: Path) -> None:
    """Give every file a new time, as a build or a copy does; the bytes stay."""
    now = time.time_ns()
    for parent, _, names in os.walk(data):
        for name in names:
            os.utime(os.path.join(parent, name), ns=(now, now))


def brief(outcome: Outcome) -> str:
    """Show an outcome in a word."""
    if outcome.state == "ok":
        return f"{sorted(u.wall for u in outcome.samples)[len(outcome.samples) // 2]:.3f}"
    return "" if outcome.state == "none" else f"{outcome.state.upper()} ({outcome.note})"


def say(text: str) -> None:
    """Tell how far we are, on stderr."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
