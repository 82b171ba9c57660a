"""A stage beside its golden self: the verdict, by ids first and by golden's rules where these differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstore.errors import MlstoreError
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain
from mlstore.model import TreeEntry
from mlstore.repository import Repository, find_entry
from mlstore.verify.explain import Told, tell
from mlstore.verify.findings import Finding
from mlstore.verify.judging import Judge, where_stored

if TYPE_CHECKING:
    from mlstore.gate import Judgement

_CALM = frozenset({"match", "equivalent"})


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


@dataclass(frozen=True, slots=True)
class Output:
    """An output that differs and is not equivalent: what is said of it."""

    path: str
    cause: str
    details: tuple[str, ...]
    comparison: dict[str, Any] | None
    rule: str | None


class Pairs:
    """Two pipelines, stage by stage; asks the judge about files whose bytes differ, and only about these."""

    def __init__(self, golden: Side, current: Side, judge: Judge) -> None:
        self.golden = golden
        self.current = current
        self.verdicts: dict[str, str] = {}
        self._judge = judge

    def verdict(self, block: Block, found: Block | None) -> str:
        """Give the verdict on a stage, and remember it for those behind it."""
        verdict = self.verdicts[block.name] = self._decide(block, found)
        return verdict

    def is_calm(self, stage: str) -> bool:
        """Whether *stage* is equal or equivalent, so that nothing follows from it."""
        return self.verdicts.get(stage, "match") in _CALM

    def _decide(self, golden: Block, current: Block | None) -> str:
        if current is None:
            return "missing"
        one, other = golden.stage, current.stage
        if golden.lineage == current.lineage:
            return "match"
        if one.command != other.command:
            return "changed-command"
        if one.upstream.keys() != other.upstream.keys():
            return "reordered"
        same_outputs = one.outputs == other.outputs or all(
            self._output(path, golden, current) is not None for path in changed(one.outputs, other.outputs)
        )
        # The lineage of a stage upstream differs too when that stage is merely equivalent.
        calm = all(self.is_calm(name) for name in one.upstream if one.upstream[name] != other.upstream[name])
        unexplained = set(changed(one.inputs, other.inputs)) - set(self.excused_inputs(golden, current))
        if calm and not unexplained:
            return "equivalent" if same_outputs else "diverged"
        same_inputs = one.inputs == other.inputs and (bool(one.inputs) or one.upstream == other.upstream)
        if same_outputs:
            return "rebuilt"
        return "diverged" if same_inputs else "changed-input"

    # outputs

    def _output(self, path: str, golden: Block, current: Block) -> Judgement | None:
        """Give the judgement on an output that is equivalent; None where it is not."""
        found = self._judged(path, golden, current)
        return found[0] if found is not None and found[0].passes else None

    def equivalent_outputs(self, golden: Block, current: Block) -> list[tuple[str, Judgement]]:
        """Give the outputs that differ in bytes and are equivalent."""
        paths = changed(golden.stage.outputs, current.stage.outputs)
        judged = ((path, self._output(path, golden, current)) for path in paths)
        return [(path, found) for path, found in judged if found is not None]

    def differing_outputs(self, golden: Block, current: Block) -> list[Output]:
        """Give the outputs that are not equivalent, with what differs in them."""
        found = []
        for path in changed(golden.stage.outputs, current.stage.outputs):
            judged = self._judged(path, golden, current)
            if judged is None:
                found.append(Output(path, "", (), None, None))
            elif not judged[0].passes:
                told = judged[1]
                found.append(Output(path, told.cause, told.details, told.to_dict(), judged[0].rule))
        return found

    # inputs

    def excused_inputs(self, golden: Block, current: Block) -> list[str]:
        """Give the inputs that differ in bytes and are equivalent by golden's rules."""
        inputs = changed(golden.stage.inputs, current.stage.inputs)
        return [selector for selector in inputs if self._is_excused(selector, golden, current)]

    def _is_excused(self, selector: str, golden: Block, current: Block) -> bool:
        if selector not in golden.stage.inputs or selector not in current.stage.inputs:
            return False
        path, _, key = selector.partition("#")
        if self._judge.by_bytes(path):
            return False
        judged = self._judged(path, golden, current)
        if judged is None or not judged[0].passes:
            return False
        from mlstore.gate import judged_keys

        keys = judged_keys(self._judge.policy.rules_for(path))
        return keys is None or not key or key in keys

    def input_text(self, selector: str, golden: Block, current: Block) -> str:
        """Say how an excused input relates to golden's."""
        judged = self._judged(selector.partition("#")[0], golden, current)
        return judged[0].text if judged is not None else "equivalent"

    def tell_input(self, path: str, golden: Block, current: Block) -> Told | None:
        """Say what differs in an input; None where it cannot be found."""
        judged = self._judged(path, golden, current)
        return judged[1] if judged is not None else None

    def input_comparison(self, selector: str, golden: Block, current: Block) -> dict[str, Any] | None:
        """Give what changed inside an input, for machines."""
        if selector not in golden.stage.inputs or selector not in current.stage.inputs:
            return None
        told = self.tell_input(selector.partition("#")[0], golden, current)
        return told.to_dict() if told is not None else None

    def _judged(self, path: str, golden: Block, current: Block) -> tuple[Judgement, Told] | None:
        """Judge the file at *path* as the two blocks have it; None where one has none, or it is damaged."""
        try:
            old = _file(self.golden.repo, golden, path)
            new = _file(self.current.repo, current, path)
        except MlstoreError:
            return None
        if old is None or new is None or old.kind != new.kind:
            return None
        claims = golden.stage.outputs.get(path, old.id), current.stage.outputs.get(path, new.id)
        if claims != (old.id, new.id):
            return None  # a record that is not true to its own snapshot: said elsewhere, never excused
        pair = (self.golden.repo, old), (self.current.repo, new)
        found = self._judge.stored(path, *pair)
        return found, tell(found, old, new, where_stored(*pair))


def _file(repo: Repository, block: Block, path: str) -> TreeEntry | None:
    entry = find_entry(repo.objects, block.commit.tree, path)
    return entry if entry is not None and entry.kind != "tree" else None


def changed(one: Mapping[str, ObjectId], other: Mapping[str, ObjectId]) -> list[str]:
    """Give the names whose ids differ, or that only one of the two has; sorted."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def equivalences(pairs: Pairs, block: Block, found: Block) -> list[Finding]:
    """Say (as information) by which rules a stage counts as equal to golden's."""
    sources = [
        selector.partition("#")[0]
        for selector in pairs.excused_inputs(block, found)
        if pairs.golden.chain.producer(selector.partition("#")[0]) is None
    ]
    told = [
        _equivalent(pairs, block, found, "input", path, judged)
        for path in dict.fromkeys(sources)
        if (judged := pairs._output(path, block, found)) is not None
    ]
    told += [
        _equivalent(pairs, block, found, "output", path, judged)
        for path, judged in pairs.equivalent_outputs(block, found)
    ]
    if told:
        return told
    return [
        Finding(
            "equivalent",
            f"stage '{block.name}': the same outputs from inputs that are equivalent",
            severity="info",
            stage=block.name,
            commit=found.id,
            expected=block.lineage,
            actual=found.lineage,
        )
    ]


def _equivalent(pairs: Pairs, block: Block, found: Block, what: str, path: str, judged: Judgement) -> Finding:
    ids = [(one.stage.outputs if what == "output" else one.stage.inputs).get(path) for one in (block, found)]
    return Finding(
        "equivalent",
        f"stage '{block.name}': {what} '{path}' is {judged.text}",
        severity="info",
        stage=block.name,
        commit=found.id,
        path=path,
        expected=ids[0],
        actual=ids[1],
        comparison=judged.comparison.to_dict() if judged.comparison is not None else None,
        rule=judged.rule,
    )
