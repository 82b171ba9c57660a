"""Run the benchmark: `./dev bench`, or `python -m tests.benchmarks` in an environment that has mlstore."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import growth, machine, results, workloads
from tests.benchmarks.aside import Aside
from tests.benchmarks.damage import examine
from tests.benchmarks.install import freeze_mlstore, install, install_debian
from tests.benchmarks.rows import PLANS, Plan, growth_plan
from tests.benchmarks.runner import Match, say
from tests.benchmarks.tools import ALL, PEERS, Mlstore, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES = (*(peer.name for peer in PEERS), "limits")
PARTS = ("install", "rows", "damage", "growth", "report")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description="Measure mlstore beside its peers and the limits of the machine, and write "
        "docs/benchmarks.md. What is measured already, for this state of the code, is not measured again: "
        "a run can be stopped and goes on where it was.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--rows", "--only", help="only these: W1, W2.restore, ... (default: every row)")
    parser.add_argument("--tools", help="only these peers: git, restic, limits, ... (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each pair (default: 3)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the workloads: 0.01 for a quick look"
    )
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that one command may take")
    parser.add_argument("--budget", type=float, help="begin no new pair after so many seconds")
    parser.add_argument("--growth-files", type=int, default=1_000_000, help="most files of the growth part")
    parser.add_argument("--growth-gib", type=int, default=8, help="largest file of the growth part")
    parser.add_argument("--note", help="say this beside the machine: what else it was doing, for one")
    parser.add_argument("--fresh", action="store_true", help="measure again what is measured already")
    parser.add_argument("--keep", action="store_true", help="keep results of other states of the code too")
    parser.add_argument(
        "--folder", type=Path, default=results.ROOT / ".bench", help="where everything is kept"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"'{unknown.pop()}' is not a part; one of: {', '.join(PARTS)}")
    if options.tools and (unknown := set(options.tools.split(",")) - set(NAMES)):
        parser.error(f"'{unknown.pop()}' is not a tool; one of: {', '.join(NAMES)}")
    return options


@dataclass(slots=True)
class Session:
    """What one call of the benchmark has to do, and with what."""

    options: argparse.Namespace
    build: str
    started: float

    @property
    def folder(self) -> Path:
        return Path(self.options.folder)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def wants(self, part: str) -> bool:
        return not self.options.parts or part in self.options.parts

    def names(self) -> set[str]:
        """Give the peers that are asked for."""
        return set(self.options.tools.split(",")) if self.options.tools else set(NAMES)

    def peers(self) -> list[Tool]:
        return [peer(self.folder / "envs") for peer in PEERS if peer.name in self.names()]

    def out_of_time(self) -> bool:
        budget = self.options.budget
        return budget is not None and time.monotonic() - self.started > budget


def selection(text: str | None) -> dict[str, set[str]]:
    """Read `W1,W2.restore` as the wanted rows of each workload."""
    wanted: dict[str, set[str]] = {}
    for item in text.split(",") if text else PLANS:
        name, _, row = item.partition(".")
        if name not in PLANS:
            raise SystemExit(f"error: '{name}' is not a workload\nhint: one of: {', '.join(PLANS)}")
        keys = {r.key for r in PLANS[name].rows}
        if row and row not in keys:
            raise SystemExit(
                f"error: '{row}' is not a row of {name}\nhint: one of: {', '.join(sorted(keys))}"
            )
        wanted.setdefault(name, set()).update({row} if row else keys)
    return wanted


def opponents(plan: Plan, session: Session, peers: Sequence[Tool]) -> Iterator[tuple[str, list[Tool]]]:
    """Give who runs beside mlstore: the limits of the machine together, and each peer alone."""
    if "limits" in session.names():
        yield "limits", [tool(session.folder) for tool in ALL if tool.limit and tool.name in plan.limits]
    for peer in peers:
        yield peer.name, [peer]


def measure_plan(plan: Plan, wanted: set[str], session: Session, peers: Sequence[Tool], runs: int) -> None:
    """Measure every pair of one workload that is not measured yet."""
    options = session.options
    for number in range(1, runs + 1):
        for name, tools in opponents(plan, session, peers):
            unit = results.Unit(plan.workload, name, number, options.scale, session.build)
            path = unit.path(session.results)
            if path.exists():
                old = results.load(path)
                if options.keep or old.build == session.build:
                    unit = old
            needed = {row.key for row in plan.rows if row.key in wanted and row.name not in unit.rows}
            needed = wanted if options.fresh else needed
            if not needed:
                continue
            if session.out_of_time():
                say("out of time; what is measured is kept")
                return
            measure_unit(plan, needed, session, unit, tools)


def measure_unit(
    plan: Plan, needed: set[str], session: Session, unit: results.Unit, tools: list[Tool]
) -> None:
    """Measure one pair and save it."""
    options = session.options
    workload = workloads.make(plan.workload, session.folder / "workloads", options.scale)
    say(f"{plan.workload}, run {unit.run}: mlstore and {unit.peer}")
    contenders = [Mlstore(session.folder / "envs"), *tools]
    match = Match(workload, contenders, session.folder / "scratch", options.timeout)
    match.aside.settle(say)
    try:
        match.set_up()
        unit.size, unit.load = workload.size, os.getloadavg()[0]
        unit.versions |= machine.versions(contenders, match)
        match.play(plan.rows, needed, unit, say)
        results.save(unit, session.results)
    finally:
        match.clean_up()


def measure_damage(session: Session, peers: Sequence[Tool]) -> None:
    """Fill the table about flipped bytes."""
    workload = workloads.make("damage", session.folder / "workloads")
    found: dict[str, object] = {}
    path = session.results / "damage.json"
    for tool in [Mlstore(session.folder / "envs"), *peers]:
        damage = examine(tool, workload, session.folder / "scratch")
        if damage is not None:
            found[tool.name] = damage.to_json()
            say(f"one byte flipped: {tool.name}: {damage}")
    old = json.loads(path.read_text()) if path.exists() else {}
    results.write_json(path, old | found)


def measure_growth(session: Session, peers: Sequence[Tool]) -> None:
    """Measure each size once, beside the limits (and git, for many files)."""
    options = session.options
    for name in growth.workloads(options.growth_files, options.growth_gib):
        beside = [peer for peer in peers if peer.name == "git" and name.startswith("files-")]
        plan = growth_plan(name)
        measure_plan(plan, {row.key for row in plan.rows}, session, beside, 1)


def measure(session: Session, wanted: dict[str, set[str]]) -> None:
    """Do all that is asked for but the report. With `--rows` alone only rows are."""
    options = session.options
    peers = session.peers()
    if session.wants("install"):
        peers = install(peers, session.folder / "envs")
        if not machine.has("strace"):
            install_debian(["strace"])
    peers = [peer for peer in peers if peer.executable() is not None]
    results.write_json(session.results / "machine.json", machine.describe(session.folder))
    if session.wants("rows"):
        for name, keys in wanted.items():
            measure_plan(PLANS[name], keys, session, peers, options.runs)
    everything = bool(options.parts) or not options.rows
    if session.wants("damage") and everything:
        measure_damage(session, peers)
    if session.wants("growth") and everything:
        measure_growth(session, peers)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Refuse to measure beside another measurement: they would share their folders, and the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"error: another benchmark is running in '{folder}'") from None
        yield


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for."""
    options = parse(arguments)
    wanted = selection(options.rows)
    if options.parts != ["report"]:
        with alone(options.folder):
            build = freeze_mlstore(results.ROOT, options.folder / "envs")
            try:
                measure(Session(options, build, time.monotonic()), wanted)
            finally:
                Aside(options.folder / "scratch-removed").empty()
    if not options.parts or "report" in options.parts:
        from tests.benchmarks.report import write_report

        docs = results.ROOT / "docs" if options.scale == 1 else options.folder
        if options.note:
            machine.add_note(options.folder / "results" / "machine.json", options.note)
        write_report(options.folder / "results", options.scale, docs)
        say(f"wrote '{docs / 'benchmarks.md'}'")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
