"""What has to run, and the first cause why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mlstore.compare.keyed import load_values, select, value_id
from mlstore.errors import MlstoreError
from mlstore.hashing import ObjectId
from mlstore.history import Block, upstream_of
from mlstore.manifest import StageSpec
from mlstore.model import StageRecord
from mlstore.model.patterns import matches
from mlstore.pipeline.chainstate import CurrentChain
from mlstore.pipeline.declared import Declared, read_declared
from mlstore.pipeline.graph import StageGraph
from mlstore.pipeline.inputs import ResolvedInputs, find_outputs, resolve_inputs
from mlstore.repository import Repository, find_entry
from mlstore.worktree import ContentCache

Condition: TypeAlias = Literal["ok", "stale"]


@dataclass(frozen=True, slots=True)
class StageState:
    """How one stage stands: ``reason`` is the first cause why it has to run, None when it need not."""

    name: str
    reason: str | None

    @property
    def stale(self) -> bool:
        """Whether it has to run."""
        return self.reason is not None


class Judge:
    """Compares what is declared and what lies in the worktree with the blocks on record."""

    def __init__(
        self, repo: Repository, declared: Declared, cache: ContentCache, chain: CurrentChain
    ) -> None:
        self._repo = repo
        self._graph = declared.graph
        self._cache = cache
        self._chain = chain

    def reason_to_run(self, stage: StageSpec) -> str | None:
        """Give the first cause why *stage* has to run, None when its block still holds.

        An input that is missing or cannot be read is a cause too: running the stage raises it.
        """
        block = self._chain.blocks.get(stage.name)
        if block is None:
            return "never ran"
        if block.stage.command != stage.command:
            return "command changed"
        self._cache.refresh()
        try:
            inputs = resolve_inputs(self._repo, stage, self._cache)
            outputs = self._outputs(stage)
        except MlstoreError as exc:
            return exc.message
        return (
            input_change(stage, block.stage, inputs)
            or _output_change(block.stage.outputs, outputs)
            or _upstream_change(self._graph, self._chain.blocks, stage, block.stage)
            or self._head_differs(block.stage, inputs)
        )

    def reason_modified(self, record: StageRecord) -> str | None:
        """Give why the block of a stage that nobody declares no longer holds; None when it does."""
        self._cache.refresh()
        now = {path: entry.id for path in record.outputs if (entry := self._cache.entry(path)) is not None}
        return _output_change(record.outputs, now)

    def _outputs(self, stage: StageSpec) -> dict[str, ObjectId]:
        found = {}
        for files in find_outputs(self._repo, stage).values():
            for path in files:
                entry = self._cache.entry(path)
                if entry is not None:
                    found[path] = entry.id
        return found

    def _head_differs(self, record: StageRecord, inputs: ResolvedInputs) -> str | None:
        """Whoever checks out HEAD gets its files, not ours: they have to be the block's as well."""
        tree = self._chain.tree
        if tree is None:
            return None
        for selector, expected in (*record.inputs.items(), *record.outputs.items()):
            path, _, key = selector.partition("#")
            entry = find_entry(self._repo.objects, tree, path)
            same = entry is not None and entry.kind != "tree" and entry.id == expected
            if key and entry is not None and entry.kind != "tree":
                known = inputs.files.get(path)
                same = known is not None and entry.id == known.id
                same = same or self._value_at(entry.id, path, key) == expected
            if not same:
                return f"HEAD holds another '{selector}'"
        return None

    def _value_at(self, blob: ObjectId, path: str, key: str) -> ObjectId | None:
        try:
            value = select(load_values(self._repo.objects.read(blob), path), key, path)
            return value_id(self._repo.format, value)
        except MlstoreError:
            return None


def input_change(stage: StageSpec, record: StageRecord, inputs: ResolvedInputs) -> str | None:
    """Give the first input of *stage* that is not what *record* says, in the order of declaration."""
    for selector, current in inputs.ids.items():
        if selector not in record.inputs:
            return f"input '{selector}' is new"
        if record.inputs[selector] != current:
            how = _changed_value(selector, record.parameters, inputs.parameters)
            return f"input '{selector}' changed{how}"
    for selector in record.inputs:
        if selector not in inputs.ids:
            still = any(matches(spec.pattern, selector) for spec in stage.inputs if spec.key is None)
            return f"input '{selector}' is {'gone' if still else 'no longer declared'}"
    return None


def _changed_value(selector: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    for name in sorted(old.keys() | new.keys()):
        if (name == selector or name.startswith(f"{selector}.")) and old.get(name) != new.get(name):
            key = name.removeprefix(f"{selector}.") if name != selector else ""
            before, after = (_shown(values.get(name)) for values in (old, new))
            return f" ({key + ' ' if key else ''}{before} -> {after})"
    return ""


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 30 else f"{value[:27]}..."


def _output_change(recorded: Mapping[str, ObjectId], current: Mapping[str, ObjectId]) -> str | None:
    for path, expected in recorded.items():
        if path not in current:
            return f"output '{path}' is missing"
        if current[path] != expected:
            return f"output '{path}' was modified"
    for path in current:
        if path not in recorded:
            return f"output '{path}' is not from its last run"
    return None


def _upstream_change(
    graph: StageGraph, blocks: Mapping[str, Block], stage: StageSpec, record: StageRecord
) -> str | None:
    expected = upstream_of(blocks, stage.name, record.inputs, follows=graph.follows[stage.name])
    for name in sorted(expected.keys() | record.upstream.keys()):
        if expected.get(name) != record.upstream.get(name):
            return f"upstream '{name}' has another lineage"
    return None


def plan(repo: Repository, stages: Sequence[str] = (), *, force: bool = False) -> tuple[StageState, ...]:
    """Say what ``run`` would do: the stages *stages* with all above them (none: all), in order.

    *force* takes those that are named (none: all) as stale. A stage below one that will run is said to
    run; if that one turns out to give the same content as before, it will not.
    Raises ``ConfigError`` for a pipeline that cannot run, ``UsageError`` for an unknown stage.
    """
    declared = read_declared(repo)
    judge = Judge(repo, declared, ContentCache(repo), CurrentChain(repo, declared.manifest))
    return foresee(declared.graph, judge, stages, force=force)


def foresee(graph: StageGraph, judge: Judge, stages: Sequence[str], *, force: bool) -> tuple[StageState, ...]:
    """As ``plan``, for a pipeline that was read already."""
    states: dict[str, StageState] = {}
    for stage in graph.select(stages):
        reason = judge.reason_to_run(stage)
        above = next((name for name in graph.upstream[stage.name] if states[name].stale), None)
        if above is not None and reason not in ("never ran", "command changed"):
            reason = f"upstream '{above}' will run"
        if force and reason is None and (not stages or stage.name in stages):
            reason = "forced"
        states[stage.name] = StageState(stage.name, reason)
    return tuple(states.values())
