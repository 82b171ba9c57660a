"""How much a tree stands for: counted without expanding it, and refused where nobody could."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlstore.errors import CorruptObject
from mlstore.model import Tree, TreeEntry
from mlstore.repository import extent
from mlstore.repository.extent import Extent, measure

if TYPE_CHECKING:
    from tests.store.support import Work

    from mlstore.hashing import ObjectId


def tree(work: Work, *entries: tuple[str, ObjectId | None]) -> ObjectId:
    """A tree of files (without an id) and of trees."""
    with work.repo.objects.transaction() as writer:
        blob = writer.add_bytes(b"x")
        made = [
            TreeEntry(name, "file" if below is None else "tree", below or blob, 1) for name, below in entries
        ]
        return writer.add_tree(Tree(tuple(sorted(made, key=lambda entry: entry.name.encode()))))


def test_files_text_depth_and_the_longest_path_are_those_of_the_expanded_list(work: Work) -> None:
    inner = tree(work, ("ü", None), ("abc", None))
    root = tree(work, ("top", None), ("left", inner), ("right", inner))
    paths = ["top", "left/ü", "left/abc", "right/ü", "right/abc"]
    assert measure(work.repo.objects, root) == Extent(
        len(paths), sum(map(len, paths)), 2, max(len(path.encode()) for path in paths)
    )


def test_a_tree_that_is_used_often_is_read_once(work: Work) -> None:
    below, known = tree(work, ("a", None)), {}
    for _ in range(40):
        below = tree(work, ("left", below), ("right", below))
    with pytest.raises(CorruptObject, match="stands for more files"):
        measure(work.repo.objects, below, known)
    assert len(known) == 41
    assert known[below].files == 1 << 40


@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        ("MOST_FILES", 3, "stands for more files"),
        ("MOST_TEXT", 10, "stands for more files"),
        ("MAX_DEPTH", 1, "nested too deeply"),
        ("MAX_PATH", 8, "a path that is longer than"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_by_name(
    work: Work, name: str, limit: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tree(work, ("abc", None), ("def", None))
    root = tree(work, ("folder", inner), ("other", inner))
    assert measure(work.repo.objects, root).files == 4
    monkeypatch.setattr(extent, name, limit)
    with pytest.raises(CorruptObject, match=said) as caught:
        measure(work.repo.objects, root)
    assert caught.value.data["id"] == root
