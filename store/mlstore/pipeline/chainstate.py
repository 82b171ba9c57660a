"""The chain that a run builds on: read once, then carried along block by block."""

from __future__ import annotations

from mlstore.hashing import ObjectId
from mlstore.history import Block, read_chain
from mlstore.history.chain import declared_stages
from mlstore.manifest import Manifest
from mlstore.repository import Repository


class CurrentChain:
    """HEAD's newest block of every stage that *manifest* does not retire."""

    def __init__(self, repo: Repository, manifest: Manifest) -> None:
        self._repo = repo
        self._manifest = manifest
        self.head: ObjectId | None = None
        self.blocks: dict[str, Block] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the chain again if HEAD is not where this chain left it."""
        head = self._repo.refs.head().commit
        if head != self.head:
            self.blocks = {} if head is None else self._read(head)
            self.head = head

    def advance(self, commit_id: ObjectId) -> Block:
        """Take in the block that was just recorded."""
        block = Block(commit_id, self._repo.objects.read_commit(commit_id))
        self.blocks[block.name] = block
        self.head = commit_id
        return block

    @property
    def tree(self) -> ObjectId | None:
        """HEAD's tree, None before the first commit."""
        return None if self.head is None else self._repo.objects.read_commit(self.head).tree

    def _read(self, head: ObjectId) -> dict[str, Block]:
        declared = self._manifest.stages
        return {
            block.name: block
            for block in read_chain(self._repo, head).blocks
            if not declared
            or block.name in declared
            # Once declared and now no longer: retired. Recorded by hand only: part of the chain.
            or block.name not in (declared_stages(self._repo, block.commit.tree) or ())
        }
