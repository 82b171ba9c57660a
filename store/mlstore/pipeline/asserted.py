"""``commit --stage``: the block of a stage whose command mlstore did not see run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlstore.errors import NothingToCommit, PathNotFound, UsageError
from mlstore.hashing import ObjectId
from mlstore.history import Chain, chain_position, read_chain, upstream_of
from mlstore.manifest import MANIFEST_NAME, InputSpec, StageSpec
from mlstore.model import Commit, Person, StageRecord
from mlstore.model.commit import STAGE_NAME
from mlstore.pipeline.declared import Declared, find_declared
from mlstore.pipeline.inputs import ResolvedInputs, find_outputs, resolve_inputs
from mlstore.pipeline.record import BlockFiles, dropped_outputs, record_block
from mlstore.repository import Repository, Snapshot, diff_snapshots, read_snapshot
from mlstore.worktree import IGNORE_NAME, ContentCache, HashedFile
from mlstore.worktree.storer import store_file

_BOOKKEEPING = frozenset({MANIFEST_NAME, IGNORE_NAME})


def record_asserted(
    repo: Repository,
    stage: str,
    *,
    message: str | None = None,
    author: Person,
    time: str,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    command: Sequence[str] = (),
    sign: Callable[[Commit], str] | None = None,
) -> ObjectId:
    """Commit the index as the block of *stage*, ``record: asserted``, and give the commit's id.

    What ``mlstore.toml`` declares for the stage is recorded as it lies in the worktree; *inputs* (``path``
    or ``path#key``), *outputs* (patterns) and *command* take the place of what it declares. A stage with
    no declared outputs wrote the staged files, and the files of its last block that are still tracked.
    Raises ``PathNotFound`` for an input or output that is not there, ``NothingToCommit`` when the
    same block is on record and nothing is staged, ``UsageError`` for a name that no stage may have.
    """
    if not STAGE_NAME.match(stage):
        raise UsageError(
            f"{stage!r} cannot be the name of a stage", hint="use letters, digits, '-', '_' and '.'"
        )
    with repo.write_lock("commit"):
        declared = find_declared(repo)
        spec = _spec(stage, declared, inputs, outputs, command)
        scene = _Scene.read(repo, declared)
        files, found, made = scene.collect(spec)
        record = scene.describe(spec, found, made)
        known = scene.chain.get(stage) if scene.chain is not None else None
        if known is not None and _says_the_same(record, known.stage) and scene.is_committed(files):
            raise NothingToCommit(
                f"nothing to record for stage '{stage}': its block says the same already",
                hint="stage changes with 'mlstore add'",
            )
        return record_block(
            repo,
            record,
            files,
            base=scene.index,
            message=message if message is not None else f"record {stage}",
            author=author,
            time=time,
            sign=sign,
        )


def _spec(
    stage: str,
    declared: Declared | None,
    inputs: Sequence[str],
    outputs: Sequence[str],
    command: Sequence[str],
) -> StageSpec:
    known = declared.manifest.stages.get(stage) if declared is not None else None
    given = []
    for text in inputs:
        path, sign, key = text.partition("#")
        given.append(InputSpec(text, path, key if sign else None))
    return StageSpec(
        stage,
        tuple(command) or (known.command if known is not None else ()),
        False,
        tuple(given) or (known.inputs if known is not None else ()),
        tuple(outputs) or (known.outputs if known is not None else ()),
        known.line if known is not None else 0,
    )


def _says_the_same(one: StageRecord, other: StageRecord) -> bool:
    return (one.command, one.inputs, one.outputs, one.upstream) == (
        other.command,
        other.inputs,
        other.outputs,
        other.upstream,
    )


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a block by hand is made from: HEAD, the index, the chain, the declaration."""

    repo: Repository
    declared: Declared | None
    chain: Chain | None
    head: Snapshot
    index: Snapshot

    @classmethod
    def read(cls, repo: Repository, declared: Declared | None) -> _Scene:
        head = repo.refs.head().commit
        tree = repo.objects.read_commit(head).tree if head is not None else None
        chain = read_chain(repo, head) if head is not None else None
        return cls(repo, declared, chain, read_snapshot(repo.objects, tree), repo.read_index().snapshot())

    def collect(self, spec: StageSpec) -> tuple[BlockFiles, ResolvedInputs, dict[str, ObjectId]]:
        """Give the files to commit, the inputs, and the outputs by path."""
        cache = ContentCache(self.repo)
        found = resolve_inputs(self.repo, spec, cache)
        wanted = list(found.files)
        if self._is_declared(spec):
            wanted.append(MANIFEST_NAME)
        written = _require_outputs(self.repo, spec) if spec.outputs else []
        hashed = self._store([*wanted, *written])
        entries = {path: file.as_tree_entry() for path, file in hashed.items()}
        made = {path: entries[path].id for path in written} or self._staged_outputs(spec)
        known = self.chain.get(spec.name) if self.chain is not None else None
        graph = self.declared.graph if self.declared is not None else None
        removed = dropped_outputs(self.index, spec.name, known.stage if known else None, made, graph)
        return BlockFiles(entries, hashed, removed), found, made

    def _is_declared(self, spec: StageSpec) -> bool:
        return self.declared is not None and spec.name in self.declared.manifest.stages

    def _store(self, paths: Sequence[str]) -> dict[str, HashedFile]:
        with self.repo.objects.transaction() as writer:
            return {path: store_file(self.repo, path, writer) for path in paths}

    def _staged_outputs(self, spec: StageSpec) -> dict[str, ObjectId]:
        changed = [change.path for change in diff_snapshots(self.head, self.index) if change.new is not None]
        known = self.chain.get(spec.name) if self.chain is not None else None
        former = list(known.stage.outputs) if known is not None else []
        made = {
            path: self.index[path].id
            for path in sorted({*changed, *former})
            if path in self.index and path not in _BOOKKEEPING and not spec.reads(path)
        }
        if not made:
            raise NothingToCommit(
                f"nothing to record for stage '{spec.name}': no file is staged",
                hint="stage what it made with 'mlstore add', or declare it in mlstore.toml",
            )
        return made

    def describe(self, spec: StageSpec, inputs: ResolvedInputs, outputs: dict[str, ObjectId]) -> StageRecord:
        """Give the record of the block."""
        follows = None
        if not spec.inputs:
            if self.declared is not None and self._is_declared(spec):
                follows = self.declared.graph.follows[spec.name]
            elif self.chain is not None:
                follows = chain_position(self.chain, spec.name)
        return StageRecord(
            name=spec.name,
            command=spec.command,
            inputs=inputs.ids,
            outputs=outputs,
            upstream=upstream_of(self.chain or {}, spec.name, inputs.ids, follows=follows),
            record="asserted",
            parameters=inputs.parameters,
        )

    def is_committed(self, files: BlockFiles) -> bool:
        """Whether HEAD holds the index and *files* already."""
        after = {path: entry for path, entry in self.index.items() if path not in files.removed}
        return after | files.entries == self.head


def _require_outputs(repo: Repository, spec: StageSpec) -> list[str]:
    written: list[str] = []
    for pattern, files in find_outputs(repo, spec).items():
        if not files:
            raise PathNotFound(
                f"stage '{spec.name}' declares output '{pattern}': there is no such file",
                hint="make it first, or correct 'outputs' in mlstore.toml",
                path=pattern,
                stage=spec.name,
            )
        written += [path for path in files if path not in written]
    return written
