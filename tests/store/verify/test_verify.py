"""`verify` by itself: each check is made to say "not verified" by the one thing that it is there for."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.store.verify.building import ADA, CONFIG, EITHER, Pipeline, commit_time

from mlstore.errors import RefNotFound
from mlstore.history import create_tag, read_chain, switch
from mlstore.model import Tree, TreeEntry, compute_lineage
from mlstore.verify import Finding, Report, verify

if TYPE_CHECKING:
    from pathlib import Path


def only(report: Report, kind: str) -> Finding:
    """The one error, which is of this kind."""
    errors = [finding for finding in report.findings if finding.severity == "error"]
    assert [finding.kind for finding in errors] == [kind], report.to_dict()
    assert not report.ok
    assert report.verdict == kind
    return errors[0]


def test_an_untouched_pipeline_is_verified_and_says_what_it_looked_at(pipeline: Pipeline) -> None:
    report = verify(pipeline.repo)
    assert report.ok
    assert report.verdict == "verified"
    assert report.findings == []
    assert report.checked["commits"] == 3
    assert report.checked["stages"] == 3
    assert report.checked["files"] == 4
    assert [row.stage for row in report.stages] == ["generate", "clean", "train"]
    assert set(report.skipped) == {"history", "pins", "signatures"}


def test_a_revision_that_is_not_there_is_an_error_not_a_finding(pipeline: Pipeline) -> None:
    with pytest.raises(RefNotFound):
        verify(pipeline.repo, "nowhere")


# --- history ------------------------------------------------------------------------------------------------


def test_a_wrong_height_is_found(pipeline: Pipeline) -> None:
    pipeline.forge(height=9)
    finding = only(verify(pipeline.repo), "wrong-height")
    assert (finding.expected, finding.actual) == ("2", "9")


def test_a_genesis_with_a_height_is_found(pipeline: Pipeline) -> None:
    pipeline.forge(parents=(), height=2, stage=None, lineage=None)
    only(verify(pipeline.repo), "wrong-height")


def test_a_lineage_that_is_not_that_of_the_record_is_found(pipeline: Pipeline) -> None:
    forged = pipeline.forge(lineage=pipeline.repo.format.hash_bytes(b"another"))
    finding = only(verify(pipeline.repo), "wrong-lineage")
    assert finding.commit == forged
    assert finding.stage == "train"


def test_a_snapshot_with_another_lineage_than_its_parent_is_found(pipeline: Pipeline) -> None:
    pipeline.write("notes.md", "x")
    pipeline.commit("notes")
    assert verify(pipeline.repo).ok
    pipeline.forge(lineage=pipeline.repo.format.hash_bytes(b"another"))
    only(verify(pipeline.repo), "wrong-lineage")


def test_a_snapshot_before_any_stage_has_no_lineage(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.commit("empty")
    assert verify(pipeline.repo).ok
    pipeline.forge(lineage=pipeline.repo.format.hash_bytes(b"made up"))
    only(verify(pipeline.repo), "wrong-lineage")


def test_an_upstream_that_the_history_does_not_hold_is_found(pipeline: Pipeline) -> None:
    head = pipeline.repo.refs.head().commit
    assert head is not None
    commit = pipeline.repo.objects.read_commit(head)
    assert commit.stage is not None
    stage = replace(commit.stage, upstream={"clean": pipeline.repo.format.hash_bytes(b"made up")})
    pipeline.put(replace(commit, stage=stage, lineage=compute_lineage(pipeline.repo.format, stage)))
    kinds = {finding.kind for finding in verify(pipeline.repo).findings}
    assert "false-record" in kinds


@EITHER
def test_a_missing_parent_is_found(pipeline: Pipeline) -> None:
    blocks = read_chain(pipeline.repo, pipeline.repo.refs.head().commit).blocks
    pipeline.remove_object(blocks[0].id)
    report = verify(pipeline.repo)
    assert report.category == "missing"
    assert report.findings[0].expected == blocks[0].id


def test_a_replaced_parent_is_found_by_its_height(pipeline: Pipeline) -> None:
    blocks = read_chain(pipeline.repo, pipeline.repo.refs.head().commit).blocks
    pipeline.forge(parents=(blocks[0].id,))
    report = verify(pipeline.repo)
    assert not report.ok
    assert "wrong-height" in {finding.kind for finding in report.findings}


# --- content ------------------------------------------------------------------------------------------------


def all_objects(pipeline: Pipeline) -> list[str]:
    return list(pipeline.repo.objects.ids())


@pytest.mark.parametrize("pack", [True, False], ids=["packed", "loose"])
@pytest.mark.parametrize("at", [0, 7, -1])
def test_a_flipped_bit_in_any_object_is_found_and_named(tmp_path: Path, at: int, pack: bool) -> None:
    pipeline = Pipeline(tmp_path, pack=pack)
    pipeline.generate(environment={"python": "3.11"})
    pipeline.clean()
    pipeline.train()
    for object_id in all_objects(pipeline):
        with pipeline.spoilt():
            pipeline.flip(object_id, at)
            report = verify(pipeline.repo)
            assert report.category == "corrupt", object_id
            named = [finding for finding in report.findings if finding.expected == object_id]
            assert named, report.to_dict()
            assert named[0].path or named[0].commit
            assert pipeline.repo.refs.head().commit is not None
    pipeline.flip(all_objects(pipeline)[0], 0)
    pipeline.flip(all_objects(pipeline)[0], 0)
    assert verify(pipeline.repo).ok


@EITHER
def test_a_missing_object_is_found_whichever_it_is(pipeline: Pipeline) -> None:
    for object_id in all_objects(pipeline):
        with pipeline.spoilt():
            pipeline.remove_object(object_id)
            report = verify(pipeline.repo)
            assert report.category in ("missing", "corrupt"), object_id
            assert object_id in {finding.expected for finding in report.findings}
    assert verify(pipeline.repo).ok


@EITHER
def test_a_truncated_object_is_found(pipeline: Pipeline) -> None:
    model = pipeline.value("model.joblib")
    pipeline.replace_object(model, b"model ")
    finding = only(verify(pipeline.repo), "corrupt-object")
    assert finding.expected == model
    assert finding.path == "model.joblib"


@EITHER
def test_damage_names_every_commit_and_path_that_needs_it(pipeline: Pipeline) -> None:
    config = pipeline.value("config.ini")
    pipeline.flip(config)
    finding = next(found for found in verify(pipeline.repo).findings if found.expected == config)
    commits = [block.id[:10] for block in read_chain(pipeline.repo, pipeline.repo.refs.head().commit).blocks]
    told = " ".join(finding.details)
    assert "config.ini" in told
    assert all(commit in told for commit in commits)


@EITHER
def test_blobs_of_ancestors_are_checked_on_request_and_said_to_be_skipped_otherwise(
    pipeline: Pipeline,
) -> None:
    pipeline.write("notes.md", "old notes")
    old = pipeline.value("notes.md")
    from mlstore.worktree import add_paths

    add_paths(pipeline.repo, ["notes.md"])
    pipeline.commit("notes")
    pipeline.write("notes.md", "new notes")
    add_paths(pipeline.repo, ["notes.md"])
    pipeline.commit("better notes")
    pipeline.flip(old)
    report = verify(pipeline.repo)
    assert report.ok
    assert "see --history" in report.skipped["history"]
    finding = only(verify(pipeline.repo, history=True), "corrupt-object")
    assert finding.expected == old


def test_a_tree_that_states_another_size_is_found(pipeline: Pipeline) -> None:
    data = b"five!"
    with pipeline.repo.objects.transaction() as writer:
        blob = writer.add_bytes(data)
        tree = writer.add_tree(Tree((TreeEntry("x", "file", blob, 6),)))
    pipeline.put(
        replace(
            pipeline.repo.objects.read_commit(pipeline.repo.refs.head().commit),
            tree=tree,
            parents=(),
            height=0,
            stage=None,
            lineage=None,
        )
    )
    report = verify(pipeline.repo, worktree=False)
    assert only(report, "corrupt-object").path == "x"


def test_a_block_that_claims_other_outputs_than_its_snapshot_holds_is_found(pipeline: Pipeline) -> None:
    pipeline.train(
        "model 2", change={"outputs": {"model.joblib": pipeline.repo.format.hash_bytes(b"model 1")}}
    )
    kinds = {finding.kind for finding in verify(pipeline.repo).findings}
    assert "false-record" in kinds


def test_a_block_that_claims_other_key_values_than_its_snapshot_holds_is_found(pipeline: Pipeline) -> None:
    inputs = {
        "config.ini#train": pipeline.repo.format.hash_bytes(b"made up"),
        "data/clean.csv": pipeline.value("data/clean.csv"),
    }
    pipeline.train(change={"inputs": inputs})
    report = verify(pipeline.repo)
    assert report.findings[0].kind == "false-record"
    assert report.findings[0].path == "config.ini"


# --- lineage ------------------------------------------------------------------------------------------------


def test_a_stage_made_from_older_input_is_stale_and_says_who_wrote_the_newer(pipeline: Pipeline) -> None:
    generated = pipeline.generate("a,b\n3,4\n")
    finding = only(verify(pipeline.repo), "stale")
    assert (finding.stage, finding.path) == ("clean", "data/raw.csv")
    assert finding.cause is not None
    assert "generate" in finding.cause
    assert generated[:10] in finding.cause
    assert [row.verdict for row in verify(pipeline.repo).stages] == ["ok", "stale", "ok"]


def test_running_the_rest_makes_it_whole_again(pipeline: Pipeline) -> None:
    pipeline.generate("a,b\n3,4\n")
    pipeline.clean("a\n3\n")
    pipeline.train("model 3")
    assert verify(pipeline.repo).ok


def test_a_changed_source_makes_its_reader_stale_and_the_key_is_named(pipeline: Pipeline) -> None:
    from mlstore.worktree import add_paths

    pipeline.write("config.ini", CONFIG.replace("rows = 1000", "rows = 2000"))
    add_paths(pipeline.repo, ["config.ini"])
    pipeline.commit("more rows")
    finding = only(verify(pipeline.repo), "stale")
    assert finding.stage == "generate"
    assert finding.cause is not None
    assert "generate.rows 1000 -> 2000" in finding.cause


def test_a_change_beside_the_keys_that_count_makes_nothing_stale(pipeline: Pipeline) -> None:
    from mlstore.worktree import add_paths

    pipeline.write("config.ini", CONFIG.replace("2026-01-16", "2026-01-17"))
    add_paths(pipeline.repo, ["config.ini"])
    pipeline.commit("the date")
    assert verify(pipeline.repo).ok


def test_equal_output_from_other_input_upstream_is_stale_too(pipeline: Pipeline) -> None:
    pipeline.write("config.ini", CONFIG.replace("seed = 42", "seed = 43"))
    pipeline.generate()  # the same rows, by chance
    finding = only(verify(pipeline.repo), "stale")
    assert finding.stage == "clean"
    assert finding.cause is not None
    assert "generate" in finding.cause


def test_an_output_overwritten_by_a_later_commit_is_found(pipeline: Pipeline) -> None:
    from mlstore.worktree import add_paths

    pipeline.write("model.joblib", "model x")
    add_paths(pipeline.repo, ["model.joblib"])
    pipeline.commit("a better model, trust me")
    finding = only(verify(pipeline.repo), "overwritten")
    assert (finding.stage, finding.path) == ("train", "model.joblib")
    assert finding.cause is not None
    assert "offset 6" in finding.cause


# --- worktree -----------------------------------------------------------------------------------------------


def test_a_modified_file_is_found_with_its_first_differing_byte(pipeline: Pipeline) -> None:
    pipeline.write("model.joblib", "model 2")
    finding = only(verify(pipeline.repo), "modified")
    assert (finding.stage, finding.path) == ("train", "model.joblib")
    assert finding.cause == "first differing byte at offset 6: 0x31 -> 0x32"


def test_a_missing_file_is_found(pipeline: Pipeline) -> None:
    (pipeline.root / "data/clean.csv").unlink()
    assert only(verify(pipeline.repo), "missing-file").path == "data/clean.csv"


def test_a_file_replaced_by_a_symlink_to_equal_bytes_is_found(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("model 1")
    (pipeline.root / "model.joblib").unlink()
    (pipeline.root / "model.joblib").symlink_to(tmp_path / "elsewhere")
    assert only(verify(pipeline.repo), "missing-file").path == "model.joblib"


def test_a_changed_mode_is_found(pipeline: Pipeline) -> None:
    (pipeline.root / "model.joblib").chmod(0o755)
    assert only(verify(pipeline.repo), "mode").path == "model.joblib"


def test_stat_data_never_make_a_file_verified(pipeline: Pipeline) -> None:
    path = pipeline.root / "model.joblib"
    index = pipeline.repo.read_index()
    path.write_text("model 2")
    entry = index.get("model.joblib")
    assert entry is not None
    # Make the index believe that it has just seen these very bytes.
    from mlstore.index import StatData

    with pipeline.repo.write_lock("test"):
        index.set(entry._replace(stat=StatData.of(os.lstat(path))))
        pipeline.repo.save_index(index)
    assert only(verify(pipeline.repo), "modified").path == "model.joblib"


def test_an_equal_checksum_never_makes_a_file_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import xxhash

    class Blind:
        def update(self, data: object) -> None:
            pass

        def digest(self) -> bytes:
            return bytes(16)

    monkeypatch.setattr(xxhash, "xxh3_128", Blind)
    monkeypatch.setattr(xxhash, "xxh3_128_digest", lambda _data: bytes(16))
    pipeline = Pipeline(tmp_path)
    pipeline.run()
    pipeline.write("model.joblib", "model 2")
    assert only(verify(pipeline.repo), "modified").path == "model.joblib"


def test_a_config_changed_where_a_stage_reads_it_is_an_error_that_names_the_key(pipeline: Pipeline) -> None:
    pipeline.write("config.ini", CONFIG.replace("alpha = 1", "alpha = 2"))
    finding = only(verify(pipeline.repo), "modified")
    assert finding.cause == "train.alpha 1 -> 2"


def test_a_config_changed_elsewhere_is_information_and_fails_nothing(pipeline: Pipeline) -> None:
    pipeline.write("config.ini", CONFIG.replace("2026-01-16", "2026-07-01") + "# a remark\n")
    report = verify(pipeline.repo)
    assert report.ok
    (finding,) = report.findings
    assert (finding.kind, finding.severity) == ("unused-change", "info")
    assert finding.details == ("DEFAULT.date 2026-01-16 -> 2026-07-01",)


def test_a_config_that_cannot_be_read_any_more_is_an_error(pipeline: Pipeline) -> None:
    pipeline.write("config.ini", "rows = 1000, and no section\n")
    only(verify(pipeline.repo), "modified")


def test_the_worktree_is_left_out_for_what_is_not_checked_out_and_that_is_said(pipeline: Pipeline) -> None:
    pipeline.write("data/clean.csv", "other")
    report = verify(pipeline.repo, "HEAD~1")
    assert report.ok
    assert "not what is checked out" in report.skipped["worktree"]
    assert not verify(pipeline.repo, "HEAD~1", worktree=True).ok


def test_a_detached_head_is_checked_like_a_branch(pipeline: Pipeline) -> None:
    switch(pipeline.repo, "HEAD~1", detach=True, who=ADA, time=commit_time(9))
    assert verify(pipeline.repo).ok
    pipeline.write("data/clean.csv", "other")
    only(verify(pipeline.repo), "modified")


# --- pins ---------------------------------------------------------------------------------------------------


def pinned(pipeline: Pipeline) -> Pipeline:
    from mlstore.verify import pin_golden

    pin_golden(pipeline.repo, tagger=ADA, time=commit_time(3))
    return pipeline


def test_a_pinned_pipeline_is_verified(pipeline: Pipeline) -> None:
    report = verify(pinned(pipeline).repo)
    assert report.ok
    assert report.checked["pins"] == 1


def test_a_moved_tag_is_found(pipeline: Pipeline) -> None:
    pinned(pipeline)
    target = pipeline.repo.objects.read_commit(pipeline.repo.refs.head().commit).parents[0]
    create_tag(pipeline.repo, "golden", target, message=None, tagger=ADA, time=commit_time(4), force=True)
    finding = only(verify(pipeline.repo), "moved-pin")
    assert finding.actual == target


def test_a_removed_tag_is_found(pipeline: Pipeline) -> None:
    pinned(pipeline)
    (pipeline.repo.store / "refs/tags/golden").unlink()
    assert verify(pipeline.repo).findings[0].kind == "missing-ref"


@pytest.mark.parametrize("field", ["lineage", "height", "clean"])
def test_a_lock_that_says_something_else_is_found(pipeline: Pipeline, field: str) -> None:
    lock = pinned(pipeline).root / "mlstore.lock"
    lines = lock.read_text().splitlines()
    number = next(at for at, line in enumerate(lines) if line.startswith(f"{field} ="))
    lines[number] = "height = 7" if field == "height" else f'{field} = "{"0" * 64}"'
    lock.write_text("\n".join(lines) + "\n")
    only(verify(pipeline.repo), "moved-pin")


def test_a_rewritten_history_is_found_by_the_lock(pipeline: Pipeline) -> None:
    """Whoever rewrites everything has a valid chain again: the lock is what gives it away."""
    pinned(pipeline)
    pipeline.forge(parents=(), height=0, stage=None, lineage=None)
    head = pipeline.repo.refs.head().commit
    assert head is not None
    create_tag(pipeline.repo, "golden", head, message=None, tagger=ADA, time=commit_time(4), force=True)
    assert verify(pipeline.repo, pins=False).ok
    only(verify(pipeline.repo), "moved-pin")


def test_a_pinned_commit_that_is_gone_is_missing(pipeline: Pipeline) -> None:
    pinned(pipeline)
    lock = pipeline.root / "mlstore.lock"
    head = pipeline.repo.refs.head().commit
    assert head is not None
    lock.write_text(lock.read_text().replace(f'commit = "{head}"', f'commit = "{"1" * 64}"'))
    report = verify(pipeline.repo)
    assert report.category == "missing"


# --- order, and nothing executed ----------------------------------------------------------------------------


@EITHER
def test_damage_stands_before_difference_and_causes_in_pipeline_order(pipeline: Pipeline) -> None:
    pipeline.write("model.joblib", "model 2")
    pipeline.write("data/raw.csv", "other")
    first, second = verify(pipeline.repo).findings
    assert (first.path, second.path) == ("data/raw.csv", "model.joblib")
    pipeline.flip(pipeline.value("data/clean.csv"))
    assert verify(pipeline.repo).findings[0].kind == "corrupt-object"


def test_nothing_that_is_read_is_executed(tmp_path: Path) -> None:
    """A pickle, a module, a hook and a manifest that would leave a mark: verify and fsck leave none."""
    mark = tmp_path / "executed"
    pipeline = Pipeline(tmp_path / "repo")
    payload = f"cposix\nsystem\n(S'touch {mark}'\ntR."
    pipeline.stage("train", [], {"model.pkl": payload, "model.joblib": payload})
    pipeline.write("sitecustomize.py", f"open({str(mark)!r}, 'w')")
    pipeline.write("mlstore.toml", f"[stages.train]\ncommand = 'touch {mark}'\noutputs = ['model.pkl']\n")
    script = (
        "import sys\n"
        "def hook(event, args):\n"
        "    if event in ('os.system', 'os.exec', 'subprocess.Popen', 'pickle.find_class'):\n"
        "        print('AUDIT', event)\n"
        "sys.addaudithook(hook)\n"
        "from mlstore_cli.main import main\n"
        "for args in (['verify', '--json', '--history'], ['fsck', '--json'], ['status']):\n"
        "    main(args)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=pipeline.root, capture_output=True, text=True, check=True
    )
    assert "AUDIT" not in done.stdout
    assert "mlstore.verify/1" in done.stdout
    assert not mark.exists()


GRAVEST_FIRST = ["corrupt-object", "missing-object", "unsigned", "diverged"]


@pytest.mark.parametrize(("grave", "less"), [*itertools.combinations(GRAVEST_FIRST, 2)])
def test_of_two_errors_the_graver_one_comes_first_and_decides_the_status(grave: str, less: str) -> None:
    two = [Finding(less, "b"), Finding(grave, "a")]
    for findings in (two, two[::-1]):
        report = Report("HEAD", None, findings=list(findings))
        assert report.category == two[1].category
        report.sort()
        assert [finding.kind for finding in report.findings] == [grave, less]
    assert two[0].category != two[1].category
