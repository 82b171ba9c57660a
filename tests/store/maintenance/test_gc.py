"""What a collection takes, what it never takes, and how it comes back."""

from __future__ import annotations

import errno
import os
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import stored
from tests.store.support import ADA, Work, fast_repository, listing

from mlstore.durable import FileLock
from mlstore.errors import (
    CorruptError,
    CorruptObject,
    Locked,
    NotFoundError,
    ObjectNotFound,
    StorageError,
    UsageError,
)
from mlstore.history import create_branch, create_tag, delete_branch, delete_tag, reset, resolve_commit
from mlstore.lockfile import Lock, Pin, render_lock
from mlstore.maintenance import collect_garbage, gc, prune, repack, undo
from mlstore.model import StageRecord
from mlstore.objects import Collector
from mlstore.repository import Repository
from mlstore.verify import fsck
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.hashing import ObjectId
    from mlstore.maintenance import GcReport

DAY = 86400.0


def ids(work: Work) -> set[str]:
    """Every object of the store, by plain files."""
    return set(stored.object_ids(work.repo.store))


def age(work: Work, days: float) -> None:
    """Make everything in the store so old."""
    moment = time.time() - days * DAY
    for path in (work.repo.store / "objects").rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))


def forget_logs(work: Work) -> None:
    for path in (work.repo.store / "logs").rglob("*"):
        if path.is_file():
            path.unlink()


def collect(work: Work, **more: object) -> GcReport:
    work.repo = Repository.open(work.root)
    report = collect_garbage(work.repo, now=time.time(), **more)  # type: ignore[arg-type]
    work.repo = Repository.open(work.root)
    return report


@pytest.fixture
def forked(work: Work) -> Work:
    """Two commits on main; one more, with files of its own, that nothing leads to. A month old."""
    work.commit("one", a="1", same="=")
    work.commit("two", a="2")
    work.commit("gone", a="3", new="secret")
    work.reset("HEAD~1")
    forget_logs(work)
    age(work, 30)
    return work


def lost(work: Work) -> set[str]:
    """What only the commit that nothing leads to needs."""
    objects = work.repo.objects
    commit = work.commits["gone"]
    tree = objects.read_commit(commit).tree
    return {commit, tree, *(work.repo.format.hash_bytes(data) for data in (b"3", b"secret"))}


# --- what goes, and how it comes back ---


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_what_nothing_leads_to_goes_to_the_trash_and_comes_back(forked: Work) -> None:
    before, gone = ids(forked), lost(forked)
    report = collect(forked)
    assert report.objects == len(gone) == 4
    assert ids(forked) == before - gone
    assert fsck(forked.repo).ok
    assert report.trash is not None
    assert undo(forked.repo) == 4
    assert ids(forked) == before
    assert not (forked.root / report.trash).exists()
    assert forked.files_of(forked.commits["gone"]) == {"a": b"3", "new": b"secret", "same": b"="}
    assert fsck(forked.repo).ok


def test_what_came_back_is_not_collected_at_once(forked: Work) -> None:
    collect(forked)
    undo(forked.repo)
    assert collect(forked).objects == 0


def test_collections_are_undone_one_after_the_other_the_last_one_first(forked: Work) -> None:
    collect(forked)
    forked.commit("later", b="later")
    forked.reset("HEAD~1")
    forget_logs(forked)
    age(forked, 30)
    assert collect(forked).objects == 3
    assert [undo(forked.repo), undo(forked.repo)] == [3, 4]
    with pytest.raises(NotFoundError, match="the trash is empty"):
        undo(forked.repo)


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_an_object_that_is_back_already_stays_as_it_is_unless_it_is_damaged(forked: Work) -> None:
    collect(forked)
    forked.commit("again", a="3", new="secret")
    secret = forked.repo.format.hash_bytes(b"secret")
    forked.damage(secret)
    undo(forked.repo)
    forked.repo = Repository.open(forked.root)
    assert forked.repo.objects.read(forked.repo.format.hash_bytes(b"3")) == b"3"
    if stored.loose_path(forked.repo.store, secret).exists():
        assert forked.repo.objects.read(secret) == b"secret"


def test_a_damaged_pack_gives_way_to_the_sound_one_of_the_trash(forked: Work) -> None:
    """The same pack, byte for byte, was put back by hand, and badly."""
    repack(forked.repo)
    age(forked, 30)
    report = collect(forked)
    assert report.trash is not None
    (kept,) = (forked.root / report.trash / "pack").iterdir()
    sound = kept.read_bytes()
    bad = forked.repo.store / "objects" / "pack" / kept.name
    bad.write_bytes(sound)
    flip(bad, 20)
    undo(Repository.open(forked.root))
    assert bad.read_bytes() == sound
    assert fsck(Repository.open(forked.root)).ok


def test_a_trash_that_is_old_is_emptied(forked: Work) -> None:
    report = collect(forked)
    assert report.trash is not None
    soon = collect_garbage(forked.repo, now=time.time() + 13 * DAY)
    assert (soon.trash_emptied, (forked.root / report.trash).exists()) == (0, True)
    later = collect_garbage(forked.repo, now=time.time() + 15 * DAY)
    assert later.trash_emptied > 0
    assert not (forked.root / report.trash).exists()


def test_pruning_is_for_good_and_takes_the_trash_too(forked: Work) -> None:
    before, gone = ids(forked), lost(forked)
    collect(forked)
    forked.commit("young", b="young")
    forked.reset("HEAD~1")
    forget_logs(forked)
    report = prune(forked.repo, now=time.time())
    assert (report.objects, report.trash, report.trash_emptied > 0) == (3, None, True)
    assert ids(forked) == before - gone
    with pytest.raises(NotFoundError):
        undo(forked.repo)
    assert fsck(Repository.open(forked.root)).ok


def test_a_dry_run_names_what_would_go_and_changes_nothing(forked: Work) -> None:
    before = listing(forked.repo.store, skip=("locks",))
    report = collect(forked, dry_run=True)
    commit = forked.commits["gone"][:10]
    size = forked.repo.objects.size
    tree = forked.repo.objects.read_commit(forked.commits["gone"]).tree
    assert {(row.kind, row.name, row.size) for row in report.removed} == {
        ("commit", "gone", size(forked.commits["gone"])),
        ("tree", f"@{commit}", size(tree)),
        ("blob", f"a@{commit}", 1),
        ("blob", f"new@{commit}", 6),
    }
    assert listing(forked.repo.store, skip=("locks",)) == before
    assert prune(forked.repo, now=time.time(), dry_run=True).removed == report.removed
    assert listing(forked.repo.store, skip=("locks",)) == before


# --- what never goes ---


def branch(work: Work, commit: ObjectId) -> None:
    create_branch(work.repo, "kept", commit, who=ADA, time=work.now())


def light_tag(work: Work, commit: ObjectId) -> None:
    create_tag(work.repo, "kept", commit, message=None, tagger=ADA, time=work.now())


def note_tag(work: Work, commit: ObjectId) -> None:
    create_tag(work.repo, "kept", commit, message="kept", tagger=ADA, time=work.now())


def detached(work: Work, commit: ObjectId) -> None:
    work.switch(commit, detach=True)


def in_a_log(work: Work, commit: ObjectId) -> None:
    reset(work.repo, commit, "soft", who=ADA, time=gc.format_time(time.time()))
    reset(work.repo, work.commits["two"], "hard", who=ADA, time=gc.format_time(time.time()))


def staged(work: Work, commit: ObjectId) -> None:
    for path, data in work.files_of(commit).items():
        work.write(path, data)
    add_paths(work.repo, [""])


def pinned(work: Work, commit: ObjectId) -> None:
    """Golden, by a file that git keeps; the tag itself is lost."""
    pin = Pin("golden", commit, None, work.repo.objects.read_commit(commit).height)
    work.write("mlstore.lock", render_lock(Lock(work.repo.format.name, {"golden": pin})))


@pytest.mark.parametrize("keep", [branch, light_tag, note_tag, detached, in_a_log, staged, pinned])
def test_what_is_led_to_stays(forked: Work, keep: object) -> None:
    gone, data = lost(forked), forked.files_of(forked.commits["gone"])
    keep(forked, forked.commits["gone"])  # type: ignore[operator]
    if keep is not in_a_log:
        forget_logs(forked)
    age(forked, 30)
    collect(forked, expire="now")
    prune(forked.repo, now=time.time())
    forked.repo = Repository.open(forked.root)
    if keep is staged:
        assert {forked.repo.format.hash_bytes(one) for one in data.values()} <= ids(forked)
    else:
        assert gone <= ids(forked)
        assert forked.files_of(forked.commits["gone"]) == data


def test_the_environment_of_a_block_stays(work: Work) -> None:
    with work.repo.objects.transaction() as writer:
        environment = writer.add_bytes(b"{}")
    work.write("a", "1")
    work.add()
    stage = StageRecord("draw", ("true",), {}, {}, {}, environment=environment)
    work.record("draw", stage=stage)
    age(work, 30)
    collect(work)
    assert environment in ids(work)


def test_what_stays_of_a_pack_keeps_its_date(forked: Work) -> None:
    repack(forked.repo)
    age(forked, 30)
    (old,) = stored.packs(forked.repo.store)
    date = old.stat().st_mtime_ns
    collect(forked)
    (new,) = stored.packs(forked.repo.store)
    assert (new.name != old.name, new.stat().st_mtime_ns) == (True, date)


def test_a_pack_whose_chunks_are_shared_counts_as_used(work: Work) -> None:
    rows = "".join(f"{random.Random(number).random()}\n" for number in range(100_000))
    work.write("t.csv", rows)
    work.add("t.csv")
    age(work, 30)
    (pack,) = stored.packs(work.repo.store)
    work.write("u.csv", rows + "more\n")
    work.add("u.csv")
    assert time.time() - pack.stat().st_mtime < DAY


def test_what_a_tag_named_once_stays_however_long_ago(forked: Work) -> None:
    gone, long_ago = lost(forked), "2001-01-01T00:00:00Z"
    for name in ("gone", "two"):
        commit = forked.commits[name]
        create_tag(forked.repo, "golden", commit, message="x", tagger=ADA, time=long_ago, force=True)
    age(forked, 30)
    collect(forked, expire="now")
    assert gone <= ids(forked)


def test_what_is_young_stays_with_all_that_it_needs(forked: Work) -> None:
    """A commit that nothing leads to yet: somebody may be about to."""
    before = ids(forked)
    commit = stored.find(forked.repo.store, forked.commits["gone"]).path
    os.utime(commit)
    assert collect(forked).objects == 0
    assert ids(forked) == before
    assert collect(forked, expire="now").objects == 4


def test_never_collects_nothing(forked: Work) -> None:
    before = ids(forked)
    assert collect(forked, expire="never").objects == 0
    assert ids(forked) == before


def test_what_is_added_again_counts_as_new(forked: Work) -> None:
    secret = forked.repo.format.hash_bytes(b"secret")
    with forked.repo.objects.transaction() as writer:
        assert writer.add_bytes(b"secret") == secret
    collect(forked)
    assert secret in ids(forked)


@pytest.mark.parametrize("after", ["collect", "prune"])
def test_the_base_of_a_recipe_stays_though_its_commit_goes(work: Work, after: str) -> None:
    """Version two is stored as ranges of version one, which nothing else needs."""
    one = random.Random(1).randbytes(5 << 20)
    two = one[: 2 << 20] + b"new" + one[2 << 20 :]
    work.write("model.bin", one)
    work.commit("base")
    work.write("model.bin", two)
    work.commit("next")
    head = work.repo.objects.read_commit(work.head)
    with work.repo.objects.transaction() as writer:
        alone = writer.add_commit(replace(head, parents=(), height=0))
    reset(work.repo, alone, "hard", who=ADA, time=work.now())
    forget_logs(work)
    age(work, 30)
    report = collect(work) if after == "collect" else prune(work.repo, now=time.time())
    assert report.objects == 3, "two commits and a tree"
    work.repo = Repository.open(work.root)
    assert work.files_of(alone) == {"model.bin": two}
    assert fsck(work.repo).ok


def test_shared_chunks_stay_and_the_others_go(work: Work) -> None:
    rng = random.Random(2)
    rows = [f"{rng.random()}\n" for _ in range(150_000)]
    work.write("t.csv", "".join(rows))
    work.commit("one")
    work.write("t.csv", "".join(rows[:50_000] + [f"{rng.random()}\n" for _ in range(60_000)] + rows[50_000:]))
    work.commit("two")
    work.reset("HEAD~1")
    forget_logs(work)
    age(work, 30)
    size = sum(path.stat().st_size for path in stored.packs(work.repo.store))
    collect(work)
    left = sum(path.stat().st_size for path in stored.packs(work.repo.store))
    assert left < size - 200_000
    assert work.files_of(work.head) == {"t.csv": "".join(rows).encode()}
    assert fsck(work.repo).ok
    undo(work.repo)
    work.repo = Repository.open(work.root)
    assert len(work.files_of(work.commits["two"])["t.csv"]) > len("".join(rows))


# --- damage ---


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
@pytest.mark.parametrize("what", ["commit", "tree"])
def test_where_damage_hides_what_is_needed_nothing_is_removed(forked: Work, what: str, damage: str) -> None:
    objects = forked.repo.objects
    one = forked.commits["one"]
    target = one if what == "commit" else objects.read_commit(one).tree
    forked.remove_object(target) if damage == "missing" else forked.damage(target)
    age(forked, 30)
    before = listing(forked.repo.store, skip=("locks",))
    for remove in (collect_garbage, prune):
        with pytest.raises((CorruptObject, ObjectNotFound), match="what is needed cannot be told") as caught:
            remove(Repository.open(forked.root), now=time.time())
        assert "nothing was removed" in str(caught.value.hint)
    assert listing(forked.repo.store, skip=("locks",)) == before


def test_where_damage_hides_what_is_needed_no_entry_of_a_log_is_dropped(work: Work) -> None:
    work.commit("one", a="1")
    work.commit("two", a="2")
    work.remove_object(work.commits["one"])
    logs = listing(work.repo.store / "logs")
    with pytest.raises(ObjectNotFound, match="what is needed cannot be told"):
        collect_garbage(Repository.open(work.root), now=work.clock + 91 * DAY)
    assert listing(work.repo.store / "logs") == logs


@pytest.mark.parametrize("where", [0, -1])
def test_a_pack_that_cannot_be_read_stops_a_collection(forked: Work, where: int) -> None:
    """It may hold the recipe of something that lies in parts in another pack."""
    pack = stored.packs(forked.repo.store)[0]
    flip(pack, where % pack.stat().st_size)
    age(forked, 30)
    before = listing(forked.repo.store, skip=("locks",))
    with pytest.raises(CorruptError, match="what is needed cannot be told"):
        collect(forked)
    assert listing(forked.repo.store, skip=("locks",)) == before


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_pack_with_a_damaged_index_is_left_as_it_is_and_told(forked: Work) -> None:
    """By its index, what is needed is not in it, and something is that nobody needs."""
    repack(forked.repo)
    (pack,) = stored.packs(forked.repo.store)
    needed = bytes.fromhex(forked.repo.format.hash_bytes(b"="))
    flip(pack, pack.read_bytes().rindex(needed) + 31)
    age(forked, 30)
    report = collect(forked)
    assert "index is damaged" in report.untouched[0]
    assert (report.objects, pack.exists()) == (0, True)


def test_a_pack_with_damage_in_it_is_left_as_it_is_and_told(forked: Work) -> None:
    repack(forked.repo)
    (pack,) = stored.packs(forked.repo.store)
    forked.damage(forked.repo.format.hash_bytes(b"="))
    age(forked, 30)
    report = collect(forked)
    assert "is corrupt" in report.untouched[0]
    assert (report.objects, pack.exists()) == (0, True)


def test_somebody_at_work_is_not_disturbed(forked: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run", "write"):
        other = Repository.open(forked.root)
        with other.lock(name, "something else"), monkeypatch.context() as patch:
            patch.setattr("mlstore.durable.FileLock.__init__", _impatient)
            with pytest.raises(Locked, match="something else"):
                collect(forked)


_PATIENT = FileLock.__init__


def _impatient(lock: FileLock, path: Path, *, purpose: str, wait: float = 0) -> None:
    _PATIENT(lock, path, purpose=purpose, wait=0)


# --- reflogs ---


def test_old_entries_go_and_with_them_what_only_they_led_to(work: Work) -> None:
    work.commit("one", a="1")
    work.commit("two", a="2")
    work.reset("HEAD~1")  # all in January 2026
    gone = work.commits["two"]
    age(work, 9999)
    now = work.clock + 89 * DAY
    assert collect_garbage(work.repo, now=now).log_entries == 0
    assert gone in ids(work)
    report = collect_garbage(work.repo, now=work.clock + 91 * DAY)
    assert report.log_entries == 6
    assert gone not in ids(work)
    assert work.repo.refs.reflog("HEAD") == []
    assert work.files_of(work.head) == {"a": b"1"}


def test_a_dry_run_goes_by_the_logs_as_they_would_be(work: Work) -> None:
    work.commit("one", a="1")
    work.commit("two", a="2")
    work.reset("HEAD~1")
    age(work, 9999)
    report = collect_garbage(work.repo, now=work.clock + 91 * DAY, dry_run=True)
    assert (report.log_entries, report.objects) == (6, 3)
    assert len(work.repo.refs.reflog("HEAD")) == 3


def test_lines_that_are_no_entries_stay_for_fsck_to_tell(work: Work) -> None:
    work.commit("one", a="1")
    log = work.repo.store / "logs" / "HEAD"
    with log.open("a") as file:
        file.write("garbage\n")
    collect_garbage(work.repo, now=work.clock + 91 * DAY)
    assert log.read_text() == "garbage\n"


def test_settings_say_how_long(work: Work) -> None:
    work.commit("one", a="1")
    work.commit("two", a="2")
    work.reset("HEAD~1")
    config = work.repo.config.with_value("gc.reflog-expire", "never")
    work.repo.save_config(config)
    assert collect_garbage(work.repo, now=work.clock + 9999 * DAY).log_entries == 0
    work.repo.save_config(work.repo.config.with_value("gc.reflog-expire", "1.second"))
    work.repo.save_config(work.repo.config.with_value("gc.prune-expire", "never"))
    report = collect_garbage(work.repo, now=work.clock + DAY)
    assert (report.log_entries, report.objects) == (6, 0)
    work.repo.save_config(work.repo.config.with_value("gc.prune-expire", "soon"))
    with pytest.raises(UsageError, match="'soon' is no time"):
        collect_garbage(work.repo, now=work.clock + DAY)


# --- packing ---


@pytest.mark.parametrize("work", ["loose"], indirect=True)
def test_small_loose_objects_are_packed_and_large_ones_stay(work: Work) -> None:
    work.write("large", bytes(2 << 20))
    work.commit("one", a="1", b="2")
    before = ids(work)
    age(work, 30)
    report = repack(work.repo)
    assert report.packed == 4
    assert ids(work) == before
    (pack,) = stored.packs(work.repo.store)
    assert time.time() - pack.stat().st_mtime > 29 * DAY
    assert [path.stat().st_size for path in (work.repo.store / "objects").glob("??/*")] == [2 << 20]
    assert fsck(Repository.open(work.root)).ok
    assert repack(work.repo).packed == 0


@pytest.mark.parametrize("work", ["loose"], indirect=True)
def test_a_damaged_loose_object_is_not_packed(work: Work) -> None:
    work.commit("one", a="1", b="2")
    damaged = work.repo.format.hash_bytes(b"1")
    work.damage(damaged)
    repack(work.repo)
    assert stored.loose_path(work.repo.store, damaged).exists()


def test_a_loose_copy_that_heals_a_packed_one_stays(work: Work) -> None:
    work.commit("one", a="1")
    object_id = work.repo.format.hash_bytes(b"1")
    work.damage(object_id)
    work.add("a")
    assert stored.loose_path(work.repo.store, object_id).exists()
    repack(work.repo, everything=True)
    assert Repository.open(work.root).objects.read(object_id) == b"1"
    assert stored.loose_path(work.repo.store, object_id).exists()


def test_packs_become_one_and_keep_their_date(work: Work) -> None:
    for number in range(5):
        work.commit(str(number), a=str(number))
    age(work, 30)
    before = ids(work)
    old = {path.stat().st_mtime_ns for path in stored.packs(work.repo.store)}
    assert repack(work.repo).merged > 5
    (pack,) = stored.packs(work.repo.store)
    assert ids(work) == before
    assert {pack.stat().st_mtime_ns} == {max(old)}
    assert fsck(Repository.open(work.root)).ok


def test_progress_is_told_of_packs_and_loose_objects(forked: Work) -> None:
    told: list[tuple[str, int]] = []
    forked.repo.progress = lambda name, size: told.append((name, size))
    packs = {path.stem: path.stat().st_size for path in stored.packs(forked.repo.store)}
    collect_garbage(forked.repo, now=time.time())
    assert dict(told) == packs


@pytest.mark.parametrize("work", ["loose"], indirect=True)
def test_progress_is_told_of_what_is_packed(work: Work) -> None:
    work.commit("one", a="123")
    told: list[tuple[str, int]] = []
    work.repo.progress = lambda name, size: told.append((name, size))
    repack(work.repo)
    assert (work.repo.format.hash_bytes(b"123"), 3) in told
    assert len(told) == 3


# --- everything at once ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(0, 3), st.binary(max_size=3)),
        st.tuples(st.just("branch"), st.integers(0, 3)),
        st.tuples(st.just("switch"), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.integers(0, 3)),
        st.tuples(st.just("tag"), st.integers(0, 3)),
        st.tuples(st.just("untag"), st.integers(0, 3)),
        st.tuples(
            st.just("back"),
        ),
        st.tuples(
            st.just("collect"),
        ),
        st.tuples(
            st.just("prune"),
        ),
        st.tuples(
            st.just("repack"),
        ),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(steps=STEPS, pack=st.booleans())
def test_whatever_is_done_what_refs_lead_to_is_whole_and_the_rest_goes(
    memory: Path, steps: list[tuple[object, ...]], pack: bool
) -> None:
    import tempfile
    from pathlib import Path as RealPath

    work = Work(fast_repository(RealPath(tempfile.mkdtemp(dir=memory)) / "work", pack=pack))
    work.commit("start", f0="start")
    model: dict[str, dict[str, bytes]] = {}
    for step in steps:
        _do(work, step, model)
    forget_logs(work)
    prune(work.repo, now=time.time() + 5)
    work.repo = Repository.open(work.root)
    report = fsck(work.repo)
    assert report.ok
    assert report.unreachable == []
    for commit, files in model.items():
        if commit in ids(work):
            assert work.files_of(commit) == files  # type: ignore[arg-type]
    for ref in work.repo.refs.all().values():
        assert work.files_of(ref) == model.get(ref, work.files_of(ref))


def _do(work: Work, step: tuple[object, ...], model: dict[str, dict[str, bytes]]) -> None:
    match step:
        case ("commit", int(number), bytes(data)):
            commit = work.commit("c", **{f"f{number}": data})
            model[commit] = work.files_of(commit)
        case ("branch", int(number)) if work.repo.refs.read(f"refs/heads/b{number}") is None:
            work.branch(f"b{number}")
        case ("switch", int(number)) if work.repo.refs.read(f"refs/heads/b{number}") is not None:
            work.switch(f"b{number}")
        case ("delete", int(number)) if work.repo.refs.read(f"refs/heads/b{number}") is not None:
            if work.repo.refs.head().branch != f"b{number}":
                delete_branch(work.repo, f"b{number}", force=True)
        case ("tag", int(number)) if work.repo.refs.read(f"refs/tags/t{number}") is None:
            create_tag(work.repo, f"t{number}", work.head, message=None, tagger=ADA, time=work.now())
        case ("untag", int(number)) if work.repo.refs.read(f"refs/tags/t{number}") is not None:
            delete_tag(work.repo, f"t{number}")
        case ("back",) if work.repo.objects.read_commit(work.head).parents:
            reset(work.repo, resolve_commit(work.repo, "HEAD~1"), "hard", who=ADA, time=work.now())
        case ("collect",):
            collect_garbage(work.repo, now=time.time() + 5, expire="now")
        case ("prune",):
            prune(work.repo, now=time.time() + 5)
        case ("repack",):
            repack(work.repo, everything=True)


def test_a_collector_gives_every_stored_byte(forked: Work) -> None:
    repo = forked.repo
    collector = Collector(
        repo.objects, scratch=repo.scratch, lock=repo.store / "locks" / "packs", fsync=False
    )
    assert {item.id for item in collector.items()} == ids(forked)


@pytest.mark.parametrize("folder", ["refs/heads", "logs/refs"])
def test_a_folder_that_the_disk_does_not_list_is_not_taken_for_an_empty_one(
    forked: Work, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_branch(forked.repo, "kept", forked.commits["gone"], who=ADA, time="2026-01-01T00:00:00Z")
    forked.commit("later", b="later")  # with a log again
    before = ids(forked)
    scandir = os.scandir

    def fail(place: str) -> object:
        if str(place).endswith(folder):
            raise OSError(errno.EIO, "Input/output error", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", fail)
    for tidy in (collect_garbage, prune):
        with pytest.raises(StorageError, match=f"{folder}': input/output error"):
            tidy(Repository.open(forked.root), now=time.time() + 1000 * DAY, expire="now")
    assert ids(forked) == before


def test_where_nothing_is_loose_nothing_is_packed(work: Work) -> None:
    work.commit("one", a__txt="small")
    assert repack(work.repo).packed == 0
