"""Golden's rules in a verification: which stage counts as equal, and what never does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.verify.building import ADA, CONFIG, Pipeline, commit_time

from mlstore.errors import NotVerified
from mlstore.gate import judgement
from mlstore.history import create_tag, resolve_commit
from mlstore.verify import judging, pin_golden, verify
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.verify import Finding, Report

CLOSE = '[[gate.rules]]\npath = "**/*.csv"\nequal = "close"\natol = 0.1\n'


def make(root: Path, rules: str = CLOSE) -> Pipeline:
    """Generate -> clean -> train under golden rules, tagged."""
    pipeline = Pipeline(root)
    pipeline.write("mlstore.toml", rules)
    add_paths(pipeline.repo, ["mlstore.toml"])
    run(pipeline)
    tag(pipeline)
    return pipeline


def tag(pipeline: Pipeline) -> None:
    head = pipeline.repo.refs.head().commit
    assert head is not None
    create_tag(pipeline.repo, "golden", head, message="g", tagger=ADA, time=commit_time(5))


def run(pipeline: Pipeline, raw: float = 1.0, clean: float = 1.0, model: str = "model 1") -> None:
    pipeline.generate(f"a,b\n{raw},2.0\n")
    pipeline.clean(f"a\n{clean}\n")
    pipeline.train(model)


def against(pipeline: Pipeline, **more: Any) -> Report:
    return verify(pipeline.repo, against="golden", **more)


def verdicts(report: Report) -> list[str]:
    return [row.verdict for row in report.stages]


def of_kind(report: Report, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


# stages


def test_a_stage_behind_an_equivalent_one_is_equivalent_with_equal_outputs(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    run(pipeline, raw=1.05)
    report = against(pipeline)
    assert verdicts(report) == ["equivalent"] * 3
    assert (report.ok, report.verdict) == (True, "equivalent")
    one, two, three = of_kind(report, "equivalent")
    assert one.message == (
        "stage 'generate': output 'data/raw.csv' is equivalent under rule 1 (max |d| 0.05 <= 0.1)"
    )
    assert [two.stage, three.stage] == ["clean", "train"]
    assert {finding.severity for finding in report.findings} == {"info"}


def test_an_equivalent_input_excuses_no_other_output(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    run(pipeline, raw=1.05, clean=1.5, model="model 2")
    report = against(pipeline)
    assert verdicts(report) == ["equivalent", "diverged", "changed-input"]
    first = report.findings[0]
    assert (first.kind, first.stage, first.path, first.rule) == (
        "diverged",
        "clean",
        "data/clean.csv",
        "rule 1",
    )
    assert first.message == "stage 'clean': equivalent inputs, other output 'data/clean.csv'"
    assert any(
        "input 'data/raw.csv' is not the same, but equivalent under rule 1" in x for x in first.details
    )
    assert report.findings[1].cause == "follows from 'clean' (diverged)"


def test_a_rule_excuses_neither_a_changed_key_nor_a_changed_command(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    pipeline.write("config.ini", CONFIG.replace("rows = 1000", "rows = 1001"))
    run(pipeline, raw=1.05)
    assert verdicts(against(pipeline)) == ["rebuilt", "rebuilt", "rebuilt"]
    assert against(pipeline).findings[0].cause == "config.ini: generate.rows 1000 -> 1001"
    other = make(tmp_path / "other")
    other.generate("a,b\n1.05,2.0\n", command=("python", "generate.py", "--fast"))
    assert against(other).findings[0].kind == "changed-command"


def test_a_source_that_is_equivalent_by_a_rule_is_told_as_an_input(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "repo")
    pipeline.write("mlstore.toml", CLOSE)
    pipeline.write("data/bought.csv", "a\n1.0\n")
    add_paths(pipeline.repo, ["mlstore.toml"])
    pipeline.stage("use", ["data/bought.csv"], {"out.txt": "x"})
    tag(pipeline)
    pipeline.write("data/bought.csv", "a\n1.01\n")
    pipeline.stage("use", ["data/bought.csv"], {"out.txt": "x"})
    report = against(pipeline)
    (finding,) = report.findings
    assert finding.message.startswith("stage 'use': input 'data/bought.csv' is equivalent under rule 1")
    pipeline.write("data/bought.csv", "a\n1.2\n")
    pipeline.stage("use", ["data/bought.csv"], {"out.txt": "x"})
    assert verdicts(against(pipeline)) == ["rebuilt"]


def metrics(pipeline: Pipeline, selector: str, accuracy: float, threshold: float) -> None:
    text = json.dumps({"accuracy": accuracy, "threshold": threshold})
    pipeline.stage("evaluate", ["config.ini#generate"], {"metrics.json": text})
    pipeline.stage("publish", [selector], {"out.txt": "x"})


@pytest.mark.parametrize(
    ("selector", "verdict"), [("metrics.json#threshold", "changed-input"), ("metrics.json#accuracy", "ok")]
)
def test_a_metric_rule_excuses_only_the_keys_that_it_looks_at(
    tmp_path: Path, selector: str, verdict: str
) -> None:
    rule = '[[gate.rules]]\npath = "metrics.json"\nequal = "metric"\nkey = "accuracy"\nmin = 0.9\n'
    pipeline = Pipeline(tmp_path / "repo")
    pipeline.write("mlstore.toml", rule)
    add_paths(pipeline.repo, ["mlstore.toml"])
    metrics(pipeline, selector, 0.95, 0.5)
    tag(pipeline)
    metrics(pipeline, selector, 0.96, 0.1)
    found = verdicts(against(pipeline))
    assert found == ["equivalent", "equivalent" if verdict == "ok" else "rebuilt"]


# the worktree


def test_two_steps_within_the_tolerance_may_be_one_beyond_it(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    run(pipeline, raw=1.08)
    pipeline.write("data/raw.csv", "a,b\n1.15,2.0\n")
    assert verify(pipeline.repo).ok  # within 0.1 of HEAD
    report = against(pipeline)
    (finding,) = of_kind(report, "modified")
    assert finding.rule == "rule 1"
    pipeline.write("data/raw.csv", "a,b\n1.0,2.0\n")
    (told,) = [one for one in of_kind(against(pipeline), "equivalent") if "worktree" in one.message]
    assert told.message.endswith("but that of golden")


def test_a_file_that_changes_while_it_is_judged_is_not_equivalent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make(tmp_path / "repo")
    pipeline.write("data/raw.csv", "a,b\n1.05,2.0\n")
    assert against(pipeline).ok
    judge = judgement.judge

    def slow(*args: Any, **more: Any) -> Any:
        found = judge(*args, **more)
        pipeline.write("data/raw.csv", "a,b\n7.0,2.0\n")
        return found

    monkeypatch.setattr(judgement, "judge", slow)
    (finding,) = of_kind(against(pipeline), "modified")
    assert finding.cause == "it changed while it was looked at"


def test_without_golden_the_worktree_is_judged_by_the_rules_that_the_commit_tracks(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    pipeline.write("data/raw.csv", "a,b\n1.05,2.0\n")
    report = verify(pipeline.repo)
    assert (report.ok, report.verdict) == (True, "equivalent")
    pipeline.write("mlstore.toml", CLOSE.replace("0.1", "9"))
    pipeline.write("data/raw.csv", "a,b\n3.0,2.0\n")
    found = of_kind(verify(pipeline.repo), "modified")
    assert sorted(str(one.path) for one in found) == ["data/raw.csv", "mlstore.toml"]


def test_an_executable_bit_is_not_equivalent(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    pipeline.write("data/raw.csv", "a,b\n1.05,2.0\n")
    (pipeline.root / "data/raw.csv").chmod(0o755)
    assert of_kind(against(pipeline), "modified")


# other places


def test_files_without_stages_are_judged_too(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "repo")
    pipeline.write("mlstore.toml", CLOSE)
    for number, text in enumerate(("a\n1.0\n", "a\n1.05\n", "a\n1.5\n")):
        pipeline.write("data/x.csv", text)
        add_paths(pipeline.repo, [""])
        pipeline.commit(f"{number}")
        if not number:
            tag(pipeline)
    assert of_kind(against(pipeline), "diverged")[0].rule == "rule 1"
    before = verify(pipeline.repo, "HEAD~1", against="golden", worktree=False)
    assert (before.ok, before.findings[0].kind) == (True, "equivalent")


def test_damage_is_never_equivalent(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    golden = pipeline.value("data/raw.csv")
    run(pipeline, raw=1.05)
    pipeline.flip(golden, at=6)
    report = against(pipeline)
    assert verdicts(report)[0] == "diverged"
    assert not report.ok


def test_golden_rules_that_cannot_be_used_leave_only_bytes_and_that_is_said(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo", CLOSE.replace("close", "nearly"))
    run(pipeline, raw=1.05)
    report = against(pipeline)
    assert verdicts(report)[0] == "diverged"
    (warning,) = of_kind(report, "gate-rules")
    assert (warning.severity, "'nearly'" in str(warning.cause) or "is none of" in str(warning.cause)) == (
        "warning",
        True,
    )


def test_rules_that_nobody_vouches_for_judge_nothing(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "repo")
    run(pipeline)
    tag(pipeline)
    pipeline.write("mlstore.toml", CLOSE)
    pipeline.write("data/raw.csv", "a,b\n1.05,2.0\n")
    for more in ({"against": "golden"}, {}):
        report = verify(pipeline.repo, **more)
        assert (report.ok, report.policy and report.policy["source"]) == (False, "default")


def test_stricter_rules_on_the_branch_are_information(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    pipeline.write("mlstore.toml", "")
    add_paths(pipeline.repo, ["mlstore.toml"])
    run(pipeline, raw=1.05)
    report = against(pipeline)
    (finding,) = of_kind(report, "gate-rules")
    assert (finding.severity, report.ok) == ("info", True)
    assert "'data/raw.csv': bytes would be stricter than golden's close (atol 0.1)" in finding.details


def test_golden_in_another_repository_judges_by_its_own_rules(tmp_path: Path) -> None:
    golden = make(tmp_path / "golden")
    other = Pipeline(tmp_path / "other")
    other.write("mlstore.toml", CLOSE.replace("0.1", "100"))
    add_paths(other.repo, ["mlstore.toml"])
    run(other, raw=1.05)
    report = verify(other.repo, against=f"{golden.root}@golden")
    assert (report.ok, report.verdict) == (True, "equivalent")
    run(other, raw=2.0)
    assert not verify(other.repo, against=f"{golden.root}@golden").ok


def test_the_lock_pins_the_rules_and_the_report_holds_them(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    pin = pin_golden(pipeline.repo, tagger=ADA, time=commit_time(9), force=True)
    report = against(pipeline)
    assert report.policy is not None
    assert report.policy["id"] == pin.gate
    assert report.policy["commit"] == resolve_commit(pipeline.repo, "golden")
    assert report.policy["rules"] == [
        {"rule": "rule 1", "path": "**/*.csv", "equal": "close", "rtol": 0.0, "atol": 0.1}
    ]
    plain = make(tmp_path / "plain", "")
    assert pin_golden(plain.repo, tagger=ADA, time=commit_time(9), force=True).gate is None


def test_a_lock_with_other_rules_than_its_commit_has_is_told(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo")
    pin = pin_golden(pipeline.repo, tagger=ADA, time=commit_time(9), force=True)
    lock = pipeline.root / "mlstore.lock"
    assert pin.gate is not None
    assert of_kind(verify(pipeline.repo), "moved-pin") == []
    lock.write_text(lock.read_text().replace(pin.gate, "0" * 64))
    report = verify(pipeline.repo)
    (finding,) = of_kind(report, "moved-pin")
    assert (finding.expected, finding.actual, report.ok) == ("0" * 64, pin.gate, False)
    assert "pins other rules of the gate for 'golden'" in finding.message


def test_what_is_loaded_in_production_is_golden_byte_for_byte_whatever_the_rules(tmp_path: Path) -> None:
    import mlstore

    pipeline = make(tmp_path / "repo")
    pipeline.write("data/raw.csv", "a,b\n1.05,2.0\n")
    store = mlstore.open(pipeline.root)
    assert store.require(against="golden").verdict == "equivalent"
    with pytest.raises(NotVerified):
        store.read_bytes("data/raw.csv")


def test_another_encoding_of_the_same_content_is_told_as_such_and_fails_all_the_same(tmp_path: Path) -> None:
    pipeline = make(tmp_path / "repo", "")
    pipeline.write("data/raw.csv", "a,b\r\n1.00,2.0\r\n")
    (finding,) = of_kind(against(pipeline), "modified")
    assert str(finding.cause).startswith("only its encoding differs: the same content in another encoding")
    assert (finding.severity, finding.rule) == ("error", None)
    assert finding.comparison is not None
    assert finding.comparison["verdict"] == "equivalent"


def test_only_so_many_files_are_compared_just_to_explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make(tmp_path / "repo", "")
    pipeline.write("data/raw.csv", "a,b\n7.0,2.0\n")
    pipeline.write("data/clean.csv", "a\n7.0\n")
    both = of_kind(against(pipeline), "modified")
    assert [one.comparison is not None for one in both] == [True, True]
    monkeypatch.setattr(judging, "_MOST_FILES", 1)
    told = of_kind(against(pipeline), "modified")
    assert sorted(one.comparison is not None for one in told) == [False, True]
    assert all("first differing byte" in " ".join(one.details) for one in told)
    monkeypatch.setattr(judging, "LARGE", 1)
    assert [one.comparison for one in of_kind(against(pipeline), "modified")] == [None, None]
    ruled = make(tmp_path / "ruled")
    ruled.write("data/raw.csv", "a,b\n1.05,2.0\n")
    assert against(ruled).ok  # a rule that needs a comparison gets it
