from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlstore.errors import CorruptFile, InvalidRef, RefNotFound, Refused
from mlstore.hashing import ObjectId
from mlstore.refs import Head, ReflogEntry, RefStore

ONE, TWO, THREE = (ObjectId(digit * 64) for digit in "123")
MAIN = "refs/heads/main"


@pytest.fixture
def refs(tmp_path: Path) -> RefStore:
    (tmp_path / "HEAD").write_text(f"ref: {MAIN}\n")
    return RefStore(tmp_path, scratch=tmp_path / "tmp", fsync=False)


def move(old: ObjectId | None, new: ObjectId | None, message: str = "m") -> ReflogEntry:
    return ReflogEntry(old, new, "2026-01-16T15:24:48Z", "Ada <a@b>", message)


def test_a_ref_is_one_line_with_an_id(tmp_path: Path, refs: RefStore) -> None:
    refs.update("refs/heads/a/b", ONE, old=None)
    assert (tmp_path / "refs" / "heads" / "a" / "b").read_bytes() == ONE.encode() + b"\n"
    assert refs.read("refs/heads/a/b") == ONE


def test_head_stands_on_a_branch_that_need_not_exist_yet(refs: RefStore) -> None:
    assert refs.head() == Head("main", None)
    refs.update(MAIN, ONE, old=None)
    assert refs.head() == Head("main", ONE)


def test_head_can_stand_on_a_commit(tmp_path: Path, refs: RefStore) -> None:
    refs.set_head_detached(ONE, move(None, ONE))
    assert refs.head() == Head(None, ONE)
    assert (tmp_path / "HEAD").read_bytes() == ONE.encode() + b"\n"
    refs.set_head_branch("other")
    assert refs.head() == Head("other", None)
    assert (tmp_path / "HEAD").read_bytes() == b"ref: refs/heads/other\n"


def test_a_ref_moves_only_from_where_it_is_thought_to_be(refs: RefStore) -> None:
    refs.update(MAIN, ONE, old=None)
    for wrong in (None, TWO):
        with pytest.raises(Refused) as caught:
            refs.update(MAIN, THREE, old=wrong, entry=move(wrong, THREE))
        assert caught.value.data["actual"] == ONE
    assert refs.read(MAIN) == ONE
    assert refs.reflog(MAIN) == []
    refs.update(MAIN, TWO, old=ONE)
    with pytest.raises(Refused):
        refs.delete(MAIN, old=ONE)
    refs.delete(MAIN, old=TWO)
    assert refs.read(MAIN) is None


def test_a_move_is_logged_for_the_ref_and_for_a_head_that_stands_on_it(refs: RefStore) -> None:
    refs.update(MAIN, ONE, old=None, entry=move(None, ONE))
    refs.update("refs/heads/other", ONE, old=None, entry=move(None, ONE, "other"))
    refs.update(MAIN, TWO, old=ONE, entry=move(ONE, TWO))
    assert [entry.new for entry in refs.reflog(MAIN)] == [TWO, ONE]
    assert refs.reflog("HEAD") == refs.reflog(MAIN)
    assert refs.logs() == ["HEAD", MAIN, "refs/heads/other"]


def test_the_log_is_written_before_the_ref_moves(refs: RefStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(refs, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        refs.update(MAIN, ONE, old=None, entry=move(None, ONE))
    assert refs.read(MAIN) is None
    assert len(refs.reflog(MAIN)) == 1


def test_refs_are_listed_by_name(refs: RefStore) -> None:
    for name, value in {"refs/tags/v1": ONE, "refs/heads/b/c": TWO, "refs/heads/a": THREE}.items():
        refs.update(name, value, old=None)
    assert list(refs.all().items()) == [
        ("refs/heads/a", THREE),
        ("refs/heads/b/c", TWO),
        ("refs/tags/v1", ONE),
    ]
    assert list(refs.all("refs/heads/")) == refs.names("refs/heads/") == ["refs/heads/a", "refs/heads/b/c"]


def test_a_file_that_can_be_no_ref_is_not_listed_and_breaks_nothing(tmp_path: Path, refs: RefStore) -> None:
    refs.update(MAIN, ONE, old=None)
    for stray in ("main~", ".DS_Store", "x.lock", "a b", "back\\up"):
        (tmp_path / "refs" / "heads" / stray).write_text("whatever\n")
    assert refs.all() == {MAIN: ONE}
    assert len(refs.names()) == 6, "fsck speaks of them"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"main\n",
        ONE[:-1].encode(),
        ONE.encode() + b"0\n",
        ONE.encode() + b"\n\n",
        ONE.encode() + b"\nmore\n",
        ONE.encode() + b"\r\n",
        b" " + ONE.encode(),
        ONE.upper().replace("1", "A").encode(),
        b"ref: refs/heads/other\n",  # a symref inside refs/: no loops
        b"\xff\xfe",
        b"\0" * 64,
        b"1" * 1_000_000,
    ],
)
def test_a_ref_that_holds_no_id_is_corrupt_and_named(tmp_path: Path, refs: RefStore, content: bytes) -> None:
    path = tmp_path / "refs" / "heads" / "main"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    for look in (refs.head, refs.all, lambda: refs.read(MAIN)):
        with pytest.raises(CorruptFile) as caught:
            look()
        assert "main" in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"main\n",
        b"ref: \n",
        b"ref: main\n",
        b"ref: HEAD\n",
        b"ref: refs/tags/v1\n",
        b"ref: refs/heads/\n",
        b"ref: refs/heads/../../config\n",
        b"ref: ../../../etc/passwd\n",
        b"ref:refs/heads/main\n",
        b"ref: refs/heads/a b\n",
        b"ref: refs/heads/main\nref: refs/heads/other\n",
        ONE[:-1].encode() + b"\n",
        b"\xff\xff\n",
    ],
)
def test_a_head_that_names_no_branch_and_no_commit_is_corrupt(
    tmp_path: Path, refs: RefStore, content: bytes
) -> None:
    (tmp_path / "HEAD").write_bytes(content)
    with pytest.raises(CorruptFile, match="HEAD"):
        refs.head()


def test_a_missing_head_is_corrupt(tmp_path: Path, refs: RefStore) -> None:
    (tmp_path / "HEAD").unlink()
    with pytest.raises(CorruptFile, match="'HEAD' is missing"):
        refs.head()


def test_a_ref_that_is_a_link_or_a_pipe_is_neither_followed_nor_waited_for(
    tmp_path: Path, refs: RefStore
) -> None:
    folder = tmp_path / "refs" / "heads"
    folder.mkdir(parents=True)
    (tmp_path / "target").write_text(ONE + "\n")
    (folder / "link").symlink_to(tmp_path / "target")
    os.mkfifo(folder / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(CorruptFile):
            refs.read(f"refs/heads/{name}")


@pytest.mark.parametrize(
    "name", ["../../x", "refs/heads/../../config", "HEAD", "refs/heads/a b", "/etc/passwd"]
)
def test_a_hostile_name_reaches_no_file(refs: RefStore, name: str) -> None:
    for use in (
        refs.read,
        lambda name: refs.update(name, ONE, old=None),
        lambda name: refs.delete(name, old=ONE),
    ):
        with pytest.raises(InvalidRef):
            use(name)


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a"), ("a", "a/b/c")])
def test_a_ref_cannot_be_both_a_file_and_a_folder(refs: RefStore, first: str, second: str) -> None:
    refs.update("refs/heads/" + first, ONE, old=None, entry=move(None, ONE))
    with pytest.raises(InvalidRef):
        refs.update("refs/heads/" + second, TWO, old=None, entry=move(None, TWO))
    assert refs.all() == {"refs/heads/" + first: ONE}


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a"), ("a", "a/b/c")])
def test_a_deleted_ref_and_its_log_make_room(refs: RefStore, first: str, second: str) -> None:
    refs.update("refs/heads/" + first, ONE, old=None, entry=move(None, ONE))
    refs.delete("refs/heads/" + first, old=ONE)
    refs.update("refs/heads/" + second, TWO, old=None, entry=move(None, TWO))
    assert refs.all() == {"refs/heads/" + second: TWO}
    assert len(refs.reflog("refs/heads/" + second)) == 1


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a")])
def test_the_log_of_a_ref_whose_deletion_was_interrupted_makes_room_too(
    tmp_path: Path, refs: RefStore, first: str, second: str
) -> None:
    refs.update("refs/heads/" + first, ONE, old=None, entry=move(None, ONE))
    (tmp_path / "refs" / "heads" / first).unlink()  # the ref went, its log did not
    refs.update("refs/heads/" + second, TWO, old=None, entry=move(None, TWO))
    assert [entry.new for entry in refs.reflog("refs/heads/" + second)] == [TWO]


def test_the_log_goes_with_its_ref(refs: RefStore) -> None:
    refs.update(MAIN, ONE, old=None, entry=move(None, ONE))
    refs.delete(MAIN, old=ONE)
    assert refs.reflog(MAIN) == []
    assert len(refs.reflog("HEAD")) == 1


def test_renaming_keeps_the_log_and_head_follows(refs: RefStore) -> None:
    refs.update(MAIN, ONE, old=None, entry=move(None, ONE))
    refs.update(MAIN, TWO, old=ONE, entry=move(ONE, TWO))
    refs.rename(MAIN, "refs/heads/trunk", entry=move(TWO, TWO, "renamed"))
    assert refs.head() == Head("trunk", TWO)
    assert refs.all() == {"refs/heads/trunk": TWO}
    assert [entry.message for entry in refs.reflog("refs/heads/trunk")] == ["renamed", "m", "m"]
    assert refs.reflog(MAIN) == []


def test_what_is_not_there_cannot_be_renamed_or_overwritten(refs: RefStore) -> None:
    with pytest.raises(RefNotFound):
        refs.rename(MAIN, "refs/heads/trunk", entry=move(None, None))
    refs.update(MAIN, ONE, old=None)
    refs.update("refs/heads/other", TWO, old=None)
    with pytest.raises(Refused):
        refs.rename(MAIN, "refs/heads/other", entry=move(ONE, ONE))
    assert refs.all() == {MAIN: ONE, "refs/heads/other": TWO}


def test_unreadable_lines_of_a_log_are_counted(tmp_path: Path, refs: RefStore) -> None:
    refs.update(MAIN, ONE, old=None, entry=move(None, ONE))
    with (tmp_path / "logs" / "HEAD").open("ab") as log:
        log.write(b"half a li")
    assert refs.unreadable_log_lines("HEAD") == 1
    assert refs.unreadable_log_lines(MAIN) == 0
