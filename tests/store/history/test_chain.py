from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.support import ADA, MOMENT

from mlstore.errors import CorruptObject
from mlstore.hashing import ObjectId
from mlstore.history import Block, chain_position, manifest_at, read_chain, upstream_of
from mlstore.history.chain import pipeline_order
from mlstore.model import Commit, StageRecord

if TYPE_CHECKING:
    from tests.store.support import Work

ID = ObjectId("ab" * 32)
LINEAGES = {name: ObjectId(name * 64) for name in "abcdef"}


def block(name: str, height: int, upstream: str = "", outputs: tuple[str, ...] = ()) -> Block:
    stage = StageRecord(
        name, (), {}, dict.fromkeys(outputs, ID), {other: LINEAGES[other] for other in upstream}
    )
    return Block(ObjectId(f"{height:064}"), Commit(ID, (), height, LINEAGES[name], ADA, MOMENT, name, stage))


def names(blocks: tuple[Block, ...]) -> str:
    return "".join(block.name for block in blocks)


def manifest(work: Work, *stages: str) -> None:
    text = "".join(f'[stages.{name}]\ncommand = "true"\noutputs = ["{name}.out"]\n' for name in stages)
    work.write("mlstore.toml", text)
    work.add()


@pytest.mark.parametrize(
    ("blocks", "order"),
    [
        ([block("a", 0), block("b", 1, "a"), block("c", 2, "b")], "abc"),
        (
            [block("a", 9), block("b", 5, "a"), block("c", 1, "b")],
            "abc",
        ),  # the order of the pipeline, not of time
        ([block("c", 0), block("b", 1), block("a", 2)], "cba"),
        ([block("a", 0), block("c", 1, "a"), block("b", 1, "a"), block("d", 2, "bc")], "abcd"),
        ([block("b", 1), block("a", 1)], "ab"),
        ([block("a", 0, "f"), block("b", 1, "a")], "ab"),  # an upstream that is not in the chain
        ([block("a", 0, "a")], "a"),
        ([block("a", 0, "b"), block("b", 1, "a")], "ab"),  # nonsense, for verify to name
        ([block("b", 0, "c"), block("c", 1, "b"), block("a", 2, "b")], "bca"),
        ([], ""),
    ],
)
def test_a_stage_stands_after_all_it_reads_from(blocks: list[Block], order: str) -> None:
    assert names(pipeline_order(blocks)) == order
    assert names(pipeline_order(reversed(blocks))) == order


def test_the_chain_is_the_newest_block_of_every_stage(work: Work) -> None:
    work.commit(a="1")
    work.block("generate")
    old = work.block("clean")
    work.commit(a="2")
    new = work.block("clean")
    chain = read_chain(work.repo, work.head)
    assert names_of(chain.blocks) == ["generate", "clean"]
    assert len(chain) == 2
    found = chain.get("clean")
    assert found is not None
    assert found.id == new
    assert chain.get("nothing") is None
    at_that_time = read_chain(work.repo, old)
    found = at_that_time.get("clean")
    assert found is not None
    assert found.id == old


def names_of(blocks: tuple[Block, ...]) -> list[str]:
    return [one.name for one in blocks]


def test_a_history_without_blocks_is_an_empty_chain(work: Work) -> None:
    assert len(read_chain(work.repo, work.commit(a="1"))) == 0


def test_a_stage_that_is_declared_no_more_is_retired(work: Work) -> None:
    manifest(work, "old", "kept")
    work.block("old")
    work.block("kept")
    manifest(work, "kept", "new")
    made = work.record("manifest")
    assert names_of(read_chain(work.repo, made).blocks) == ["kept"]


def test_a_stage_that_was_never_declared_stays(work: Work) -> None:
    work.commit(a="1")
    work.block("by-hand")
    manifest(work, "clean")
    assert names_of(read_chain(work.repo, work.block("clean")).blocks) == ["by-hand", "clean"]


@pytest.mark.parametrize("text", ["", "[gate]\n", "not toml ["])
def test_without_a_manifest_that_can_be_used_nothing_is_retired(work: Work, text: str) -> None:
    manifest(work, "clean")
    work.block("clean")
    work.write("mlstore.toml", text)
    work.add()
    assert names_of(read_chain(work.repo, work.record("m")).blocks) == ["clean"]


def test_a_stage_that_left_and_came_back_is_there(work: Work) -> None:
    manifest(work, "clean", "train")
    work.block("clean")
    manifest(work, "train")
    work.record("without")
    manifest(work, "clean", "train")
    assert names_of(read_chain(work.repo, work.record("with")).blocks) == ["clean"]


def test_the_manifest_of_a_commit_is_read_from_the_store(work: Work) -> None:
    manifest(work, "clean")
    tree = work.repo.objects.read_commit(work.record("m")).tree
    work.write("mlstore.toml", "changed since")
    found = manifest_at(work.repo, tree)
    assert found is not None
    assert list(found.stages) == ["clean"]
    empty = work.repo.objects.read_commit(work.commit(mlstore__toml=None)).tree
    assert manifest_at(work.repo, empty) is None
    entry = work.repo.format.hash_bytes(b'[stages.clean]\ncommand = "true"\noutputs = ["clean.out"]\n')
    work.damage(entry)
    with pytest.raises(CorruptObject):
        manifest_at(work.repo, tree)


def test_the_producer_of_a_file_is_the_later_stage_that_claims_it() -> None:
    from mlstore.history import Chain

    blocks = (block("a", 1, outputs=("x", "y")), block("b", 2, outputs=("y",)))
    chain = Chain(ID, blocks)
    assert chain.producer("x") is blocks[0]
    assert chain.producer("y") is blocks[1]
    assert chain.producer("z") is None


@pytest.mark.parametrize(
    ("inputs", "follows", "found"),
    [
        (["x"], None, "a"),
        (["x", "y"], None, "ab"),
        (["y#key", "y"], None, "b"),
        (["source.py"], None, ""),
        (["own"], None, ""),  # what it wrote itself the last time
        ([], None, ""),
        ([], "b", "b"),
        ([], "nothing", ""),
        (["x"], "b", "a"),
    ],
)
def test_upstream_are_the_stages_that_wrote_the_inputs(
    inputs: list[str], follows: str | None, found: str
) -> None:
    blocks = {
        "a": block("a", 1, outputs=("x",)),
        "b": block("b", 2, outputs=("y",)),
        "c": block("c", 3, outputs=("own",)),
    }
    assert upstream_of(blocks, "c", inputs, follows=follows) == {name: LINEAGES[name] for name in found}


def test_the_place_in_a_chain_by_hand_is_where_it_stood_or_the_end() -> None:
    from mlstore.history import Chain

    chain = Chain(ID, (block("a", 1), block("b", 2, "a"), block("c", 3, "b")))
    assert chain_position(chain, "new") == "c"
    assert chain_position(chain, "b") == "a"
    assert chain_position(chain, "a") is None
    assert chain_position(Chain(ID, ()), "new") is None
