"""Keep what was measured: one JSON file per unit, so that a long run can stop and go on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.benchmarks.measure import Disk, Usage

State = Literal["ok", "wrong", "failed", "late", "none"]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one tool did in one row: its samples, and the size of its store afterwards.

    `wrong` is the worst: it ended well, and the bytes (or what it said about them) were not right.
    """

    state: State
    samples: tuple[Usage, ...] = ()
    store: Disk | None = None
    note: str = ""


@dataclass(slots=True)
class Unit:
    """One run of mlstore and a peer (or the limits) over one workload, row by row in turn."""

    workload: str
    peer: str
    run: int
    scale: float
    build: str
    size: int = 0  # bytes in the files of version 1
    load: float = 0.0  # of the machine when the pair began: processes that want to run, over a minute
    versions: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Outcome]] = field(default_factory=dict)  # row name -> tool name -> outcome

    def path(self, folder: Path) -> Path:
        return folder / f"scale-{self.scale:g}" / self.workload / f"{self.peer}-{self.run}.json"


def save(unit: Unit, folder: Path) -> None:
    """Write a unit, whole or not at all."""
    rows = {
        row: {
            tool: {
                "state": outcome.state,
                "note": outcome.note,
                "samples": [usage.to_json() for usage in outcome.samples],
                "store": None if outcome.store is None else [outcome.store.bytes, outcome.store.files],
            }
            for tool, outcome in outcomes.items()
        }
        for row, outcomes in unit.rows.items()
    }
    path = unit.path(folder)
    value = {
        "workload": unit.workload,
        "peer": unit.peer,
        "run": unit.run,
        "scale": unit.scale,
        "build": unit.build,
        "size": unit.size,
        "load": unit.load,
        "versions": unit.versions,
        "rows": rows,
    }
    write_json(path, value)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    os.replace(aside, path)


def load(path: Path) -> Unit:
    """Read a unit back."""
    value = json.loads(path.read_text(encoding="utf-8"))
    rows = {
        row: {
            tool: Outcome(
                o["state"],
                tuple(Usage(**usage) for usage in o["samples"]),
                Disk(*o["store"]) if o["store"] else None,
                o["note"],
            )
            for tool, o in outcomes.items()
        }
        for row, outcomes in value.pop("rows").items()
    }
    return Unit(**value, rows=rows)


def load_all(folder: Path, scale: float) -> list[Unit]:
    """Read every unit of one scale."""
    return [load(path) for path in sorted((folder / f"scale-{scale:g}").glob("*/*.json"))]
