"""Adding many files in two processes: nobody can tell from what is stored, but for the number of packs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored
from tests.packformat import read_pack
from tests.store.objects.building import noise
from tests.store.support import Work, fast_repository

from mlstore.errors import Refused, StorageError
from mlstore.objects import writer as writer_module
from mlstore.verify import fsck
from mlstore.worktree import storer as module

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """Share the work from the second file on; lists what children answered."""
    found: list[bytes | None] = []
    real = module.beside

    def noted(theirs: Any, ours: Any) -> bytes | None:
        found.append(real(theirs, ours))
        return found[-1]

    monkeypatch.setattr(module, "beside", noted)
    monkeypatch.setattr(module, "FORK_FROM", 2)
    monkeypatch.setattr(module, "may_fork", lambda: True)
    return found


def fill(work: Work, *, repeated: bool = False) -> dict[str, bytes]:
    files = {f"d{n % 3}/f{n:02}": noise(3000, n) for n in range(20)}
    files |= {f"text/{n}": b"one line\n" * (40 + n) for n in range(20)}
    if repeated:
        files |= {f"z/again-{n:02}": noise(3000, n) for n in range(20)}
    for path, data in files.items():
        work.write(path, data, executable=path.endswith("7"))
    return files


def ids(work: Work) -> list[str]:
    return [one.id for pack in stored.packs(work.repo.store) for one in read_pack(pack.read_bytes())]


def test_what_is_stored_and_indexed_is_what_one_process_makes(
    work: Work, answers: list[bytes | None], tmp_path: Path
) -> None:
    files = fill(work)
    work.settle()
    alone = Work(fast_repository(tmp_path / "alone"))
    fill(alone)
    alone.settle()
    work.add()
    assert len(answers) == 1
    assert answers[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "may_fork", lambda: False)
        alone.add()
    assert len(answers) == 1
    assert work.index.snapshot() == alone.index.snapshot()
    assert work.files_of(work.record()) == files
    assert all(entry.stat is not None for entry in map(work.index.get, files) if entry)
    assert work.status() == {"staged": [], "unstaged": [], "untracked": []}
    assert fsck(work.repo).ok
    assert list(work.repo.scratch.iterdir()) == []


def test_what_both_processes_meet_is_stored_once(work: Work, answers: list[bytes | None]) -> None:
    files = fill(work, repeated=True)
    work.add()
    assert answers[0]
    found = ids(work)
    assert len(found) == len(set(found)) == len(set(files.values()))
    assert len(stored.packs(work.repo.store)) == 1
    assert work.files_of(work.record()) == files
    assert fsck(work.repo).ok


def test_what_the_store_has_is_not_stored_again(work: Work, answers: list[bytes | None]) -> None:
    files = fill(work)
    work.commit()
    before = ids(work)
    for path, data in files.items():
        work.write(f"copy/{path}", data)
        work.path(path).touch()
    work.add()
    assert all(answers)
    assert ids(work) == before
    assert fsck(work.repo).ok


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_what_either_process_relied_on_counts_as_used_again(work: Work, answers: list[bytes | None]) -> None:
    """Or a collection would take what is old, while the index needs it."""
    names = [f"d{n}/f" for n in range(8)]
    for name in names:
        work.write(name, name * 9)
        work.add(name)
    folder = work.repo.store / "objects"
    kept = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    assert len(kept) == len(names)
    work.repo.save_index(type(work.index)())
    for path in kept:
        os.utime(path, (1, 1))
    work.repo = work.repo.open(work.root)
    work.add()
    assert all(answers)
    assert [path.name for path in kept if path.stat().st_mtime == 1] == []


def test_a_large_file_in_the_childs_half_takes_its_own_way(work: Work, answers: list[bytes | None]) -> None:
    work.write("a", b"small")
    work.write("b", b"also")
    work.write("y.bin", noise(2 << 20))
    work.write("z", b"last")
    work.add()
    assert answers[0]
    entry = work.index.get("y.bin")
    assert entry is not None
    assert stored.loose_path(work.repo.store, entry.id).exists()
    assert work.files_of(work.record())["y.bin"] == noise(2 << 20)


def test_a_damaged_copy_is_healed_whoever_meets_it(work: Work, answers: list[bytes | None]) -> None:
    files = fill(work)
    work.commit()
    for path in files:  # all that the child would have found sound
        entry = work.index.get(path)
        assert entry is not None
        if path > "d2":
            work.damage(entry.id)
    for path in files:
        work.path(path).touch()
    work.add(*files)
    assert None in answers  # it has no place to put a copy beside a damaged one
    work.repo = work.repo.open(work.root)
    assert fsck(work.repo).ok
    assert work.files_of(work.head) == files


@pytest.mark.parametrize("how", ["dies", "has no room"])
def test_what_a_child_could_not_do_is_done_here(
    work: Work, answers: list[bytes | None], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    files = fill(work)
    parent, real = os.getpid(), module.Storer._store_seen

    def die_in_child(self: Any, path: str, seen: os.stat_result) -> Any:
        if os.getpid() != parent:
            if how == "dies":
                os._exit(9)
            raise OSError(28, "No space left on device")
        return real(self, path, seen)

    monkeypatch.setattr(module.Storer, "_store_seen", die_in_child)
    work.add()
    assert answers == [None]
    assert len(stored.packs(work.repo.store)) == 1
    assert work.files_of(work.record()) == files
    assert list(work.repo.scratch.iterdir()) == []


def test_no_room_for_either_is_said_and_nothing_is_kept(
    work: Work, answers: list[bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(work)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlstore.durable.staging.write_all", full)
    with pytest.raises(StorageError):
        work.add()
    monkeypatch.undo()
    assert ids(work) == []
    assert list(work.repo.scratch.iterdir()) == []
    assert len(work.index) == 0


def test_a_file_that_changes_in_the_childs_half_is_refused(
    work: Work, answers: list[bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(work)
    real = module.settle

    def meddling(path: str, *rest: Any) -> Any:
        if path == "text/9":
            raise Refused("'text/9' changed while it was read")
        return real(path, *rest)

    parent, seen = os.getpid(), module.Storer._store_seen
    monkeypatch.setattr(module, "settle", meddling)
    monkeypatch.setattr(
        module.Storer,
        "_store_seen",
        lambda self, path, status: (
            None if os.getpid() != parent or path == "text/9" else seen(self, path, status)
        ),
    )
    with pytest.raises(Refused, match="changed"):
        work.add()
    assert len(work.index) == 0


def test_a_child_writes_to_its_own_pack_only(work: Work) -> None:
    with work.repo.objects.transaction() as store:
        assert isinstance(store, writer_module.ObjectWriter)
        store.fill_share(store.open_share())
        with pytest.raises(RuntimeError, match="its own pack"):
            store.add_bytes(noise(2 << 20))
        store._only = None
