"""Few packs instead of many: nothing is lost on the way, whatever happens in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored
from tests.packformat import CHUNK, OBJECT, hash_of, read_pack, write_pack
from tests.store.objects.building import database, entry, noise, place, recipe

from mlstore.durable import FileLock, Staging
from mlstore.errors import CorruptObject, StorageError
from mlstore.hashing import ObjectId, object_format
from mlstore.objects.pack import PackBuilder, consolidate

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.objects import ObjectDatabase

MANY = consolidate.MOST_PACKS + 1


def id_of(data: bytes) -> ObjectId:
    return ObjectId(hash_of("blake3", data))


def merge(folder: Path, objects: ObjectDatabase | None = None) -> int:
    packs = (objects or database(folder)).packs
    lock = folder / "locks" / "packs"
    return consolidate.consolidate(
        packs, object_format("blake3"), scratch=folder / "tmp", lock=lock, fsync=False
    )


def scatter(folder: Path, count: int = MANY) -> dict[ObjectId, bytes]:
    """Some objects, chunks and recipes, spread over COUNT packs; a few things are in several of them."""
    contents = {}
    for number in range(count):
        first, second = b"first of %d" % number, noise(300, number)
        entries = [entry(b"object %d" % number), entry(b"in all"), entry(first, CHUNK), entry(second, CHUNK)]
        entries.append(entry(b"compressed %d" % number * 50, zstd=True))
        entries.append(recipe(first + second, [(id_of(first), 0, len(first)), (id_of(second), 0, 300)]))
        place(folder, entries)
        whole = [b"object %d" % number, b"in all", b"compressed %d" % number * 50, first + second]
        contents.update({id_of(data): data for data in whole})
    return contents


def everything(objects: ObjectDatabase) -> dict[ObjectId, bytes]:
    return {object_id: objects.read(object_id) for object_id in objects.ids()}


def entries_of(folder: Path) -> set[tuple[str, int]]:
    return {(one.id, one.kind) for pack in stored.packs(folder) for one in read_pack(pack.read_bytes())}


def test_every_object_and_chunk_is_kept(tmp_path: Path) -> None:
    contents = scatter(tmp_path)
    before = entries_of(tmp_path)
    assert merge(tmp_path) == MANY
    assert len(stored.packs(tmp_path)) == 1
    assert entries_of(tmp_path) == before
    assert everything(database(tmp_path)) == contents
    assert not any(checked.error or checked.spares for checked in database(tmp_path).check_packs())
    assert list((tmp_path / "tmp").iterdir()) == []


def test_few_packs_are_left_alone(tmp_path: Path) -> None:
    scatter(tmp_path, consolidate.MOST_PACKS)
    before = stored.packs(tmp_path)
    assert merge(tmp_path) == 0
    assert stored.packs(tmp_path) == before


def test_it_happens_by_itself_and_packs_stay_few(tmp_path: Path) -> None:
    objects = database(tmp_path)
    contents = {}
    for number in range(3 * MANY):
        data = b"commit %d" % number
        with objects.transaction() as writer:
            contents[writer.add_bytes(data)] = data
        assert len(stored.packs(tmp_path)) <= MANY
        assert objects.read(id_of(data)) == data
    assert everything(objects) == everything(database(tmp_path)) == contents


def test_large_packs_are_neither_moved_nor_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = [place(tmp_path, [entry(noise(9000, seed))]) for seed in range(MANY)]
    monkeypatch.setattr(consolidate, "_SMALL_PACK", 8000)
    assert merge(tmp_path) == 0
    contents = scatter(tmp_path)
    assert merge(tmp_path) == MANY
    assert set(large) < set(stored.packs(tmp_path))
    assert len(stored.packs(tmp_path)) == MANY + 1
    assert contents.items() <= everything(database(tmp_path)).items()


def test_packs_of_middling_size_are_merged_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = scatter(tmp_path)
    monkeypatch.setattr(
        consolidate, "_MOST_BYTES", 10 * max(p.stat().st_size for p in stored.packs(tmp_path))
    )
    assert 2 <= merge(tmp_path) <= 11
    assert everything(database(tmp_path)) == contents


def test_a_reader_with_old_packs_open_goes_on(tmp_path: Path) -> None:
    contents = scatter(tmp_path)
    reader, fresh = database(tmp_path), database(tmp_path)
    sources = {object_id: reader.open_source(object_id) for object_id in contents}
    assert list(fresh.ids()) == sorted(contents)
    merge(tmp_path)
    for object_id, source in sources.items():
        assert b"".join(map(bytes, source.chunks())) == contents[object_id]
    assert everything(reader) == everything(fresh) == contents


@pytest.mark.parametrize("kind", ["object", "chunk", "recipe"])
def test_a_pack_with_damage_in_it_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    contents = scatter(tmp_path)
    damaged = stored.packs(tmp_path)[7]
    number = {"object": 0, "recipe": 1, "chunk": 2}[kind]
    one = next(
        one for one in read_pack(damaged.read_bytes()) if one.kind == number and one.stored != b"in all"
    )
    stored.Place(damaged, one.offset, len(one.stored)).flip()
    before = damaged.read_bytes()
    assert merge(tmp_path) == MANY - 1
    assert damaged.read_bytes() == before
    objects = database(tmp_path)
    lost = {object_id for object_id in contents if not readable(objects, object_id)}
    assert len(lost) == 1
    assert {one: objects.read(one) for one in contents if one not in lost} == {
        one: data for one, data in contents.items() if one not in lost
    }


def readable(objects: ObjectDatabase, object_id: ObjectId) -> bool:
    try:
        objects.check(object_id)
    except CorruptObject:
        return False
    return True


@pytest.mark.parametrize("first", [0, -1])
def test_a_bad_copy_with_a_right_checksum_never_drives_out_the_good_one(tmp_path: Path, first: int) -> None:
    """The merged pack keeps one copy of each id: only the id's own hash says which."""
    contents = scatter(tmp_path)
    bad = sorted(stored.packs(tmp_path), key=lambda path: path.stat().st_size)[first]
    entries = [
        one._replace(stored=b"IN ALL", checksum=b"") if one.id == id_of(b"in all") else one
        for one in read_pack(bad.read_bytes())
    ]
    bad.unlink()
    place(tmp_path, entries)
    assert merge(tmp_path) == MANY - 1
    assert everything(database(tmp_path)) == contents


@pytest.mark.parametrize("at", [20, -60])  # an entry, the index
def test_a_damaged_pack_does_not_stand_in_for_the_merged_one(tmp_path: Path, at: int) -> None:
    """Its objects were added again in the same packs: merged, they have its name."""
    contents = scatter(tmp_path)
    parts = {path: path.read_bytes() for path in stored.packs(tmp_path)}
    merge(tmp_path)
    (merged,) = stored.packs(tmp_path)
    stored.Place(merged, 0, merged.stat().st_size).flip(at)
    for path, data in parts.items():
        path.write_bytes(data)
    assert everything(database(tmp_path)) == contents
    assert merge(tmp_path) == MANY
    assert everything(database(tmp_path)) == contents


def test_a_pack_whose_index_calls_an_object_a_chunk_is_left_for_fsck(tmp_path: Path) -> None:
    """All entries have their bytes; only the checksum of the index tells."""
    scatter(tmp_path)
    first = stored.packs(tmp_path)[0]
    name, data = write_pack([entry(b"a"), entry(b"b")])
    damaged = bytearray(data)
    kind_at = len(data) - 56 - 32 + 21  # of the last row
    assert damaged[kind_at] == OBJECT
    damaged[kind_at] = CHUNK
    path = stored.put_pack(first.parent, name, bytes(damaged))
    assert merge(tmp_path) == MANY
    assert path.read_bytes() == damaged


def test_two_recipes_of_one_object_are_both_kept(tmp_path: Path) -> None:
    """Which one is right cannot be seen from it alone."""
    contents = scatter(tmp_path)
    whole = noise(600, 99)
    parts = [(id_of(whole[:300]), 0, 300), (id_of(whole[300:]), 0, 300)]
    chunks = [entry(whole[:300], CHUNK), entry(whole[300:], CHUNK)]
    good = recipe(whole, parts)
    place(tmp_path, [good, *chunks])
    lying = recipe(whole, parts[::-1])
    place(tmp_path, [lying, *chunks, entry(b"x")])
    assert merge(tmp_path) == MANY + 1
    kept = [
        one.stored for p in stored.packs(tmp_path) for one in read_pack(p.read_bytes()) if one.id == good.id
    ]
    assert sorted(kept) == sorted([good.stored, lying.stored])
    assert contents.items() <= {one: database(tmp_path).read(one) for one in contents}.items()


def test_broken_packs_do_not_keep_the_others_from_being_merged(tmp_path: Path) -> None:
    contents = scatter(tmp_path)
    broken = stored.put_pack(tmp_path / "objects" / "pack", "0" * 64, b"no pack")
    assert merge(tmp_path) == MANY
    assert broken.read_bytes() == b"no pack"
    assert everything(database(tmp_path)) == contents


def test_two_processes_do_not_merge_at_once(tmp_path: Path) -> None:
    scatter(tmp_path)
    with FileLock(tmp_path / "locks" / "packs", purpose="merging packs", wait=0):
        assert merge(tmp_path) == 0
    assert merge(tmp_path) == MANY


# --- when it breaks off -------------------------------------------------------------------------------------


def explode(*_args: Any, **_more: Any) -> Any:
    raise StorageError("no space left on device")


@pytest.mark.parametrize(
    ("owner", "name"),
    [(PackBuilder, "add"), (PackBuilder, "finish"), (Staging, "publish"), (consolidate, "remove_file")],
)
def test_an_error_in_the_middle_leaves_everything_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    contents = scatter(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, explode)
        with pytest.raises(StorageError):
            merge(tmp_path)
    assert everything(database(tmp_path)) == contents
    assert list((tmp_path / "tmp").iterdir()) == []
    assert merge(tmp_path) >= MANY
    assert everything(database(tmp_path)) == contents
    assert len(stored.packs(tmp_path)) == 1


def test_a_transaction_succeeds_though_its_packs_cannot_be_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = scatter(tmp_path)
    monkeypatch.setattr(consolidate, "_merge", explode)
    objects = database(tmp_path)
    with objects.transaction() as writer:
        made = writer.add_bytes(b"new")
    assert everything(database(tmp_path)) == contents | {made: b"new"}


KILLED = """if True:
    import os, signal, sys
    from pathlib import Path
    from mlstore.hashing import object_format
    from mlstore.objects import ObjectDatabase

    folder, name, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    fmt = object_format("blake3")
    objects = ObjectDatabase(folder / "objects", fmt, scratch=folder / "tmp", fsync=False)
    true, count = getattr(os, name), 0

    def killing(*args, **more):
        global count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return true(*args, **more)

    setattr(os, name, killing)
    with objects.transaction() as writer:
        writer.add_bytes(b"acknowledged or not")
    print("acknowledged")
    """


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("name", ["link", "unlink", "write", "open"])
def test_a_kill_at_any_moment_leaves_everything_readable(tmp_path: Path, name: str) -> None:
    contents = scatter(tmp_path)
    number, acknowledged = 0, False
    while not acknowledged and number < 200:
        number = number + 1 if name != "open" else number + 5
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), name, str(number)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        acknowledged = done.stdout == "acknowledged\n"
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        found = everything(database(tmp_path))
        assert contents.items() <= found.items()
        assert set(found) - set(contents) <= {id_of(b"acknowledged or not")}
    assert acknowledged
    assert database(tmp_path).read(id_of(b"acknowledged or not")) == b"acknowledged or not"
