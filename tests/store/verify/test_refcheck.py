"""Damaged refs, logs and tags: told, with what the reflog knows, and nothing stops at them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.store.support import ADA, Work

from mlstore.hashing import ObjectId
from mlstore.history import create_branch, create_tag
from mlstore.repository import Repository
from mlstore.verify import Sample, fsck

if TYPE_CHECKING:
    from mlstore.verify import Finding, FsckReport


@pytest.fixture
def two(work: Work) -> Work:
    """Two commits, a branch at each, an annotated tag."""
    work.commit("one", a__txt="1")
    work.commit("two", a__txt="2")
    create_branch(work.repo, "side", "HEAD~1", who=ADA, time=work.now())
    create_tag(work.repo, "golden", work.head, message="golden", tagger=ADA, time=work.now())
    return work


def check(work: Work, **more: object) -> FsckReport:
    return fsck(Repository.open(work.root), **more)  # type: ignore[arg-type]


def about(report: FsckReport, path: str) -> Finding:
    return next(finding for finding in report.findings if finding.path == path)


def put(work: Work, name: str, text: str) -> None:
    (work.repo.store / name).write_text(text)


def test_a_new_repository_has_an_unborn_head_and_that_is_fine(work: Work) -> None:
    assert check(work).findings == []


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_head_whose_name_was_cut_off_is_warned_about(two: Work, cut: int) -> None:
    put(two, "HEAD", "ref: refs/heads/main"[:-cut])
    finding = about(check(two), "HEAD")
    assert (finding.kind, finding.severity) == ("missing-ref", "warning")
    assert "'ref: refs/heads/main' > .mlstore/HEAD" in (finding.hint or "")


def test_a_head_on_no_branch_is_proposed_to_go_back_to_the_commit(two: Work) -> None:
    put(two, "HEAD", "garbage")
    for name in ("main", "side"):
        put(two, f"refs/heads/{name}", "garbage\n")
    assert f"echo {two.commits['two']}" in (about(check(two), "HEAD").hint or "")


def test_a_ref_without_a_log_is_told_without_a_proposal(two: Work) -> None:
    (two.repo.store / "logs/refs/heads/side").unlink()
    put(two, "refs/heads/side", "garbage\n")
    assert "echo" not in (about(check(two), "refs/heads/side").hint or "")
    put(two, "refs/heads/side", "1" * 64 + "\n")
    assert "mlstore reflog" in (about(check(two), "refs/heads/side").hint or "")


def test_a_log_that_cannot_be_read_is_told_and_the_rest_is_checked(two: Work) -> None:
    path = two.repo.store / "logs/refs/heads/side"
    path.unlink()
    path.symlink_to("side")
    put(two, "refs/heads/side", "garbage\n")
    report = check(two)
    assert about(report, "refs/heads/side").kind == "corrupt-file"


def test_a_log_is_read_for_the_last_commit_that_is_there(two: Work) -> None:
    head, before = two.commits["two"], two.commits["one"]
    two.remove_object(head)
    hint = about(check(two), "refs/heads/main").hint or ""
    assert before in hint
    assert head not in hint


def test_a_tag_whose_target_is_gone_is_missing(two: Work) -> None:
    two.remove_object(two.commits["two"])
    found = [finding for finding in check(two).findings if finding.path == "refs/tags/golden"]
    assert [finding.kind for finding in found] == ["missing-object"]


def test_a_tag_that_cannot_be_read_as_one_is_corrupt(two: Work) -> None:
    tag = (two.repo.store / "refs/tags/golden").read_text().strip()
    with two.repo.objects.transaction() as writer:
        forged = writer.add_bytes(b"mlstore tag 1\n{}")
    put(two, "refs/tags/golden", forged + "\n")
    assert about(check(two), "refs/tags/golden").kind == "corrupt-object"
    assert tag != forged


def test_a_sample_that_leaves_the_damaged_commit_out_goes_on_all_the_same(two: Work) -> None:
    stored.find(two.repo.store, two.commits["two"]).flip(3)
    reports = [check(two, sample=Sample(part, 3)) for part in (1, 2, 3)]
    assert all(not report.ok for report in reports)


@pytest.mark.parametrize("target", ["tree", "blob"])
def test_a_ref_may_point_to_any_object(two: Work, target: str) -> None:
    tree = two.repo.objects.read_commit(two.commits["one"]).tree
    other = two.repo.objects.read_tree(tree).entries[0].id
    put(two, "refs/tags/light", (tree if target == "tree" else other) + "\n")
    assert check(two).ok


def test_a_name_from_the_disk_cannot_get_out_of_the_proposed_line(two: Work) -> None:
    name = "refs/heads/a;touch x"
    put(two, name, "garbage\n")
    logs = two.repo.store / "logs/refs/heads"
    os.link(logs / "main", logs / "a;touch x")
    finding = about(check(two), name)
    assert "touch x" not in (finding.hint or "").replace("'.mlstore/refs/heads/a;touch x'", "")


def test_a_chain_of_tags_that_no_command_follows_is_told(two: Work) -> None:
    target = ObjectId(two.commits["two"])
    for number in range(40):
        create_tag(two.repo, f"t{number}", target, message="t", tagger=ADA, time=two.now())
        target = ObjectId((two.repo.store / f"refs/tags/t{number}").read_text().strip())
    report = check(two)
    assert {finding.path for finding in report.findings} == {
        f"refs/tags/t{number}" for number in range(31, 40)
    }
    assert all("without end" in finding.message for finding in report.findings)
    assert not report.ok


def test_a_branch_that_names_a_file_is_told_with_where_it_was(two: Work) -> None:
    blob = two.index.get("a.txt")
    assert blob is not None
    put(two, "refs/heads/side", f"{blob.id}\n")
    finding = about(check(two), "refs/heads/side")
    assert finding.kind == "corrupt-file"
    assert "what it points to is a blob, not a commit" in finding.message
    assert finding.hint is not None
    assert "its reflog has it last at" in finding.hint


def test_a_tag_that_says_that_it_names_something_else_is_told(two: Work) -> None:
    tag = two.repo.objects.read_tag(two.repo.refs.read("refs/tags/golden"))
    with two.repo.objects.transaction() as writer:
        forged = writer.add_tag(replace(tag, target_kind="tree"))
    put(two, "refs/tags/golden", f"{forged}\n")
    finding = about(check(two), "refs/tags/golden")
    assert finding.kind == "corrupt-object"
    assert finding.message == "tag 'refs/tags/golden' says that it names a tree: it is a commit"


def test_logs_of_runs_are_no_reflogs(two: Work) -> None:
    folder = two.repo.store / "logs" / "run"
    folder.mkdir(parents=True)
    (folder / "train").write_text("whatever the stage wrote\n")
    assert check(two).findings == []
