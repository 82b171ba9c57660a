"""Two chains, stage by stage: which one diverged first, and why.

==================  ============  =========================================================
verdict             inputs        outputs
==================  ============  =========================================================
match               same          same
equivalent          same, or equivalent by golden's rules; so are the outputs
changed-input       differ        differ: expected, points to the cause upstream
diverged            same          differ: nondeterminism, tampering or another environment
rebuilt             differ        same
changed-command     the command is another
reordered           it follows other stages than before
missing, extra      only one of the two chains has the stage
==================  ============  =========================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mlstore._lazy import LazyPattern
from mlstore.compare.environment import diff_environments, load_environment
from mlstore.errors import MlstoreError
from mlstore.history import Block
from mlstore.repository import Change, Repository, diff_snapshots, read_snapshot
from mlstore.verify.explain import explain_file_change, tell
from mlstore.verify.findings import Finding, StageVerdict
from mlstore.verify.judging import Judge, where_stored
from mlstore.verify.pairs import Pairs, Side, changed, equivalences

_SHOWN = 8
_SHOWN_OUTPUTS = 3
_SHOWN_LINES = 3
_WHOLE_ROW = LazyPattern(r"row \d+ (added|removed)|and [\d,]+ more|size |first differing|equal up to")


@dataclass(slots=True)
class Comparison:
    """A row for every stage, and the findings for those that do not match."""

    stages: list[StageVerdict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def compare_chains(
    golden: Side, current: Side, judge: Judge, stale: frozenset[str] = frozenset()
) -> Comparison:
    """Compare *current* with *golden* in pipeline order; *stale* stages are judged as such.

    What differs in bytes goes before *judge*, which knows golden's rules.
    """
    result = Comparison()
    pairs = Pairs(golden, current, judge)
    for block in golden.chain.blocks:
        found = current.chain.get(block.name)
        verdict = pairs.verdict(block, found)
        row = "stale" if block.name in stale else verdict
        result.stages.append(_row(block.name, row, found, block))
        if verdict == "equivalent" and found is not None:
            result.findings += equivalences(pairs, block, found)
        elif verdict != "match":
            result.findings.append(_finding(pairs, block, found, verdict))
    for block in current.chain.blocks:
        if golden.chain.get(block.name) is None:
            result.stages.append(_row(block.name, "extra", block, None))
            result.findings.append(_extra(block))
    if not golden.chain.blocks:
        result.findings += _compare_files(golden, current, judge)
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


def _finding(pairs: Pairs, block: Block, found: Block | None, verdict: str) -> Finding:
    if found is None:
        return _missing(block)
    if verdict == "changed-command":
        return _changed_command(block, found)
    if verdict == "reordered":
        return _reordered(block, found)
    if verdict == "diverged":
        return _diverged(pairs, block, found)
    return _changed_input(pairs, block, found, verdict)


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


def _diverged(pairs: Pairs, block: Block, found: Block) -> Finding:
    told = pairs.differing_outputs(block, found)
    first, *others = told
    details = [f"'{one.path}' differs: {one.cause}" for one in others[:_SHOWN]]
    details += [f"'{first.path}': {line}" for line in (first.cause, *first.details) if line]
    environments = _environment_changes(pairs.golden.repo, block, pairs.current.repo, found)
    details += [f"environment: {line}" for line in environments]
    excused = pairs.excused_inputs(block, found)
    details += [
        f"input '{path}' is not the same, but {pairs.input_text(path, block, found)}" for path in excused
    ]
    # Another commit of the scripts' repository is worth knowing, but in itself it runs nothing.
    telling = [line for line in environments if not line.startswith("git ")]
    if telling:
        cause = f"the environment differs: {'; '.join(telling[:3])}"
    elif found.stage.environment is None or block.stage.environment is None:
        cause = "unknown: a block recorded by hand says nothing of its environment"
    elif excused:
        cause = "its inputs are equivalent and not the same, or the stage is not deterministic"
    else:
        cause = "same inputs, command and environment: the stage is not deterministic, or was tampered with"
    return Finding(
        "diverged",
        f"stage '{block.name}': {'equivalent' if excused else 'same'} inputs, other output '{first.path}'"
        + (f" (and {len(others)} more)" if others else ""),
        stage=block.name,
        commit=found.id,
        path=first.path,
        expected=block.stage.outputs.get(first.path),
        actual=found.stage.outputs.get(first.path),
        cause=cause,
        hint="fix the seed and declare all that the stage reads; then run it again",
        details=tuple(dict.fromkeys(details)),
        comparison=first.comparison,
        rule=first.rule,
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


def _changed_input(pairs: Pairs, block: Block, found: Block, verdict: str) -> Finding:
    excused = pairs.excused_inputs(block, found)
    inputs = [path for path in changed(block.stage.inputs, found.stage.inputs) if path not in excused]
    golden = pairs.golden
    sources = [path for path in inputs if golden.chain.producer(path.partition("#")[0]) is None]
    kind = "rebuilt" if verdict == "rebuilt" else "changed-input"
    what = "same output from other inputs" if kind == "rebuilt" else "its input changed"
    if not sources:
        return _consequence(pairs, block, found, kind, what, inputs)
    details: list[str] = []
    for selector in sources[:_SHOWN]:
        details += _explain_source(pairs, block, found, selector)
    first = sources[0]
    cause = "; ".join(details)
    for one in pairs.differing_outputs(block, found)[:_SHOWN_OUTPUTS]:
        # That rows came and went is in the summary; which ones says little where an input is the cause.
        lines = [line for line in one.details if not _WHOLE_ROW.match(line)]
        details += [f"output '{one.path}': {line}" for line in (one.cause, *lines[:_SHOWN_LINES]) if line]
    return Finding(
        kind,
        f"stage '{block.name}': {what}: '{first}'"
        + (f" (and {len(sources) - 1} more)" if sources[1:] else ""),
        stage=block.name,
        commit=found.id,
        path=first.partition("#")[0],
        expected=block.stage.inputs.get(first),
        actual=found.stage.inputs.get(first),
        cause=cause or f"'{first}' differs",
        hint=f"restore '{first.partition('#')[0]}' and run the pipeline, or pin this one as golden",
        details=tuple(dict.fromkeys(details)),
        comparison=pairs.input_comparison(first, block, found),
    )


def _explain_source(pairs: Pairs, block: Block, found: Block, selector: str) -> list[str]:
    path, _, key = selector.partition("#")
    if selector not in block.stage.inputs:
        return [f"'{selector}' is a new input"]
    if selector not in found.stage.inputs:
        return [f"'{selector}' is no longer an input"]
    if key:
        trees = block.commit.tree, found.commit.tree
        lines = explain_file_change(pairs.golden.repo, trees[0], pairs.current.repo, trees[1], path, key)
        return [f"{path}: {line}" for line in lines]
    told = pairs.tell_input(path, block, found)
    if told is None:
        return []
    return [f"{path}: {line}" for line in (told.cause, *told.details) if line]


def _consequence(
    pairs: Pairs, block: Block, found: Block, kind: str, what: str, inputs: list[str]
) -> Finding:
    """A difference that only follows from one upstream: named, with the stage that it comes from."""
    origin = next((name for name in block.stage.upstream if not pairs.is_calm(name)), None)
    first = inputs[0] if inputs else None
    outputs = pairs.differing_outputs(block, found)
    details = [f"output '{one.path}': {one.cause}" for one in outputs[:_SHOWN_OUTPUTS] if one.cause]
    return Finding(
        kind,
        f"stage '{block.name}': {what}" + (f": '{first}'" if first else ""),
        stage=block.name,
        commit=found.id,
        path=first.partition("#")[0] if first else None,
        expected=block.stage.inputs.get(first) if first else block.lineage,
        actual=found.stage.inputs.get(first) if first else found.lineage,
        cause=f"follows from '{origin}' ({pairs.verdicts[origin]})" if origin else None,
        hint=f"look at stage '{origin}' first" if origin else None,
        details=tuple(details),
        consequence=origin is not None,
        comparison=outputs[0].comparison if outputs else None,
    )


def _compare_files(golden: Side, current: Side, judge: Judge) -> list[Finding]:
    """Without stages there are only files to compare."""
    old = read_snapshot(golden.repo.objects, golden.tree)
    new = read_snapshot(current.repo.objects, current.tree)
    return [_changed_file(golden, current, change, judge) for change in diff_snapshots(old, new)]


def _changed_file(golden: Side, current: Side, change: Change, judge: Judge) -> Finding:
    found, told = None, None
    if change.old is not None and change.new is not None and change.old.id != change.new.id:
        pair = (golden.repo, change.old), (current.repo, change.new)
        found = judge.stored(change.path, *pair)
        told = tell(found, change.old, change.new, where_stored(*pair))
    passes = found is not None and found.passes and change.old is not None and change.new is not None
    passes = passes and change.old.kind == change.new.kind  # type: ignore[union-attr]
    return Finding(
        "equivalent" if passes else "diverged",
        f"'{change.path}' is {found.text if passes and found else change.status}",
        severity="info" if passes else "error",
        commit=current.commit,
        path=change.path,
        expected=change.old.id if change.old else None,
        actual=change.new.id if change.new else None,
        cause=(told.cause or None) if told and not passes else None,
        hint=None if passes else f"restore it with 'mlstore checkout {golden.commit[:10]} -- {change.path}'",
        details=told.details if told and not passes else (),
        comparison=told.to_dict() if told else None,
        rule=found.rule if found else None,
    )


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
