"""Watching the Python processes of a stage, by an audit hook in each of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from mlstore.durable import storage_errors
from mlstore.pipeline.observation.events import Events

_KINDS = {"R": "reads", "W": "writes", "D": "removed", "X": "programs"}


class AuditWatch:
    """Lets every interpreter that a command starts load our hook; *folder* is empty and lies elsewhere."""

    def __init__(self, root: Path, folder: Path, environ: Mapping[str, str]) -> None:
        self._seen = folder / "seen"
        with storage_errors(folder):
            self._seen.mkdir()
            code = files("mlstore.pipeline.observation").joinpath("hook.py").read_bytes()
            (folder / "sitecustomize.py").write_bytes(code)
            (folder / "root").write_bytes(os.fsencode(os.path.realpath(root)))
        path = environ.get("PYTHONPATH")
        self.variables = {"PYTHONPATH": os.pathsep.join([str(folder), path] if path else [str(folder)])}

    def command(self, command: Sequence[str]) -> tuple[str, ...]:
        """Give what is to be started in place of *command*: just that."""
        return tuple(command)

    def collect(self) -> Events:
        """Read what was written down; a record that its process did not finish is left out."""
        events = Events()
        with storage_errors(self._seen):
            logs = [path.read_bytes() for path in sorted(self._seen.iterdir())]
        for log in logs:
            for record in log.split(b"\0")[:-1]:
                kind, _, name = os.fsdecode(record).partition(" ")
                if kind == "S":
                    events.processes += 1
                elif kind in _KINDS:
                    getattr(events, _KINDS[kind]).add(name)
        return events
