"""The chain: the pipeline as it stands at a commit, one block a stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlstore.errors import ConfigError, ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.history.files import manifest_at, manifest_left_out
from mlstore.history.walk import walk
from mlstore.model import Commit, StageRecord
from mlstore.repository import Repository


@dataclass(frozen=True, slots=True)
class Block:
    """A commit that has a stage."""

    id: ObjectId
    commit: Commit

    @property
    def stage(self) -> StageRecord:
        """What the stage did."""
        assert self.commit.stage is not None
        return self.commit.stage

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def lineage(self) -> ObjectId:
        """The lineage that the block records."""
        assert self.commit.lineage is not None
        return self.commit.lineage


@dataclass(frozen=True, slots=True)
class Chain:
    """The newest block of every stage, in pipeline order: a stage stands after all it reads from."""

    commit: ObjectId
    blocks: tuple[Block, ...]

    def __len__(self) -> int:
        return len(self.blocks)

    def get(self, stage: str) -> Block | None:
        """Give the block of *stage*, or None."""
        return next((block for block in self.blocks if block.name == stage), None)

    def producer(self, path: str) -> Block | None:
        """Give the block that wrote *path*, or None. The later one where two stages claim it."""
        found = [block for block in self.blocks if path in block.stage.outputs]
        return max(found, key=lambda block: block.commit.height, default=None)


def read_chain(repo: Repository, commit_id: ObjectId) -> Chain:
    """Give the chain at *commit_id*.

    A stage that its own commit's ``mlstore.toml`` declared and that of *commit_id* no longer does is
    retired: it is left out.
    """
    newest: dict[str, Block] = {}
    for block_id, commit in walk(repo, [commit_id]):
        if commit.stage is not None and commit.stage.name not in newest:
            newest[commit.stage.name] = Block(block_id, commit)
    declared = declared_stages(repo, repo.objects.read_commit(commit_id).tree)
    if declared:
        newest = {
            name: block
            for name, block in newest.items()
            if name in declared or name not in (declared_stages(repo, block.commit.tree) or ())
        }
    return Chain(commit_id, pipeline_order(newest.values()))


def declared_stages(repo: Repository, tree: ObjectId) -> frozenset[str] | None:
    """Give the names of the stages that *tree* declares, None when it declares none.

    None too where a store without blobs does not say: then every stage on record counts.
    """
    try:
        manifest = manifest_at(repo, tree)
    except ConfigError:
        return None  # whoever runs the pipeline is told; the blocks on record stand all the same
    except ObjectNotFound:
        if repo.filter is None or not manifest_left_out(repo, tree):
            raise
        return None
    return frozenset(manifest.stages) if manifest and manifest.stages else None


def pipeline_order(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Sort *blocks* so that each stands after its upstream, lower ones first among equals."""
    waiting = sorted(blocks, key=lambda block: (block.commit.height, block.name))
    names = {block.name for block in waiting}
    placed: dict[str, Block] = {}
    while waiting:
        ready = next(
            (
                block
                for block in waiting
                if not (names & block.stage.upstream.keys()) - placed.keys() - {block.name}
            ),
            waiting[0],  # stages that claim to follow each other: verify says so, here any order does
        )
        placed[ready.name] = ready
        waiting.remove(ready)
    return tuple(placed.values())


def upstream_of(
    chain: Chain | Mapping[str, Block], stage: str, inputs: Iterable[str], *, follows: str | None
) -> dict[str, ObjectId]:
    """Give the lineages of the stages that *stage*'s inputs come from, by name.

    *inputs* are ``path`` or ``path#key``. A stage without any follows the stage *follows* (None: it is
    the first), which makes a linear chain.
    """
    blocks = {block.name: block for block in chain.blocks} if isinstance(chain, Chain) else dict(chain)
    wanted = list(inputs)
    if not wanted:
        before = blocks.get(follows) if follows is not None else None
        return {before.name: before.lineage} if before is not None else {}
    found = {}
    for path in sorted({selector.partition("#")[0] for selector in wanted}):
        for name, block in blocks.items():
            if name != stage and path in block.stage.outputs:
                found[name] = block.lineage
    return found


def chain_position(chain: Chain, stage: str) -> str | None:
    """Give the stage that *stage* follows in a chain recorded by hand: where it stood before, or the end."""
    known = chain.get(stage)
    if known is not None:
        return next(iter(known.stage.upstream), None)
    newest = max(chain.blocks, key=lambda block: block.commit.height, default=None)
    return newest.name if newest is not None else None
