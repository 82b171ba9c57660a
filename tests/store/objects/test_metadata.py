"""The database that reads no blob."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.packformat import hash_of
from tests.store.objects.building import database, entry, place

from mlstore.durable import Staging
from mlstore.errors import ObjectNotFound
from mlstore.hashing import ObjectId
from mlstore.model import Tree, encode_tree
from mlstore.objects.metadata import MetadataDatabase

if TYPE_CHECKING:
    from pathlib import Path

BLOB = ObjectId(hash_of("blake3", b"a blob"))
EMPTY = ObjectId(hash_of("blake3", encode_tree(Tree(()))))


@pytest.fixture
def objects(tmp_path: Path) -> MetadataDatabase:
    place(tmp_path, [entry(b"a blob"), entry(encode_tree(Tree(())))])
    return MetadataDatabase(database(tmp_path))


def test_every_way_to_read_a_blob_is_refused(tmp_path: Path, objects: MetadataDatabase) -> None:
    (tmp_path / "tmp").mkdir()
    with Staging(tmp_path / "tmp", fsync=False) as staging:
        target = staging.new_file()
        for read in (
            lambda: objects.read(BLOB),
            lambda: list(objects.stream(BLOB)),
            lambda: objects.check(BLOB),
            lambda: objects.open_source(BLOB),
            lambda: objects.clone(BLOB, target),
            lambda: list(objects.fetch([BLOB], 100)),
        ):
            with pytest.raises(ObjectNotFound, match="is not read"):
                read()
        target.close()
    assert list(objects.fetch([], 100)) == []


def test_what_is_known_without_reading_is_given(objects: MetadataDatabase) -> None:
    assert BLOB in objects
    assert objects.size(BLOB) == 6
    assert (objects.kind(BLOB), objects.kind(EMPTY)) == ("blob", "tree")
    assert objects.read_tree(EMPTY) == Tree(())
