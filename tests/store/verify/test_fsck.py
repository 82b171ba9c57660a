"""`fsck`: the whole store; every kind of damage is found, named, and does not hide the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.verify.building import ADA, EITHER, Pipeline, commit_time

from mlstore.history import create_tag, read_chain
from mlstore.model import Tree, TreeEntry, encode_tree
from mlstore.repository import Repository
from mlstore.verify import fsck
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from tests.store.support import Work

    from mlstore.verify import FsckReport


def kinds(report: FsckReport) -> set[str]:
    return {finding.kind for finding in report.findings}


@EITHER
def test_a_sound_store_is_fine_and_its_objects_are_counted(pipeline: Pipeline) -> None:
    report = fsck(pipeline.repo)
    assert report.ok
    assert report.findings == []
    assert report.checked["objects"] == len(list(pipeline.repo.objects.ids()))
    assert report.unreachable == []


@EITHER
def test_a_flipped_bit_in_any_object_is_found(pipeline: Pipeline) -> None:
    create_tag(
        pipeline.repo,
        "golden",
        pipeline.repo.refs.head().commit,
        message="golden",
        tagger=ADA,
        time=commit_time(1),
    )
    for object_id in list(pipeline.repo.objects.ids()):
        with pipeline.spoilt():
            pipeline.flip(object_id)
            report = fsck(pipeline.repo)
            assert report.category == "corrupt"
            assert object_id in {finding.expected for finding in report.findings}
    assert fsck(pipeline.repo).ok


@EITHER
def test_it_goes_on_past_every_error_and_names_all(pipeline: Pipeline) -> None:
    damaged = [pipeline.value(path) for path in ("model.joblib", "data/raw.csv", "data/clean.csv")]
    for object_id in damaged:
        pipeline.flip(object_id)
    report = fsck(pipeline.repo)
    assert {finding.expected for finding in report.findings} >= set(damaged)
    told = "\n".join(line for finding in report.findings for line in finding.details)
    for path in ("model.joblib", "data/raw.csv", "data/clean.csv"):
        assert path in told
    assert pipeline.repo.refs.head().commit[:10] in told  # type: ignore[index]


@EITHER
def test_a_missing_blob_is_missing_and_says_who_needs_it(pipeline: Pipeline) -> None:
    model = pipeline.value("model.joblib")
    pipeline.remove_object(model)
    report = fsck(pipeline.repo)
    assert report.category == "missing"
    finding = report.findings[0]
    assert (finding.expected, finding.path) == (model, "model.joblib")


@EITHER
def test_blobs_of_all_history_are_checked(pipeline: Pipeline) -> None:
    old = pipeline.value("model.joblib")
    pipeline.train("model 2")
    pipeline.flip(old)
    assert fsck(pipeline.repo).findings[0].expected == old


@pytest.mark.parametrize("said", [[4], [6], [5, 6], [6, 5]])
def test_a_tree_that_states_another_size_than_its_blob_has_is_found(work: Work, said: list[int]) -> None:
    with work.repo.objects.transaction() as writer:
        blob = writer.add_bytes(b"12345")
    entries = [TreeEntry(f"{number}", "file", blob, size) for number, size in enumerate(said)]
    work.record("one", snapshot={entry.name: entry for entry in entries})
    (finding,) = fsck(work.repo).findings
    wrong = next(size for size in said if size != 5)
    assert (finding.kind, finding.expected) == ("corrupt-object", blob)
    assert f"has 5 bytes, its tree says {wrong}" in finding.message


def test_what_only_a_tagged_tree_needs_is_missed(work: Work) -> None:
    work.commit(a="1")
    gone = work.repo.format.hash_bytes(b"gone")
    with work.repo.objects.transaction() as writer:
        tree = writer.add_bytes(encode_tree(Tree((TreeEntry("x", "file", gone, 4),))))
    (work.repo.store / "refs/tags/tree").write_text(f"{tree}\n")
    (finding,) = fsck(work.repo).findings
    assert (finding.kind, finding.expected) == ("missing-object", gone)


def test_an_index_with_a_path_that_leads_out_is_found(work: Work) -> None:
    work.commit(a="1")
    index = work.repo.read_index()
    index.set(index.table.entry(0)._replace(path="../a"))
    work.repo.save_index(index)
    (finding,) = fsck(Repository.open(work.root)).findings
    assert (finding.kind, finding.path) == ("corrupt-file", "index")


def test_a_ref_that_points_nowhere_is_found(pipeline: Pipeline) -> None:
    (pipeline.repo.store / "refs/heads/lost").write_text("1" * 64 + "\n")
    report = fsck(pipeline.repo)
    assert report.category == "missing"
    assert report.findings[0].path == "refs/heads/lost"


@pytest.mark.parametrize("content", ["", "hello\n", "1" * 63 + "\n", "ref: refs/heads/main\n", "\xff"])
def test_a_ref_that_is_no_id_is_found(pipeline: Pipeline, content: str) -> None:
    (pipeline.repo.store / "refs/heads/bad").write_bytes(content.encode("latin-1"))
    report = fsck(pipeline.repo)
    assert report.category == "corrupt"
    assert report.findings[0].path == "refs/heads/bad"


@EITHER
def test_a_damaged_head_is_found_and_the_rest_is_checked(pipeline: Pipeline) -> None:
    (pipeline.repo.store / "HEAD").write_text("nonsense\n")
    pipeline.flip(pipeline.value("model.joblib"))
    report = fsck(Repository.open(pipeline.root))
    assert {"corrupt-file", "corrupt-object"} <= kinds(report)


def test_a_damaged_index_is_found(pipeline: Pipeline) -> None:
    path = pipeline.repo.store / "index"
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    report = fsck(pipeline.repo)
    assert report.category == "corrupt"
    assert report.findings[0].path == "index"


@EITHER
def test_staged_content_that_is_gone_is_found(pipeline: Pipeline) -> None:
    pipeline.write("new.csv", "new")
    add_paths(pipeline.repo, ["new.csv"])
    pipeline.remove_object(pipeline.value("new.csv"))
    report = fsck(pipeline.repo)
    assert report.category == "missing"
    assert report.findings[0].path == "new.csv"


def test_a_reflog_line_that_is_none_is_a_warning(pipeline: Pipeline) -> None:
    with (pipeline.repo.store / "logs/HEAD").open("a") as file:
        file.write('{"half a line')
    report = fsck(pipeline.repo)
    assert report.ok
    assert [finding.severity for finding in report.findings] == ["warning"]


def test_strange_files_among_the_objects_are_warned_about(pipeline: Pipeline) -> None:
    (pipeline.repo.store / "objects/ab").mkdir(exist_ok=True)
    (pipeline.repo.store / "objects/ab/hello").write_text("hello")
    report = fsck(pipeline.repo)
    assert report.ok
    assert report.findings[0].path == "objects/ab/hello"


@EITHER
def test_unreachable_and_dangling_objects_are_told_and_no_error(pipeline: Pipeline) -> None:
    with pipeline.repo.objects.transaction() as writer:
        blob = writer.add_bytes(b"nobody needs this")
    report = fsck(pipeline.repo)
    assert report.ok
    assert report.unreachable == [blob]
    assert report.dangling == [blob]


def test_what_only_the_reflog_knows_is_reachable(pipeline: Pipeline) -> None:
    from mlstore.history import reset

    head = pipeline.repo.refs.head().commit
    assert head is not None
    parent = pipeline.repo.objects.read_commit(head).parents[0]
    reset(pipeline.repo, parent, "hard", who=ADA, time=commit_time(2))
    report = fsck(pipeline.repo)
    assert report.unreachable == []


def test_a_forged_block_is_found(pipeline: Pipeline) -> None:
    pipeline.forge(height=7)
    report = fsck(pipeline.repo)
    assert kinds(report) == {"wrong-height"}
    assert report.category == "corrupt"


@EITHER
def test_a_tag_to_nowhere_is_found(pipeline: Pipeline) -> None:
    blocks = read_chain(pipeline.repo, pipeline.repo.refs.head().commit).blocks
    create_tag(pipeline.repo, "x", blocks[0].id, message="x", tagger=ADA, time=commit_time(1))
    pipeline.remove_object(blocks[0].id)
    assert fsck(pipeline.repo).category == "missing"
