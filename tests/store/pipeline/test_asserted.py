"""`commit --stage`: the same block by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.pipeline.conftest import Project, stage
from tests.store.support import fast_repository

from mlstore.errors import NothingToCommit, PathNotFound, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_declared_stage_is_recorded_as_it_lies_there(line: Project) -> None:
    line.write("upper.txt", "by hand")
    made = line.record(stage="upper", message="made elsewhere")
    block = line.blocks()["upper"]
    assert (block.id, block.commit.message, block.stage.record) == (made, "made elsewhere", "asserted")
    assert block.stage.command == ("sh", "-c", "tr a-z A-Z < raw.txt > upper.txt")
    assert set(block.stage.inputs) == {"raw.txt"}
    assert block.stage.outputs == {"upper.txt": line.repo.format.hash_bytes(b"by hand")}
    assert block.stage.environment is None
    assert set(line.committed()) == {"mlstore.toml", "raw.txt", "upper.txt"}
    assert line.status()["staged"] == []


def test_the_asserted_block_has_the_lineage_of_the_observed_one(line: Project, tmp_path: Path) -> None:
    line.run()
    other = Project(fast_repository(tmp_path / "other"))
    for name in ("mlstore.toml", "raw.txt", "config.ini", "upper.txt", "report.txt"):
        other.write(name, line.path(name).read_bytes())
    other.record(stage="upper")
    other.record(stage="report")
    observed, asserted = line.blocks(), other.blocks()
    assert asserted["report"].lineage == observed["report"].lineage
    assert {block.stage.record for block in asserted.values()} == {"asserted"}


def test_a_stage_that_was_asserted_is_up_to_date(line: Project) -> None:
    line.write("upper.txt", "by hand")
    line.record(stage="upper")
    assert line.reasons() == {"upper": None, "report": "never ran"}
    assert line.ran() == ["report"]
    assert set(line.blocks()["report"].stage.upstream) == {"upper"}


def test_values_are_recorded_as_parameters(line: Project) -> None:
    line.write("upper.txt", "by hand")
    line.write("report.txt", "by hand")
    line.record(stage="upper")
    line.record(stage="report")
    block = line.blocks()["report"]
    assert block.stage.parameters == {"config.ini#report.mode": "plain"}
    assert block.stage.upstream == {"upper": line.blocks()["upper"].lineage}


def test_a_missing_output_is_refused(line: Project) -> None:
    with pytest.raises(PathNotFound) as caught:
        line.record(stage="upper")
    assert caught.value.message == "stage 'upper' declares output 'upper.txt': there is no such file"
    assert line.repo.refs.head().commit is None
    assert len(line.index) == 0


def test_a_missing_input_is_refused(line: Project) -> None:
    line.write("upper.txt", "x")
    line.path("raw.txt").unlink()
    with pytest.raises(PathNotFound, match=r"stage 'upper' reads 'raw\.txt'"):
        line.record(stage="upper")


def test_what_is_staged_is_committed_with_it(line: Project) -> None:
    line.write("upper.txt", "x")
    line.write("notes.txt", "n")
    line.add("notes.txt")
    line.record(stage="upper")
    assert line.committed()["notes.txt"] == b"n"
    assert set(line.blocks()["upper"].stage.outputs) == {"upper.txt"}


def test_the_same_block_twice_is_nothing_to_commit(line: Project) -> None:
    line.write("upper.txt", "by hand")
    line.record(stage="upper")
    with pytest.raises(NothingToCommit, match="nothing to record for stage 'upper'"):
        line.record(stage="upper")


def test_asserting_what_was_observed_is_nothing_to_commit(line: Project) -> None:
    line.run()
    with pytest.raises(NothingToCommit):
        line.record(stage="upper")


def test_the_same_block_with_other_staged_work_is_committed(line: Project) -> None:
    line.run()
    line.write("notes.txt", "n")
    line.add("notes.txt")
    line.record(stage="upper")
    assert "notes.txt" in line.committed()


def test_a_stage_that_nobody_declares_wrote_the_staged_files(project: Project) -> None:
    project.write("raw.csv", "1")
    project.write("mlstore.toml", "")
    project.write("loose.txt", "x")
    project.add("raw.csv", "mlstore.toml")
    project.record(stage="fetch")
    block = project.blocks()["fetch"]
    assert block.commit.message == "record fetch"
    assert (block.stage.inputs, set(block.stage.outputs), block.stage.upstream) == ({}, {"raw.csv"}, {})
    assert set(project.committed()) == {"raw.csv", "mlstore.toml"}


def test_stages_that_nobody_declares_make_a_linear_chain(project: Project) -> None:
    for name in ("fetch", "clean", "train"):
        project.write(f"{name}.out", name)
        project.add()
        project.record(stage=name)
    blocks = project.blocks()
    assert list(blocks) == ["fetch", "clean", "train"]
    assert blocks["train"].stage.upstream == {"clean": blocks["clean"].lineage}
    assert [block.commit.height for block in blocks.values()] == [0, 1, 2]


def test_recording_such_a_stage_again_keeps_its_place_and_its_other_files(project: Project) -> None:
    project.write("a", "1")
    project.write("b", "1")
    project.add()
    project.record(stage="fetch")
    project.commit("next", c="1")
    project.add()
    project.write("c", "2")
    project.add()
    project.record(stage="clean")
    project.write("a", "2")
    project.add()
    project.record(stage="fetch")
    block = project.blocks()["fetch"]
    assert set(block.stage.outputs) == {"a", "b"}
    assert block.stage.upstream == {}


def test_a_file_that_such_a_stage_no_longer_has_leaves_its_block(project: Project) -> None:
    project.write("a", "1")
    project.write("b", "1")
    project.add()
    project.record(stage="fetch")
    project.path("a").unlink()
    project.write("b", "2")
    project.add()
    project.record(stage="fetch")
    assert set(project.blocks()["fetch"].stage.outputs) == {"b"}


def test_such_a_stage_without_staged_files_is_nothing_to_commit(project: Project) -> None:
    project.commit("first", a="1")
    with pytest.raises(NothingToCommit, match="no file is staged"):
        project.record(stage="fetch")


def test_inputs_outputs_and_command_can_be_given(project: Project) -> None:
    project.write("raw.csv", "1")
    project.write("c.toml", "[a]\nx = 1\n")
    project.write("out/model", "m")
    project.record(
        stage="train", inputs=["raw.csv", "c.toml#a"], outputs=["out"], command=["python", "train.py"]
    )
    record = project.blocks()["train"].stage
    assert (set(record.inputs), set(record.outputs)) == ({"raw.csv", "c.toml#a"}, {"out/model"})
    assert record.command == ("python", "train.py")
    assert set(project.committed()) == {"raw.csv", "c.toml", "out/model"}


def test_a_name_that_no_stage_may_have_is_refused(project: Project) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a stage"):
        project.record(stage="no good")


def test_a_linear_declaration_without_inputs_is_followed(project: Project) -> None:
    project.declare(stage("one", "x", [], ["a"]), stage("two", "x", [], ["b"]))
    project.write("a", "1")
    project.write("b", "1")
    project.record(stage="one")
    project.record(stage="two")
    blocks = project.blocks()
    assert blocks["two"].stage.upstream == {"one": blocks["one"].lineage}
    assert project.ran() == []
