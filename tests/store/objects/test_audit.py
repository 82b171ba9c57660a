"""What an audit looks at, what it counts, and what it says of each kind of damage."""

from __future__ import annotations

import errno
import gc
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored
from tests.packformat import CHUNK, OBJECT, Entry, hash_of, read_pack
from tests.store.objects.building import database, entry, noise, place, recipe, small_pack

from mlstore.hashing import ObjectId
from mlstore.model import Tree, TreeEntry, encode_tree
from mlstore.objects import audit as module
from mlstore.objects.audit import Audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOSE = b"a loose object"
HUGE = 32 << 20


def id_of(data: bytes) -> ObjectId:
    return ObjectId(hash_of("blake3", data))


def put_loose(folder: Path, data: bytes, *, under: str | None = None) -> Path:
    path = stored.loose_path(folder, under or id_of(data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def audit(folder: Path, **how: Any) -> Audit:
    """All of it, as a caller does it; `tick` has to be told of what was planned."""
    told: list[tuple[int, int]] = []
    marks, loose_done = how.pop("done", []), how.pop("loose_done", set())
    found = Audit(database(folder), tick=lambda files, size: told.append((files, size)), **{"jobs": 1, **how})
    found.prepare()
    for name, number in marks:
        found.done[name][number] = 1
    found.loose_done |= loose_done
    found.plan()
    found.run()
    found.settle()
    if not (found.flaws or found.quick or marks):  # the bytes between two entries are read with them
        assert tuple(map(sum, zip((0, 0), *told, strict=True))) == (found.total_files, found.total_bytes)
    return found


def test_all_that_is_stored_is_counted_looked_at_and_told(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    put_loose(tmp_path, LOOSE)
    found = audit(tmp_path)
    assert (found.looked_at, found.total_files) == (7, 7)
    assert found.total_bytes == sum(len(one.stored) for one in entries) + len(LOOSE)
    assert (found.chunks, found.done_before, found.left_out) == (2, 0, 0)
    assert found.sizes == {object_id: len(data) for object_id, data in contents.items()} | {
        id_of(LOOSE): len(LOOSE)
    }
    assert (found.flaws, found.damaged, found.spares, found.broken, found.unsure) == ({}, {}, [], [], set())
    assert found.done == {pack.stem: bytearray([1] * 6)}
    assert found.loose_done == {id_of(LOOSE)}


def test_only_what_is_chosen_is_looked_at(tmp_path: Path) -> None:
    entries, _ = small_pack()
    pack = place(tmp_path, entries)
    put_loose(tmp_path, LOOSE)
    plain = id_of(b"plain")
    found = audit(tmp_path, chosen=lambda object_id: object_id == plain)
    assert (found.looked_at, found.left_out, found.total_files, found.total_bytes) == (1, 6, 1, 5)
    assert sum(found.done[pack.stem]) == 1
    assert found.loose_done == set()


def test_what_was_done_before_is_not_looked_at_again(tmp_path: Path) -> None:
    entries, _ = small_pack()
    pack = place(tmp_path, entries)
    put_loose(tmp_path, LOOSE)
    ids = sorted(one.id for one in entries)
    number = ids.index(id_of(b"plain"))
    found = audit(tmp_path, done=[(pack.stem, number)], loose_done={id_of(LOOSE)})
    assert (found.looked_at, found.done_before, found.total_files) == (5, 2, 5)
    assert found.total_bytes == sum(len(one.stored) for one in entries) - 5


def test_what_a_pack_with_a_damaged_index_holds_is_asked_for_and_chunks_are_not(tmp_path: Path) -> None:
    entries, contents = small_pack()
    pack = place(tmp_path, entries)
    data = bytearray(pack.read_bytes())
    data[-56 - 1] ^= 1  # a checksum in the last row
    pack.chmod(0o644)
    pack.write_bytes(data)
    found = audit(tmp_path)
    assert [name for name, _ in found.broken] == [pack.stem]
    assert found.unsure == set(contents)
    last = ObjectId(max(one.id for one in entries))
    assert set(found.damaged) == {last} & set(contents)
    assert found.sizes == {one: len(data) for one, data in contents.items() if one not in found.damaged}


def test_proved_trees_are_kept_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = [encode_tree(Tree((TreeEntry(name, "file", id_of(b""), 0),))) for name in ("a", "b")]
    place(
        tmp_path,
        [entry(trees[0]), entry(trees[1]), entry(b"mlstore is no tree"), entry(trees[0] + b" ", CHUNK)],
    )
    expected = {id_of(data): data for data in (*trees, b"mlstore is no tree")}
    assert audit(tmp_path).metadata == expected
    monkeypatch.setattr(module, "_KEPT", sum(map(len, expected.values())))
    assert audit(tmp_path).metadata == expected
    monkeypatch.setattr(module, "_KEPT", sum(map(len, expected.values())) - 1)
    assert len(audit(tmp_path).metadata) == 2


def test_of_what_is_damaged_the_pack_states_the_size_and_a_file_does_not(tmp_path: Path) -> None:
    packed, alone = entry(noise(200)), noise(300, 1)
    pack = place(tmp_path, [packed])
    put_loose(tmp_path, alone[:-1] + b"?", under=id_of(alone))
    stored.find(tmp_path, packed.id).flip()
    found = audit(tmp_path)
    assert set(found.damaged) == {packed.id, id_of(alone)}
    assert found.stated == {packed.id: 200}
    assert found.sizes == {}
    assert found.done == {pack.stem: bytearray([0])}
    assert "its stored bytes are damaged" in found.damaged[ObjectId(packed.id)].message
    assert "its bytes hash to" in found.damaged[id_of(alone)].message
    assert found.damaged[id_of(alone)].data["actual"] == id_of(alone[:-1] + b"?")


def test_a_damaged_copy_is_no_damage_where_a_good_one_is_read(tmp_path: Path) -> None:
    packed = entry(b"twice")
    pack = place(tmp_path, [packed])
    stored.find(tmp_path, packed.id).flip()
    put_loose(tmp_path, b"twice")
    found = audit(tmp_path)
    assert found.damaged == {}
    assert [name for name, _ in found.spares] == [pack.stem]
    assert found.sizes == {packed.id: 5}


def whole_of(*parts: Entry) -> Entry:
    return recipe(b"".join(map(Entry.content, parts)), [(one.id, 0, one.size) for one in parts])


def test_a_recipe_is_done_where_its_parts_are_packed_and_not_where_one_is_a_file(tmp_path: Path) -> None:
    chunk, plain = entry(noise(50), CHUNK), entry(noise(60, 1))
    made = whole_of(chunk, plain)
    pack = place(tmp_path, [chunk, plain, made])
    at = sorted([chunk.id, plain.id, made.id]).index(made.id)
    assert audit(tmp_path).done[pack.stem][at] == 1
    put_loose(tmp_path, plain.stored)
    found = audit(tmp_path)
    assert (found.done[pack.stem][at], found.damaged, found.flaws) == (0, {}, {})


@pytest.mark.parametrize("quick", [False, True])
def test_a_recipe_is_told_whose_part_is_missing_or_too_short(tmp_path: Path, quick: bool) -> None:
    chunk = entry(noise(50), CHUNK)
    missing = recipe(b"1" * 80, [("ab" * 32, 0, 80)])
    short = recipe(b"2" * 80, [(chunk.id, 0, 50), (chunk.id, 21, 30)])
    fits = recipe(chunk.stored[20:], [(chunk.id, 20, 30)])
    place(tmp_path, [chunk, missing, short, fits])
    found = audit(tmp_path, quick=quick)
    assert set(found.damaged) == {missing.id, short.id}
    reasons = {flaw.id: flaw.reason for flaw in found.flaws.values()}
    assert "missing" in reasons[ObjectId(missing.id)]
    assert "too short" in reasons[ObjectId(short.id)]
    assert found.chunk_ids == set()


def test_a_damaged_chunk_is_told_as_what_it_is(tmp_path: Path) -> None:
    chunk = entry(noise(50), CHUNK)
    place(tmp_path, [chunk, whole_of(chunk, entry(noise(5, 1)))])
    stored.find(tmp_path, chunk.id).flip()
    found = audit(tmp_path)
    assert chunk.id in found.damaged
    assert found.chunk_ids == {chunk.id}


def test_a_chunk_with_other_bytes_and_a_right_checksum_is_told_by_itself(tmp_path: Path) -> None:
    chunk, other = entry(noise(50), CHUNK), entry(noise(9, 1))
    lie = chunk._replace(stored=noise(50, 2), checksum=b"")
    made = whole_of(chunk, other)
    place(tmp_path, [lie, other, made])
    found = audit(tmp_path)
    assert set(found.damaged) == {chunk.id, made.id}
    assert found.chunk_ids == {chunk.id}
    reasons = {flaw.id: flaw.reason for flaw in found.flaws.values()}
    assert reasons[ObjectId(chunk.id)] == f"its bytes hash to '{id_of(noise(50, 2))}'"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_two_processes_do_every_entry_once(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORK_FROM", 1)
    monkeypatch.setattr(module, "may_fork", lambda: True)
    entries = [entry(noise(20, at)) for at in range(count)]
    pack = place(tmp_path, entries)
    found = audit(tmp_path, jobs=None)
    assert found.done == {pack.stem: bytearray([1] * count)}
    stored.find(tmp_path, entries[-1].id).flip()
    assert set(audit(tmp_path, jobs=None).damaged) == {entries[-1].id}


@pytest.mark.parametrize("copies", [1, 2])
def test_what_was_read_wrong_once_is_damaged_unless_there_is_a_copy(tmp_path: Path, copies: int) -> None:
    twice = entry(noise(50))
    packs = [place(tmp_path, [twice, entry(noise(9, at))]) for at in range(copies)]
    row = next(one for one in read_pack(packs[0].read_bytes()) if one.id == twice.id)
    spot = stored.Place(packs[0], row.offset, len(row.stored))
    spot.flip()
    found = Audit(database(tmp_path), jobs=1)
    found.prepare()
    found.plan()
    found.run()
    spot.flip()
    found.settle()
    assert set(found.damaged) == ({twice.id} if copies == 1 else set())


def test_a_file_that_goes_meanwhile_is_told_without_reading(tmp_path: Path) -> None:
    path = put_loose(tmp_path, LOOSE)
    found = Audit(database(tmp_path), jobs=1, quick=True)
    found.prepare()
    found.plan()
    path.unlink()
    found.run()
    assert [(flaw.id, flaw.reason) for flaw in found.flaws.values()] == [
        (id_of(LOOSE), "no such file or directory")
    ]


def test_what_is_no_file_is_told_without_reading(tmp_path: Path) -> None:
    place_of_it = put_loose(tmp_path, LOOSE)
    place_of_it.unlink()
    place_of_it.symlink_to("/dev/null")
    found = audit(tmp_path, quick=True)
    assert set(found.damaged) == {id_of(LOOSE)}
    assert [flaw.reason for flaw in found.flaws.values()] == ["it is a link, folder or device, not a file"]


def test_what_was_in_a_pack_that_is_gone_meanwhile_is_asked_for(tmp_path: Path) -> None:
    chunk = entry(noise(50), CHUNK)
    pack = place(tmp_path, [chunk, entry(b"plain")])
    found = Audit(database(tmp_path), jobs=1)
    found.prepare()
    found.plan()
    pack.unlink()
    found.run()
    # It may be in another pack by now. A chunk is no object, so nobody asks for it.
    assert found.unsure == {id_of(b"plain")}
    found.settle()
    assert set(found.damaged) <= {id_of(b"plain")}


def test_parts_of_a_recipe_are_told_once_with_it(tmp_path: Path) -> None:
    chunks = [entry(noise(50, at), CHUNK) for at in range(3)]
    made = recipe(
        b"".join(one.stored for one in (*chunks, chunks[0])),
        [(one.id, 0, 50) for one in (*chunks, chunks[0])],
    )
    place(tmp_path, [*chunks, made])
    found = audit(tmp_path)
    assert (found.total_files, found.looked_at, found.chunks) == (4, 4, 3)
    assert sum(map(sum, found.done.values())) == 4


@pytest.mark.parametrize("kind", [OBJECT, CHUNK])
@pytest.mark.parametrize("both", [False, True])
def test_of_two_packed_copies_one_is_enough(tmp_path: Path, kind: int, both: bool) -> None:
    twice = entry(noise(50), kind)
    packs = [place(tmp_path, [twice, entry(noise(9, at))]) for at in (1, 2)]
    for pack in packs if both else packs[:1]:
        at = next(one for one in read_pack(pack.read_bytes()) if one.id == twice.id)
        stored.Place(pack, at.offset, len(at.stored)).flip()
    found = audit(tmp_path)
    assert set(found.damaged) == ({twice.id} if both else set())
    assert found.chunk_ids == ({twice.id} if both and kind == CHUNK else set())
    assert sorted(name for name, _ in found.spares) == sorted(one.stem for one in packs[: 1 + both])


@pytest.mark.skipif(not hasattr(os, "readv"), reason="needs readv")
def test_a_file_that_the_disk_refuses_is_told_and_the_others_are_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_loose(tmp_path, LOOSE)
    put_loose(tmp_path, b"another")
    real = os.readv

    def refuse(fd: int, buffers: list[bytearray]) -> int:
        count = real(fd, buffers)
        if bytes(memoryview(buffers[0])[:count]) == LOOSE:
            raise OSError(errno.EIO, "Input/output error")
        return count

    monkeypatch.setattr(os, "readv", refuse)
    found = audit(tmp_path)
    assert [(flaw.id, flaw.reason) for flaw in found.flaws.values()] == [
        (id_of(LOOSE), "it cannot be read: input/output error")
    ]
    assert found.loose_done == {id_of(b"another")}


def test_files_of_every_size_are_hashed_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGE_FILE", 100)
    monkeypatch.setattr(module, "_HUGE_FILE", 200)
    sizes = [0, 99, 100, 199, 200, 201]
    for size in sizes:
        put_loose(tmp_path, noise(size, size))
    for jobs in (1, 2):
        found = audit(tmp_path, jobs=jobs)
        assert found.loose_done == {id_of(noise(size, size)) for size in sizes}
        assert (found.total_files, found.total_bytes) == (6, sum(sizes))
    for size in sizes[1:]:
        stored.find(tmp_path, id_of(noise(size, size))).flip()
    assert len(audit(tmp_path).damaged) == 5


@pytest.mark.parametrize("damaged", range(3))
def test_what_the_other_process_could_not_do_is_done_here(
    tmp_path: Path, damaged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alone(_work: Callable[[], bytes], ours: Callable[[], None]) -> None:
        ours()

    monkeypatch.setattr(module, "FORK_FROM", 1)
    monkeypatch.setattr(module, "may_fork", lambda: True)
    monkeypatch.setattr(module, "beside", alone)
    entries = [entry(noise(20, at)) for at in range(3)]
    pack = place(tmp_path, entries)
    assert audit(tmp_path, jobs=None).done == {pack.stem: bytearray([1] * 3)}
    stored.find(tmp_path, entries[damaged].id).flip()
    assert set(audit(tmp_path, jobs=None).damaged) == {entries[damaged].id}


@pytest.mark.parametrize("count", [1, 2])
def test_damage_in_large_entries_is_found_however_few_they_are(tmp_path: Path, count: int) -> None:
    entries = [entry(noise(1 << 20, at)) for at in range(count)]
    pack = place(tmp_path, entries)
    assert audit(tmp_path).done == {pack.stem: bytearray([1] * count)}
    stored.find(tmp_path, entries[-1].id).flip(-1)
    assert set(audit(tmp_path).damaged) == {entries[-1].id}


def test_sizes_are_those_of_their_objects_in_packs_of_many_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WINDOW", 2)
    entries = [entry(noise(10 + at, at)) for at in range(7)]
    place(tmp_path, entries)
    found = audit(tmp_path)
    assert found.sizes == {one.id: one.size for one in entries}
    assert found.total_bytes == sum(one.size for one in entries)


def test_of_copies_of_a_chunk_that_are_all_wrong_the_damage_is_told(tmp_path: Path) -> None:
    lie = entry(noise(50), CHUNK)._replace(stored=noise(50, 2))
    place(tmp_path, [lie, entry(b"one")])
    place(tmp_path, [lie, entry(b"two")])
    found = audit(tmp_path)
    assert set(found.damaged) == found.chunk_ids == {lie.id}


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_nothing_stays_open_after_an_audit(tmp_path: Path) -> None:
    old = noise(40)
    put_loose(tmp_path, old)
    place(tmp_path, [recipe(old[3:14], [(id_of(old), 3, 11)]), entry(b"other")])
    (tmp_path / "objects/ab" / ("cd" * 31)).mkdir(parents=True)  # no file, under the name of one

    def open_now() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = open_now()
    assert set(audit(tmp_path).damaged) == {"ab" + "cd" * 31}
    assert open_now() == before


def test_what_is_a_chunk_in_one_pack_and_an_object_in_another_is_told_as_an_object(tmp_path: Path) -> None:
    for kind in (CHUNK, OBJECT):
        place(tmp_path, [entry(noise(50), kind)._replace(stored=noise(50, 2)), entry(b"%d" % kind)])
    found = audit(tmp_path)
    assert set(found.damaged) == {id_of(noise(50))}
    assert found.chunk_ids == set()


def test_a_recipe_whose_part_is_a_recipe_is_told_as_that(tmp_path: Path) -> None:
    chunk = entry(noise(50), CHUNK)
    inner = recipe(noise(50)[:30], [(chunk.id, 0, 30)])
    outer = recipe(noise(50)[:20], [(inner.id, 0, 20)])
    place(tmp_path, [chunk, inner, outer])
    found = audit(tmp_path)
    assert set(found.damaged) == {outer.id}
    (flaw,) = found.flaws.values()
    assert flaw.reason == f"object '{inner.id}' is a recipe and part of one"
