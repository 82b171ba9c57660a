"""docs/format-packs.md is true: its examples, its numbers, and a second implementation made from it alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.packformat import (
    CHUNK,
    OBJECT,
    RECIPE,
    Entry,
    hash_of,
    read_object,
    read_pack,
    recipe_of,
    write_pack,
)
from tests.support import FIXTURES, run_mlstore

from mlstore.objects import SMALL, chunker
from mlstore.objects.pack import codec, consolidate
from mlstore.objects.recipe import LARGEST_FILE, MOST_PARTS

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (FIXTURES.parent / "docs" / "format-packs.md").read_text("utf-8")
HELLO = Entry(hash_of("blake3", b"hello"), OBJECT, 5, False, b"hello")


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def test_the_pack_of_the_page_is_that_pack() -> None:
    name, data = write_pack([HELLO])
    shown = dict(line.split() for line in example("pack").splitlines())
    assert shown.pop("name") == name
    fan_out = b"".join(int(first >= 0xEA).to_bytes(4, "little") for first in range(256))
    raw = {what: bytes.fromhex(text) for what, text in shown.items()}
    assert raw["header"] + raw["entries"] + fan_out + raw["ids"] + raw["rows"] + raw["footer"] == data
    assert [one._replace(offset=0, checksum=b"") for one in read_pack(data)] == [HELLO]


def test_the_recipe_of_the_page_is_that_recipe() -> None:
    assert bytes.fromhex("".join(example("recipe").split())) == recipe_of(
        [(HELLO.id, 1, 3), (HELLO.id, 0, 1)]
    )


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    told = " ".join(PAGE.split())
    for number, sentence in [
        (codec.ENTRY_LIMIT, "at most 67108864 (64 MiB)"),
        (codec.COUNT_LIMIT, "at most 268435456 (2^28)"),
        (MOST_PARTS, "at most 1048576 parts"),
        (LARGEST_FILE, "at most 2^62"),
        (SMALL, "objects of up to 1 MiB"),
        (chunker.SMALLEST, "from 64 KiB"),
        (chunker.LARGEST, "to 1 MiB"),
        (chunker.AVERAGE, "256 KiB on average"),
        (consolidate.MOST_PACKS, "more than 24 packs"),
    ]:
        assert sentence in told
        amount, unit = re.search(r"(\d+(?:\^\d+)?)(?: (KiB|MiB))?", sentence).groups()  # type: ignore[union-attr]
        base, _, power = amount.partition("^")
        value = int(base) ** int(power or 1) * {"KiB": 1 << 10, "MiB": 1 << 20, None: 1}[unit]
        assert value == number, sentence


def run(folder: Path, *args: str) -> str:
    done = run_mlstore(args, folder)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("name", ["blake3", "sha256"])
def test_a_reader_made_from_the_page_reads_a_whole_store(tmp_path: Path, name: str) -> None:
    """Objects, chunks and recipes as the command leaves them: each hashes to its id, and names to indexes."""
    import random

    model = random.Random(1).randbytes(5 << 20)
    rows = b"".join(b"%d,%d\n" % (number, number * number) for number in range(200_000))
    contents = [
        {"small.txt": b"small", "data.csv": rows, "model.bin": model},
        {"data.csv": rows + b"one,more\n", "model.bin": model[: 1 << 20] + b"inserted" + model[1 << 20 :]},
    ]
    run(tmp_path, "init", "--object-format", name)
    run(tmp_path, "config", "core.pack", "true")
    for files in contents:
        for path, data in files.items():
            (tmp_path / path).write_bytes(data)
        run(tmp_path, "add", "-A")
        run(tmp_path, "commit", "-m", "m")
    objects = tmp_path / ".mlstore" / "objects"
    kinds = set()
    for pack in stored.packs(tmp_path / ".mlstore"):
        data = pack.read_bytes()
        entries = read_pack(data)
        assert pack.stem == hash_of(name, data[-56 - 64 * len(entries) - 1024 : -56])
        assert data[8:16] == name.encode().ljust(8, b"\0")
        for one in entries:
            kinds.add(one.kind)
            assert one.is_sound()
            assert one.kind == RECIPE or hash_of(name, one.content()) == one.id
    assert kinds == {OBJECT, RECIPE, CHUNK}
    for object_id in stored.object_ids(tmp_path / ".mlstore"):
        assert hash_of(name, read_object(objects, object_id)) == object_id
    for files in contents:
        for data in files.values():
            assert read_object(objects, hash_of(name, data)) == data


def test_the_command_reads_what_a_writer_made_from_the_page_wrote(tmp_path: Path) -> None:
    run(tmp_path, "init")
    run(tmp_path, "config", "core.pack", "true")
    whole = b"hello" * 3 + b"ell"
    entries = [
        HELLO,
        Entry(hash_of("blake3", b"ell"), CHUNK, 3, False, b"ell"),
        Entry(
            hash_of("blake3", whole),
            RECIPE,
            len(whole),
            False,
            recipe_of([(HELLO.id, 0, 5)] * 3 + [(hash_of("blake3", b"ell"), 0, 3)]),
        ),
    ]
    name, data = write_pack(entries)
    stored.put_pack(tmp_path / ".mlstore" / "objects" / "pack", name, data)
    assert run(tmp_path, "cat-file", "blob", HELLO.id) == "hello"
    assert run(tmp_path, "cat-file", "blob", hash_of("blake3", whole)) == whole.decode()
    assert run(tmp_path, "fsck")
