"""Two chains: a test for every row of the verdict table, and for what is named as the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.verify.building import ADA, CONFIG, Pipeline, commit_time

from mlstore.errors import NotVerified, RefNotFound, Refused, UsageError
from mlstore.history import create_tag
from mlstore.verify import pin_golden, verify
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.verify import Report


@pytest.fixture
def golden(pipeline: Pipeline) -> Pipeline:
    """A pipeline whose run is tagged as golden."""
    head = pipeline.repo.refs.head().commit
    assert head is not None
    create_tag(pipeline.repo, "golden", head, message="golden", tagger=ADA, time=commit_time(5))
    return pipeline


def against(pipeline: Pipeline, rev: str = "golden") -> Report:
    return verify(pipeline.repo, against=rev)


def verdicts(report: Report) -> dict[str, str]:
    return {row.stage: row.verdict for row in report.stages}


def test_a_pipeline_matches_itself(golden: Pipeline) -> None:
    report = against(golden)
    assert report.ok
    assert report.verdict == "match"
    assert set(verdicts(report).values()) == {"match"}


def test_the_same_content_run_again_later_matches(golden: Pipeline) -> None:
    golden.run("x")
    golden.run()
    report = against(golden)
    assert report.ok, report.to_dict()
    assert set(verdicts(report).values()) == {"match"}


def test_two_repositories_with_equal_content_have_equal_lineage_and_other_commits(
    golden: Pipeline, tmp_path: Path
) -> None:
    other = Pipeline(tmp_path / "elsewhere")
    other.clock = 11
    other.run()
    report = against(other, str(golden.root))
    assert report.ok
    for row in report.stages:
        assert row.lineage == row.golden_lineage
        assert row.commit != row.golden_commit
    assert against(other, f"{golden.root}@golden").ok


def test_another_repository_that_differs_is_found_and_explained(golden: Pipeline, tmp_path: Path) -> None:
    other = Pipeline(tmp_path / "elsewhere")
    other.run("9")
    report = against(other, f"{golden.root}@golden")
    assert report.verdict == "diverged"
    assert "'data/raw.csv': equal up to offset 8, where it goes on" in report.findings[0].details


def test_golden_elsewhere_whose_history_cannot_be_read_is_no_match(golden: Pipeline, tmp_path: Path) -> None:
    other = Pipeline(tmp_path / "elsewhere")
    other.run()
    head = golden.repo.refs.head().commit
    assert head is not None
    golden.flip(golden.repo.objects.read_commit(head).parents[0])
    report = against(other, f"{golden.root}@main")
    assert (report.ok, report.category) == (False, "corrupt")
    (finding,) = report.findings
    assert finding.message.startswith(f"'{golden.root}@main' cannot be read: ")
    assert "against" in report.skipped


def test_a_history_that_cannot_be_read_is_compared_with_nothing_and_is_no_match(golden: Pipeline) -> None:
    head = golden.repo.refs.head().commit
    assert head is not None
    golden.run("x")
    golden.flip(golden.repo.objects.read_commit(golden.repo.refs.head().commit or head).parents[0])
    report = against(golden)
    assert (report.ok, report.category) == (False, "corrupt")
    assert report.skipped["against"] == "the history is damaged"


def test_object_formats_cannot_be_mixed(golden: Pipeline, tmp_path: Path) -> None:
    other = Pipeline(tmp_path / "elsewhere", object_format="sha256")
    other.run()
    with pytest.raises(UsageError, match="object format"):
        against(other, str(golden.root))


def test_random_data_is_diverged_where_it_was_drawn_and_all_after_it_changed_input(golden: Pipeline) -> None:
    golden.run("7")
    report = against(golden)
    assert report.verdict == "diverged"
    assert verdicts(report) == {"generate": "diverged", "clean": "changed-input", "train": "changed-input"}
    first, *rest = report.findings
    assert (first.kind, first.stage, first.path) == ("diverged", "generate", "data/raw.csv")
    assert not first.consequence
    assert all(finding.consequence for finding in rest)
    assert [finding.stage for finding in rest] == ["clean", "train"]
    assert rest[0].cause == "follows from 'generate' (diverged)"


def test_a_changed_key_is_changed_input_and_named(golden: Pipeline) -> None:
    golden.write("config.ini", CONFIG.replace("rows = 1000", "rows = 2000"))
    golden.run("7")
    report = against(golden)
    assert report.verdict == "changed-input"
    assert report.findings[0].cause == "config.ini: generate.rows 1000 -> 2000"
    assert verdicts(report)["generate"] == "changed-input"


def test_a_changed_key_in_the_middle_leaves_the_stages_before_it_alone(golden: Pipeline) -> None:
    golden.write("config.ini", CONFIG.replace("alpha = 1", "alpha = 2"))
    golden.train("model 2")
    report = against(golden)
    assert verdicts(report) == {"generate": "match", "clean": "match", "train": "changed-input"}
    assert report.findings[0].cause == "config.ini: train.alpha 1 -> 2"
    assert "its input changed" in report.findings[0].message


def test_equal_output_from_other_input_is_rebuilt_and_not_golden(golden: Pipeline) -> None:
    golden.write("config.ini", CONFIG.replace("seed = 42", "seed = 43"))
    golden.run()
    report = against(golden)
    assert verdicts(report) == {"generate": "rebuilt", "clean": "rebuilt", "train": "rebuilt"}
    assert not report.ok
    assert report.findings[0].cause == "config.ini: generate.seed 42 -> 43"
    assert "same output from other inputs" in report.findings[0].message
    assert report.findings[1].consequence


def test_another_command_is_named(golden: Pipeline) -> None:
    golden.generate(command=("python", "generate.py", "--fast"))
    golden.clean()
    golden.train()
    report = against(golden)
    assert report.verdict == "changed-command"
    assert report.findings[0].actual == "python generate.py --fast"


def test_a_missing_stage_is_found(golden: Pipeline, tmp_path: Path) -> None:
    other = Pipeline(tmp_path / "elsewhere")
    other.generate()
    other.clean()
    report = against(other, f"{golden.root}@golden")
    assert verdicts(report)["train"] == "missing"
    assert report.verdict == "missing"


def test_an_extra_stage_is_found(golden: Pipeline) -> None:
    golden.stage("publish", ["model.joblib"], {"published": "yes"})
    report = against(golden)
    assert verdicts(report)["publish"] == "extra"
    assert report.verdict == "extra"


def test_a_reordered_chain_is_found(tmp_path: Path) -> None:
    """A chain without declared inputs is nothing but an order: turn two of its stages round."""
    one, other = Pipeline(tmp_path / "one"), Pipeline(tmp_path / "other")
    for pipeline, order in ((one, "abc"), (other, "acb")):
        before = None
        for name in order:
            pipeline.stage(name, [], {f"{name}.txt": name}, follows=before)
            before = name
    report = against(other, str(one.root))
    assert report.verdict == "reordered"
    assert verdicts(report)["a"] == "match"
    assert verdicts(report)["b"] == "reordered"


def test_a_stale_stage_is_called_stale_against_golden_too(golden: Pipeline) -> None:
    golden.write("config.ini", CONFIG.replace("rows = 1000", "rows = 2000"))
    golden.generate("a,b\n9,9\n")
    report = against(golden)
    assert report.findings[0].kind == "changed-input"
    assert report.findings[0].stage == "generate"
    assert "stale" in {finding.kind for finding in report.findings}


def test_a_diverged_stage_names_what_differs_in_the_environment(tmp_path: Path) -> None:
    one, other = Pipeline(tmp_path / "one"), Pipeline(tmp_path / "other")
    one.generate(environment={"packages": {"numpy": "1.26.4"}, "git": {"commit": "a"}})
    other.generate("a,b\n7,7\n", environment={"packages": {"numpy": "2.0.1"}, "git": {"commit": "b"}})
    finding = against(other, str(one.root)).findings[0]
    assert finding.kind == "diverged"
    assert finding.cause == "the environment differs: numpy 1.26.4 -> 2.0.1"


def test_a_diverged_stage_in_an_equal_environment_is_called_not_deterministic(tmp_path: Path) -> None:
    one, other = Pipeline(tmp_path / "one"), Pipeline(tmp_path / "other")
    one.generate(environment={"packages": {"numpy": "2.0.1"}})
    other.generate("a,b\n7,7\n", environment={"packages": {"numpy": "2.0.1"}})
    cause = against(other, str(one.root)).findings[0].cause
    assert cause is not None
    assert "not deterministic" in cause


def test_another_environment_alone_changes_nothing(tmp_path: Path) -> None:
    one, other = Pipeline(tmp_path / "one"), Pipeline(tmp_path / "other")
    one.generate(environment={"packages": {"numpy": "1.26.4"}})
    other.generate(environment={"packages": {"numpy": "2.0.1"}})
    assert against(other, str(one.root)).ok


def test_files_outside_the_pipeline_are_told_and_fail_nothing(golden: Pipeline) -> None:
    golden.write("README.md", "hello")
    add_paths(golden.repo, ["README.md"])
    golden.commit("readme")
    report = against(golden)
    assert report.ok
    assert [finding.kind for finding in report.findings] == ["outside-pipeline"]


def test_commits_without_stages_are_compared_file_by_file(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    add_paths(pipeline.repo, [""])
    one = pipeline.commit("one")
    pipeline.write("config.ini", CONFIG.replace("seed = 42", "seed = 43"))
    add_paths(pipeline.repo, [""])
    pipeline.commit("two")
    assert verify(pipeline.repo, against="HEAD").ok
    finding = verify(pipeline.repo, against=one).findings[0]
    assert (finding.kind, finding.path) == ("diverged", "config.ini")
    assert finding.cause == "generate.seed 42 -> 43"


def test_a_modified_worktree_does_not_match_golden(golden: Pipeline) -> None:
    golden.write("model.joblib", "model 2")
    report = against(golden)
    assert report.verdict == "modified"


# --- the lock -----------------------------------------------------------------------------------------------


def test_only_a_pipeline_that_verifies_can_be_golden(pipeline: Pipeline) -> None:
    pipeline.write("model.joblib", "model 2")
    with pytest.raises(NotVerified, match="cannot be golden"):
        pin_golden(pipeline.repo, tagger=ADA, time=commit_time(1))
    assert not (pipeline.root / "mlstore.lock").exists()
    assert pipeline.repo.refs.read("refs/tags/golden") is None


def test_a_pipeline_without_stages_cannot_be_golden(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.commit("nothing")
    with pytest.raises(UsageError, match="no stages"):
        pin_golden(pipeline.repo, tagger=ADA, time=commit_time(1))


def test_a_golden_tag_is_not_moved_unless_forced(pipeline: Pipeline) -> None:
    first = pin_golden(pipeline.repo, tagger=ADA, time=commit_time(1))
    pipeline.run("7")
    with pytest.raises(Refused, match="exists already"):
        pin_golden(pipeline.repo, tagger=ADA, time=commit_time(2))
    second = pin_golden(pipeline.repo, tagger=ADA, time=commit_time(2), force=True)
    assert second.commit != first.commit
    assert verify(pipeline.repo, against="golden").ok


def test_a_lock_judges_a_store_that_never_saw_the_golden_commit(pipeline: Pipeline, tmp_path: Path) -> None:
    pin_golden(pipeline.repo, tagger=ADA, time=commit_time(1))
    other = Pipeline(tmp_path / "elsewhere")
    other.clock = 11  # other times, so other commits
    other.run()
    (other.root / "mlstore.lock").write_bytes((pipeline.root / "mlstore.lock").read_bytes())
    report = verify(other.repo, against="golden", pins=False)
    assert report.ok
    assert "by lineage only" in report.skipped["against"]
    other.run("7")
    report = verify(other.repo, against="golden", pins=False)
    assert report.verdict == "diverged"
    assert report.findings[0].stage == "generate"


def test_a_golden_that_is_nowhere_is_an_error(pipeline: Pipeline) -> None:
    with pytest.raises(RefNotFound, match="golden"):
        against(pipeline)
