"""Running recorded stages again: the same inputs, the same command, a clean place, and then a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlstore.errors import RefNotFound, UsageError
from mlstore.gate import read_policy
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain, add_notes, read_chain, resolve_commit
from mlstore.model import Note, Person
from mlstore.pipeline.reproduction.clean import (
    CleanEnvironment,
    current_environment,
    declared_variables,
    environment_changes,
    readable_manifest,
    recorded_environment,
)
from mlstore.pipeline.reproduction.judging import Judge
from mlstore.pipeline.reproduction.rerun import Rerun, rerun
from mlstore.pipeline.reproduction.result import (
    Cause,
    Judged,
    OutputResult,
    Reproduction,
    StageResult,
    Verdict,
    worst,
)
from mlstore.pipeline.reproduction.scratch import recorded_files, scratch_folder
from mlstore.repository import Repository

NOTE_KIND = "reproduce"
"""Notes of this kind say what came of running a stage again: ``refs/notes/reproduce``."""


@dataclass(slots=True)
class Watcher:
    """Hears what a reproduction does, as it does it."""

    started: Callable[[Block, int], None] = lambda block, number: None
    output: Callable[[str, bytes], None] = lambda stage, data: None
    ended: Callable[[StageResult], None] = lambda result: None


@dataclass(frozen=True, slots=True)
class ReproduceRequest:
    """What to run again, and how.

    ``environ`` is the environment from which a command gets what it needs and what ``mlstore.toml`` declares;
    ``scratch`` is the folder, outside the worktree, in which scratch folders are made. ``times`` is how often
    each command is run; one that gives something else than the record runs a second time at least.
    ``timeout`` is in seconds, for each run. ``keep`` leaves the scratch folders. ``allow_load``
    lets a rule of the gate load, and so run, the recorded model and the one that was made again.
    """

    environ: Mapping[str, str]
    scratch: Path
    rev: str = "HEAD"
    stages: tuple[str, ...] = ()
    times: int = 1
    timeout: float | None = None
    keep: bool = False
    allow_load: bool = False
    watcher: Watcher = field(default_factory=Watcher)


def reproduce(repo: Repository, request: ReproduceRequest) -> Reproduction:
    """Run the stages of a chain again, each from its own record; the worktree and the store stay as they are.

    This executes recorded commands. Raises ``RefNotFound`` and the like, ``UsageError`` for a stage that the
    chain does not have, ``ObjectNotFound`` or ``CorruptObject`` when a recorded input is missing or damaged.
    However it ends, no command and no scratch folder is left behind.
    """
    commit = resolve_commit(repo, request.rev)
    chain = read_chain(repo, commit)
    policy = read_policy(repo, commit)
    tree = repo.objects.read_commit(commit).tree
    manifest = readable_manifest(repo, tree)
    judge = Judge(repo, policy, tree, allow_load=request.allow_load)
    results = []
    for block in _chosen(chain, request):
        declared = declared_variables(manifest, block.name)
        result = _Stage(repo, block, request, judge, declared).reproduce()
        results.append(result)
        request.watcher.ended(result)
    return Reproduction(request.rev, commit, tuple(results), policy)


def _chosen(chain: Chain, request: ReproduceRequest) -> list[Block]:
    known = [block.name for block in chain.blocks]
    if not known:
        raise RefNotFound(
            f"no stage is on record at '{request.rev}'", hint="'mlstore run' records stages", ref=request.rev
        )
    for name in request.stages:
        if name not in known:
            raise UsageError(
                f"the chain at '{request.rev}' has no stage '{name}'", hint=f"it has: {', '.join(known)}"
            )
    return [block for block in chain.blocks if not request.stages or block.name in request.stages]


class _Stage:
    """One block, run again as often as it takes."""

    def __init__(
        self,
        repo: Repository,
        block: Block,
        request: ReproduceRequest,
        judge: Judge,
        declared: tuple[str, ...],
    ) -> None:
        self._repo = repo
        self._block = block
        self._request = request
        self._inputs = recorded_files(repo, block)
        self._manifest = readable_manifest(repo, block.commit.tree)
        self._declared = declared
        self._judge = judge
        self._clean: CleanEnvironment | None = None
        self._environment: dict[str, Any] = {}
        self._runs: list[Rerun] = []
        self._found: list[dict[str, tuple[ObjectId | None, Judged]]] = []

    def reproduce(self) -> StageResult:
        with ExitStack() as folders:
            wanted = self._request.times
            while len(self._runs) < wanted:
                run = self._run(folders)
                self._runs.append(run)
                if run.failure is not None:
                    break
                self._found.append(dict(self._judge_outputs(run)))
                if not self._good:
                    # Only a second run can tell what came out differently by chance.
                    wanted = max(wanted, 2)
            return self._result()

    def _run(self, folders: ExitStack) -> Rerun:
        request, block = self._request, self._block
        number = len(self._runs) + 1
        scratch = folders.enter_context(
            scratch_folder(self._repo, request.scratch, block.name, keep=request.keep)
        )
        for entry in self._inputs.values():
            scratch.put(self._repo, entry)
        scratch.make_folders_for(block.stage.outputs)
        clean = CleanEnvironment.make(request.environ, self._declared, scratch)
        if self._clean is None:
            self._clean = clean
            self._environment = current_environment(self._repo, block, clean.values)
        request.watcher.started(block, number)
        return rerun(
            self._repo,
            block,
            scratch,
            clean.values,
            inputs=self._inputs,
            output=lambda data: request.watcher.output(block.name, data),
            timeout=request.timeout,
        )

    # what came out

    def _judge_outputs(self, run: Rerun) -> Iterator[tuple[str, tuple[ObjectId | None, Judged]]]:
        work, recorded = run.scratch.work, self._block.stage.outputs
        for path, expected in sorted(recorded.items()):
            if path in run.files:
                yield path, self._judge.against_record(path, expected, work / path)
            else:
                yield path, (None, Judged("missing", "the command did not write it"))
        for path in sorted(run.files - recorded.keys() - self._inputs.keys()):
            if self._is_declared(path):
                text = "the command wrote it, and the record has no such output"
                yield path, (self._judge.id_of(work / path), Judged("extra", text))

    def _is_declared(self, path: str) -> bool:
        spec = self._manifest.stages.get(self._block.name) if self._manifest is not None else None
        return spec is not None and spec.writes(path)

    @property
    def _good(self) -> bool:
        return all(judged.good for found in self._found for _, judged in found.values())

    def _outputs(self) -> Iterator[OutputResult]:
        for path in sorted({path for found in self._found for path in found}):
            nothing = (None, Judged("missing", "one run wrote it, another did not"))
            rows = [found.get(path, nothing) for found in self._found]
            expected = self._block.stage.outputs.get(path)
            yield OutputResult(path, expected, tuple(row[0] for row in rows), worst([row[1] for row in rows]))

    # the verdict

    def _result(self) -> StageResult:
        assert self._clean is not None
        outputs = tuple(self._outputs())
        failure = self._runs[-1].failure
        verdict = self._verdict(outputs)
        return StageResult(
            block=self._block,
            verdict=verdict,
            cause=self._cause(outputs) if verdict == "diverged" else None,
            outputs=outputs,
            durations=tuple(run.duration_ms for run in self._runs),
            passed=self._clean.passed,
            unset=self._clean.unset,
            changes=self._changes(),
            environment=self._environment,
            written=self._written(outputs),
            failure=failure,
            kept=tuple(str(run.scratch.root) for run in self._runs) if self._request.keep else (),
        )

    def _verdict(self, outputs: tuple[OutputResult, ...]) -> Verdict:
        if self._runs[-1].failure is not None:
            return "failed"
        if not self._good:
            return "diverged"
        return "reproduced" if all(one.judged.outcome == "equal" for one in outputs) else "equivalent"

    def _cause(self, outputs: tuple[OutputResult, ...]) -> Cause:
        """Runs that differ among themselves depend on chance; runs that agree depend on where they are."""
        first = self._runs[0]
        for output in outputs:
            for number, other in enumerate(self._runs[1:], 1):
                ids = output.actual[0], output.actual[number]
                if ids[0] == ids[1]:
                    continue
                paths = first.scratch.work / output.path, other.scratch.work / output.path
                if None in ids or not self._judge.agree(output.path, *paths):
                    return "nondeterministic"
        return "another-environment"

    def _changes(self) -> tuple[str, ...] | None:
        recorded = recorded_environment(self._repo, self._block)
        return None if recorded is None else environment_changes(recorded, self._environment)

    def _written(self, outputs: tuple[OutputResult, ...]) -> tuple[str, ...]:
        known = {output.path for output in outputs} | self._inputs.keys()
        return tuple(sorted({path for run in self._runs for path in run.files} - known))


def record_verdicts(repo: Repository, found: Reproduction, *, author: Person, time: str) -> Reproduction:
    """Note each verdict on the commit of its block, and give *found* with the ids of the notes.

    Nothing about the commits changes. Raises what ``add_notes`` raises.
    """
    notes = [_note(result, author, time) for result in found.stages]
    message = f"reproduce {found.rev}: {found.verdict}"
    ids = add_notes(repo, notes, author=author, time=time, message=message)
    stages = tuple(replace(result, note=note) for result, note in zip(found.stages, ids, strict=True))
    return replace(found, stages=stages)


def _note(result: StageResult, author: Person, time: str) -> Note:
    data: dict[str, Any] = {
        "changes": list(result.changes or ()),
        "duration_ms": list(result.durations),
        "environment": result.environment or {},
        "outputs": {
            output.path: {
                "actual": list(output.actual),
                "expected": output.expected,
                "outcome": output.judged.outcome,
                "rule": output.judged.rule,
            }
            for output in result.outputs
        },
        "runs": result.runs,
        "stage": result.block.name,
        "verdict": result.verdict,
    }
    if result.cause is not None:
        data["cause"] = result.cause
    if result.failure is not None:
        data["failure"] = {"message": result.failure.message, "status": result.failure.status}
    text = f"{result.verdict} {time[:10]} on {result.machine}"
    return Note(result.block.id, NOTE_KIND, author, time, text, data)
