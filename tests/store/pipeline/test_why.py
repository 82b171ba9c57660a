"""Provenance: from an artifact back to its sources, and the chain as people look at it."""

from __future__ import annotations

import pytest
from tests.store.pipeline.conftest import Project, stage

from mlstore.errors import PathNotFound, UsageError
from mlstore.pipeline import Origin, view_chain, why


def children(origin: Origin) -> dict[str, Origin]:
    assert origin.block is not None
    return {one.name: one for one in origin.block.inputs}


def test_an_artifact_leads_to_its_stage_its_inputs_and_their_stages(line: Project) -> None:
    line.run()
    found = why(line.repo, "report.txt")
    assert found.block is not None
    assert found.block.block.name == "report"
    config, upper = children(found)["config.ini#report"], children(found)["upper.txt"]
    assert config.block is None
    assert config.values == (("config.ini#report.mode", "plain"),)
    assert upper.block is not None
    assert upper.block.block.name == "upper"
    raw = children(upper)["raw.txt"]
    assert raw.block is None
    assert raw.commit is not None
    assert raw.commit[1].message == "run upper"
    assert all(one.current for one in (found, config, upper, raw))


def test_a_source_leads_to_the_commit_that_last_changed_it(line: Project) -> None:
    line.commit("the first data", raw__txt="xyz\n")
    line.run()
    found = why(line.repo, "raw.txt")
    assert found.block is None
    assert found.commit is not None
    assert found.commit[1].message == "the first data"


def test_a_stage_without_inputs_leads_to_the_one_that_it_follows(project: Project) -> None:
    project.declare(
        *(stage(name, f"echo {name} > {name}.out", [], [f"{name}.out"]) for name in ("one", "two"))
    )
    project.run()
    found = why(project.repo, "two.out")
    assert found.block is not None
    assert [one.block.name for one in found.block.follows] == ["one"]


def test_a_stage_that_is_needed_twice_is_told_once(project: Project) -> None:
    project.write("in", "x")
    project.declare(
        stage("a", "cp in a.out; cp in a2.out", ["in"], ["a.out", "a2.out"]),
        stage("b", "cat a.out a2.out > b.out", ["a.out", "a2.out"], ["b.out"]),
    )
    project.run()
    found = children(why(project.repo, "b.out"))
    first, second = found["a.out"].block, found["a2.out"].block
    assert first is not None
    assert second is not None
    assert (first.repeated, second.repeated) == (False, True)
    assert [one.name for one in first.inputs] == ["in"]
    assert second.inputs == ()


def test_a_diamond_of_many_layers_takes_no_longer_for_it(project: Project) -> None:
    project.write("f0", "x")
    project.write("g0", "x")
    for at in range(1, 25):
        for side in "fg":
            project.write(f"{side}{at}", f"{at}")
            project.record(
                stage=f"{side}{at}",
                inputs=[f"f{at - 1}", f"g{at - 1}"],
                outputs=[f"{side}{at}"],
                command=["x"],
            )
    found = why(project.repo, "f24")
    assert found.block is not None


def test_a_file_that_was_changed_behind_its_stage_is_said(line: Project) -> None:
    line.run()
    line.commit("tampered", upper__txt="tampered")
    assert not why(line.repo, "upper.txt").current
    assert children(why(line.repo, "report.txt"))["upper.txt"].current
    line.commit("new data", raw__txt="new")
    assert not children(why(line.repo, "upper.txt"))["raw.txt"].current


def test_an_older_revision_tells_what_was_true_then(line: Project) -> None:
    line.run()
    then = line.head
    line.write("raw.txt", "new\n")
    line.run()
    assert why(line.repo, "upper.txt", then).id != why(line.repo, "upper.txt").id
    assert why(line.repo, "upper.txt", then).current


@pytest.mark.parametrize("path", ["nothing.txt", "notes.txt", "data/nothing"])
def test_a_path_that_no_commit_holds_is_not_found(line: Project, path: str) -> None:
    line.run()
    line.write("notes.txt", "untracked")
    with pytest.raises(PathNotFound, match=f"'{path}' is not in HEAD"):
        why(line.repo, path)


def test_a_folder_is_asked_for_by_its_files(line: Project) -> None:
    line.commit("a folder", **{"data/a": "1"})
    with pytest.raises(UsageError, match="'data' is a folder"):
        why(line.repo, "data")


# --- the chain as people look at it -------------------------------------------------------------------------


def test_at_head_the_view_says_what_the_worktree_left_behind(line: Project) -> None:
    line.run("upper")
    view = view_chain(line.repo)
    assert [block.name for block in view.blocks] == ["upper"]
    assert view.states is not None
    assert view.states["upper"].reason is None
    assert view.pending == ("report",)
    line.write("raw.txt", "new")
    view = view_chain(line.repo)
    assert view.states is not None
    assert view.states["upper"].reason == "input 'raw.txt' changed"


def test_elsewhere_the_view_says_nothing_about_the_worktree(line: Project) -> None:
    line.run()
    view = view_chain(line.repo, "HEAD~1")
    assert view.states is None
    assert [block.name for block in view.blocks] == ["upper"]
    assert view.lineage == view.blocks[0].lineage


def test_a_stage_that_nobody_declares_is_judged_by_its_outputs(project: Project) -> None:
    project.write("raw.csv", "1")
    project.add()
    project.record(stage="fetch")
    view = view_chain(project.repo)
    assert view.states is not None
    assert not view.states["fetch"].stale
    project.write("raw.csv", "2")
    view = view_chain(project.repo)
    assert view.states is not None
    assert view.states["fetch"].reason == "output 'raw.csv' was modified"


def test_a_broken_declaration_is_told_and_the_blocks_are_shown(line: Project) -> None:
    line.run()
    line.write("mlstore.toml", "[stages.a]\n")
    view = view_chain(line.repo)
    assert view.problem is not None
    assert [block.name for block in view.blocks] == ["upper", "report"]
