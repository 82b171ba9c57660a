"""How a changed file is put into words: keys where it has keys, else the first byte, and never an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore.compare import Difference
from mlstore.hashing import ObjectId
from mlstore.verify.explain import (
    explain_difference,
    explain_entries,
    explain_file_change,
    explain_values,
    unexplained,
)

if TYPE_CHECKING:
    from tests.store.support import Work

    from mlstore.model import TreeEntry


def trees(work: Work, old: dict[str, str], new: dict[str, str]) -> tuple[ObjectId, ObjectId]:
    made = []
    for files in (old, new):
        for path in work.index.paths():
            work.path(path).unlink()
        for name, text in files.items():
            work.write(name, text)
        work.add()
        made.append(work.repo.objects.read_commit(work.record(allow_empty=True)).tree)
    return made[0], made[1]


def told(work: Work, old: str | None, new: str | None, name: str, key: str | None = None) -> tuple[str, ...]:
    sides = [{"kept": "1"} | ({name: text} if text is not None else {}) for text in (old, new)]
    before, after = trees(work, *sides)
    return explain_file_change(work.repo, before, work.repo, after, name, key)


def test_a_configuration_is_told_by_its_keys(work: Work) -> None:
    assert told(work, "[a]\nx = 1\n", "[a]\nx = 2\n", "c.ini") == ("a.x 1 -> 2",)
    assert told(work, "[a]\nx = 1\n[b]\ny = 1\n", "[a]\nx = 2\n[b]\ny = 2\n", "c.ini", "b") == ("b.y 1 -> 2",)


def test_below_a_key_that_is_on_one_side_only_everything_is_new_or_gone(work: Work) -> None:
    lines = told(work, "[a]\nx = 1\n", "[a]\nx = 1\n[b]\ny = 2\n", "c.ini", "b")
    assert lines == ("b.y added: 2",)
    assert told(work, "[a]\nx = 1\n[b]\ny = 2\n", "[a]\nx = 1\n", "c.ini", "b") == ("b.y removed: 2",)


def test_a_key_that_comes_or_goes_is_added_or_removed_with_its_own_value() -> None:
    assert explain_values(b"a: 1\nb: 2\n", b"a: 1\n", "c.yaml", "b") == ("b removed: 2",)
    assert explain_values(b"a: 1\n", b"a: 1\nb: 3\n", "c.yaml", "b") == ("b added: 3",)
    assert explain_values(b"a: 1\nb: {}\n", b"a: 1\n", "c.yaml", "b") == ("b removed: {}",)


def test_of_very_many_keys_the_first_are_shown_and_the_others_counted(work: Work) -> None:
    old, new = ("".join(f"k{number} = {value}\n" for number in range(30)) for value in (1, 2))
    lines = told(work, f"[a]\n{old}", f"[a]\n{new}", "c.ini")
    assert len(lines) == 9
    assert lines[-1] == "and 22 more keys"


def test_what_changed_in_no_key_is_told_by_its_bytes(work: Work) -> None:
    assert told(work, "[a]\nx = 1\n", "[a]\nx=1\n", "c.ini") == (
        "first differing byte at offset 5: 0x20 -> 0x3d",
        "size 10 -> 8 bytes",
    )
    assert told(work, "[a]\nx = 1\n", "[a]\nx=1\n", "c.ini", "a") == (), "nothing that counts"


def test_a_configuration_that_cannot_be_read_is_told_by_its_bytes(work: Work) -> None:
    assert explain_values(b"[a", b"[a]\n", "c.ini", None) == ()
    assert told(work, "[a]\n", "[b\n", "c.ini")[0].startswith("first differing byte at offset 1")


def test_a_file_that_is_on_one_side_only_is_said_to_be(work: Work) -> None:
    assert told(work, None, "x", "a.bin") == ("'a.bin' is not in the first of the two",)
    assert told(work, "x", None, "a.bin") == ("'a.bin' is not in the second of the two",)


def test_where_one_ends_or_goes_on_is_told() -> None:
    assert explain_difference(Difference(3, 1, None), 5, 3) == (
        "equal up to offset 3, where it ends",
        "size 5 -> 3 bytes",
    )
    assert explain_difference(Difference(3, None, 1), 3, 5)[0] == "equal up to offset 3, where it goes on"
    assert explain_difference(None, 3, 3) == ()


def test_what_cannot_be_read_has_no_explanation_and_is_no_failure(work: Work) -> None:
    before, after = trees(work, {"a.bin": "1", "b.bin": "1"}, {"a.bin": "2", "b.bin": "2"})

    def entry(tree: ObjectId, name: str) -> TreeEntry:
        found = work.repo.objects.read_tree(tree).get(name)
        assert found is not None
        return found

    a = entry(before, "a.bin"), entry(after, "a.bin")
    b = entry(before, "b.bin"), entry(after, "b.bin")
    assert len(explain_entries(work.repo, a[0], work.repo, a[1])) == 1
    work.damage(a[0].id)
    assert explain_entries(work.repo, a[0], work.repo, a[1]) == ()
    work.remove_object(b[1].id)
    assert explain_entries(work.repo, b[0], work.repo, b[1]) == ()
    assert unexplained(work.repo) == ()
    work.damage(after)
    assert explain_file_change(work.repo, before, work.repo, after, "a.bin", None) == ()
