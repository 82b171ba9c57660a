"""The chain as people look at it: the blocks at a commit, and how they stand against the worktree."""

from __future__ import annotations

from dataclasses import dataclass

from mlstore.errors import ConfigError
from mlstore.hashing import ObjectId
from mlstore.history import Block, Chain, read_chain, resolve_commit
from mlstore.manifest import Manifest
from mlstore.pipeline.chainstate import CurrentChain
from mlstore.pipeline.declared import Declared, find_declared
from mlstore.pipeline.graph import StageGraph
from mlstore.pipeline.staleness import Judge, StageState, foresee
from mlstore.repository import Repository
from mlstore.worktree import ContentCache


@dataclass(frozen=True, slots=True)
class ChainView:
    """The chain at a commit.

    ``states`` says for each block whether the worktree has left it behind; None where the commit is not
    HEAD, for then the worktree says nothing about it. ``pending`` are declared stages that have no
    block. ``problem`` is why the declaration cannot be used, if so.
    """

    commit: ObjectId
    lineage: ObjectId | None
    blocks: tuple[Block, ...]
    states: dict[str, StageState] | None = None
    pending: tuple[str, ...] = ()
    problem: ConfigError | None = None


def view_chain(repo: Repository, rev: str = "HEAD") -> ChainView:
    """Give the chain at *rev*; raises ``RefNotFound`` and the like, ``CorruptObject`` for a broken one."""
    commit_id = resolve_commit(repo, rev)
    chain = read_chain(repo, commit_id)
    lineage = repo.objects.read_commit(commit_id).lineage
    if commit_id != repo.refs.head().commit:
        return ChainView(commit_id, lineage, chain.blocks)
    problem = None
    try:
        declared = find_declared(repo)
    except ConfigError as exc:
        declared, problem = None, exc
    states = _states(repo, chain, declared)
    names = declared.manifest.stages if declared is not None else {}
    pending = tuple(name for name in names if chain.get(name) is None)
    return ChainView(commit_id, lineage, chain.blocks, states, pending, problem)


def _states(repo: Repository, chain: Chain, declared: Declared | None) -> dict[str, StageState]:
    if declared is None:
        declared = Declared(b"", Manifest(), StageGraph.build(Manifest()))
    judge = Judge(repo, declared, ContentCache(repo), CurrentChain(repo, declared.manifest))
    states = {state.name: state for state in foresee(declared.graph, judge, (), force=False)}
    for block in chain.blocks:
        if block.name not in states:
            states[block.name] = StageState(block.name, judge.reason_modified(block.stage))
    return states
