"""The state of an interrupted check: written when it should be, believed only where it still holds."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from mlstore.objects.audit import Audit, Flaw
from mlstore.objects.pack import EntryKind
from mlstore.verify import resume
from mlstore.verify.resume import STATE_NAME, Saver, decode_state, encode_state, stamp_of, state_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.support import Work


def audit_of(work: Work) -> Audit:
    audit = Audit(work.repo.objects)
    audit.prepare()
    return audit


def test_the_state_is_saved_when_it_is_time_and_not_at_every_step(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit(a="1")
    now = 100.0
    monkeypatch.setattr(resume.time, "monotonic", lambda: now)
    saver = Saver(work.repo, audit_of(work))
    path, ticks = work.repo.store / STATE_NAME, []
    tick = saver.watching(lambda files, size: ticks.append((files, size)))
    tick(1, 10)
    assert not path.exists()
    now += 1000
    tick(2, 20)
    assert decode_state(path.read_bytes()) is not None
    path.unlink()
    tick(3, 30)
    assert not path.exists(), "it was saved just now"
    assert ticks == [(1, 10), (2, 20), (3, 30)]
    saver.watching(None)(1, 1)


def test_a_disk_that_does_not_take_the_state_fails_no_check(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit(a="1")
    saver = Saver(work.repo, audit_of(work))

    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        saver.save()
    assert not (work.repo.store / STATE_NAME).exists()
    with pytest.raises(KeyboardInterrupt), saver:
        raise KeyboardInterrupt
    assert (work.repo.store / STATE_NAME).exists()
    with saver:
        pass
    assert not (work.repo.store / STATE_NAME).exists()


def test_a_state_that_is_gone_or_far_too_large_is_not_read(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit(a="1")
    saver = Saver(work.repo, audit_of(work))
    saver.load()
    saver.save()
    monkeypatch.setattr(resume, "_LARGEST", 10)
    monkeypatch.setattr(resume, "decode_state", lambda _data: pytest.fail("it was read"))
    saver.load()


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"[]", b"5", b"\xff"])
def test_a_state_that_is_no_object_is_none_though_its_checksum_fits(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "canonical_json", lambda state: state)
    assert decode_state(encode_state(body)) is None  # type: ignore[arg-type]


def test_what_changed_since_the_check_began_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    changed = path.stat().st_ctime_ns
    assert stamp_of(path, "name") is not None
    assert stamp_of(path, "name", changed) is None
    assert stamp_of(path, "name", changed + 1) == stamp_of(path, "name")
    assert stamp_of(path, "another") != stamp_of(path, "name")
    assert stamp_of(tmp_path / "none", "name") is None


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        {"kind": int(EntryKind.RECIPE)},
        {"stamp": "00" * 16},
        {"id": "ab" * 32},
        {"id": "no id"},
        {"pack": "no-such-pack"},
        {"kind": "0"},
        {"reason": 5},
        {"actual": [1]},
        {"actual": []},
    ],
    ids=[
        "a recipe",
        "another stamp",
        "another id",
        "no id",
        "another pack",
        "kind",
        "reason",
        "actual",
        "empty",
    ],
)
def test_damage_that_is_recorded_of_something_else_is_not_believed(
    work: Work, change: dict[str, Any]
) -> None:
    commit = work.commit(a="1")
    work.settle()
    old = audit_of(work)
    pack = next(iter(old.packs), None)
    old.flaws[pack, commit] = Flaw(commit, pack, EntryKind.OBJECT, "why", None)
    state = decode_state(encode_state(state_of(old, resume.clock())))
    assert state is not None
    (row,) = state["flaws"]

    def taken_over(row: list[Any]) -> bool:
        again = audit_of(work)
        resume._take_over(again, state | {"flaws": [row]})
        return bool(again.flaws)

    assert taken_over(row)
    names = ["stamp", "id", "pack", "kind", "reason", "actual"]
    assert not taken_over([change.get(name, value) for name, value in zip(names, row, strict=True)])
