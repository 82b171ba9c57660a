"""How files of a worktree are kept: by `[storage]` of `mlstore.toml`, by suffix, by what was there before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests import stored
from tests.packformat import CHUNK, RECIPE, read_object, read_pack
from tests.store.objects.building import noise, table
from tests.store.support import ADA, MOMENT, Work, fast_repository

from mlstore.errors import ConfigError, CorruptObject, Refused
from mlstore.history import record_commit
from mlstore.repository import Repository
from mlstore.verify import fsck, verify
from mlstore.worktree import add_paths

if TYPE_CHECKING:
    from pathlib import Path

MB = 1 << 20
CSV = table(3 * MB, 1)
MODEL = noise(5 * MB, 2)


def kept_as(work: Work, path: str) -> str:
    """How the file's content is stored: `whole`, or in a pack as `object`, `chunks` or `ranges`."""
    entry = work.index.get(path)
    assert entry is not None
    if stored.loose_path(work.repo.store, entry.id).exists():
        return "whole"
    found = {one.id: one for pack in stored.packs(work.repo.store) for one in read_pack(pack.read_bytes())}
    if found[entry.id].kind != RECIPE:
        return "object"
    import struct

    parts = [source.hex() for source, _, _ in struct.iter_unpack("<32sQQ", found[entry.id].content()[17:])]
    return "chunks" if all(part in found and found[part].kind == CHUNK for part in parts) else "ranges"


def size_of(work: Work) -> int:
    return sum(path.stat().st_size for path in (work.repo.store / "objects").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("data.csv", "chunks"),
        ("DATA.CSV", "chunks"),
        ("deep/down/a.parquet", "chunks"),
        ("a.npy", "chunks"),
        ("model.joblib", "whole"),
        ("csv", "whole"),
        ("no-suffix", "whole"),
        ("a.csv.gz", "whole"),
    ],
)
def test_the_suffix_says_how_a_large_file_is_kept(work: Work, name: str, kind: str) -> None:
    work.write(name, CSV)
    work.write("small.csv", b"1,2\n")
    work.add()
    assert kept_as(work, name) == kind
    assert kept_as(work, "small.csv") == "object"


def test_patterns_of_the_manifest_go_before_the_suffix_and_whole_before_chunk(work: Work) -> None:
    work.write(
        "mlstore.toml", '[storage]\nchunk = ["models/", "x.bin"]\nwhole = ["*.csv", "models/keep.*"]\n'
    )
    for name in ("models/a.bin", "models/keep.bin", "x.bin", "y.bin", "data.csv", "data.npy"):
        work.write(name, CSV)
    work.add()
    kinds = {name: kept_as(work, name) for name in work.index.paths() if name != "mlstore.toml"}
    expected = dict.fromkeys(("data.csv", "models/keep.bin", "y.bin"), "whole")
    # All six have the same content: what is stored in one way is not stored in another.
    assert set(kinds.values()) <= {"whole", "chunks"}
    for name, kind in expected.items():
        fresh = Work(fast_repository(work.root.parent / name.replace("/", "-")))
        fresh.write("mlstore.toml", work.path("mlstore.toml").read_bytes())
        fresh.write(name, CSV)
        fresh.add()
        assert kept_as(fresh, name) == kind
    for name in ("models/a.bin", "x.bin", "data.npy"):
        fresh = Work(fast_repository(work.root.parent / name.replace("/", "-")))
        fresh.write("mlstore.toml", work.path("mlstore.toml").read_bytes())
        fresh.write(name, CSV)
        fresh.add()
        assert kept_as(fresh, name) == "chunks"


@pytest.mark.parametrize(
    "text", ["not toml [", "[storage]\nchunks = []\n", "\ufffe", "[storage]\nwhole = 'x'\n"]
)
def test_a_manifest_that_cannot_be_read_keeps_nobody_from_adding(work: Work, text: str) -> None:
    work.write("mlstore.toml", text)
    work.write("data.csv", CSV)
    work.add()
    assert kept_as(work, "data.csv") == "chunks"


def test_with_packs_off_everything_is_whole(tmp_path: Path) -> None:
    work = Work(fast_repository(tmp_path / "work", pack=False))
    work.commit(data__csv=CSV, small=b"x")
    work.commit(data__csv=CSV + b"1\n")
    assert stored.packs(work.repo.store) == []
    assert fsck(work.repo).ok
    assert verify(work.repo).ok


def test_packs_off_must_be_true_or_false(tmp_path: Path) -> None:
    repo = fast_repository(tmp_path)
    text = repo.config.text.replace("pack = true", "pack = 'no'")
    (repo.store / "config").write_text(text)
    with pytest.raises(ConfigError, match=r"core\.pack"):
        _ = Repository.open(tmp_path).objects


def test_a_large_file_is_compared_with_what_its_path_had_before(work: Work) -> None:
    work.commit(model__joblib=MODEL)
    before = size_of(work)
    work.commit(model__joblib=MODEL[: 2 * MB] + b"retrained" + MODEL[2 * MB :])
    assert kept_as(work, "model.joblib") == "ranges"
    assert size_of(work) - before < 20_000
    files = work.files_of(work.head)
    assert files["model.joblib"] == MODEL[: 2 * MB] + b"retrained" + MODEL[2 * MB :]
    assert fsck(work.repo).ok
    assert verify(work.repo, history=True).ok


def test_versions_of_a_growing_table_cost_what_they_add(work: Work) -> None:
    data = CSV
    for number in range(5):
        before = size_of(work)
        work.commit(f"version {number}", data__csv=data)
        if number:
            assert size_of(work) - before < 1.2 * MB
        data += table(200_000, number + 10)
    report = fsck(work.repo)
    assert report.ok
    assert report.checked["chunks"] > 10
    assert report.unreachable == []


def test_many_small_files_make_one_pack(work: Work) -> None:
    for number in range(500):
        work.write(f"d{number % 7}/f{number}", b"%d" % number)
    work.add()
    assert [path for path in (work.repo.store / "objects").rglob("*") if path.is_file()] == stored.packs(
        work.repo.store
    )
    assert len(stored.packs(work.repo.store)) == 1


def test_a_file_that_changes_while_it_is_read_is_refused_and_nothing_is_kept(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.commit(model__joblib=MODEL, data__csv=CSV)
    before = size_of(work)
    true_pread = os.pread

    def meddling(fd: int, length: int, offset: int) -> bytes:
        with work.path("model.joblib").open("r+b") as file:
            file.truncate(4 * MB)
        return true_pread(fd, length, offset)

    work.write("model.joblib", MODEL[:MB] + b"x" + MODEL[MB:])
    monkeypatch.setattr(os, "pread", meddling)
    with pytest.raises(Refused, match="changed"):
        work.add()
    monkeypatch.undo()
    assert size_of(work) == before
    assert fsck(work.repo).ok


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
@pytest.mark.parametrize("name", ["small.txt", "data.csv", "model.joblib"])
def test_checkout_refuses_a_damaged_object_and_changes_nothing(work: Work, name: str) -> None:
    contents: dict[str, Any] = {"small.txt": b"1", "data.csv": CSV, "model.joblib": MODEL}
    for path, data in contents.items():
        work.write(path, data)
    work.commit("old")
    entry = work.index.get(name)
    assert entry is not None
    for path, data in contents.items():
        work.write(path, b"new " + data)
    work.commit("new")
    damaged = entry.id
    if not stored.loose_path(work.repo.store, damaged).exists() and name == "data.csv":
        damaged = first_chunk(work, damaged)
    stored.find(work.repo.store, damaged).flip(-1)
    work.repo = Repository.open(work.root)
    before = work.everything()
    for move in (lambda: work.reset("HEAD~1"), lambda: work.switch("HEAD~1", detach=True)):
        with pytest.raises(CorruptObject) as caught:
            move()
        assert caught.value.data["id"] == entry.id
        assert work.everything() == before


def first_chunk(work: Work, object_id: str) -> str:
    for pack in stored.packs(work.repo.store):
        for one in read_pack(pack.read_bytes()):
            if one.id == object_id:
                return one.content()[17:49].hex()
    raise KeyError(object_id)


@pytest.mark.parametrize("name", ["small.txt", "data.csv", "model.joblib"])
def test_adding_the_good_file_heals_what_is_packed(work: Work, name: str) -> None:
    work.commit(small__txt=b"1", data__csv=CSV, model__joblib=MODEL)
    entry = work.index.get(name)
    assert entry is not None
    damaged = first_chunk(work, entry.id) if name == "data.csv" else entry.id
    stored.find(work.repo.store, damaged).flip(0)
    work.repo = Repository.open(work.root)
    report = fsck(work.repo)
    assert report.category == "corrupt"
    told = [finding for finding in report.findings if finding.expected == entry.id]
    assert told[0].path == name
    assert not verify(work.repo).ok
    work.add(name)
    work.repo = Repository.open(work.root)
    assert fsck(work.repo).ok
    assert verify(work.repo).ok
    assert read_object(work.repo.store / "objects", entry.id) == work.path(name).read_bytes()


@pytest.mark.parametrize("object_format", ["blake3", "sha256"])
def test_every_flipped_byte_of_the_packs_is_found_by_fsck_or_verify(
    tmp_path: Path, object_format: str
) -> None:
    """A whole repository in two small packs: no byte of them may change unseen, and nothing may crash."""
    work = Work(fast_repository(tmp_path / "work", object_format))
    work.write("a.csv", b"1,2\n" * 100)
    work.write("b", b"plain")
    add_paths(work.repo, [""])
    record_commit(work.repo, message="m", author=ADA, time=MOMENT)
    packs = stored.packs(work.repo.store)
    assert len(packs) == 2
    for pack in packs:
        data = pack.read_bytes()
        place = stored.Place(pack, 0, len(data))
        index = len(data) - 56 - 64 * len(read_pack(data)) - 1024
        # Most of the fan-out looks the same at every place: a sample of it will do here.
        sample = [at for at in range(len(data)) if not index + 8 <= at < index + 1016 or at % 31 == 0]
        for at in sample:
            place.flip(at)
            repo = Repository.open(work.root)
            assert fsck(repo).category == "corrupt", f"the byte at {at} of {len(data)}"
            verify(repo)
            place.flip(at)
        assert pack.read_bytes() == data
    assert fsck(Repository.open(work.root)).ok


def test_fsck_goes_on_past_broken_packs_and_tells_each_once(work: Work) -> None:
    for number in range(4):
        work.commit(f"commit {number}", **{f"f{number}": b"%d" % number})
    packs = stored.packs(work.repo.store)
    for pack, damage in zip(packs, ("", "cut", "index", "entry"), strict=False):
        data = bytearray(pack.read_bytes())
        pack.chmod(0o644)
        if damage == "cut":
            pack.write_bytes(data[:-1])
        elif damage:
            data[16 if damage == "entry" else -57] ^= 1
            pack.write_bytes(data)
    report = fsck(Repository.open(work.root))
    assert report.category == "corrupt"
    told = [finding.path for finding in report.findings if finding.kind == "corrupt-file"]
    assert sorted(told) == sorted(f"objects/pack/{pack.name}" for pack in packs[1:3])
    assert report.checked["packs"] == len(packs)


def test_a_damaged_copy_that_nobody_reads_is_a_warning(work: Work) -> None:
    work.commit(f=b"content")
    entry = work.index.get("f")
    assert entry is not None
    stored.find(work.repo.store, entry.id).flip()
    work.repo = Repository.open(work.root)
    work.add("f")
    report = fsck(Repository.open(work.root))
    assert report.ok
    assert [(one.severity, one.expected) for one in report.findings] == [("warning", entry.id)]


def test_a_file_that_is_no_pack_is_a_stranger(work: Work) -> None:
    work.commit(f=b"content")
    (work.repo.store / "objects/pack/README").write_text("hello")
    report = fsck(work.repo)
    assert report.ok
    assert [finding.path for finding in report.findings] == ["objects/pack/README"]
