"""Where a pack is cut into spans, and what a look at one says."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.packformat import CHUNK, Entry, read_pack
from tests.store.objects.building import entry, noise, place, recipe, small_pack

from mlstore.hashing import ObjectId
from mlstore.objects.pack import Pack, span
from mlstore.objects.pack.span import Span, check_span, dump_results, load_results, spans

if TYPE_CHECKING:
    from pathlib import Path


def cut(path: Path, skip: list[int] | None = None, **how: int) -> list[Span]:
    pack = Pack(path, "blake3")
    marks = bytearray(len(pack))
    for number in skip or ():
        marks[number] = 1
    return list(spans(pack, pack.read_index(), marks, quick=False, **how))


def in_order(path: Path) -> list[int]:
    """The numbers of the entries, by place."""
    entries = read_pack(path.read_bytes())
    return sorted(range(len(entries)), key=lambda number: entries[number].offset)


def lengths(found: list[Span]) -> list[int]:
    return [len(one.numbers) for one in found]


def test_spans_hold_every_entry_once_in_the_order_of_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, [entry(noise(100, at)) for at in range(10)])
    found = cut(path)
    assert [one.numbers for one in found] == [tuple(in_order(path))]
    assert (found[0].start, found[0].size) == (16, 1000)
    monkeypatch.setattr(span, "_MOST_ENTRIES", 4)
    assert lengths(cut(path)) == [4, 4, 2]
    monkeypatch.setattr(span, "_SPAN", 300)
    assert lengths(cut(path)) == [3, 3, 3, 1]
    monkeypatch.setattr(span, "_SPAN", 299)
    assert lengths(cut(path)) == [2, 2, 2, 2, 2]
    monkeypatch.setattr(span, "_SPAN", 50)
    assert lengths(cut(path)) == [1] * 10
    assert [number for one in cut(path) for number in one.numbers] == in_order(path)


def test_what_is_skipped_is_left_out_and_a_large_gap_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, [entry(noise(100, at)) for at in range(10)])
    order = in_order(path)
    assert [one.numbers for one in cut(path, order[3:5])] == [(*order[:3], *order[5:])]
    monkeypatch.setattr(span, "_GAP", 200)
    assert lengths(cut(path, order[3:5])) == [8]
    monkeypatch.setattr(span, "_GAP", 199)
    found = cut(path, order[3:5])
    assert [(one.start, one.size) for one in found] == [(16, 300), (16 + 500, 500)]
    assert cut(path, order) == []


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_the_parts_together_are_the_whole(tmp_path: Path, of: int) -> None:
    path = place(tmp_path, [entry(noise(100, at)) for at in range(10)])
    parts = [[n for one in cut(path, part=part, of=of) for n in one.numbers] for part in range(of)]
    assert [number for part in parts for number in part] == in_order(path)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_thread_pays_for_large_entries_only(tmp_path: Path) -> None:
    small = cut(place(tmp_path, [entry(noise(span.SMALL_ENTRY - 1)), entry(noise(span.SMALL_ENTRY, 1))]))
    large = cut(place(tmp_path, [entry(noise(span.SMALL_ENTRY, 2)), entry(noise(span.SMALL_ENTRY, 3))]))
    assert [one.pays_for_a_thread for one in (*small, *large)] == [False, True]


def forged(honest: Entry, data: bytes) -> Entry:
    return honest._replace(stored=data, size=len(data), checksum=b"", zstd=False)


@pytest.mark.parametrize("whole", [True, False])
def test_a_flaw_is_told_with_its_reason_and_what_is_proved_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    tree, chunk = entry(b'mlstore tree 1\n{"entries":[]}'), entry(b"mlstore as a chunk", CHUNK)
    lie, broken = forged(entry(b"what it was"), b"what it is!"), entry(b"text " * 100, zstd=True)
    broken = broken._replace(stored=broken.stored[:-9] + bytes(9), checksum=b"")
    flipped, fits = entry(b"flipped"), recipe(chunk.stored[1:], [(chunk.id, 1, chunk.size - 1)])
    path = place(tmp_path, [tree, chunk, lie, broken, flipped, fits])
    stored.find(tmp_path, flipped.id).flip()
    if not whole:  # where the span cannot be read in one go, each entry is tried
        monkeypatch.setattr(span, "_read_all", lambda fd, one: b"")
    (one,) = cut(path)
    found = check_span(one)
    ids = [row.id for row in read_pack(path.read_bytes())]
    assert {ids[number]: reason for number, (reason, _) in found.flaws.items()} == {
        lie.id: f"its bytes hash to '{entry(b'what it is!').id}'",
        broken.id: "it cannot be decompressed",
        flipped.id: "its stored bytes are damaged",
    }
    assert found.flaws[ids.index(lie.id)][1] == entry(b"what it is!").id
    assert found.metadata == {tree.id: tree.stored}
    (again,) = load_results(dump_results([found]))
    assert again == found


def test_an_entry_that_the_disk_refuses_is_a_flaw_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place(tmp_path, [entry(noise(100, at)) for at in range(3)])
    order, real = in_order(path), os.pread

    def refuse(fd: int, size: int, offset: int) -> bytes:
        if offset <= 116 < offset + size:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, size, offset)

    (one,) = cut(path)
    monkeypatch.setattr(os, "pread", refuse)
    assert check_span(one).flaws == {order[1]: ("it cannot be read: input/output error", None)}


def test_a_pack_that_is_gone_is_unread(tmp_path: Path) -> None:
    path = place(tmp_path, small_pack()[0])
    (one,) = cut(path)
    path.unlink()
    found = check_span(one)
    assert (found.unread, found.flaws, found.metadata) == ("no such file or directory", {}, {})


def test_large_metadata_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"mlstore " + b"x" * 92
    (one,) = cut(place(tmp_path, [entry(data)]))
    monkeypatch.setattr(span, "_MOST_METADATA", 100)
    assert check_span(one).metadata == {ObjectId(entry(data).id): data}
    monkeypatch.setattr(span, "_MOST_METADATA", 99)
    assert check_span(one).metadata == {}
