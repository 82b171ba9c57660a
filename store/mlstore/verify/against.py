"""Two chains, stage by stage: which one diverged first, and why.

==================  ============  =========================================================
verdict             inputs        outputs
==================  ============  =========================================================
match               same          same
changed-input       differ        differ: expected, points to the cause upstream
diverged            same          differ: nondeterminism, tampering or another environment
rebuilt             differ        same
changed-command     the command is another
reordered           it follows other stages than before
missing, extra      only one of the two chains has the stage
==================  ============  =========================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlstore.compare.environment import diff_environments, load_environment
from mlstore.errors import MlstoreError
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain
from mlstore.repository import Repository, diff_snapshots, read_snapshot
from mlstore.verify.explain import explain_entries, explain_file_change
from mlstore.verify.findings import Finding, StageVerdict

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two pipelines: where it lives, its commit and its chain."""

    repo: Repository
    commit: ObjectId
    chain: Chain

    @property
    def tree(self) -> ObjectId:
        """The tree of its commit."""
        return self.repo.objects.read_commit(self.commit).tree


@dataclass(slots=True)
class Comparison:
    """A row for every stage, and the findings for those that do not match."""

    stages: list[StageVerdict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def compare_chains(golden: Side, current: Side, stale: frozenset[str] = frozenset()) -> Comparison:
    """Compare *current* with *golden* in pipeline order; *stale* stages are judged as such."""
    result = Comparison()
    verdicts: dict[str, str] = {}
    for block in golden.chain.blocks:
        found = current.chain.get(block.name)
        verdict = _verdict(block, found)
        verdicts[block.name] = verdict
        row = "stale" if block.name in stale else verdict
        result.stages.append(_row(block.name, row, found, block))
        if verdict != "match":
            result.findings.append(_finding(golden, current, block, found, verdict, verdicts))
    for block in current.chain.blocks:
        if golden.chain.get(block.name) is None:
            result.stages.append(_row(block.name, "extra", block, None))
            result.findings.append(_extra(block))
    if not golden.chain.blocks:
        result.findings += _compare_files(golden, current)
    return result


def _row(name: str, verdict: str, current: Block | None, golden: Block | None) -> StageVerdict:
    return StageVerdict(
        name,
        verdict,
        current.id if current else None,
        current.lineage if current else None,
        golden.id if golden else None,
        golden.lineage if golden else None,
        current.stage.record if current else None,
    )


def _verdict(golden: Block, current: Block | None) -> str:
    if current is None:
        return "missing"
    one, other = golden.stage, current.stage
    if golden.lineage == current.lineage:
        return "match"
    if one.command != other.command:
        return "changed-command"
    if one.upstream.keys() != other.upstream.keys():
        return "reordered"
    same_inputs = one.inputs == other.inputs and (bool(one.inputs) or one.upstream == other.upstream)
    if same_inputs:
        # Equal all through but for the lineage of a stage before it: rebuilt upstream.
        return "rebuilt" if one.outputs == other.outputs else "diverged"
    return "rebuilt" if one.outputs == other.outputs else "changed-input"


def _finding(
    golden: Side,
    current: Side,
    block: Block,
    found: Block | None,
    verdict: str,
    verdicts: Mapping[str, str],
) -> Finding:
    if found is None:
        return _missing(block)
    if verdict == "changed-command":
        return _changed_command(block, found)
    if verdict == "reordered":
        return _reordered(block, found)
    if verdict == "diverged":
        return _diverged(golden, current, block, found)
    return _changed_input(golden, current, block, found, verdict, verdicts)


def _missing(block: Block) -> Finding:
    return Finding(
        "missing",
        f"stage '{block.name}' of the golden pipeline is not there",
        stage=block.name,
        commit=block.id,
        expected=block.lineage,
        hint=f"run 'mlstore run {block.name}'",
    )


def _extra(block: Block) -> Finding:
    return Finding(
        "extra",
        f"stage '{block.name}' is not in the golden pipeline",
        stage=block.name,
        commit=block.id,
        actual=block.lineage,
        hint="take it out of mlstore.toml, or pin the pipeline with it as golden",
    )


def _changed_command(golden: Block, current: Block) -> Finding:
    import shlex

    before, after = shlex.join(golden.stage.command), shlex.join(current.stage.command)
    return Finding(
        "changed-command",
        f"stage '{golden.name}' was made by another command",
        stage=golden.name,
        commit=current.id,
        expected=before,
        actual=after,
        cause=f"golden ran '{before}', this pipeline '{after}'",
        hint="restore the command in mlstore.toml and run the stage again",
    )


def _reordered(golden: Block, current: Block) -> Finding:
    def follows(block: Block) -> str:
        return ", ".join(sorted(block.stage.upstream)) or "nothing"

    return Finding(
        "reordered",
        f"stage '{golden.name}' follows {follows(current)}, in the golden pipeline {follows(golden)}",
        stage=golden.name,
        commit=current.id,
        expected=follows(golden),
        actual=follows(current),
        hint="restore the order of the stages in mlstore.toml and run them again",
    )


def _diverged(golden: Side, current: Side, block: Block, found: Block) -> Finding:
    outputs = _changed(block.stage.outputs, found.stage.outputs)
    first = outputs[0]
    details = [f"'{path}' differs" for path in outputs[1:_SHOWN]]
    where = explain_file_change(golden.repo, block.commit.tree, current.repo, found.commit.tree, first, None)
    details += [f"'{first}': {line}" for line in where]
    environments = _environment_changes(golden.repo, block, current.repo, found)
    details += [f"environment: {line}" for line in environments]
    # Another commit of the scripts' repository is worth knowing, but in itself it runs nothing.
    telling = [line for line in environments if not line.startswith("git ")]
    if telling:
        cause = f"the environment differs: {'; '.join(telling[:3])}"
    elif found.stage.environment is None or block.stage.environment is None:
        cause = "unknown: a block recorded by hand says nothing of its environment"
    else:
        cause = "same inputs, command and environment: the stage is not deterministic, or was tampered with"
    return Finding(
        "diverged",
        f"stage '{block.name}': same inputs, other output '{first}'"
        + (f" (and {len(outputs) - 1} more)" if outputs[1:] else ""),
        stage=block.name,
        commit=found.id,
        path=first,
        expected=block.stage.outputs.get(first),
        actual=found.stage.outputs.get(first),
        cause=cause,
        hint="fix the seed and declare all that the stage reads; then run it again",
        details=tuple(details),
    )


def _environment_changes(golden: Repository, block: Block, current: Repository, found: Block) -> list[str]:
    one, other = block.stage.environment, found.stage.environment
    if one is None or other is None or one == other:
        return []
    try:
        before, after = golden.objects.read(one), current.objects.read(other)
        return diff_environments(load_environment(before), load_environment(after))
    except MlstoreError:
        return []


def _changed_input(
    golden: Side,
    current: Side,
    block: Block,
    found: Block,
    verdict: str,
    verdicts: Mapping[str, str],
) -> Finding:
    inputs = _changed(block.stage.inputs, found.stage.inputs)
    sources = [path for path in inputs if golden.chain.producer(path.partition("#")[0]) is None]
    kind = "rebuilt" if verdict == "rebuilt" else "changed-input"
    what = "same output from other inputs" if kind == "rebuilt" else "its input changed"
    if not sources:
        return _consequence(block, found, kind, what, inputs, verdicts)
    details: list[str] = []
    for selector in sources[:_SHOWN]:
        details += _explain_source(golden, current, block, found, selector)
    first = sources[0]
    return Finding(
        kind,
        f"stage '{block.name}': {what}: '{first}'"
        + (f" (and {len(sources) - 1} more)" if sources[1:] else ""),
        stage=block.name,
        commit=found.id,
        path=first.partition("#")[0],
        expected=block.stage.inputs.get(first),
        actual=found.stage.inputs.get(first),
        cause="; ".join(details) or f"'{first}' differs",
        hint=f"restore '{first.partition('#')[0]}' and run the pipeline, or pin this one as golden",
        details=tuple(details),
    )


def _explain_source(golden: Side, current: Side, block: Block, found: Block, selector: str) -> list[str]:
    path, _, key = selector.partition("#")
    if selector not in block.stage.inputs:
        return [f"'{selector}' is a new input"]
    if selector not in found.stage.inputs:
        return [f"'{selector}' is no longer an input"]
    lines = explain_file_change(
        golden.repo, block.commit.tree, current.repo, found.commit.tree, path, key or None
    )
    return [f"{path}: {line}" for line in lines]


def _consequence(
    block: Block, found: Block, kind: str, what: str, inputs: list[str], verdicts: Mapping[str, str]
) -> Finding:
    """A difference that only follows from one upstream: named, with the stage that it comes from."""
    upstream = [name for name in block.stage.upstream if verdicts.get(name, "match") != "match"]
    origin = upstream[0] if upstream else None
    first = inputs[0] if inputs else None
    return Finding(
        kind,
        f"stage '{block.name}': {what}" + (f": '{first}'" if first else ""),
        stage=block.name,
        commit=found.id,
        path=first.partition("#")[0] if first else None,
        expected=block.stage.inputs.get(first) if first else block.lineage,
        actual=found.stage.inputs.get(first) if first else found.lineage,
        cause=f"follows from '{origin}' ({verdicts[origin]})" if origin else None,
        hint=f"look at stage '{origin}' first" if origin else None,
        consequence=origin is not None,
    )


def _changed(one: Mapping[str, ObjectId], other: Mapping[str, ObjectId]) -> list[str]:
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def _compare_files(golden: Side, current: Side) -> list[Finding]:
    """Without stages there are only files to compare."""
    old = read_snapshot(golden.repo.objects, golden.tree)
    new = read_snapshot(current.repo.objects, current.tree)
    findings = []
    for change in diff_snapshots(old, new):
        details: tuple[str, ...] = ()
        if change.old is not None and change.new is not None:
            details = explain_entries(golden.repo, change.old, current.repo, change.new)
        findings.append(
            Finding(
                "diverged",
                f"'{change.path}' is {change.status}",
                commit=current.commit,
                path=change.path,
                expected=change.old.id if change.old else None,
                actual=change.new.id if change.new else None,
                cause="; ".join(details) or None,
                hint=f"restore it with 'mlstore checkout {golden.commit[:10]} -- {change.path}'",
                details=details,
            )
        )
    return findings


def files_outside(golden: Side, current: Side) -> list[Finding]:
    """Say (as information) which files differ that no stage of the two pipelines reads or writes."""
    known = {
        selector.partition("#")[0]
        for side in (golden, current)
        for block in side.chain.blocks
        for selector in (*block.stage.inputs, *block.stage.outputs)
    }
    old = read_snapshot(golden.repo.objects, golden.tree)
    new = read_snapshot(current.repo.objects, current.tree)
    return [
        Finding(
            "outside-pipeline",
            f"'{change.path}' is {change.status} since golden; no stage reads or writes it",
            severity="info",
            commit=current.commit,
            path=change.path,
            expected=change.old.id if change.old else None,
            actual=change.new.id if change.new else None,
        )
        for change in diff_snapshots(old, new)
        if change.path not in known
    ]
