"""`repair`: what it finds where, what it leaves alone, and that it can be killed at any moment."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored
from tests.damaged import extract
from tests.packformat import CHUNK, RECIPE, write_pack
from tests.store.independent import Reader
from tests.store.objects.building import entry, noise, table
from tests.store.support import Work, listing

from mlstore.errors import Locked, PathNotFound, StorageError
from mlstore.hashing import ObjectId
from mlstore.maintenance import collect_garbage, repair
from mlstore.maintenance import sources as sources_module
from mlstore.maintenance.sources import Search
from mlstore.repository import Repository
from mlstore.verify import fsck

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.maintenance import RepairReport

NOW = 1768577088.0


def mend(work: Work, *sources: Path, **more: Any) -> RepairReport:
    return repair(Repository.open(work.root), sources, now=NOW, **more)


@pytest.fixture
def large(work: Work) -> Work:
    """A table in chunks, a model as ranges of its previous version, and small files."""
    work.commit("one", table__csv=table(3 << 20), model__bin=noise(5 << 20), small__txt="small")
    work.commit("two", model__bin=noise(5 << 20)[:-4000] + b"another end")
    return work


def id_of(work: Work, data: bytes) -> ObjectId:
    return work.repo.format.hash_bytes(data)


# where good copies are


def test_a_file_of_another_name_anywhere_below_the_folder_will_do(work: Work, tmp_path: Path) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    work.path("a.txt").write_text("changed since")
    backup = tmp_path / "backup"
    (backup / "deep/er").mkdir(parents=True)
    (backup / "deep/er/other.name").write_text("the bytes")
    assert not mend(work).ok
    report = mend(work, backup)
    assert report.ok
    assert [(one.path, one.source) for one in report.healed] == [("a.txt", f"{backup}/deep/er/other.name")]
    assert Reader(work.root).object(id_of(work, b"the bytes")) == b"the bytes"


def test_a_file_of_the_same_size_with_other_bytes_is_not_taken(work: Work, tmp_path: Path) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    work.path("a.txt").write_text("THE BYTES")
    before = stored.object_ids(work.repo.store)
    assert mend(work).category == "missing"
    assert stored.object_ids(work.repo.store) == before


def test_only_files_of_a_size_that_is_missed_are_read(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    backup = tmp_path / "backup"
    backup.mkdir()
    for number in range(20):
        (backup / f"{number}.bin").write_bytes(b"x" * (number + 10))
    (backup / "fits").write_bytes(b"the bytes")
    hashed: list[int] = []
    real = sources_module.hash_fd

    def counting(fmt: Any, fd: int) -> Any:
        hashed.append(os.fstat(fd).st_size)
        return real(fmt, fd)

    monkeypatch.setattr(sources_module, "hash_fd", counting)
    assert mend(work, backup).ok
    assert hashed == [9]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_passed_over(work: Work, tmp_path: Path, kind: str) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    work.path("a.txt").rename(tmp_path / "outside")
    backup = tmp_path / "backup"
    backup.mkdir()
    plant = {
        "link": lambda path: path.symlink_to(tmp_path / "outside"),
        "pipe": os.mkfifo,
        "folder": lambda path: path.mkdir(),
    }[kind]
    plant(backup / "a.txt")
    assert mend(work, backup).category == "missing"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(work: Work, tmp_path: Path) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    work.path("a.txt").chmod(0)
    assert mend(work).unread == [str(work.path("a.txt"))]


def test_what_the_disk_refuses_is_told_and_the_search_goes_on(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    backup = tmp_path / "backup"
    backup.mkdir()
    for name in ("a", "b"):
        (backup / name).write_bytes(b"the bytes")
    real = sources_module.hash_fd

    def refuse(fmt: Any, fd: int) -> Any:
        if os.fstat(fd).st_ino == (backup / "a").stat().st_ino:
            raise OSError(errno.EIO, "Input/output error")
        return real(fmt, fd)

    monkeypatch.setattr(sources_module, "hash_fd", refuse)
    report = mend(work, backup)
    assert report.ok
    assert report.unread == [str(backup / "a")]


def test_another_repository_gives_commits_trees_and_blobs(work: Work, tmp_path: Path) -> None:
    first = work.commit("one", a__txt="first", b__txt="stays")
    work.commit("two", a__txt="second")
    shutil.copytree(work.root, tmp_path / "clone")
    (tmp_path / "clone/a.txt").unlink()
    tree = work.repo.objects.read_commit(first).tree
    for gone in (first, tree, id_of(work, b"first")):
        work.remove_object(gone)
    assert fsck(work.repo).category == "missing"
    report = mend(work, tmp_path / "clone")
    assert report.ok, report.to_dict()
    assert {one.id for one in report.healed} == {first, tree, id_of(work, b"first")}
    assert work.files_of(first) == {"a.txt": b"first", "b.txt": b"stays"}


def test_a_folder_of_objects_without_a_worktree_will_do_too(work: Work, tmp_path: Path) -> None:
    made = work.commit("one", a__txt="first")
    shutil.copytree(work.repo.store, tmp_path / "bare")
    work.remove_object(made)
    assert mend(work, tmp_path / "bare").ok


def test_a_damaged_copy_in_the_other_repository_is_not_taken(work: Work, tmp_path: Path) -> None:
    made = work.commit("one", a__txt="first")
    shutil.copytree(work.root, tmp_path / "clone")
    stored.replace(tmp_path / "clone/.mlstore", made, b"mlstore commit 1\n{}")
    work.remove_object(made)
    assert mend(work, tmp_path / "clone").category == "missing"


def test_the_trash_is_looked_into(work: Work) -> None:
    with work.repo.objects.transaction() as writer:
        writer.add_bytes(b"thrown away")
    collect_garbage(work.repo, now=2e9, expire="now")
    tree = work.commit("one", a__txt="thrown away")
    work.remove_object(id_of(work, b"thrown away"))
    work.path("a.txt").unlink()
    report = mend(work)
    assert report.ok, report.to_dict()
    assert report.healed[0].source.startswith("trash of ")
    assert work.files_of(tree) == {"a.txt": b"thrown away"}


def test_a_tree_is_made_from_the_index_and_what_it_needs_is_looked_for(work: Work) -> None:
    made = work.commit("one", a__txt="first", b__txt="second")
    tree = work.repo.objects.read_commit(made).tree
    for gone in (tree, id_of(work, b"first")):
        work.remove_object(gone)
    report = mend(work)
    assert report.ok
    assert {one.source for one in report.healed} == {"index", "a.txt"}


# large objects


def test_of_a_table_with_one_damaged_chunk_only_that_chunk_is_written(large: Work) -> None:
    chunk, pack = next(
        (entry, pack)
        for pack in stored.packs(large.repo.store)
        for entry in stored.read_pack(pack.read_bytes())
        if entry.kind == stored.CHUNK and entry.size > 1000
    )
    stored.Place(pack, chunk.offset, len(chunk.stored)).flip(5)
    report = mend(large)
    assert report.ok, report.to_dict()
    assert fsck(Repository.open(large.root)).findings == []
    assert chunk.id in {one.id for one in report.healed}
    ours = id_of(large, table(3 << 20))
    assert not stored.loose_path(large.repo.store, ours).exists()
    assert Reader(large.root).object(ours) == table(3 << 20)


def test_chunks_come_from_another_repository_without_the_file(large: Work, tmp_path: Path) -> None:
    shutil.copytree(large.root, tmp_path / "clone")
    (tmp_path / "clone/table.csv").unlink()
    chunk, pack = next(
        (entry, pack)
        for pack in stored.packs(large.repo.store)
        for entry in stored.read_pack(pack.read_bytes())
        if entry.kind == stored.CHUNK
    )
    stored.Place(pack, chunk.offset, len(chunk.stored)).flip(5)
    report = mend(large, tmp_path / "clone")
    assert report.ok
    assert Reader(large.root).object(id_of(large, table(3 << 20))) == table(3 << 20)


def test_a_lost_base_is_replaced_by_the_whole_of_what_stands_on_it(large: Work) -> None:
    base, now = noise(5 << 20), noise(5 << 20)[:-4000] + b"another end"
    large.damage(id_of(large, base))
    report = mend(large)  # the worktree has the second version only
    assert report.category == "missing"
    assert {finding.expected for finding in report.after.findings} == {id_of(large, base)}
    assert Reader(large.root).object(id_of(large, now)) == now


def test_a_lost_base_comes_back_and_with_it_what_stands_on_it(large: Work, tmp_path: Path) -> None:
    base, now = noise(5 << 20), noise(5 << 20)[:-4000] + b"another end"
    (tmp_path / "old").mkdir()
    (tmp_path / "old/model").write_bytes(base)
    large.path("model.bin").unlink()
    large.damage(id_of(large, base))
    report = mend(large, tmp_path / "old")
    assert report.ok, report.to_dict()
    assert fsck(Repository.open(large.root)).findings == []
    for data in (base, now):
        assert Reader(large.root).object(id_of(large, data)) == data


def test_a_large_object_is_copied_out_of_another_repository(large: Work, tmp_path: Path) -> None:
    shutil.copytree(large.root, tmp_path / "clone")
    for name in ("model.bin", "table.csv"):
        large.path(name).unlink()
        (tmp_path / "clone" / name).unlink()
    shutil.rmtree(large.repo.store / "objects/pack")
    report = mend(large, tmp_path / "clone")
    assert report.ok, report.to_dict()
    assert Reader(large.root).object(id_of(large, table(3 << 20))) == table(3 << 20)


def test_a_forged_recipe_is_left_behind(large: Work) -> None:
    ours = id_of(large, table(3 << 20))
    pack = next(
        pack
        for pack in stored.packs(large.repo.store)
        if any(entry.id == ours for entry in stored.read_pack(pack.read_bytes()))
    )
    entries = stored.read_pack(pack.read_bytes())
    lie = next(entry for entry in entries if entry.id == ours)
    parts = lie.content()
    first, second = parts[17:65], parts[65:113]
    swapped = lie._replace(stored=parts[:17] + second + first + parts[113:], zstd=False, checksum=b"")
    stored._exchange(pack, [swapped if entry.id == ours else entry for entry in entries])
    assert fsck(Repository.open(large.root)).category == "corrupt"
    report = mend(large)
    assert report.ok, report.to_dict()
    assert fsck(Repository.open(large.root)).findings == []
    assert Reader(large.root).object(ours) == table(3 << 20)


# what it leaves alone, and says


def test_nothing_is_touched_in_a_sound_store(large: Work) -> None:
    before = listing(large.root, skip=("locks",))
    report = mend(large)
    assert (report.ok, report.healed, report.quarantined, report.quarantine) == (True, [], [], None)
    assert listing(large.root, skip=("locks",)) == before


def test_the_worktree_is_never_written(work: Work) -> None:
    work.commit("one", a__txt="first", b__txt="second")
    work.damage(id_of(work, b"first"))
    work.write("b.txt", "changed and not committed")
    before = listing(work.root)
    mend(work)
    assert listing(work.root) == before


def test_the_note_says_what_is_in_the_quarantine_and_why(work: Work) -> None:
    work.commit("one", a__txt="first")
    work.damage(id_of(work, b"first"), b"FIRST")
    report = mend(work)
    assert report.quarantine is not None
    folder = work.root / report.quarantine
    note = json.loads((folder / "note.json").read_text("utf-8"))
    assert note["schema"] == "mlstore.quarantine/1"
    assert note["time"] == "2026-01-16T15:24:48Z"
    for row in note["files"]:
        assert (folder / row["path"]).is_file()
        assert row["reason"]


def test_two_repairs_within_a_second_have_two_folders(work: Work) -> None:
    work.commit("one", a__txt="first")
    folders = set()
    for data in (b"FIRST", b"First"):
        work.damage(id_of(work, b"first"), data)
        folders.add(mend(work).quarantine)
    assert len(folders) == 2


def test_staged_content_comes_back(work: Work) -> None:
    work.write("a.txt", "staged only")
    work.add("a.txt")
    work.remove_object(id_of(work, b"staged only"))
    assert mend(work).ok


def test_a_damaged_index_stays_where_its_commit_cannot_be_read(work: Work) -> None:
    made = work.commit("one", a__txt="first")
    work.remove_object(made)
    path = work.repo.store / "index"
    path.write_bytes(path.read_bytes()[:50])
    before = path.read_bytes()
    report = mend(work)
    assert (report.rebuilt, report.category) == ([], "corrupt")
    assert path.read_bytes() == before


def test_an_index_that_was_made_anew_sees_what_changed(work: Work) -> None:
    work.commit("one", a__txt="first", b__txt="second")
    (work.repo.store / "index").write_bytes(b"garbage")
    work.write("a.txt", "FIRST")
    assert mend(work).rebuilt == ["index"]
    work.repo = Repository.open(work.root)
    assert work.status() == {"staged": [], "unstaged": ["modified a.txt"], "untracked": []}


def test_a_source_that_is_no_folder_is_refused(work: Work) -> None:
    work.commit("one", a__txt="first")
    with pytest.raises(PathNotFound):
        mend(work, work.path("a.txt"))
    with pytest.raises(PathNotFound):
        mend(work, work.path("nowhere"))


def test_it_waits_for_those_who_write(work: Work) -> None:
    work.commit("one", a__txt="first")
    other = Repository.open(work.root)
    with other.write_lock("commit"):
        lock = Repository.open(work.root)
        with pytest.raises(Locked):
            with lock.write_lock("fsck --repair", wait=0):
                pass
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlstore.repository.repository.DEFAULT_WAIT", 0)
            patch.setattr(Repository.write_lock.__wrapped__, "__kwdefaults__", {"wait": 0})  # type: ignore[attr-defined]
            with pytest.raises(Locked):
                mend(work)


def test_strange_things_among_the_objects_go_aside(work: Work, tmp_path: Path) -> None:
    work.commit("one", a__txt="first")
    objects = work.repo.store / "objects"
    (objects / "link").symlink_to(tmp_path)
    (objects / "pack").mkdir(exist_ok=True)
    (objects / "pack/notes").mkdir()
    (objects / "pack/notes/x").write_text("x")
    os.mkfifo(objects / "pipe")
    (objects / "pack" / ("0" * 64 + ".pack")).symlink_to(tmp_path / "nowhere")
    report = mend(work)
    assert report.ok, report.to_dict()
    assert fsck(Repository.open(work.root)).findings == []
    aside = work.root / (report.quarantine or "")
    assert (aside / "objects/link").is_symlink()
    assert (aside / "objects/pack/notes/x").read_text() == "x"
    assert tmp_path.is_dir()


# whoever kills it


CHANGING = ("link", "rename", "replace", "unlink", "mkdir", "rmdir", "write", "fsync", "utime")


def run_and_die(root: Path, sources: list[Path], at: int) -> int:
    """Repair in a child that is gone at its change number AT (0: never); gives the status it ended with."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == at:
                os._exit(99)
            return real(*args, **more)

        return call

    try:
        for name in CHANGING:
            setattr(os, name, dying(getattr(os, name)))
        ok = repair(Repository.open(root), sources, now=NOW, jobs=1).ok
        os._exit(0 if ok else 1)
    finally:
        os._exit(2)


def readable(root: Path) -> dict[str, bytes]:
    """Every object that another reader gets out of this store, pack by pack where one is damaged."""
    found: dict[str, bytes] = {}
    reader = Reader(root)
    for path in (root / ".mlstore/objects").glob("??/*"):
        data = path.read_bytes()
        if reader.hash(data) == path.parent.name + path.name:
            found[reader.hash(data)] = data
    for pack in stored.packs(root / ".mlstore"):
        try:
            entries = stored.read_pack(pack.read_bytes())
        except Exception:  # noqa: BLE001 - a damaged pack may end this reader in any way
            continue
        for one in entries:
            if one.kind != RECIPE and one.is_sound() and reader.hash(one.content()) == one.id:
                found[one.id] = one.content()
    return found


@pytest.mark.parametrize("damage", ["pack-entry", "chunk-damaged", "loose-flipped", "index-damaged"])
def test_killed_at_any_change_it_loses_nothing_and_can_be_started_again(damage: str, tmp_path: Path) -> None:
    backup = extract("sound", tmp_path / "backup")
    whole = readable(backup)
    at = 0
    while True:
        at += 1
        root = extract(damage, tmp_path / f"repo-{at}")
        before = readable(root)
        status = run_and_die(root, [backup], at)
        after = readable(root)
        assert before.items() <= after.items(), at
        if status == 0:
            break
        assert status == 99
        assert repair(Repository.open(root), [backup], now=NOW + 5).ok, at
        assert whole.items() <= readable(root).items()
        assert fsck(Repository.open(root)).findings == []
        shutil.rmtree(root)
    assert at > 8


@pytest.mark.parametrize("damage", ["pack-header", "pack-entry", "recipe-damaged"])
def test_a_full_disk_loses_nothing(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = extract(damage, tmp_path / "repo")
    before, real = readable(root), os.write

    def full(fd: int, data: bytes) -> int:
        if "/tmp/staging-" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StorageError):
            repair(Repository.open(root), now=NOW)
    assert before.items() <= readable(root).items()
    assert repair(Repository.open(root), now=NOW).ok


# nothing is executed


def test_candidates_are_hashed_and_never_loaded(work: Work, tmp_path: Path) -> None:
    import pickle

    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "exploded"),)

    bomb = pickle.dumps(Bomb())
    work.commit("one", model__pkl=bomb)
    work.remove_object(id_of(work, bomb))
    assert mend(work).ok
    assert not (tmp_path / "exploded").exists()


def test_a_search_forgets_what_it_saw(work: Work, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"file-{number}").write_bytes(b"x" * number)
    search = Search(work.repo, [tmp_path])
    assert list(search.files({ObjectId("0" * 64): 7})) == []
    assert search.unread == []


def test_what_the_store_has_as_a_chunk_only_becomes_an_object_again(work: Work) -> None:
    data = b"a chunk, and an object " * 40
    made = work.commit("one", a__txt=data)
    work.remove_object(id_of(work, data))
    work.path("a.txt").unlink()
    name, pack = write_pack([entry(data, CHUNK)])
    stored.put_pack(work.repo.store / "objects/pack", name, pack)
    report = mend(work)
    assert report.ok, report.to_dict()
    assert report.healed[0].source == "its own chunk"
    assert work.files_of(made) == {"a.txt": data}


def test_a_file_that_changes_while_it_is_taken_in_is_not_called_healed(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit("one", a__txt="the bytes")
    work.remove_object(id_of(work, b"the bytes"))
    real = sources_module.hash_fd

    def changing(fmt: Any, fd: int) -> Any:
        digest = real(fmt, fd)
        work.path("a.txt").write_bytes(b"THE BYTES")
        return digest

    monkeypatch.setattr(sources_module, "hash_fd", changing)
    report = mend(work)
    assert (report.category, report.healed) == ("missing", [])
