"""One stage is run and watched: what it read, what it wrote, and whether it kept to its declaration."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from mlstore.errors import NotFoundError, StageFailed
from mlstore.hashing import ObjectId
from mlstore.manifest import MANIFEST_NAME, StageSpec
from mlstore.model import TreeEntry
from mlstore.objects import ObjectWriter
from mlstore.pipeline.command import Commands, Completed, Output, signal_name
from mlstore.pipeline.environment import EnvironmentProbe
from mlstore.pipeline.graph import StageGraph
from mlstore.pipeline.inputs import ResolvedInputs, find_outputs, is_bytecode, resolve_inputs
from mlstore.pipeline.observation import Events, Observing, Seen, judge_events, watching
from mlstore.pipeline.observation.events import stat_signature
from mlstore.repository import Repository
from mlstore.worktree import ContentCache, HashedFile, scan
from mlstore.worktree.content import stat_if_settled
from mlstore.worktree.storer import store_file

_TAIL = 4096
_SHOWN = 5
_SETTLE_STEPS = 20
_SETTLE_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Observation:
    """What a stage did. Its files are in the store, and no commit names them yet.

    ``files`` are those it read and wrote, ``hashed`` what is known of them for the stat cache.
    """

    inputs: ResolvedInputs
    outputs: dict[str, ObjectId]
    files: dict[str, TreeEntry]
    hashed: dict[str, HashedFile]
    environment: ObjectId
    duration_ms: int
    warnings: tuple[str, ...]
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Observer:
    """Runs stages of one pipeline; *parallel* says that others may be writing meanwhile.

    With *observing* it is watched which files they open, *environ* being the environment that they get.
    """

    repo: Repository
    graph: StageGraph
    cache: ContentCache
    commands: Commands
    probe: EnvironmentProbe
    parallel: bool = False
    observing: Observing | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    def observe(self, stage: StageSpec, output: Output) -> Observation:
        """Run *stage* and put what it wrote into the store.

        Raises ``StageFailed`` when the command fails, when an input changes while it runs, or when an
        output is missing, is older than the run or is left over from another one, or when it was strictly
        observed and did not keep to its declaration; ``PathNotFound`` when an input is not there. Nothing
        is recorded then, and the files stay as they are.
        """
        self.cache.refresh()
        before = resolve_inputs(self.repo, stage, self.cache)
        environment = self.probe.capture(stage.command)
        old = _settled_outputs(self.repo, stage)
        others = _stats(self.repo)
        done, events = self._run(stage, output)
        warnings = tuple(self._undeclared(stage, others))
        seen = None
        if events is not None and self.observing is not None:
            root, how = str(self.repo.root), self.observing.how
            seen = judge_events(events, stage, how, root=root, inputs=before.files, before=others)
            warnings = (*_besides(warnings, seen), *seen.warnings())
        judge = _Verdict(self.repo, stage, done, warnings, seen)
        if done.status != 0:
            judge.fail_status()
        if self.observing is not None and self.observing.strict:
            judge.require_declared()
        self.cache.refresh()
        inputs = judge.require_same(before, self.cache)
        written = judge.require_written(old)
        with self.repo.objects.transaction() as writer:
            hashed = {path: store_file(self.repo, path, writer) for path in written}
            hashed |= _store_inputs(self.repo, inputs, self.cache, writer, judge)
            environment_id = writer.add_bytes(environment)
        outputs = {path: hashed[path].as_tree_entry() for path in written}
        return Observation(
            inputs=inputs,
            outputs={path: entry.id for path, entry in outputs.items()},
            files={**inputs.files, **outputs},
            hashed=hashed,
            environment=environment_id,
            duration_ms=done.duration_ms,
            warnings=warnings,
            seen=seen,
        )

    def _run(self, stage: StageSpec, output: Output) -> tuple[Completed, Events | None]:
        if self.observing is None:
            return self.commands.run(stage.name, stage.command, output), None
        with watching(self.repo, self.observing, self.environ) as watch:
            command = watch.command(stage.command)
            done = self.commands.run(stage.name, command, output, also=watch.variables)
            return done, watch.collect()

    def _undeclared(self, stage: StageSpec, before: dict[str, tuple[int, ...]]) -> Iterator[str]:
        rival: dict[str, list[str]] = {}
        unknown = []
        for path, now in _stats(self.repo).items():
            if before.get(path) == now or is_bytecode(path) or path == MANIFEST_NAME:
                continue
            if stage.writes(path) or stage.reads(path):
                continue
            owner = next((other.name for other in self.graph.order if other.writes(path)), None)
            if owner is None:
                unknown.append(path)
            elif not self.parallel:
                rival.setdefault(owner, []).append(path)
        if unknown:
            yield (
                f"{_listed(unknown)} written while stage '{stage.name}' ran, and no stage declares"
                f" {'it' if len(unknown) == 1 else 'them'}: not in the block"
            )
        for owner, paths in rival.items():
            yield f"{_listed(paths)} written while stage '{stage.name}' ran, but belongs to stage '{owner}'"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether a command that has ended kept to what its stage declares; if not, the log is kept."""

    repo: Repository
    stage: StageSpec
    done: Completed
    warnings: tuple[str, ...]
    seen: Seen | None = None

    def require_declared(self) -> None:
        """Refuse a stage that was seen to do what it does not declare, or not seen at all."""
        if self.seen is not None and not self.seen.clean:
            first, *_ = self.seen.warnings()
            hint = f"declare it in [stages.{self.stage.name}] of mlstore.toml; nothing was recorded"
            self._fail(first, hint if self.seen.processes else "nothing was recorded")

    def fail_status(self) -> NoReturn:
        status = self.done.status
        how = f"ended with status {status}" if status > 0 else f"was killed by {signal_name(-status)}"
        self._fail(f"stage '{self.stage.name}' failed: its command {how}")

    def require_same(self, before: ResolvedInputs, cache: ContentCache) -> ResolvedInputs:
        """Give the inputs as they are now, which must be what they were."""
        try:
            after = resolve_inputs(self.repo, self.stage, cache)
        except NotFoundError as exc:
            self._fail(f"an input is gone after the run: {exc.message}", "a stage leaves its inputs alone")
        for selector in sorted(before.ids.keys() | after.ids.keys()):
            if before.ids.get(selector) != after.ids.get(selector):
                if selector in after.ids:
                    self.fail_input(selector, "changed" if selector in before.ids else "appeared")
                self.fail_input(selector, "was removed")
        return after

    def fail_input(self, selector: str, how: str = "changed") -> NoReturn:
        self._fail(
            f"input '{selector}' {how} while stage '{self.stage.name}' ran",
            "nobody can say what the result was made from: run it again",
            input=selector,
        )

    def require_written(self, before: dict[str, tuple[int, ...]]) -> list[str]:
        """Give the files that the outputs match; each must have been written in this run."""
        written: list[str] = []
        name = self.stage.name
        failed = f"stage '{name}' did not write its output"
        for pattern, files in find_outputs(self.repo, self.stage).items():
            fresh = [path for path, found in files.items() if stat_signature(found) != before.get(path)]
            stale = [path for path in files if path not in fresh]
            if not files:
                self._fail(f"{failed} '{pattern}': it is missing", path=pattern)
            if not fresh:
                self._fail(
                    f"{failed} '{pattern}': the file there is older than the run",
                    "mlstore records what a command wrote while it watched: let it write the file each time",
                    path=pattern,
                )
            if stale:
                self._fail(
                    f"'{stale[0]}' fits output '{pattern}' of stage '{name}', but an earlier run left it",
                    "delete it, or let the command begin by emptying the folder",
                    paths=stale,
                )
            written += [path for path in fresh if path not in written]
        return written

    def _fail(self, message: str, hint: str | None = None, **data: object) -> NoReturn:
        path = self.repo.write_log(f"{self.stage.name}.log", self.done.log)
        log = path.relative_to(self.repo.root).as_posix()
        raise StageFailed(
            message,
            hint=hint or f"nothing was recorded; what the command printed is in '{log}'",
            stage=self.stage.name,
            status=self.done.status,
            log=log,
            tail=self.done.log[-_TAIL:],
            warnings=self.warnings,
            seen=self.seen,
            **data,
        )


def _besides(warnings: Iterable[str], seen: Seen) -> Iterator[str]:
    """Leave out what was seen to be written: the one who wrote it is known now, and told of once."""
    for text in warnings:
        if not any(f"'{path}'" in text for path in seen.writes):
            yield text


def _store_inputs(
    repo: Repository,
    inputs: ResolvedInputs,
    cache: ContentCache,
    writer: ObjectWriter,
    judge: _Verdict,
) -> dict[str, HashedFile]:
    """Put the files that were read into the store where it lacks them: exactly what was hashed."""
    hashed = {}
    for path, entry in inputs.files.items():
        known = cache.hashed(path)
        if entry.id not in repo.objects:
            known = store_file(repo, path, writer)
            if known.digest.id != entry.id:
                judge.fail_input(path)
        if known is not None and known.digest.id == entry.id:
            hashed[path] = known
    return hashed


def _settled_outputs(repo: Repository, stage: StageSpec) -> dict[str, tuple[int, ...]]:
    """Give the outputs there are, once their times are in the past: a later write then shows."""
    found = {path: status for files in find_outputs(repo, stage).values() for path, status in files.items()}
    for _ in range(_SETTLE_STEPS):
        if all(stat_if_settled(status) is not None for status in found.values()):
            break
        time.sleep(_SETTLE_PAUSE)
    return {path: stat_signature(status) for path, status in found.items()}


def _stats(repo: Repository) -> dict[str, tuple[int, ...]]:
    return {path: stat_signature(status) for path, status in scan(repo).files.items()}


def _listed(paths: list[str]) -> str:
    names = ", ".join(f"'{path}'" for path in sorted(paths)[:_SHOWN])
    if len(paths) > _SHOWN:
        names += f" and {len(paths) - _SHOWN} more"
    return f"{names} {'was' if len(paths) == 1 else 'were'}"
