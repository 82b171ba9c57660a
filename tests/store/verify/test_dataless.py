"""Judging without blobs: what a store may be without, what it may not, and what is said of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests import stored
from tests.store.verify.building import ADA, CONFIG, Pipeline, commit_time

import mlstore
from mlstore.errors import NotVerified, UsageError
from mlstore.history import create_tag
from mlstore.lockfile import LOCK_NAME
from mlstore.remote import clone
from mlstore.repository import Filter, Repository
from mlstore.verify import Report, Selection, fsck, pin_golden, verify
from mlstore.worktree import add_paths

NONE = Filter(0)
MANIFEST = "".join(
    f'[stages.{name}]\ncommand = "x"\noutputs = ["{path}"]\n'
    for name, path in (("generate", "data/raw.csv"), ("clean", "data/clean.csv"), ("train", "model.joblib"))
)


def with_environment(pipeline: Pipeline) -> None:
    pipeline.write("mlstore.toml", MANIFEST)
    add_paths(pipeline.repo, ["mlstore.toml"])
    pipeline.generate(environment={"python": "3.11"})
    pipeline.clean(environment={"python": "3.11"})
    pipeline.train(environment={"python": "3.11"})


@pytest.fixture
def golden(tmp_path: Path) -> Pipeline:
    """A pipeline that is pinned, with environments and a manifest, each object in a file of its own."""
    pipeline = Pipeline(tmp_path / "repo", pack=False)
    with_environment(pipeline)
    pin_golden(pipeline.repo, tagger=ADA, time=commit_time(9))
    return pipeline


def thin_clone(pipeline: Pipeline, target: Path, chosen: Filter = NONE) -> Pipeline:
    """A clone without blobs, beside a copy of the worktree."""
    shutil.copytree(pipeline.root, target, ignore=shutil.ignore_patterns(".mlstore"))
    clone(pipeline.repo, target, chosen=chosen, who=ADA, time=commit_time(9))
    found = Pipeline.__new__(Pipeline)
    found.repo, found.root, found.clock = Repository.open(target), target, 20
    return found


@pytest.fixture
def thin(golden: Pipeline, tmp_path: Path) -> Pipeline:
    return thin_clone(golden, tmp_path / "thin")


def kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings if finding.severity == "error"]


# --- a clone without blobs ---


def test_a_clone_without_blobs_judges_the_files_by_their_hashes(thin: Pipeline) -> None:
    report = verify(thin.repo, against="golden")
    assert report.ok, report.to_dict()
    assert report.verdict == "match"
    assert report.partial == "dataless: 3 of 6 blobs hashed"
    assert report.skipped["content"] == (
        "3 blobs, 19 B are not in this store; worktree files were hashed instead"
    )
    assert report.coverage.absent == 3
    assert report.checked["files"] == 5
    assert "keys" not in report.skipped
    assert report.passes


@pytest.mark.parametrize("path", ["data/raw.csv", "data/clean.csv", "model.joblib"])
def test_a_flipped_byte_in_any_file_is_not_verified(thin: Pipeline, path: str) -> None:
    data = bytearray((thin.root / path).read_bytes())
    data[-1] ^= 1
    (thin.root / path).write_bytes(data)
    report = verify(thin.repo, against="golden")
    assert kinds(report) == ["modified"]
    assert report.findings[0].path == path
    assert report.findings[0].details == (
        "what differs inside cannot be told: its recorded bytes are not here",
    )


def test_a_missing_file_is_not_verified(thin: Pipeline) -> None:
    (thin.root / "model.joblib").unlink()
    assert kinds(verify(thin.repo)) == ["missing-file"]


def test_a_changed_key_is_named_though_the_data_are_elsewhere(thin: Pipeline) -> None:
    thin.write("config.ini", CONFIG.replace("rows = 1000", "rows = 2000"))
    (finding,) = verify(thin.repo).findings
    assert finding.kind == "modified"
    assert finding.cause == "generate.rows 1000 -> 2000"


def test_a_change_that_no_stage_reads_fails_nothing_as_in_a_full_store(thin: Pipeline) -> None:
    thin.write("config.ini", CONFIG.replace("2026-01-16", "2026-02-02"))
    report = verify(thin.repo, against="golden")
    assert report.ok
    assert [finding.kind for finding in report.findings] == ["unused-change"]


def test_a_pipeline_that_was_run_again_is_compared_stage_by_stage(golden: Pipeline, tmp_path: Path) -> None:
    golden.write("config.ini", CONFIG.replace("rows = 1000", "rows = 2000"))
    golden.generate("a,b\n3,4\n")
    golden.clean("a\n3\n")
    golden.train("model 2")
    thin = thin_clone(golden, tmp_path / "thin")
    report = verify(thin.repo, against="golden")
    assert [row.verdict for row in report.stages] == ["changed-input"] * 3
    assert "generate.rows 1000 -> 2000" in (report.findings[0].cause or "")


def test_a_revision_that_is_not_checked_out_says_that_nothing_was_hashed(thin: Pipeline) -> None:
    report = verify(thin.repo, "HEAD~1")
    assert report.ok
    assert report.skipped["content"].endswith("are not in this store; nothing else was")
    assert not report.passes


def test_a_pin_in_the_lock_still_decides(thin: Pipeline) -> None:
    lock = (thin.root / LOCK_NAME).read_text()
    (thin.root / LOCK_NAME).write_text(lock.replace("height = 2", "height = 1"))
    assert "moved-pin" in kinds(verify(thin.repo))


def test_a_forged_block_that_claims_goldens_inputs_is_found(thin: Pipeline) -> None:
    """The lineage is golden's, the configuration is not: only its own keys tell."""
    thin.write("config.ini", CONFIG.replace("rows = 1000", "rows = 2000"))
    add_paths(thin.repo, ["config.ini"])
    thin.commit("looks harmless")
    assert "stale" in kinds(verify(thin.repo, against="golden"))
    thin.remove_object(thin.value("config.ini"))
    for report in (verify(thin.repo, against="golden"), verify(thin.repo, against="golden", dataless=True)):
        assert "stale" in kinds(report), report.to_dict()
    thin.write("config.ini", CONFIG)
    report = verify(thin.repo, against="golden", worktree=False)
    assert kinds(report) == ["undecided"]
    assert "config.ini#generate" in report.skipped["keys"]


def test_golden_is_not_declared_where_its_content_is_not(thin: Pipeline) -> None:
    with pytest.raises(NotVerified, match="not looked at as a whole"):
        pin_golden(thin.repo, "other", tagger=ADA, time=commit_time(9))


def test_load_in_a_clone_without_blobs_goes_by_the_hash(thin: Pipeline) -> None:
    store = mlstore.open(thin.root)
    assert store.read_bytes("model.joblib") == b"model 1"
    assert store.require().ok
    thin.write("model.joblib", "model X")
    with pytest.raises(NotVerified) as caught:
        store.read_bytes("model.joblib")
    assert caught.value.message.endswith("it differs")
    assert caught.value.data["offset"] is None
    with pytest.raises(NotVerified):
        store.require()
    (thin.root / "model.joblib").unlink()
    with pytest.raises(mlstore.MlstoreError, match="not in this store"):
        store.read_bytes("model.joblib")


# --- what is excused, and what is not ---


def test_fsck_counts_what_was_left_out_and_finds_nothing_missing(thin: Pipeline) -> None:
    report = fsck(thin.repo)
    assert report.ok
    assert report.skipped["filtered"].startswith("3 blobs are not here, 19 B")
    assert report.checked["filtered"] == 3


def test_a_plain_store_with_deleted_blobs_is_missing_them(golden: Pipeline) -> None:
    golden.remove_object(golden.value("model.joblib"))
    for report in (verify(golden.repo), fsck(golden.repo)):
        assert report.category == "missing"
        assert [finding.kind for finding in report.findings] == ["missing-object"]


@pytest.mark.parametrize("what", ["commit", "tree", "environment"])
def test_commits_trees_and_environments_are_never_excused(thin: Pipeline, what: str) -> None:
    head = thin.repo.refs.head().commit
    assert head is not None
    parent = thin.repo.objects.read_commit(thin.repo.objects.read_commit(head).parents[0])
    assert parent.stage is not None
    lost = {
        "commit": thin.repo.objects.read_commit(head).parents[0],
        "tree": parent.tree,
        "environment": parent.stage.environment,
    }[what]
    assert lost is not None
    thin.remove_object(lost)
    for report in (verify(thin.repo), fsck(thin.repo)):
        assert report.category == "missing", what
        assert lost in {finding.expected for finding in report.findings}


def test_a_blob_below_the_limit_is_not_excused(golden: Pipeline, tmp_path: Path) -> None:
    golden.stage("big", ["model.joblib"], {"big.bin": "x" * 5000})
    thin = thin_clone(golden, tmp_path / "thin", Filter.parse("blob:limit=1k"))
    assert verify(thin.repo).ok
    assert verify(thin.repo).coverage.absent == 1
    thin.remove_object(thin.value("model.joblib"))
    assert verify(thin.repo).category == "missing"
    assert fsck(thin.repo).category == "missing"


def test_a_damaged_blob_is_not_excused(golden: Pipeline, tmp_path: Path) -> None:
    thin = thin_clone(golden, tmp_path / "thin", Filter.parse("blob:limit=1k"))
    thin.flip(thin.value("model.joblib"))
    assert verify(thin.repo).category == "corrupt"


def test_an_output_of_an_earlier_block_is_excused_by_what_its_tree_says(
    golden: Pipeline, tmp_path: Path
) -> None:
    golden.write("data/raw.csv", "tidied up")
    add_paths(golden.repo, ["data/raw.csv"])
    golden.commit("tidy")
    thin = thin_clone(golden, tmp_path / "thin", Filter.parse("blob:limit=8"))
    report = verify(thin.repo)
    assert report.coverage.absent == 2
    assert kinds(report) == ["overwritten"]


# --- a full store, judged without its blobs ---

OPENED = """
import json, os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from mlstore.repository import Repository
from mlstore.verify import verify
from pathlib import Path
report = verify(Repository.open(Path(sys.argv[1])), against="golden", dataless=sys.argv[2] == "yes")
names = [os.path.relpath(one, sys.argv[1]) for one in opened if "/.mlstore/objects/" in one]
print(json.dumps({"ok": report.ok, "read": [name[17:19] + name[20:] for name in names]}))
"""


def opened_objects(pipeline: Pipeline, dataless: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", OPENED, pipeline.root, dataless],
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    found = json.loads(done.stdout)
    assert found["ok"]
    return set(found["read"])


def blobs_of(pipeline: Pipeline) -> set[str]:
    return {one for one in pipeline.repo.objects.ids() if pipeline.repo.objects.kind(one) == "blob"}


def test_dataless_opens_no_blob(golden: Pipeline) -> None:
    blobs = blobs_of(golden)
    assert len(blobs) == 6
    assert opened_objects(golden, "no") & blobs == blobs
    read = opened_objects(golden, "yes")
    assert not read & blobs
    assert golden.repo.refs.head().commit in read


def test_dataless_says_what_it_did_not_look_at(golden: Pipeline) -> None:
    report = verify(golden.repo, against="golden", dataless=True)
    assert report.verdict == "match"
    assert report.partial == "dataless: 0 of 6 blobs hashed"
    assert "were not read; worktree files were hashed instead" in report.skipped["content"]
    assert report.checked["blobs"] == 0


@pytest.mark.parametrize("path", ["data/raw.csv", "model.joblib", "config.ini", "mlstore.toml"])
def test_dataless_finds_a_changed_file(golden: Pipeline, path: str) -> None:
    golden.write(path, (golden.root / path).read_text() + "#")
    report = verify(golden.repo, dataless=True)
    assert kinds(report) == ["modified"]
    assert report.findings[0].path == path


def test_dataless_judges_keys_by_the_file_of_the_worktree(golden: Pipeline) -> None:
    golden.write("config.ini", CONFIG.replace("alpha = 1", "alpha = 2"))
    add_paths(golden.repo, ["config.ini"])
    golden.commit("another alpha")
    report = verify(golden.repo, dataless=True)
    assert kinds(report) == ["stale"]
    assert report.findings[0].path == "config.ini"


def test_dataless_compares_with_another_repository_without_reading_its_blobs(
    golden: Pipeline, tmp_path: Path
) -> None:
    other = Pipeline(tmp_path / "other", pack=False)
    with_environment(other)
    for blob in blobs_of(other):
        stored.remove(other.repo.store, blob)
    report = verify(golden.repo, against=str(other.root), dataless=True)
    assert report.verdict == "match", report.to_dict()


def test_dataless_finds_a_false_lineage_and_a_moved_tag(golden: Pipeline) -> None:
    parent = golden.repo.objects.read_commit(golden.repo.refs.head().commit).parents[0]  # type: ignore[arg-type]
    create_tag(golden.repo, "golden", parent, message=None, tagger=ADA, time=commit_time(9), force=True)
    assert "moved-pin" in kinds(verify(golden.repo, dataless=True))
    golden.forge(lineage=golden.repo.format.hash_bytes(b"another"))
    assert "wrong-lineage" in kinds(verify(golden.repo, dataless=True))


def test_without_blobs_there_is_no_sample(golden: Pipeline) -> None:
    with pytest.raises(UsageError, match="nothing to take a sample of"):
        verify(golden.repo, dataless=True, selection=Selection())


def test_a_report_with_anything_passed_over_opens_no_gate() -> None:
    report = Report("HEAD", None)
    assert report.passes
    report.coverage = replace(report.coverage, blobs=2, hashed=1, left=1)
    assert report.ok
    assert not report.passes
    assert not report.opens("enforce")
    assert not report.opens("warn")


# --- golden's rules ---

RULES = MANIFEST + '[[gate.rules]]\npath = "data/clean.csv"\nequal = "content"\n'


def test_a_rule_that_needs_the_content_is_undecided_without_it(golden: Pipeline, tmp_path: Path) -> None:
    golden.write("mlstore.toml", RULES)
    add_paths(golden.repo, ["mlstore.toml"])
    golden.commit("a rule")
    pin_golden(golden.repo, tagger=ADA, time=commit_time(9), force=True)
    thin = thin_clone(golden, tmp_path / "thin")
    for pipeline in (golden, thin):
        pipeline.write("data/clean.csv", "a\r\n1\r\n")  # the same rows under other line ends
    full = verify(golden.repo, against="golden")
    assert full.ok
    assert full.verdict == "equivalent"
    for report in (verify(thin.repo, against="golden"), verify(golden.repo, against="golden", dataless=True)):
        assert kinds(report) == ["modified"], report.to_dict()
        assert not report.passes
    assert verify(thin.repo, against="golden").policy["source"] == "commit"  # type: ignore[index]
