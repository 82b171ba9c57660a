"""What a client remembers of the heads that it saw: what is a step forward for it, and what a step back."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.store.support import ADA

from mlstore.durable import FileLock
from mlstore.history import create_tag, delete_branch
from mlstore.refs import Move
from mlstore.repository import Repository
from mlstore.signing import LastSeen, lastseen
from mlstore.signing.lastseen import Seen, look

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.support import Work

MAIN = "refs/heads/main"


@pytest.fixture
def seen(tmp_path: Path) -> LastSeen:
    return LastSeen(tmp_path / "state", "this machine")


def judged(seen: LastSeen, work: Work, name: str = MAIN) -> str:
    return seen.judge(work.repo, name, seen.read(work.repo))


def put(work: Work, name: str, value: str) -> None:
    """Move a ref as somebody does who is not this client."""
    (work.repo.store / name).write_text(value + "\n")
    work.repo = Repository.open(work.root)


def test_what_was_never_seen_is_nothing_to_hold_against(work: Work, seen: LastSeen) -> None:
    work.commit("first", a="1")
    assert seen.read(work.repo) == {}
    assert judged(seen, work) == "NONE"
    assert seen.problem is None


def test_a_branch_that_stands_where_it_stood_goes_on_or_goes_back(work: Work, seen: LastSeen) -> None:
    first = work.commit("first", a="1")
    second = work.commit("second", a="2")
    seen.note(work.repo, [MAIN, "HEAD", "refs/heads/none"])
    assert sorted(seen.read(work.repo)) == ["HEAD", MAIN]
    assert judged(seen, work) == judged(seen, work, "HEAD") == "MATCH"
    work.commit("third", a="3")
    assert judged(seen, work) == judged(seen, work, "HEAD") == "NEWER"
    put(work, MAIN, first)
    assert judged(seen, work) == judged(seen, work, "HEAD") == "ROLLED-BACK"
    put(work, MAIN, second)
    assert judged(seen, work) == "MATCH"


def test_another_history_of_the_same_height_is_no_step_forward(work: Work, seen: LastSeen) -> None:
    first = work.commit("first", a="1")
    work.commit("second", a="2")
    seen.note(work.repo, [MAIN])
    put(work, MAIN, first)
    work.commit("other", a="3")
    work.commit("and more", a="4")
    assert judged(seen, work) == "ROLLED-BACK"


def test_a_branch_that_is_gone_or_damaged_or_without_its_history_is_rolled_back(
    work: Work, seen: LastSeen
) -> None:
    first = work.commit("first", a="1")
    work.commit("second", a="2")
    third = work.commit("third", a="3")
    put(work, MAIN, first)
    seen.note(work.repo, [MAIN])
    put(work, MAIN, third)
    assert judged(seen, work) == "NEWER"
    work.remove_object(work.commits["second"])
    assert judged(seen, work) == "ROLLED-BACK", "nothing shows any more that it descends"
    put(work, MAIN, "no id at all")
    assert look(work.repo, MAIN) is None
    assert judged(seen, work) == "ROLLED-BACK"


def test_a_tag_of_a_file_matches_only_itself(work: Work, seen: LastSeen) -> None:
    work.commit("first", a="1")
    entry = work.index.get("a")
    assert entry is not None
    create_tag(work.repo, "file", entry.id, message="a file", tagger=ADA, time=work.now())
    name = "refs/tags/file"
    seen.note(work.repo, [name])
    assert seen.read(work.repo)[name].commit is None
    assert judged(seen, work, name) == "MATCH"
    put(work, name, work.head)
    assert judged(seen, work, name) == "ROLLED-BACK"


# --- its own moves ---


def test_its_own_commands_may_go_back_and_are_followed(work: Work, seen: LastSeen) -> None:
    first = work.commit("first", a="1")
    second = work.commit("second", a="2")
    seen.note(work.repo, [MAIN])
    back = Move(MAIN, second, first)
    seen.expect(work.repo, [back])
    assert seen.read(work.repo)[MAIN].pending == (first,)
    assert judged(seen, work) == "MATCH", "it was killed before"
    put(work, MAIN, first)
    assert judged(seen, work) == "MATCH", "it was killed right after"
    seen.expect(work.repo, [back])
    assert seen.read(work.repo)[MAIN].pending == (first,), "once is enough"
    seen.note_moves(work.repo, [back])
    assert seen.read(work.repo)[MAIN] == look(work.repo, MAIN)


def test_a_step_forward_needs_no_note_before(work: Work, seen: LastSeen) -> None:
    first = work.commit("first", a="1")
    seen.note(work.repo, [MAIN])
    second = work.commit("second", a="2")
    seen.expect(work.repo, [Move(MAIN, first, second), Move("refs/heads/other", None, second)])
    assert seen.read(work.repo) == {MAIN: Seen(first, first, 0)}


def test_a_move_from_where_somebody_else_had_put_the_ref_does_not_cover_that_up(
    work: Work, seen: LastSeen
) -> None:
    first = work.commit("first", a="1")
    second = work.commit("second", a="2")
    seen.note(work.repo, [MAIN])
    put(work, MAIN, first)
    forged = work.commit("forged", a="3")
    later = work.commit("later", a="4")
    for move in (Move(MAIN, forged, later), Move(MAIN, forged, first)):
        seen.expect(work.repo, [move])
        seen.note_moves(work.repo, [move])
    assert seen.read(work.repo)[MAIN].id == second
    assert judged(seen, work) == "ROLLED-BACK"


def test_a_branch_that_it_removes_is_forgotten(work: Work, seen: LastSeen) -> None:
    first = work.commit("first", a="1")
    work.branch("side")
    side = work.commit("side", a="2")
    seen.note(work.repo, ["refs/heads/side", MAIN])
    gone = Move("refs/heads/side", side, None)
    seen.expect(work.repo, [gone])
    assert seen.read(work.repo)["refs/heads/side"].pending == (None,)
    work.switch("main")
    delete_branch(work.repo, "side", force=True)
    assert judged(seen, work, "refs/heads/side") == "MATCH", "it was killed right after"
    seen.note_moves(work.repo, [gone])
    assert seen.read(work.repo) == {MAIN: Seen(first, first, 0)}


def test_a_repository_that_is_made_anew_is_a_stranger(work: Work, seen: LastSeen) -> None:
    seen.forget(work.repo)
    assert not seen.folder.exists(), "nothing was known, and nothing is written"
    work.commit("first", a="1")
    seen.note(work.repo, [MAIN])
    seen.forget(work.repo)
    assert seen.read(work.repo) == {}


def test_a_machine_with_the_same_home_has_a_memory_of_its_own(work: Work, seen: LastSeen) -> None:
    work.commit("first", a="1")
    seen.note(work.repo, [MAIN])
    assert LastSeen(seen.folder, "another").read(work.repo) == {}
    assert LastSeen(seen.folder, "this machine").read(work.repo) != {}


# --- a memory that is damaged, locked or not to be written ---


def rows(**changes: object) -> dict[str, object]:
    return {"id": "ab" * 32, "commit": None, "height": 0} | changes


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"schema": "mlstore.seen/2", "refs": {}},
        {"schema": "mlstore.seen/1", "refs": []},
        {"schema": "mlstore.seen/1", "refs": {MAIN: 5}},
        {"schema": "mlstore.seen/1", "refs": {MAIN: rows(id="xy")}},
        {"schema": "mlstore.seen/1", "refs": {MAIN: rows(height="5")}},
        {"schema": "mlstore.seen/1", "refs": {MAIN: rows(commit="xy")}},
        {"schema": "mlstore.seen/1", "refs": {MAIN: rows(pending={})}},
        {"schema": "mlstore.seen/1", "refs": {MAIN: rows(pending=["xy"])}},
        "no json",
    ],
)
def test_a_memory_that_makes_no_sense_is_told_and_fails_no_command(
    work: Work, seen: LastSeen, value: object
) -> None:
    work.commit("first", a="1")
    path = seen.path_of(work.root)
    path.parent.mkdir(parents=True)
    text = value if isinstance(value, str) else json.dumps(value)
    path.write_text(text)
    assert judged(seen, work) == "NONE"
    assert seen.problem is not None
    assert "cannot be used" in seen.problem
    seen.problem = None
    seen.note(work.repo, [MAIN])
    assert seen.problem is not None
    assert path.read_text() == text, "what is there is for a person to look at"


def test_a_memory_that_is_locked_or_cannot_be_read_is_told(
    work: Work, seen: LastSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit("first", a="1")
    monkeypatch.setattr(lastseen, "_WAIT", 0)
    with FileLock(seen.path_of(work.root).with_suffix(".lock"), purpose="another"):
        seen.note(work.repo, [MAIN])
    assert seen.problem is not None
    assert "is locked by process" in seen.problem

    def denied(*_args: object, **_more: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", denied)
    assert seen.read(work.repo) == {}
    assert seen.problem.endswith("permission denied")
    monkeypatch.setattr("pathlib.Path.exists", denied)
    seen.problem = None
    seen.forget(work.repo)
    assert seen.problem == "permission denied"


def test_a_full_disk_is_told_and_what_was_known_stays(
    work: Work, seen: LastSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit("first", a="1")
    seen.note(work.repo, [MAIN])
    before = seen.read(work.repo)
    work.commit("second", a="2")

    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        seen.note(work.repo, [MAIN])
    assert seen.problem is not None
    assert "no space left on device" in seen.problem
    assert seen.read(work.repo) == before
