"""A block against its own snapshot and against what stands before it: what a forger leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.verify.building import CONFIG

from mlstore.errors import PathNotFound
from mlstore.verify import verify
from mlstore.verify.blocks import selector_id
from mlstore.worktree import add_paths, remove_paths

if TYPE_CHECKING:
    from tests.store.verify.building import Pipeline

    from mlstore.verify import Finding


def found(pipeline: Pipeline, kind: str) -> list[Finding]:
    return [finding for finding in verify(pipeline.repo).findings if finding.kind == kind]


@pytest.mark.parametrize(
    ("field", "selector"),
    [
        ("outputs", "never/made.csv"),
        ("outputs", "data"),
        ("inputs", "never/there.csv"),
        ("inputs", "config.ini#no_such_section"),
        ("inputs", "data/clean.csv#key"),
    ],
)
def test_a_claim_about_what_the_snapshot_does_not_hold_is_false(
    pipeline: Pipeline, field: str, selector: str
) -> None:
    claim = {selector: pipeline.repo.format.hash_bytes(b"made up")}
    pipeline.train(change={field: claim})
    (finding,) = found(pipeline, "false-record")
    assert (finding.stage, finding.path) == ("train", selector.partition("#")[0])
    assert finding.expected == claim[selector]
    assert finding.actual is None


def test_an_input_that_was_removed_since_makes_its_reader_stale(pipeline: Pipeline) -> None:
    remove_paths(pipeline.repo, ["config.ini"])
    pipeline.commit("no more configuration")
    stale = found(pipeline, "stale")
    assert {finding.stage for finding in stale} == {"generate", "train"}
    assert {finding.expected for finding in stale} == {None}
    assert {finding.cause for finding in stale} == {
        "'config.ini#generate' is no longer there",
        "'config.ini#train' is no longer there",
    }


def test_an_output_that_was_removed_since_is_overwritten_by_nothing(pipeline: Pipeline) -> None:
    remove_paths(pipeline.repo, ["model.joblib"])
    pipeline.commit("no more model")
    (finding,) = found(pipeline, "overwritten")
    assert (finding.path, finding.actual) == ("model.joblib", None)
    assert finding.cause == "'model.joblib' is not in the second of the two"


def test_an_output_that_another_stage_writes_now_is_that_stages_to_answer_for(pipeline: Pipeline) -> None:
    pipeline.stage("retrain", ["data/clean.csv"], {"model.joblib": "model 2"})
    assert found(pipeline, "overwritten") == []


def test_a_stage_that_reads_what_it_wrote_is_not_stale_by_itself(pipeline: Pipeline) -> None:
    pipeline.stage("train", ["model.joblib", "data/clean.csv"], {"model.joblib": "model 2"})
    assert found(pipeline, "stale") == []


def test_a_key_of_a_file_that_is_no_configuration_any_more_is_not_there(pipeline: Pipeline) -> None:
    pipeline.write("config.ini", "[generate\nrows")
    add_paths(pipeline.repo, ["config.ini"])
    pipeline.commit("broken")
    assert {finding.stage for finding in found(pipeline, "stale")} == {"generate", "train"}


def test_the_id_of_a_selector_is_that_of_the_file_or_of_the_value(pipeline: Pipeline) -> None:
    tree = pipeline.repo.objects.read_commit(pipeline.repo.refs.head().commit).tree  # type: ignore[arg-type]
    for selector in ("config.ini", "config.ini#train", "config.ini#generate.rows", "data/raw.csv"):
        assert selector_id(pipeline.repo, tree, selector) == pipeline.value(selector)
    for missing in ("none", "data", "config.ini#none", "config.ini#train.none", "data/none/raw.csv"):
        with pytest.raises(PathNotFound):
            selector_id(pipeline.repo, tree, missing)
    assert "rows = 1000" in CONFIG
