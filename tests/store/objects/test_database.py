from __future__ import annotations

import gc
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import blake3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import stored
from tests.packformat import CHUNK, read_object
from tests.store.objects.building import entry, noise, place

from mlstore.durable import staging
from mlstore.errors import CorruptObject, ObjectNotFound, StorageError, UsageError
from mlstore.hashing import BUFFER_SIZE, ObjectId, object_format
from mlstore.model import Commit, Person, Tag, Tree, TreeEntry, encode_tree
from mlstore.objects import SMALL, ObjectDatabase, database
from mlstore.objects.audit import Audit
from mlstore.objects.pack.consolidate import MOST_PACKS

MISSING = ObjectId("0" * 64)
ADA = Person("Ada", "ada@example.org")
TIME = "2026-01-16T15:24:48Z"


def oracle(name: str, data: bytes) -> str:
    return blake3.blake3(data).hexdigest() if name == "blake3" else hashlib.sha256(data).hexdigest()


def open_database(folder: Path, name: str = "blake3", *, pack: bool = True) -> ObjectDatabase:
    scratch = folder / "tmp"
    return ObjectDatabase(folder / "objects", object_format(name), scratch=scratch, fsync=False, pack=pack)


@pytest.fixture(params=["packed", "loose"])
def objects(tmp_path: Path, request: pytest.FixtureRequest) -> ObjectDatabase:
    """A database whose small objects are packed, and one with every object in a file of its own."""
    return open_database(tmp_path, pack=request.param == "packed")


def reopened(objects: ObjectDatabase) -> ObjectDatabase:
    """The same database as another process sees it, which has no pack open yet."""
    folder = objects.loose.root.parent
    return open_database(folder, objects.format.name, pack=objects._pack)


@pytest.fixture
def loose(tmp_path: Path) -> ObjectDatabase:
    return open_database(tmp_path, pack=False)


def add(objects: ObjectDatabase, data: bytes) -> ObjectId:
    with objects.transaction() as writer:
        return writer.add_bytes(data)


def path_of(folder: Path, object_id: str) -> Path:
    return stored.loose_path(folder, object_id)


def damage(folder: Path, object_id: str, data: bytes) -> Path:
    """Put other bytes into a loose object."""
    stored.replace(folder, object_id, data)
    return path_of(folder, object_id)


@pytest.mark.parametrize("name", ["blake3", "sha256"])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, BUFFER_SIZE, 2 * BUFFER_SIZE + 1])
@pytest.mark.parametrize("pack", [True, False], ids=["packed", "loose"])
def test_an_object_is_the_exact_bytes_under_their_hash_and_a_loose_one_is_read_only(
    tmp_path: Path, name: str, size: int, pack: bool
) -> None:
    data = (b"0123456789" * (size // 10 + 1))[:size]
    (tmp_path / "file").write_bytes(data)
    objects = open_database(tmp_path, name, pack=pack)
    with objects.transaction() as writer, (tmp_path / "file").open("rb") as file:
        digest = writer.add_fd(file.fileno())
    assert (digest.id, digest.size) == (oracle(name, data), size)
    path = path_of(tmp_path, digest.id)
    assert path.exists() == (size > SMALL or not pack)
    if path.exists():
        assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.stat().st_nlink == 1
    assert read_object(tmp_path / "objects", digest.id) == data
    assert list((tmp_path / "tmp").iterdir()) == []
    assert objects.read(digest.id) == b"".join(map(bytes, objects.stream(digest.id))) == data
    assert objects.size(digest.id) == objects.check(digest.id).size == size
    assert objects.check(digest.id) == digest
    assert digest.id in objects


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=50), max_size=8))
def test_what_is_added_is_read_back(memory: Path, contents: list[bytes]) -> None:
    for pack in (True, False):
        objects = open_database(Path(tempfile.mkdtemp(dir=memory)), pack=pack)
        with objects.transaction() as writer:
            ids = [writer.add_bytes(data) for data in contents]
        assert [objects.read(object_id) for object_id in ids] == contents
        assert list(objects.ids()) == sorted(set(ids))


def test_objects_are_invisible_until_the_transaction_ends(tmp_path: Path, objects: ObjectDatabase) -> None:
    with objects.transaction() as writer:
        object_id = writer.add_bytes(b"x")
        assert object_id not in objects
        assert list(objects.ids()) == []
    assert object_id in objects


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path, objects: ObjectDatabase) -> None:
    with pytest.raises(RuntimeError), objects.transaction() as writer:
        writer.add_bytes(b"x")
        writer.add_bytes(bytes(2 << 20))
        raise RuntimeError
    assert list(objects.ids()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_same_bytes_twice_are_one_object(tmp_path: Path, objects: ObjectDatabase) -> None:
    with objects.transaction() as writer:
        assert writer.add_bytes(b"x") == writer.add_bytes(b"x")
    assert len(list(objects.ids())) == 1


@pytest.mark.parametrize("size", [3, 2 << 20])
def test_an_existing_object_is_never_written_again(
    tmp_path: Path, objects: ObjectDatabase, size: int
) -> None:
    data = bytes(size)
    object_id = add(objects, data)
    path = stored.find(tmp_path, object_id).path
    before, files = path.stat(), set((tmp_path / "objects").rglob("*"))
    (tmp_path / "file").write_bytes(data)
    with objects.transaction() as writer, (tmp_path / "file").open("rb") as file:
        assert writer.add_bytes(data) == writer.add_fd(file.fileno()).id == object_id
    after = path.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert set((tmp_path / "objects").rglob("*")) == files
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("size", [3, 2 << 20])
def test_an_object_that_is_there_already_is_dated_anew(
    tmp_path: Path, objects: ObjectDatabase, size: int
) -> None:
    """So that a collection takes it for what it is: in use."""
    object_id = add(objects, bytes(size))
    path = stored.find(tmp_path, object_id).path
    os.utime(path, (1, 1))
    assert add(objects, bytes(size)) == object_id
    assert path.stat().st_mtime > 1


@pytest.mark.parametrize("pack", [True, False])
def test_a_name_that_a_killed_writer_left_is_synced_by_whoever_relies_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: bool
) -> None:
    """Its file was synced before it got the name; the name itself may not be on disk."""
    object_id = add(open_database(tmp_path, pack=pack), b"x")
    folder = stored.find(tmp_path, object_id).path.parent
    objects = ObjectDatabase(
        tmp_path / "objects", object_format("blake3"), scratch=tmp_path / "tmp", fsync=True, pack=pack
    )
    synced: list[Path] = []
    monkeypatch.setattr(staging, "sync_folder", synced.append)
    with objects.transaction() as writer:
        writer.add_bytes(b"x")
    assert synced == [folder.parent, folder]


def test_two_transactions_with_the_same_object_both_succeed(tmp_path: Path, objects: ObjectDatabase) -> None:
    other = open_database(tmp_path)
    with objects.transaction() as one, other.transaction() as two:
        assert one.add_bytes(b"x") == two.add_bytes(b"x")
    assert objects.read(next(objects.ids())) == b"x"


@pytest.mark.parametrize("bad", [b"", b"goo", b"good bytes and more", b"Good bytes"])
def test_damaged_bytes_are_refused_and_both_ids_named(
    tmp_path: Path, objects: ObjectDatabase, bad: bytes
) -> None:
    object_id = add(objects, b"good bytes")
    stored.replace(tmp_path, object_id, bad)
    objects = reopened(objects)
    for look in (objects.read, objects.check, lambda found: list(objects.stream(found))):
        with pytest.raises(CorruptObject) as caught:
            look(object_id)
        assert caught.value.data == {"id": object_id, "actual": oracle("blake3", bad)}
        assert object_id in caught.value.message
        assert oracle("blake3", bad) in caught.value.message


def test_every_single_flipped_bit_is_found(tmp_path: Path, objects: ObjectDatabase) -> None:
    data = encode_tree(Tree((TreeEntry("a", "file", MISSING, 1),)))
    object_id = add(objects, data)
    place = stored.find(tmp_path, object_id)
    assert place.read() == data
    for bit in range(len(data) * 8):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        place.write(bytes(bad))
        with pytest.raises(CorruptObject):
            objects.check(object_id)
        with pytest.raises(CorruptObject):
            objects.read_tree(object_id)
    place.write(data)
    assert objects.check(object_id).size == len(data)


def test_a_stream_tells_at_its_end_and_not_before(tmp_path: Path, loose: ObjectDatabase) -> None:
    object_id = add(loose, bytes(BUFFER_SIZE + 5))
    damage(tmp_path, object_id, bytes(BUFFER_SIZE + 4) + b"x")
    stream = loose.stream(object_id)
    seen = 0
    with pytest.raises(CorruptObject):
        for chunk in stream:
            seen += len(chunk)
    assert seen == BUFFER_SIZE + 5


@pytest.mark.parametrize("size", [10, 2 << 20])
@pytest.mark.parametrize("bad", [b"", b"garbage"])
@pytest.mark.parametrize("how", ["bytes", "file"])
def test_adding_a_good_copy_heals_a_damaged_object(
    tmp_path: Path, objects: ObjectDatabase, size: int, bad: bytes, how: str
) -> None:
    data = bytes(size)
    object_id = add(objects, data)
    stored.replace(tmp_path, object_id, bad)
    objects = reopened(objects)
    damaged = stored.find(tmp_path, object_id).path
    elsewhere = tmp_path / "elsewhere"
    elsewhere.hardlink_to(damaged)
    before = elsewhere.read_bytes()
    (tmp_path / "file").write_bytes(data)
    with objects.transaction() as writer, (tmp_path / "file").open("rb") as file:
        added = writer.add_bytes(data) if how == "bytes" else writer.add_fd(file.fileno()).id
    assert added == object_id
    assert objects.read(object_id) == data
    path = path_of(tmp_path, object_id)
    assert path.read_bytes() == data, "a healed copy is a loose one, which is read before any pack"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert elsewhere.read_bytes() == before, "the damaged file was replaced, never written through"
    assert path.stat().st_nlink == 1


def test_a_missing_object_is_said_to_be_missing(tmp_path: Path, objects: ObjectDatabase) -> None:
    assert MISSING not in objects
    for look in (objects.read, objects.check, objects.size, objects.kind, objects.read_tree):
        with pytest.raises(ObjectNotFound) as caught:
            look(MISSING)
        assert caught.value.data == {"id": MISSING}


def test_an_object_behind_a_file_is_missing(tmp_path: Path, loose: ObjectDatabase) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "00").write_bytes(b"")
    with pytest.raises(ObjectNotFound):
        loose.read(MISSING)
    assert list(loose.ids()) == []


def plant_link(path: Path) -> None:
    target = path.parents[2] / "target"
    target.write_bytes(b"good")
    path.symlink_to(target)


def plant_socket(path: Path) -> None:
    # A socket's path may be no longer than 108 bytes.
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/{path.name[:40]}")
        os.close(here)
    (path.parent / path.name[:40]).rename(path)


PLANTS = {"link": plant_link, "folder": Path.mkdir, "pipe": os.mkfifo, "socket": plant_socket}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_what_is_no_regular_file_is_a_corrupt_object_and_is_neither_followed_nor_waited_for(
    tmp_path: Path, loose: ObjectDatabase, plant: object
) -> None:
    object_id = add(loose, b"good")
    path = path_of(tmp_path, object_id)
    path.unlink()
    plant(path)  # type: ignore[operator]
    for look in (loose.read, loose.check, loose.kind, loose.read_tree):
        with pytest.raises(CorruptObject) as caught:
            look(object_id)
        assert caught.value.data["id"] == object_id
    assert list(loose.strangers()) == [path]
    if plant is not Path.mkdir:
        add(loose, b"good")
        assert loose.read(object_id) == b"good"
        assert path.is_file()
        assert not path.is_symlink()
    else:
        with pytest.raises(StorageError):
            add(loose, b"good")


def test_trees_commits_and_tags_are_told_apart_by_their_first_line(objects: ObjectDatabase) -> None:
    with objects.transaction() as writer:
        blob = writer.add_bytes(b"mlstore trees are nice\n")
        tree = writer.add_tree(Tree(()))
        commit = writer.add_commit(Commit(tree, (), 0, None, ADA, TIME, "first"))
        tag = writer.add_tag(Tag("v1", commit, "commit", ADA, TIME, "m"))
    assert [objects.kind(one) for one in (blob, tree, commit, tag)] == ["blob", "tree", "commit", "tag"]
    assert objects.read_tree(tree) == Tree(())
    assert objects.read_commit(commit).tree == tree
    assert objects.read_tag(tag).target == commit


def test_one_kind_of_object_is_never_taken_for_another(objects: ObjectDatabase) -> None:
    with objects.transaction() as writer:
        blob = writer.add_bytes(b"blob")
        tree = writer.add_tree(Tree(()))
        commit = writer.add_commit(Commit(tree, (), 0, None, ADA, TIME, "first"))
    for read, wrong in [
        (objects.read_tree, (blob, commit)),
        (objects.read_commit, (blob, tree)),
        (objects.read_tag, (blob, tree, commit)),
    ]:
        for object_id in wrong:
            with pytest.raises(CorruptObject) as caught:
                read(object_id)
            assert caught.value.data["id"] == object_id


def test_an_object_too_large_for_metadata_is_not_read(
    objects: ObjectDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_id = add(objects, b"mlstore tree 1\n" + b"x" * 100)
    monkeypatch.setitem(database.LARGEST, "tree", 50)
    monkeypatch.setattr(objects, "read", None)
    with pytest.raises(CorruptObject, match="too large"):
        objects.read_tree(object_id)


def test_the_cache_of_decoded_objects_is_bounded(
    objects: ObjectDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_CACHE_SIZE", 3)
    with objects.transaction() as writer:
        ids = [writer.add_tree(Tree((TreeEntry(str(n), "file", MISSING, 1),))) for n in range(9)]
    for object_id in ids * 2:
        objects.read_tree(object_id)
    assert len(objects._decoded) == 3


def test_ids_are_listed_in_order_and_by_prefix(tmp_path: Path, objects: ObjectDatabase) -> None:
    with objects.transaction() as writer:
        ids = sorted(writer.add_bytes(b"%d" % number) for number in range(600))
    assert list(objects.ids()) == ids
    for length in (0, 1, 2, 3, 64):
        prefix = ids[100][:length]
        assert objects.with_prefix(prefix) == [one for one in ids if one.startswith(prefix)]
    assert objects.with_prefix("..") == objects.with_prefix("zz") == []


def test_files_with_other_names_are_no_objects_but_strangers(tmp_path: Path, objects: ObjectDatabase) -> None:
    object_id = add(objects, b"x")
    folder = path_of(tmp_path, object_id).parent
    packs = tmp_path / "objects" / "pack"
    for one in (folder, packs, tmp_path / "objects" / "zz"):
        one.mkdir(exist_ok=True)
    strangers = [folder / "short", folder / (object_id[2:] + "0"), tmp_path / "objects" / "README"]
    strangers += [tmp_path / "objects" / "zz" / ("0" * 62), packs / "README", packs / "0.pack"]
    strangers += [packs / ("0" * 64), packs / ("A" * 64 + ".pack")]
    for path in strangers:
        path.write_bytes(b"")
    assert list(objects.ids()) == [object_id]
    assert sorted(objects.strangers()) == sorted(strangers)
    assert objects.read(object_id) == b"x"


def test_what_is_behind_a_link_is_not_listed(tmp_path: Path, loose: ObjectDatabase) -> None:
    add(loose, b"one")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_bytes(b"x")
    (tmp_path / "objects/ab").symlink_to(tmp_path / "elsewhere")
    assert list(loose.strangers()) == [tmp_path / "objects/ab"]


def test_packs_stay_few_by_themselves(tmp_path: Path) -> None:
    objects = open_database(tmp_path)
    ids = [add(objects, b"%d" % number) for number in range(MOST_PACKS + 2)]
    assert len(stored.packs(tmp_path)) <= MOST_PACKS
    assert list(reopened(objects).ids()) == sorted(ids)


def test_a_sound_store_has_no_strangers(objects: ObjectDatabase) -> None:
    add(objects, b"one")
    add(objects, b"x" * (SMALL + 1))
    assert list(reopened(objects).strangers()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_nothing_stays_open_after_reading_and_writing(tmp_path: Path, objects: ObjectDatabase) -> None:
    large = noise(3 << 20)
    (tmp_path / "file").write_bytes(large)
    (tmp_path / "next").write_bytes(large[: 2 << 20] + b"changed" + large[2 << 20 :])

    def work() -> int:
        with objects.transaction() as writer:
            ids = [writer.add_bytes(b"small"), writer.add_bytes(b"x" * (SMALL + 1))]
            with (tmp_path / "file").open("rb") as file:
                ids.append(writer.add_fd(file.fileno()).id)
        with objects.transaction() as writer, (tmp_path / "next").open("rb") as file:
            ids.append(writer.add_fd(file.fileno(), base=ids[-1]).id)
        with staging.Staging(tmp_path / "tmp", fsync=False) as staged:
            for object_id in ids:
                list(objects.stream(object_id))
                objects.check(object_id)
                objects.kind(object_id)
                target = staged.new_file()
                objects.clone(object_id, target)
                target.close()
        found = Audit(objects, jobs=1)
        found.prepare()
        found.plan()
        found.run()
        return len(os.listdir("/proc/self/fd"))

    gc.collect()
    first = work()  # packs stay open
    assert work() == first


def test_what_is_there_already_is_dated_anew_and_nothing_else_is(
    tmp_path: Path, loose: ObjectDatabase
) -> None:
    first, second = (path_of(tmp_path, add(loose, data)) for data in (b"one", b"two"))
    for path in (first, second):
        os.utime(path, (10**9, 10**9))
    add(loose, b"one")
    assert first.stat().st_mtime > 10**9
    assert second.stat().st_mtime == 10**9


def test_a_pipe_can_be_added(tmp_path: Path, objects: ObjectDatabase) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    try:
        with objects.transaction() as writer:
            digest = writer.add_fd(reading)
    finally:
        os.close(reading)
    assert objects.read(digest.id) == b"through a pipe"


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, objects: ObjectDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_bytes(bytes(2 << 20))
    monkeypatch.setattr(os, "write", full)
    for large in (False, True):
        with (tmp_path / "file").open("rb") as file, pytest.raises(StorageError, match="no space left"):
            with objects.transaction() as writer:
                writer.add_fd(file.fileno()) if large else writer.add_bytes(b"x")
    assert list(objects.ids()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_object_that_the_disk_cannot_read_is_an_error_that_names_it(
    tmp_path: Path, objects: ObjectDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_id = add(objects, b"x")

    def broken(*_args: object) -> int:
        raise OSError(5, "Input/output error")

    name = stored.find(tmp_path, object_id).path.name
    for call in ("readv", "read", "pread"):
        monkeypatch.setattr(os, call, broken)
    for look in (objects.read, objects.check, objects.kind):
        with pytest.raises(StorageError, match=name):
            look(object_id)
    with pytest.raises(StorageError, match="input/output error"):
        add(objects, b"x")


def test_only_known_hashes_name_objects() -> None:
    with pytest.raises(UsageError):
        object_format("md5")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA binds only on Linux")
def test_a_file_far_larger_than_memory_is_added_checked_and_streamed(on_disk: Path) -> None:
    """300 MB, mostly a hole, in a process that may have 96 MB of data."""
    path = on_disk / "large"
    with path.open("wb") as file:
        file.truncate(300 << 20)
        file.seek(200 << 20)
        file.write(b"not only zeros")
    code = """if True:
        import resource, sys
        from pathlib import Path
        from mlstore.hashing import object_format
        from mlstore.objects import ObjectDatabase
        folder = Path(sys.argv[1])
        fmt = object_format("blake3")
        objects = ObjectDatabase(folder / "objects", fmt, scratch=folder / "tmp", fsync=False)
        resource.setrlimit(resource.RLIMIT_DATA, (96 << 20, 96 << 20))
        with objects.transaction() as writer, (folder / "large").open("rb") as file:
            digest = writer.add_fd(file.fileno())
        assert objects.check(digest.id) == digest
        assert sum(map(len, objects.stream(digest.id))) == 300 << 20
        print(digest.id)
        try:
            objects.read(digest.id)
        except MemoryError:
            print("the limit holds")
        """
    done = subprocess.run(
        [sys.executable, "-c", code, str(on_disk)],
        env=os.environ | {"RAYON_NUM_THREADS": "2"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    with path.open("rb") as file:
        hasher = blake3.blake3()
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    assert (done.stdout.split(), done.stderr) == ([hasher.hexdigest(), "the", "limit", "holds"], "")
    shutil.rmtree(on_disk / "objects")


def test_a_chunk_with_other_bytes_and_a_right_checksum_is_refused(tmp_path: Path) -> None:
    true, lie = entry(b"true", CHUNK), entry(b"lie", CHUNK)._replace(stored=b"LIE")
    place(tmp_path, [true, lie])
    objects = open_database(tmp_path)
    assert len(objects.packs.packs()) == 1
    assert objects.check_chunk(ObjectId(true.id)) == 4
    with pytest.raises(CorruptObject):
        objects.check_chunk(ObjectId(lie.id))


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs /proc")
def test_a_file_that_holds_more_than_its_size_says_is_added_whole(objects: ObjectDatabase) -> None:
    with open("/proc/version", "rb") as file, objects.transaction() as writer:
        added = writer.add_fd(file.fileno())
    assert objects.read(added.id) == Path("/proc/version").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_where_the_disk_refuses_an_object_is_not_said_to_be_absent(
    tmp_path: Path, loose: ObjectDatabase
) -> None:
    object_id = ObjectId("ab" * 32)
    folder = path_of(tmp_path, object_id).parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(folder.name)
    with pytest.raises(StorageError):
        assert object_id in loose
