"""`clone`: the same refs and objects, every one verified, seen whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import stored
from tests.store.support import ADA, MOMENT, Work, fast_repository
from tests.store.verify.building import Pipeline

from mlstore import durable
from mlstore.errors import (
    CorruptError,
    Locked,
    MlstoreError,
    NotFoundError,
    ObjectNotFound,
    Refused,
    StorageError,
)
from mlstore.history import NoteBook, add_notes, create_tag
from mlstore.model import Note
from mlstore.remote import Cloned, clone
from mlstore.remote.cloning import ASIDE
from mlstore.repository import Filter, Repository
from mlstore.verify import fsck, verify
from mlstore.worktree import status

NONE = Filter(0)


def copy_of(repo: Repository, target: Path, **more: Any) -> Cloned:
    return clone(repo, target, who=ADA, time=MOMENT, **more)


@pytest.fixture
def rich(work: Work) -> Work:
    """Two branches, both kinds of tags, small and large files, one of them in chunks."""
    large = bytes(range(256)) * 8192  # 2 MiB
    work.commit("one", a__txt="1\n", large__bin=large, table__csv="a,b\n" + "1,2\n" * 400_000)
    work.write("sub/deep/b.txt", "b")
    work.write("run.sh", "#!/bin/sh\n", executable=True)
    work.commit("two", a__txt="2\n")
    work.branch("side")
    work.commit("three", c__txt="side\n")
    create_tag(work.repo, "light", work.commits["one"], message=None, tagger=ADA, time=MOMENT)
    create_tag(work.repo, "v1", work.commits["two"], message="first", tagger=ADA, time=MOMENT)
    return work


def files(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in root.rglob("*")
        if path.is_file() and ".mlstore" not in path.parts
    }


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_a_clone_has_the_same_refs_objects_and_files(rich: Work, tmp_path: Path) -> None:
    done = copy_of(rich.repo, tmp_path / "copy")
    repo = Repository.open(tmp_path / "copy")
    assert repo.refs.all() == rich.repo.refs.all()
    assert repo.refs.head() == rich.repo.refs.head()
    assert set(repo.objects.ids()) == set(rich.repo.objects.ids())
    assert files(repo.root) == files(rich.root)
    assert done.files == len(files(rich.root)) == 6
    assert fsck(repo).ok
    found = status(repo)
    assert [*found.staged, *found.unstaged, *found.untracked] == []


def test_nothing_of_the_clone_is_linked_to_its_source(rich: Work, tmp_path: Path) -> None:
    copy_of(rich.repo, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*"):
        if path.is_file():
            assert path.stat().st_nlink == 1
            assert not path.is_symlink()


def test_tags_keep_their_objects_and_the_log_says_where_all_came_from(rich: Work, tmp_path: Path) -> None:
    repo = copy_of(rich.repo, tmp_path / "copy").repo
    assert repo.objects.kind(repo.refs.all()["refs/tags/v1"]) == "tag"
    (entry,) = repo.refs.reflog("refs/heads/side")
    assert (entry.old, entry.new) == (None, rich.commits["three"])
    assert entry.message == f"clone: from {rich.root}"
    assert repo.source == str(rich.root)


def test_what_no_ref_leads_to_stays_behind(rich: Work, tmp_path: Path) -> None:
    with rich.repo.objects.transaction() as writer:
        stray = writer.add_bytes(b"nobody needs this")
    repo = copy_of(rich.repo, tmp_path / "copy").repo
    assert stray not in repo.objects


def test_a_detached_head_is_detached_in_the_clone_and_has_its_commit(work: Work, tmp_path: Path) -> None:
    first = work.commit("one", a__txt="1")
    work.switch(first, detach=True)
    second = work.commit("two", a__txt="2")
    repo = copy_of(work.repo, tmp_path / "copy").repo
    assert repo.refs.head() == (None, second)
    assert (repo.root / "a.txt").read_text() == "2"


def test_an_empty_repository_gives_an_empty_clone_on_the_same_branch(work: Work, tmp_path: Path) -> None:
    work.repo.refs.set_head_branch("trunk")
    done = copy_of(work.repo, tmp_path / "copy")
    assert done.head == ("trunk", None)
    assert done.files is None


def test_the_object_format_is_that_of_the_source(tmp_path: Path) -> None:
    work = Work(fast_repository(tmp_path / "work", "sha256"))
    work.commit("one", a__txt="1")
    assert copy_of(work.repo, tmp_path / "copy").repo.format.name == "sha256"


def test_a_pipeline_verifies_in_the_clone(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "repo")
    pipeline.stage("generate", [], {"raw.csv": "a\n"}, environment={"python": "3.11"})
    repo = copy_of(pipeline.repo, tmp_path / "copy").repo
    report = verify(repo)
    assert report.ok, report.to_dict()
    assert report.partial is None


# --- where it goes ---


def test_an_empty_folder_will_do(rich: Work, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    before = (tmp_path / "copy").stat().st_ino
    copy_of(rich.repo, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_ino == before


def test_a_folder_with_files_is_refused_unless_nothing_is_written(rich: Work, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    (target / "a.txt").write_text("mine\n")
    with pytest.raises(Refused, match="not an empty folder"):
        copy_of(rich.repo, target)
    assert os.listdir(target) == ["a.txt"]
    copy_of(rich.repo, target, checkout=False)
    assert sorted(os.listdir(target)) == [".mlstore", "a.txt"]
    assert (target / "a.txt").read_text() == "mine\n"


def test_a_repository_or_a_file_is_in_the_way(rich: Work, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is a repository already"):
        copy_of(rich.repo, rich.root, checkout=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="is a file"):
        copy_of(rich.repo, tmp_path / "file")


def test_a_link_under_the_name_of_the_building_site_is_not_followed(rich: Work, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / ".mlstore").mkdir(parents=True)
    (victim / ".mlstore" / "precious").write_text("x")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / ASIDE).symlink_to(victim)
    with pytest.raises(Refused, match="is a link"):
        copy_of(rich.repo, tmp_path / "copy")
    assert (victim / ".mlstore" / "precious").exists()


# --- when it goes wrong ---


def blob_of(work: Work, path: str) -> str:
    return work.repo.format.hash_bytes((work.root / path).read_bytes())


def break_blob(work: Work) -> None:
    work.damage(blob_of(work, "a.txt"))


def break_large(work: Work) -> None:
    work.damage(blob_of(work, "large.bin"))


def lose_blob(work: Work) -> None:
    work.remove_object(blob_of(work, "c.txt"))


def lose_commit(work: Work) -> None:
    work.remove_object(work.commits["one"])


def break_ref(work: Work) -> None:
    (work.repo.store / "refs/heads/side").write_text("nonsense\n")


@pytest.mark.parametrize("harm", [break_blob, break_large, lose_blob, lose_commit, break_ref])
def test_a_damaged_source_gives_no_clone_and_leaves_nothing(
    rich: Work, tmp_path: Path, harm: Callable[[Work], None]
) -> None:
    harm(rich)
    with pytest.raises((CorruptError, NotFoundError)):
        copy_of(rich.repo, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_failure_at_the_last_step_leaves_nothing(
    rich: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise StorageError("no space left on device")

    monkeypatch.setattr(durable, "move_folder", refuse)
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        with pytest.raises(StorageError):
            copy_of(rich.repo, tmp_path / name)
    assert not (tmp_path / "new").exists()
    assert os.listdir(tmp_path / "there") == []


KILLED = """
import os, sys
from pathlib import Path
from mlstore.remote import clone
from mlstore.model import Person
from mlstore.repository import Repository
os.rename = lambda *_: os._exit(9)
source, target = map(Path, sys.argv[1:])
clone(Repository.open(source), target, who=Person("a", "a@b"), time="2026-01-16T15:24:48Z")
"""


def test_a_killed_clone_is_no_repository_and_the_next_one_sweeps_it_away(rich: Work, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    done = subprocess.run([sys.executable, "-c", KILLED, rich.root, target], check=False, timeout=60)
    assert done.returncode == 9
    assert os.listdir(target) == [ASIDE]
    with pytest.raises(MlstoreError):
        Repository.open(target)
    copy_of(rich.repo, target)
    assert ASIDE not in os.listdir(target)
    assert files(target) == files(rich.root)


def test_two_clones_into_one_folder_do_not_mix(rich: Work, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    lock = target / ASIDE / ".mlstore" / "locks" / "clone"
    with durable.FileLock(lock, purpose="clone"):
        with pytest.raises(Locked):
            copy_of(rich.repo, target)
    assert not (target / ".mlstore").exists()


def test_files_that_cannot_be_written_leave_a_repository_as_in_git(
    rich: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlstore.remote.cloning as cloning

    def refuse(*_args: object, **_more: object) -> None:
        raise StorageError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cloning, "checkout_snapshot", refuse)
        with pytest.raises(StorageError):
            copy_of(rich.repo, tmp_path / "copy")
    again = Work(Repository.open(tmp_path / "copy"))
    again.reset("HEAD")
    assert files(again.root) == files(rich.root)


# --- without blobs ---


def test_a_filter_leaves_blobs_out_and_takes_commits_trees_and_tags(rich: Work, tmp_path: Path) -> None:
    done = copy_of(rich.repo, tmp_path / "thin", chosen=NONE)
    repo = Repository.open(tmp_path / "thin")
    assert {repo.objects.kind(one) for one in repo.objects.ids()} == {"commit", "tree", "tag"}
    assert str(repo.filter) == "blob:none"
    assert done.left_out == len(set(rich.repo.objects.ids())) - done.objects == 7
    assert os.listdir(repo.root) == [".mlstore"]
    stored_bytes = sum(path.stat().st_size for path in repo.store.rglob("*") if path.is_file())
    assert stored_bytes < 16_000 < done.left_out_bytes


def test_a_limit_leaves_only_large_blobs_out(rich: Work, tmp_path: Path) -> None:
    repo = copy_of(rich.repo, tmp_path / "thin", chosen=Filter.parse("blob:limit=64k")).repo
    assert blob_of(rich, "a.txt") in repo.objects
    assert blob_of(rich, "large.bin") not in repo.objects
    assert fsck(repo).ok


def test_what_the_record_is_made_of_is_never_left_out(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "repo")
    pipeline.write("mlstore.toml", "")
    pipeline.stage(
        "generate", ["config.ini#generate", "mlstore.toml"], {"raw.csv": "a\n"}, environment={"python": "3"}
    )
    repo = copy_of(pipeline.repo, tmp_path / "thin", chosen=NONE).repo
    assert pipeline.value("config.ini") in repo.objects
    assert pipeline.value("mlstore.toml") in repo.objects
    assert pipeline.value("raw.csv") not in repo.objects
    head = repo.objects.read_commit(repo.refs.head().commit)
    assert head.stage.environment in repo.objects


@pytest.mark.parametrize("chosen", [None, NONE])
def test_notes_are_cloned_whatever_is_left_out(work: Work, tmp_path: Path, chosen: Filter | None) -> None:
    work.commit("one", a__txt="1\n")
    note = Note(work.head, "reproduce", ADA, MOMENT, "reproduced", {})
    add_notes(work.repo, [note], author=ADA, time=MOMENT, message="a note")
    repo = copy_of(work.repo, tmp_path / "copy", chosen=chosen).repo
    assert NoteBook(repo, "reproduce").of(work.head) == (note,)
    assert (blob_of(work, "a.txt") in repo.objects) == (chosen is None)
    assert fsck(repo).ok


def test_a_blob_that_a_tag_names_is_not_left_out(rich: Work, tmp_path: Path) -> None:
    blob = blob_of(rich, "large.bin")
    create_tag(rich.repo, "weights", blob, message="these", tagger=ADA, time=MOMENT)
    repo = copy_of(rich.repo, tmp_path / "thin", chosen=NONE).repo
    assert repo.objects.check(blob)


def test_status_in_a_clone_without_blobs_goes_by_the_files_that_are_there(rich: Work, tmp_path: Path) -> None:
    target = tmp_path / "thin"
    shutil.copytree(rich.root, target, ignore=shutil.ignore_patterns(".mlstore"))
    work = Work(copy_of(rich.repo, target, chosen=NONE).repo)
    assert work.status() == {"staged": [], "unstaged": [], "untracked": []}
    work.write("a.txt", "3\n")
    (target / "c.txt").unlink()
    assert work.status()["unstaged"] == ["modified a.txt", "deleted c.txt"]
    work.write("c.txt", "side\n")
    assert work.status()["unstaged"] == ["modified a.txt"]


def test_checkout_of_a_blob_that_was_left_out_names_the_source_and_changes_nothing(
    rich: Work, tmp_path: Path
) -> None:
    work = Work(copy_of(rich.repo, tmp_path / "thin", chosen=NONE).repo)
    with pytest.raises(ObjectNotFound, match="not in this store") as caught:
        work.reset("HEAD")
    assert caught.value.hint is not None
    assert f"'{rich.root}' has it" in caught.value.hint
    assert os.listdir(work.root) == [".mlstore"]


def test_a_lost_tree_is_not_taken_for_one_that_was_left_out(rich: Work, tmp_path: Path) -> None:
    repo = copy_of(rich.repo, tmp_path / "thin", chosen=NONE).repo
    tree = repo.objects.read_commit(rich.commits["three"]).tree
    stored.remove(repo.store, tree)
    with pytest.raises(ObjectNotFound, match="is missing") as caught:
        Repository.open(repo.root).objects.read_tree(tree)
    assert "fsck" in (caught.value.hint or "")


def test_a_clone_of_a_clone_without_blobs_is_one_or_is_refused(rich: Work, tmp_path: Path) -> None:
    thin = copy_of(rich.repo, tmp_path / "thin", chosen=NONE).repo
    with pytest.raises(ObjectNotFound, match="without 7 of the blobs") as caught:
        copy_of(thin, tmp_path / "full")
    assert str(rich.root) in (caught.value.hint or "")
    assert not (tmp_path / "full").exists()
    assert fsck(copy_of(thin, tmp_path / "thinner", chosen=NONE).repo).ok


def test_gc_in_a_clone_without_blobs_takes_nothing_that_is_needed(rich: Work, tmp_path: Path) -> None:
    from mlstore.maintenance import collect_garbage

    repo = copy_of(rich.repo, tmp_path / "thin", chosen=NONE).repo
    before = set(repo.objects.ids())
    collect_garbage(repo, now=4e9, expire="now")
    assert set(Repository.open(repo.root).objects.ids()) == before
