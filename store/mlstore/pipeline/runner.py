"""``run``: stale stages in order, each one a commit as soon as it has ended well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mlstore.errors import MlstoreError, Refused
from mlstore.hashing import ObjectId
from mlstore.history import upstream_of
from mlstore.manifest import MANIFEST_NAME, StageSpec
from mlstore.model import Person, StageRecord, TreeEntry
from mlstore.pipeline.chainstate import CurrentChain
from mlstore.pipeline.command import Commands
from mlstore.pipeline.declared import Declared, read_declared
from mlstore.pipeline.environment import EnvironmentProbe
from mlstore.pipeline.execute import Observation, Observer
from mlstore.pipeline.observation import Observing, Seen
from mlstore.pipeline.record import BlockFiles, dropped_outputs, record_block
from mlstore.pipeline.staleness import Judge
from mlstore.repository import Repository, read_snapshot
from mlstore.worktree import ContentCache, HashedFile, tracked_changes

Result: TypeAlias = Literal["ran", "up-to-date", "failed", "skipped"]

_LOCK_WAIT = 0.5
# What took hours to compute is not given up because somebody else is writing.
_RECORD_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What became of one stage.

    ``reason`` is why it ran, or why it was skipped. ``commit`` and ``lineage`` are those of its block
    when it ran. ``error`` is what made it fail; ``StageFailed`` has the command's own ``status``, the
    ``log`` and its ``tail`` in ``data``. ``duration_ms`` is the command's. ``seen`` is what was observed.
    """

    stage: str
    result: Result
    reason: str | None = None
    commit: ObjectId | None = None
    lineage: ObjectId | None = None
    duration_ms: int | None = None
    error: MlstoreError | None = None
    warnings: tuple[str, ...] = ()
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did, stage by stage in pipeline order, and what it wants to be known."""

    outcomes: tuple[StageOutcome, ...]
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no stage failed."""
        return self.error is None

    @property
    def error(self) -> MlstoreError | None:
        """The first failure in pipeline order."""
        return next((one.error for one in self.outcomes if one.error is not None), None)


@dataclass(slots=True)
class Listener:
    """Hears what a run does. ``output`` is called from a stage's own thread, all else from the caller's."""

    started: Callable[[StageSpec, str], None] = lambda stage, reason: None
    output: Callable[[str, bytes], None] = lambda stage, data: None
    ended: Callable[[StageOutcome], None] = lambda outcome: None
    warned: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, slots=True)
class Request:
    """What to run, and as whom.

    ``environ`` is the environment that commands get, ``now`` the clock that commits are dated by.
    ``stages`` are run after the stale ones above them (none: all). ``force`` runs those named (none:
    all) even when nothing changed. ``keep_going`` goes on with stages that do not depend on a failed one.
    ``jobs`` is how many independent commands may run at once. ``observing`` has it watched which files they
    open.
    """

    environ: Mapping[str, str]
    author: Person
    now: Callable[[], str]
    stages: Sequence[str] = ()
    force: bool = False
    keep_going: bool = False
    jobs: int = 1
    listener: Listener = field(default_factory=Listener)
    observing: Observing | None = None


def run(repo: Repository, request: Request) -> RunReport:
    """Run what is stale and record each stage that ends well as a commit.

    A failure is in the report; stages that were running beside it are finished. Raises ``Locked``
    when another run is going on, ``ConfigError`` or ``UsageError`` before anything runs. When
    interrupted (``KeyboardInterrupt``, ``SystemExit``) every command is ended and nothing more recorded.
    """
    with repo.lock("run", "run", wait=_LOCK_WAIT):
        declared = read_declared(repo)
        return _Run(repo, declared, request).execute()


class _Run:
    def __init__(self, repo: Repository, declared: Declared, request: Request) -> None:
        self._repo = repo
        self._declared = declared
        self._request = request
        self._stages = declared.graph.select(request.stages)
        self._branch = repo.refs.head().branch
        self._cache = ContentCache(repo)
        self._chain = CurrentChain(repo, declared.manifest)
        self._judge = Judge(repo, declared, self._cache, self._chain)
        self._commands = Commands(repo.root, request.environ)
        self._observer = Observer(
            repo,
            declared.graph,
            self._cache,
            self._commands,
            EnvironmentProbe(repo.root, request.environ),
            parallel=request.jobs > 1,
            observing=request.observing,
            environ=request.environ,
        )
        self._outcomes: dict[str, StageOutcome] = {}
        self._running: dict[Future[Observation], tuple[StageSpec, str]] = {}
        self._warnings: list[str] = []
        self._began = False

    def execute(self) -> RunReport:
        with self._pool() as pool:
            while True:
                self._start_what_can(pool)
                if not self._running:
                    break
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=self._position):
                    self._finish(future)
        outcomes = tuple(self._outcomes[stage.name] for stage in self._stages)
        return RunReport(outcomes, tuple(self._warnings))

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Threads for the commands. Whatever ends a run early ends the commands too, before it is told."""
        pool = ThreadPoolExecutor(max_workers=max(1, self._request.jobs), thread_name_prefix="stage")
        try:
            yield pool
        except BaseException:
            self._commands.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _position(self, future: Future[Observation]) -> int:
        return self._stages.index(self._running[future][0])

    # which stage next

    def _start_what_can(self, pool: ThreadPoolExecutor) -> None:
        """Settle stages that need not or cannot run, and start others while there is room."""
        for stage in self._stages:
            if stage.name in self._outcomes or any(one is stage for one, _ in self._running.values()):
                continue
            above = [self._outcomes.get(name) for name in self._declared.graph.upstream[stage.name]]
            obstacle = next((one for one in above if one and one.result in ("failed", "skipped")), None)
            if obstacle is not None:
                self._skip(stage, f"upstream '{obstacle.stage}' {_fate(obstacle)}")
            elif self._must_stop:
                self._skip(stage, "an earlier stage failed")
            elif None not in above and len(self._running) < max(1, self._request.jobs):
                self._start(stage, pool)

    @property
    def _must_stop(self) -> bool:
        failed = any(one.result == "failed" for one in self._outcomes.values())
        return failed and not self._request.keep_going

    def _start(self, stage: StageSpec, pool: ThreadPoolExecutor) -> None:
        reason = self._judge.reason_to_run(stage)
        if reason is None and self._request.force and stage.name in (self._request.stages or [stage.name]):
            reason = "forced"
        if reason is None:
            block = self._chain.blocks[stage.name]
            self._settle(StageOutcome(stage.name, "up-to-date", commit=block.id, lineage=block.lineage))
            return
        if not self._began:
            self._began = True
            self._warn_of_loose_changes()
        self._request.listener.started(stage, reason)
        output = self._request.listener.output
        future = pool.submit(self._observer.observe, stage, lambda data: output(stage.name, data))
        self._running[future] = (stage, reason)

    def _skip(self, stage: StageSpec, reason: str) -> None:
        self._settle(StageOutcome(stage.name, "skipped", reason))

    def _settle(self, outcome: StageOutcome) -> None:
        self._outcomes[outcome.stage] = outcome
        self._request.listener.ended(outcome)

    # what became of it

    def _finish(self, future: Future[Observation]) -> None:
        stage, reason = self._running.pop(future)
        try:
            seen = future.result()
            outcome = self._record(stage, reason, seen)
        except MlstoreError as exc:
            told, saw = exc.data.get("warnings", ()), exc.data.get("seen")
            outcome = StageOutcome(stage.name, "failed", reason, error=exc, warnings=told, seen=saw)
        self._settle(outcome)

    def _record(self, stage: StageSpec, reason: str, seen: Observation) -> StageOutcome:
        with self._repo.write_lock("run", wait=_RECORD_WAIT):
            self._require_branch(stage)
            self._chain.refresh()
            known = self._chain.blocks.get(stage.name)
            warnings = [*seen.warnings, *self._foreign_inputs(stage, seen)]
            record = StageRecord(
                name=stage.name,
                command=stage.command,
                inputs=seen.inputs.ids,
                outputs=seen.outputs,
                upstream=upstream_of(
                    self._chain.blocks,
                    stage.name,
                    seen.inputs.ids,
                    follows=self._declared.graph.follows[stage.name],
                ),
                record="observed",
                environment=seen.environment,
                parameters=seen.inputs.parameters,
                duration_ms=seen.duration_ms,
            )
            base = read_snapshot(self._repo.objects, self._chain.tree)
            graph = self._declared.graph
            removed = dropped_outputs(base, stage.name, known.stage if known else None, seen.outputs, graph)
            manifest, hashed = self._manifest_entry()
            commit_id = record_block(
                self._repo,
                record,
                BlockFiles({MANIFEST_NAME: manifest, **seen.files}, hashed | seen.hashed, removed),
                base=base,
                message=f"run {stage.name}",
                author=self._request.author,
                time=self._request.now(),
            )
            block = self._chain.advance(commit_id)
        return StageOutcome(
            stage.name,
            "ran",
            reason,
            commit=commit_id,
            lineage=block.lineage,
            duration_ms=seen.duration_ms,
            warnings=tuple(warnings),
            seen=seen.seen,
        )

    def _manifest_entry(self) -> tuple[TreeEntry, dict[str, HashedFile]]:
        """Store the declaration that this run goes by, whatever the file holds by now."""
        data = self._declared.data
        with self._repo.objects.transaction() as writer:
            blob = writer.add_bytes(data)
        entry = self._cache.entry(MANIFEST_NAME)
        if entry is None or entry.id != blob:
            return TreeEntry(MANIFEST_NAME, "file", blob, len(data)), {}
        hashed = self._cache.hashed(MANIFEST_NAME)
        return entry, {MANIFEST_NAME: hashed} if hashed is not None else {}

    def _require_branch(self, stage: StageSpec) -> None:
        """New commits on the branch are fine; another branch is not where this block belongs."""
        head = self._repo.refs.head()
        if head.branch != self._branch or (head.branch is None and head.commit != self._chain.head):
            raise Refused(
                f"HEAD was moved elsewhere while stage '{stage.name}' ran: its block is not recorded",
                hint="go back to where the run began, and run it again",
                stage=stage.name,
            )

    # what the user should know

    def _foreign_inputs(self, stage: StageSpec, seen: Observation) -> Iterator[str]:
        """A stage that nobody declares has claimed a file that is another by now: the chain has a gap."""
        for path, current in seen.inputs.ids.items():
            for name, block in self._chain.blocks.items():
                if name != stage.name and block.stage.outputs.get(path, current) != current:
                    yield (
                        f"input '{path}' of stage '{stage.name}' is not what stage '{name}' wrote:"
                        f" record it with 'mlstore commit --stage {name}'"
                    )

    def _warn_of_loose_changes(self) -> None:
        changed = [
            change.path
            for change in tracked_changes(self._repo, self._chain.tree)
            if change.old is not None
            and change.path != MANIFEST_NAME
            and not self._declared.graph.declares(change.path)
        ]
        if changed:
            names = ", ".join(f"'{path}'" for path in changed[:5])
            more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
            text = (
                f"changed since HEAD, and no stage declares it: {names}{more};"
                " the blocks hold the committed version"
            )
            self._warnings.append(text)
            self._request.listener.warned(text)


def _fate(outcome: StageOutcome) -> str:
    return "failed" if outcome.result == "failed" else "was skipped"
