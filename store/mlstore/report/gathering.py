"""Bringing together what the page shows: reads both pipelines, executes and deserialises nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare import (
    Artifact,
    Settings,
    choices_for,
    compare_artifacts,
    diff_environments,
    load_environment,
)
from mlstore.errors import ConfigError, MlstoreError, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain, manifest_at, read_chain
from mlstore.lockfile import Pin
from mlstore.manifest import CompareSpec
from mlstore.report.dossier import Change, Command, Dossier, Edge, Environment
from mlstore.report.outcome import Outcome
from mlstore.repository import Repository, find_entry
from mlstore.verify.verification import find_golden
from mlstore.worktree import open_file

MOST_CHANGES = 100
"""How many artifacts are compared for one page."""


@dataclass(frozen=True, slots=True)
class _Side:
    repo: Repository
    chain: Chain

    def tree(self, block: Block | None) -> ObjectId:
        """The tree in which a block's files stand; without a block that of the commit."""
        return (block.commit if block else self.repo.objects.read_commit(self.chain.commit)).tree


@dataclass(slots=True)
class _Gathering:
    outcome: Outcome
    repo: Repository
    current: _Side | None = None
    golden: _Side | None = None
    spec: CompareSpec = field(default_factory=CompareSpec)
    unseen: list[str] = field(default_factory=list)


def gather(repo: Repository, outcome: Outcome, *, against: str | None = None) -> Dossier:
    """Give the dossier of an outcome of *repo*; damage and whatever cannot be read is said in ``unseen``.

    *against* is what ``verify`` was given (the outcome may hold a name that reads better).
    """
    state = _Gathering(outcome, repo)
    if outcome.command == "fsck" or outcome.commit is None:
        return Dossier(outcome)
    _open_sides(state, against or outcome.against)
    changes: list[Change] = []
    for change in _changes(state):
        if len(changes) >= MOST_CHANGES:
            state.unseen.append(f"artifacts: more than {MOST_CHANGES} differ; only these were compared")
            break
        changes.append(change)
    return Dossier(
        outcome,
        edges=_edges(state),
        changes=tuple(changes),
        environments=_environments(state),
        commands=_commands(state),
        unseen=tuple(state.unseen),
    )


def _open_sides(state: _Gathering, against: str | None) -> None:
    repo = state.repo
    assert state.outcome.commit is not None
    try:
        state.current = _Side(repo, read_chain(repo, ObjectId(state.outcome.commit)))
        state.spec = _spec(state.current)
    except MlstoreError as exc:
        state.unseen.append(f"the pipeline: {exc.message}")
    if against is None:
        return
    try:
        found = find_golden(repo, against)
        if isinstance(found, Pin):
            state.unseen.append("golden's content: its commit is not in this store")
        else:
            state.golden = _Side(found[0], read_chain(*found))
            state.spec = _spec(state.golden)
    except MlstoreError as exc:
        state.unseen.append(f"the golden pipeline: {exc.message}")


def _spec(side: _Side) -> CompareSpec:
    try:
        manifest = manifest_at(side.repo, side.tree(None))
    except ConfigError:
        return CompareSpec()
    return manifest.compare if manifest else CompareSpec()


# the graph


def _edges(state: _Gathering) -> tuple[Edge, ...]:
    sets: list[set[tuple[str, str]]] = []
    for side in (state.current, state.golden):
        blocks = side.chain.blocks if side else ()
        names = {block.name for block in blocks}
        sets.append({(up, block.name) for block in blocks for up in block.stage.upstream if up in names})
    current, golden = sets
    found = []
    for source, target in sorted(current | golden):
        pair = (source, target)
        if state.golden is None or pair in current & golden:
            found.append(Edge(source, target))
        else:
            found.append(Edge(source, target, "current" if pair in current else "golden"))
    return tuple(found)


def _pairs(state: _Gathering) -> Iterator[tuple[Block | None, Block | None]]:
    """Yield the blocks of each stage, golden and current, in pipeline order."""
    golden = state.golden.chain if state.golden else None
    current = state.current.chain if state.current else None
    for block in golden.blocks if golden else ():
        yield block, current.get(block.name) if current else None
    for block in current.blocks if current else ():
        if golden is None or golden.get(block.name) is None:
            yield None, block


def _commands(state: _Gathering) -> dict[str, Command]:
    found = {}
    for golden, current in _pairs(state):
        texts = [shlex.join(block.stage.command) if block else None for block in (golden, current)]
        block = golden or current
        assert block is not None
        found[block.name] = Command(*texts)
    return found


def _environments(state: _Gathering) -> tuple[Environment, ...]:
    """What differs, each set of differences once with all stages that have it."""
    found: dict[tuple[str, ...], list[str]] = {}
    if state.golden is None or state.current is None:
        return ()
    for golden, current in _pairs(state):
        if golden is None or current is None:
            continue
        one, other = golden.stage.environment, current.stage.environment
        if one is None or other is None:
            if one != other:
                lines: tuple[str, ...] = ("only one of the two blocks says what it was made with",)
                found.setdefault(lines, []).append(golden.name)
            continue
        try:
            before, after = state.golden.repo.objects.read(one), state.current.repo.objects.read(other)
        except MlstoreError as exc:
            state.unseen.append(f"the environment of '{golden.name}': {exc.message}")
            continue
        lines = tuple(diff_environments(load_environment(before), load_environment(after)))
        if lines:
            found.setdefault(lines, []).append(golden.name)
    return tuple(Environment(tuple(stages), lines) for lines, stages in found.items())


# what changed inside of artifacts


def _changes(state: _Gathering) -> Iterator[Change]:
    if state.golden is not None and state.current is not None:
        seen: set[str] = set()
        for golden, current in _pairs(state):
            if golden is not None and current is not None:
                yield from _changed_inputs(state, golden, current, seen)
                yield from _changed_outputs(state, golden, current)
        if not state.golden.chain.blocks:
            yield from _changed_files(state)
    yield from _worktree_changes(state)


def _changed_inputs(state: _Gathering, golden: Block, current: Block, seen: set[str]) -> Iterator[Change]:
    """Yield what came from no stage and differs: scripts, configuration, raw data; each file once."""
    assert state.golden is not None
    assert state.current is not None
    one, other = golden.stage.inputs, current.stage.inputs
    for selector in sorted(one.keys() | other.keys()):
        path = selector.partition("#")[0]
        produced = any(side.chain.producer(path) for side in (state.golden, state.current))
        if one.get(selector) == other.get(selector) or path in seen or produced:
            continue
        seen.add(path)
        try:
            ids = [
                entry.id if entry else None
                for entry in (
                    find_entry(side.repo.objects, side.tree(block), path)
                    for side, block in ((state.golden, golden), (state.current, current))
                )
            ]
        except MlstoreError as exc:
            yield Change(path, "input", golden.name, note=exc.message)
            continue
        if ids[0] != ids[1]:
            yield _compare(state, Change(path, "input", golden.name, ids[0], ids[1]))


def _changed_outputs(state: _Gathering, golden: Block, current: Block) -> Iterator[Change]:
    one, other = golden.stage.outputs, current.stage.outputs
    for path in sorted(one.keys() | other.keys()):
        if one.get(path) != other.get(path):
            yield _compare(state, Change(path, "output", golden.name, one.get(path), other.get(path)))


def _changed_files(state: _Gathering) -> Iterator[Change]:
    """Without stages the findings name the files."""
    for finding in state.outcome.findings:
        if finding.kind == "diverged" and finding.path is not None:
            yield _compare(state, Change(finding.path, "file", None, finding.expected, finding.actual))


def _worktree_changes(state: _Gathering) -> Iterator[Change]:
    for finding in state.outcome.findings:
        if finding.kind != "modified" or finding.path is None or finding.expected is None:
            continue
        change = Change(finding.path, "file", finding.stage, finding.expected, finding.actual)
        if finding.comparison is not None:
            yield _with(change, finding.comparison)
            continue
        try:
            repo = state.repo
            old = _stored(repo, finding.path, finding.expected)
            yield _judge(state, change, old, _local(repo, finding.path))
        except (MlstoreError, OSError) as exc:
            yield _with(change, None, _reason(exc))


def _compare(state: _Gathering, change: Change) -> Change:
    """Compare what golden's store and ours hold."""
    assert state.golden is not None
    if change.old_id is None or change.new_id is None:
        return _with(change, None, "only in " + ("this pipeline" if change.old_id is None else "golden"))
    for finding in state.outcome.findings:
        # Where a finding is of an input, what is compared in it may be an output.
        same = finding.path == change.path and finding.kind in ("diverged", "equivalent")
        if (
            same
            and finding.comparison
            and (finding.expected, finding.actual) == (change.old_id, change.new_id)
        ):
            return _with(change, finding.comparison)
    try:
        old = _stored(state.golden.repo, change.path, change.old_id)
        new = _stored(state.repo, change.path, change.new_id)
        return _judge(state, change, old, new)
    except (MlstoreError, OSError) as exc:
        return _with(change, None, _reason(exc))


def _judge(state: _Gathering, change: Change, old: Artifact, new: Artifact) -> Change:
    settings, wanted = choices_for(state.spec, change.path, Settings(rows=50))
    try:
        return _with(change, compare_artifacts(old, new, settings, wanted).to_dict())
    except ConfigError:  # a comparator that is not installed here
        return _with(change, compare_artifacts(old, new, settings).to_dict())


def _with(change: Change, comparison: dict[str, Any] | None, note: str = "") -> Change:
    return Change(change.path, change.role, change.stage, change.old_id, change.new_id, comparison, note)


def _stored(repo: Repository, path: str, object_id: str) -> Artifact:
    name, objects = ObjectId(object_id), repo.objects
    return Artifact.from_stream(path, objects.size(name), lambda: objects.stream(name))


def _local(repo: Repository, path: str) -> Artifact:
    size = (repo.root / path).lstat().st_size
    return Artifact(path, size, lambda: os.fdopen(open_file(repo, path), "rb"), seekable=True)


def _reason(exc: MlstoreError | OSError) -> str:
    if isinstance(exc, ObjectNotFound):
        return "what differs inside cannot be told: its recorded bytes are not in this store"
    return exc.message if isinstance(exc, MlstoreError) else (exc.strerror or str(exc)).lower()
