"""Writing a pack: in one pass, each id once, and readable by whoever knows the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.packformat import hash_of, read_pack

from mlstore.durable import Staging
from mlstore.errors import StorageError
from mlstore.hashing import ObjectId, object_format
from mlstore.objects.pack import EntryKind, Pack, PackBuilder, PackEntry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def id_of(data: bytes, name: str = "blake3") -> ObjectId:
    return ObjectId(hash_of(name, data))


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging(tmp_path / "tmp", fsync=False) as made:
        yield made


def finished(builder: PackBuilder) -> Path:
    """Finish a pack and give it the name that it asks for."""
    name = builder.finish()
    return builder.file.path.rename(builder.file.path.with_name(f"{name}.pack"))


@pytest.mark.parametrize("name", ["blake3", "sha256"])
@settings(max_examples=25)
@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from(EntryKind)), max_size=30))
def test_what_was_added_is_in_the_pack_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, name: str, items: list[tuple[bytes, EntryKind]]
) -> None:
    with Staging(tmp_path_factory.mktemp("tmp"), fsync=False) as staging:
        builder = PackBuilder(staging.new_file(), object_format(name))
        for data, kind in items:
            builder.add(id_of(data, name), data, size=len(data), kind=kind)
            assert id_of(data, name) in builder
        path = finished(builder)
        data = path.read_bytes()
        assert len(builder) == len({data for data, _ in items})
        assert path.stem == hash_of(name, data[-56 - 1024 - 64 * len(builder) : -56])
        found = read_pack(data)
        assert [one.id for one in found] == sorted({id_of(data, name) for data, _ in items})
        assert all(hash_of(name, one.content()) == one.id and one.is_sound() for one in found)
        Pack(path, name).check()


def test_entries_lie_back_to_back_in_the_order_of_their_coming(staging: Staging) -> None:
    builder = PackBuilder(staging.new_file(), object_format("blake3"))
    for data in (b"first", b"", b"second", b"first"):
        builder.add(id_of(data), data, size=len(data))
    assert builder.size == 16 + 11
    assert finished(builder).read_bytes()[16:27] == b"firstsecond"


def test_a_chunk_that_is_an_object_too_is_kept_as_one(staging: Staging) -> None:
    builder = PackBuilder(staging.new_file(), object_format("blake3"))
    one, two = b"a chunk, then an object", b"an object, then a chunk"
    builder.add(id_of(one), one, size=len(one), kind=EntryKind.CHUNK)
    assert not builder.is_object(id_of(one))
    builder.add(id_of(one), one, size=len(one))
    builder.add(id_of(two), two, size=len(two))
    builder.add(id_of(two), two, size=len(two), kind=EntryKind.CHUNK)
    assert builder.is_object(id_of(one))
    assert builder.is_object(id_of(two))
    assert not builder.is_object(id_of(b"neither"))
    assert [entry.kind for entry in read_pack(finished(builder).read_bytes())] == [0, 0]


def test_large_entries_are_written_as_they_come(staging: Staging) -> None:
    builder = PackBuilder(staging.new_file(), object_format("blake3"))
    for number in range(5):
        data = bytes([number]) * (1 << 20)
        builder.add(id_of(data), memoryview(data), size=len(data))
        assert builder.file.path.stat().st_size >= number << 20
        assert len(builder._buffer) < 1 << 20
    assert len(read_pack(finished(builder).read_bytes())) == 5


def test_a_full_disk_is_one_clear_error(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    def full(_fd: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    builder = PackBuilder(staging.new_file(), object_format("blake3"))
    builder.add(id_of(b"x"), b"x", size=1)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="no space left"):
        builder.finish()


def test_recipes_of_one_object_that_differ_cannot_stand_for_each_other(staging: Staging) -> None:
    def entry(kind: EntryKind, checksum: bytes) -> PackEntry:
        return PackEntry(id_of(b"x"), 16, 5, 5, False, kind, checksum)

    builder = PackBuilder(staging.new_file(), object_format("blake3"))
    assert builder.agrees(entry(EntryKind.RECIPE, bytes(8)))
    builder.add(id_of(b"x"), b"parts", size=5, kind=EntryKind.RECIPE)
    same = read_pack(finished(builder).read_bytes())[0].checksum
    assert builder.agrees(entry(EntryKind.RECIPE, same))
    assert not builder.agrees(entry(EntryKind.RECIPE, bytes(8)))
    assert not builder.agrees(entry(EntryKind.OBJECT, same))


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (EntryKind.CHUNK, EntryKind.OBJECT, EntryKind.OBJECT),
        (EntryKind.CHUNK, EntryKind.RECIPE, EntryKind.CHUNK),
        (EntryKind.RECIPE, EntryKind.OBJECT, EntryKind.RECIPE),
    ],
)
def test_an_entry_changes_its_kind_only_where_the_bytes_are_those_of_both(
    staging: Staging, before: EntryKind, after: EntryKind, kept: EntryKind
) -> None:
    builder = PackBuilder(staging.new_file(), object_format("blake3"))
    builder.add(id_of(b"x"), b"first", size=5, kind=before)
    builder.add(id_of(b"x"), b"second", size=6, kind=after)
    (found,) = read_pack(finished(builder).read_bytes())
    assert (found.kind, found.stored) == (kept, b"first")
