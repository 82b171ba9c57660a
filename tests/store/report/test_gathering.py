"""What the page is given beyond the findings: read from both pipelines, and said where it cannot be read."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from tests.store.report.outcomes import TIME
from tests.store.verify.building import Pipeline

from mlstore.report import gather, outcome_of, render
from mlstore.repository import Repository
from mlstore.verify import fsck, verify

RAW = "a,b\n" + "".join(f"{number},{number * 2}\n" for number in range(40))


@pytest.fixture
def pipeline(tmp_path):
    made = Pipeline(tmp_path / "repo")
    made.generate(RAW, environment={"packages": {"numpy": "1.26"}, "python": "3.11"})
    made.clean(RAW)
    made.train()
    made.golden = made.repo.refs.head().commit
    return made


def dossier(pipeline, **options):
    report = verify(pipeline.repo, against=pipeline.golden, **options)
    return gather(pipeline.repo, outcome_of(report, time=TIME))


def rerun(pipeline, *, rows=1000, raw=RAW, model="model 1"):
    """Run all again after a change; the files are what a test says they are."""
    config = (pipeline.root / "config.ini").read_text().replace("rows = 1000", f"rows = {rows}")
    pipeline.write("config.ini", config)
    pipeline.generate(raw, environment={"packages": {"numpy": "2.0"}, "python": "3.11"})
    pipeline.clean(raw)
    pipeline.train(model)


def test_edges_are_those_that_the_blocks_record(pipeline):
    found = dossier(pipeline)
    assert [(edge.source, edge.target, edge.where) for edge in found.edges] == [
        ("clean", "train", "both"), ("generate", "clean", "both")
    ]  # fmt: skip
    assert found.changes == found.environments == found.unseen == ()


def test_an_edge_of_one_pipeline_says_of_which(pipeline):
    pipeline.stage("extra", ["data/raw.csv"], {"x.csv": "1\n"})
    assert [edge.where for edge in dossier(pipeline).edges if edge.target == "extra"] == ["current"]


def test_changed_artifacts_are_compared_inputs_first(pipeline):
    rerun(pipeline, rows=2000, raw=RAW + "99,99\n", model="model 2")
    found = dossier(pipeline)
    assert [(change.path, change.role, change.stage) for change in found.changes] == [
        ("config.ini", "input", "generate"),
        ("data/raw.csv", "output", "generate"),
        ("data/clean.csv", "output", "clean"),
        ("model.joblib", "output", "train"),
    ]
    config, raw, *_ = found.changes
    assert config.comparison["details"][0]["where"] == "generate.rows"
    assert raw.comparison["summary"].startswith("1 row added")
    assert sum(raw.comparison["measures"]["columns"]["a"]["histogram"]["old"]) == 40
    page = render("html", found.outcome, found).decode()
    assert page.count('class="g-old"') >= 2
    assert "generate.rows" in page


def test_a_file_of_which_two_stages_read_keys_is_told_once(pipeline):
    pipeline.write("config.ini", (pipeline.root / "config.ini").read_text().replace("alpha = 1", "alpha = 2"))
    rerun(pipeline, rows=2000)
    assert [change.path for change in dossier(pipeline).changes] == ["config.ini"]


def test_a_comparison_that_a_finding_brings_is_taken_if_it_is_of_these_versions(pipeline):
    pipeline.generate(RAW + "99,99\n")
    report = verify(pipeline.repo, against=pipeline.golden)
    outcome = outcome_of(report, time=TIME)
    (finding,) = [one for one in outcome.findings if one.path == "data/raw.csv" and one.kind == "diverged"]
    others = tuple(one for one in outcome.findings if one is not finding)

    def summary(**changes):
        told = replace(finding, comparison={"summary": "as told"}, **changes)
        found = gather(pipeline.repo, replace(outcome, findings=(told, *others)))
        return next(one.comparison["summary"] for one in found.changes if one.path == "data/raw.csv")

    assert summary() == "as told"
    assert summary(actual="0" * 64).startswith("1 row added")
    assert summary(kind="changed-input").startswith("1 row added")  # there it may be of an output


def test_environments_are_told_once_with_all_their_stages(pipeline):
    rerun(pipeline, raw=RAW + "99,99\n")
    assert [(one.stages, one.lines) for one in dossier(pipeline).environments] == [
        (("generate",), ("numpy 1.26 -> 2.0",))
    ]


def test_a_file_of_the_worktree_is_compared_with_what_is_recorded(pipeline):
    pipeline.write("data/clean.csv", RAW.replace("39,78", "39,79"))
    (change,) = dossier(pipeline).changes
    assert (change.path, change.role) == ("data/clean.csv", "file")
    assert change.comparison["measures"]["cells_changed"] == 1


def test_nothing_that_is_read_is_executed(pipeline, tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    (pipeline.root / "model.joblib").write_bytes(pickle.dumps(Harm()))
    (change,) = dossier(pipeline).changes
    assert change.path == "model.joblib"
    assert not (tmp_path / "touched").exists()


def test_a_damaged_object_is_said_and_the_rest_is_told(pipeline):
    rerun(pipeline, rows=2000, raw=RAW + "99,99\n")
    pipeline.flip(pipeline.repo.objects.read_commit(pipeline.golden).stage.inputs["data/clean.csv"])
    found = dossier(pipeline)
    by_path = {change.path: change for change in found.changes}
    assert by_path["config.ini"].comparison is not None
    broken = by_path["data/raw.csv"]  # the same bytes, so the same object
    assert broken.comparison is None
    assert "corrupt" in broken.note
    assert b"corrupt" in render("html", found.outcome, found)


def test_bytes_that_are_not_here_are_said_to_be_elsewhere(pipeline):
    rerun(pipeline, rows=2000, raw=RAW + "99,99\n")
    pipeline.remove_object(pipeline.repo.objects.read_commit(pipeline.golden).stage.inputs["data/clean.csv"])
    (raw,) = [change for change in dossier(pipeline).changes if change.path == "data/raw.csv"]
    assert raw.note.endswith("its recorded bytes are not in this store")


def test_golden_in_another_repository_is_read_there(pipeline, tmp_path):
    other = Pipeline(tmp_path / "other")
    other.generate(RAW.replace("1,2", "1,3"))
    report = verify(pipeline.repo, against=str(other.root))
    found = gather(pipeline.repo, outcome_of(report, time=TIME), against=str(other.root))
    assert (
        next(one for one in found.changes if one.path == "data/raw.csv").comparison["verdict"] == "different"
    )


def test_a_golden_that_is_not_here_is_said(pipeline):
    report = verify(pipeline.repo, against=pipeline.golden)
    found = gather(pipeline.repo, outcome_of(report, time=TIME), against="nowhere")
    assert any("golden pipeline: 'nowhere' is neither" in line for line in found.unseen)


def test_of_very_many_artifacts_some_are_compared_and_the_rest_is_said(pipeline, monkeypatch):
    monkeypatch.setattr("mlstore.report.gathering.MOST_CHANGES", 2)
    rerun(pipeline, rows=2000, raw=RAW + "99,99\n", model="model 2")
    found = dossier(pipeline)
    assert len(found.changes) == 2
    assert found.unseen == ("artifacts: more than 2 differ; only these were compared",)


def test_fsck_has_a_page_of_its_findings(pipeline):
    pipeline.flip(pipeline.repo.objects.read_commit(pipeline.golden).tree)
    repo = Repository.open(pipeline.root)
    outcome = outcome_of(fsck(repo), time=TIME)
    assert b"The store is damaged" in render("html", outcome, gather(repo, outcome))
