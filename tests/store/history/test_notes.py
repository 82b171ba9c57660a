"""Notes beside the commits: they add up, outlive gc, are found out when damaged, and are no branch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.store.independent import Reader
from tests.store.support import ADA, Work, fast_repository

from mlstore.errors import CorruptObject
from mlstore.hashing import ObjectId
from mlstore.history import NoteBook, add_notes, describe_refs, notes_of, resolve
from mlstore.maintenance import collect_garbage, measure_usage
from mlstore.maintenance.gc import prune
from mlstore.model import Note, TreeEntry
from mlstore.refs import NOTES
from mlstore.repository import Repository, find_entry, write_tree
from mlstore.verify import fsck

if TYPE_CHECKING:
    from pathlib import Path

REF = NOTES + "reproduce"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    work = Work(fast_repository(tmp_path / "work"))
    work.commit("one", a="1")
    work.commit("two", a="2")
    return work


def note(work: Work, commit: ObjectId, text: str) -> ObjectId:
    made = Note(commit, "reproduce", ADA, work.now(), text, {"verdict": text})
    return add_notes(work.repo, [made], author=ADA, time=made.time, message="a note")[0]


def texts(work: Work, commit: ObjectId) -> list[str]:
    return [one.text for one in NoteBook(Repository.open(work.root), "reproduce").of(commit)]


def test_notes_of_a_commit_add_up_oldest_first(work: Work) -> None:
    one, two = work.commits["one"], work.commits["two"]
    for text in ("failed", "reproduced", "equivalent"):
        note(work, one, text)
    note(work, two, "diverged")
    assert texts(work, one) == ["failed", "reproduced", "equivalent"]
    assert texts(work, two) == ["diverged"]
    assert set(notes_of(work.repo, "reproduce", [one, two])) == {one, two}


def test_without_notes_there_are_none(work: Work) -> None:
    assert texts(work, work.head) == []
    assert notes_of(work.repo, "reproduce", [work.head]) == {}


def test_a_note_changes_nothing_about_commits_index_and_files(work: Work) -> None:
    before = {name: target for name, target in work.repo.refs.all().items() if not name.startswith(NOTES)}
    files, index = work.files_of(work.head), work.index.snapshot()
    note(work, work.head, "reproduced")
    after = work.repo.refs.all()
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {REF}
    assert (work.files_of(work.head), work.index.snapshot()) == (files, index)


def test_the_same_note_twice_is_one(work: Work) -> None:
    made = Note(work.head, "reproduce", ADA, work.now(), "reproduced")
    ids = [add_notes(work.repo, [made], author=ADA, time=made.time, message="x")[0] for _ in range(2)]
    assert ids[0] == ids[1]
    assert texts(work, work.head) == ["reproduced"]
    assert work.repo.objects.read_commit(work.repo.refs.read(REF) or work.head).height == 0


def test_a_reader_made_from_the_document_finds_the_notes(work: Work) -> None:
    one = work.commits["one"]
    for text in ("failed", "reproduced"):
        note(work, one, text)
    reader = Reader(work.root)
    tip = reader.refs()[REF]
    history = dict(reader.history(tip))
    assert [value["message"] for value in history.values()] == ["a note", "a note"]
    found = [reader.note(path, data) for path, _, data in reader.files(history[tip]["tree"])]
    assert sorted(value["text"] for value in found) == ["failed", "reproduced"]
    assert {value["commit"] for value in found} == {one}
    assert reader.reflog(REF)[-1]["message"] == "notes: a note"


def test_notes_outlive_a_collection(work: Work) -> None:
    one = work.commits["one"]
    kept = note(work, one, "reproduced")
    collect_garbage(work.repo, now=float(work.clock + 10**9), expire="now")
    prune(work.repo, now=float(work.clock + 10**9))
    assert texts(work, one) == ["reproduced"]
    assert kept in Repository.open(work.root).objects


def test_a_note_does_not_keep_its_commit(work: Work) -> None:
    two = work.commits["two"]
    note(work, two, "reproduced")
    work.reset(work.commits["one"])
    for name in ("HEAD", "refs/heads/main"):
        (work.repo.store / "logs" / name).unlink()
    prune(work.repo, now=float(work.clock + 10**9))
    work.repo = Repository.open(work.root)
    assert two not in work.repo.objects
    report = fsck(work.repo)
    assert report.ok
    (finding,) = [one for one in report.findings if one.path == REF]
    assert (finding.severity, finding.commit) == ("info", two)


def test_what_takes_the_space_counts_notes_as_history(work: Work) -> None:
    before = measure_usage(work.repo)
    note(work, work.head, "reproduced")
    after = measure_usage(Repository.open(work.root))
    assert [path.name for path in after.paths] == [path.name for path in before.paths]
    assert after.history > before.history
    assert after.other == before.other


def test_notes_have_a_revision_and_are_no_branch(work: Work) -> None:
    note(work, work.head, "reproduced")
    tip = work.repo.refs.read(REF)
    assert resolve(work.repo, REF).id == tip
    assert tip not in describe_refs(work.repo)


def test_fsck_of_sound_notes_finds_nothing(work: Work) -> None:
    note(work, work.head, "reproduced")
    report = fsck(work.repo)
    assert report.findings == []
    assert report.unreachable == []


def test_fsck_finds_a_flipped_byte_in_a_note(work: Work) -> None:
    made = note(work, work.head, "reproduced")
    stored.find(work.repo.store, made).flip()
    report = fsck(Repository.open(work.root))
    assert not report.ok
    assert made in {finding.expected for finding in report.findings}
    with pytest.raises(CorruptObject):
        texts(work, work.head)


def plant(work: Work, path: str, data: bytes) -> None:
    """Put a blob into the notes, as somebody else's program might."""
    tip = work.repo.refs.read(REF)
    assert tip is not None
    commit = work.repo.objects.read_commit(tip)
    with work.repo.objects.transaction() as writer:
        blob = writer.add_bytes(data)
        entry = TreeEntry(path.replace("NOTE", blob), "file", blob, len(data))
        value = {
            "author": {"email": "x@example.org", "name": "x"},
            "height": commit.height + 1,
            "message": "planted",
            "parents": [tip],
            "time": "2026-01-16T15:24:48Z",
            "tree": write_tree(writer, [entry]),
        }
        body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        new = writer.add_bytes(b"mlstore commit 1\n" + body)
    work.repo.refs.update(REF, new, old=tip)


@pytest.mark.parametrize("what", ["garbage", "about another commit", "under another name", "of another kind"])
def test_what_is_no_note_is_told_and_never_shown(work: Work, what: str) -> None:
    one, two = work.commits["one"], work.commits["two"]
    made = note(work, one, "reproduced")
    good = work.repo.objects.read(made)
    data, place = {
        "garbage": (b"garbage", two),
        "about another commit": (good, two),
        "under another name": (good, one),
        "of another kind": (good.replace(b'"kind":"reproduce"', b'"kind":"praise"'), one),
    }[what]
    name = "NOTE" if what != "under another name" else "f" * 64
    plant(work, f"{place[:2]}/{place[2:]}/{name}", data)
    report = fsck(Repository.open(work.root))
    assert not report.ok
    assert {finding.path for finding in report.findings} == {REF}
    with pytest.raises(CorruptObject):
        texts(work, place)


def test_a_file_among_the_notes_that_is_none_is_a_stranger(work: Work) -> None:
    note(work, work.head, "reproduced")
    plant(work, "README", b"hello")
    report = fsck(Repository.open(work.root))
    assert report.ok
    assert [finding.kind for finding in report.findings] == ["stranger"]


def test_a_ref_of_notes_that_is_no_commit_is_told(work: Work) -> None:
    with work.repo.objects.transaction() as writer:
        blob = writer.add_bytes(b"no commit")
    work.repo.refs.update(REF, blob, old=None)
    report = fsck(Repository.open(work.root))
    assert not report.ok
    assert [finding.path for finding in report.findings] == [REF]


def test_a_place_of_notes_is_that_of_a_loose_object(work: Work) -> None:
    made = note(work, work.head, "reproduced")
    tree = work.repo.objects.read_commit(work.repo.refs.read(REF) or work.head).tree
    entry = find_entry(work.repo.objects, tree, f"{work.head[:2]}/{work.head[2:]}/{made}")
    assert entry is not None
    assert entry.id == made
