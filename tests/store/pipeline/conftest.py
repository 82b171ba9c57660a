"""A repository with a pipeline whose commands are small shell scripts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.support import ADA, Work, fast_repository

from mlstore.history import Block, read_chain
from mlstore.pipeline import Listener, Request, RunReport, StageOutcome, plan, record_asserted, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlstore.hashing import ObjectId


def stage(name: str, command: str, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> str:
    """One table of mlstore.toml."""
    return f"[stages.{name}]\ncommand = '''{command}'''\ninputs = {list(inputs)}\noutputs = {list(outputs)}\n"


@dataclass
class Project(Work):
    """A repository in which pipelines run; `heard` is what the last run said as it went."""

    environ: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    heard: list[str] = field(default_factory=list)
    printed: dict[str, bytes] = field(default_factory=dict)

    def declare(self, *stages: str) -> None:
        self.write("mlstore.toml", "\n".join(stages))

    def run(self, *stages: str, **more: Any) -> RunReport:
        self.heard, self.printed = [], {}
        listener = Listener(
            started=lambda one, reason: self.heard.append(f"{one.name}: {reason}"),
            output=lambda name, data: self.printed.update({name: self.printed.get(name, b"") + data}),
            warned=lambda text: self.heard.append(f"warning: {text}"),
        )
        request = Request(self.environ, ADA, self.now, stages, listener=listener, **more)
        return run(self.repo, request)

    def results(self, *stages: str, **more: Any) -> dict[str, str]:
        return {one.stage: one.result for one in self.run(*stages, **more).outcomes}

    def ran(self, *stages: str, **more: Any) -> list[str]:
        """Run, and give the stages that did; nothing may fail."""
        report = self.run(*stages, **more)
        assert report.error is None, report.error
        return [one.stage for one in report.outcomes if one.result == "ran"]

    def outcome(self, name: str, **more: Any) -> StageOutcome:
        return next(one for one in self.run(name, **more).outcomes if one.stage == name)

    def reasons(self, *stages: str, **more: Any) -> dict[str, str | None]:
        """What `plan` says of each stage."""
        return {state.name: state.reason for state in plan(self.repo, stages, **more)}

    def record(self, name: str = "", **more: Any) -> ObjectId:  # type: ignore[override]
        """Commit the index, or assert a stage with `stage=`."""
        if "stage" in more and isinstance(more["stage"], str):
            return record_asserted(self.repo, more.pop("stage"), author=ADA, time=self.now(), **more)
        return super().record(name or "a commit", **more)

    def blocks(self) -> dict[str, Block]:
        return {block.name: block for block in read_chain(self.repo, self.head).blocks}

    def committed(self) -> dict[str, bytes]:
        """The files of HEAD."""
        return self.files_of(self.head)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(fast_repository(tmp_path / "work"))


@pytest.fixture
def line(project: Project) -> Project:
    """raw.txt -> upper.txt -> report.txt, by two stages; `mode` in config.ini counts for the second."""
    project.write("raw.txt", "abc\n")
    project.write("config.ini", "[report]\nmode = plain\n[DEFAULT]\ndate = 2026-01-16\n")
    project.declare(
        stage("upper", "tr a-z A-Z < raw.txt > upper.txt", ["raw.txt"], ["upper.txt"]),
        stage(
            "report", "cat config.ini upper.txt | wc -l > report.txt",
            ["upper.txt", "config.ini#report"], ["report.txt"],
        ),
    )  # fmt: skip
    return project
