from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.support import fast_repository, listing

from mlstore.errors import CorruptObject, InvalidPath, ObjectNotFound, StorageError, WouldOverwrite
from mlstore.hashing import Digest, ObjectId
from mlstore.index import IndexEntry, StatData, Table
from mlstore.model import TreeEntry
from mlstore.objects import SMALL, ObjectDatabase
from mlstore.repository import Repository
from mlstore.worktree import WorktreeWriter, folders, newtrees, write_text, writer

if TYPE_CHECKING:
    from tests.store.support import Work


def blob(work: Work, data: bytes = b"content") -> TreeEntry:
    with work.repo.objects.transaction() as store:
        return TreeEntry("x", "file", store.add_bytes(data), len(data))


def put(work: Work, path: str, *, replace: bool = False) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage(path, blob(work))
        files.apply(replace=replace)


def by_path(rows: Table) -> dict[str, IndexEntry]:
    assert rows.paths == sorted(rows.paths)
    return {path: rows.entry(row) for row, path in enumerate(rows.paths)}


def digest_of(entry: IndexEntry) -> Digest:
    return Digest(entry.id, entry.size, entry.checksum)


def test_a_staged_file_appears_only_when_all_is_applied(work: Work) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage("deep/er/a", blob(work))
        files.stage_bytes("b", b"bytes")
        assert listing(work.root) == {}
        written = by_path(files.apply())
    assert work.path("deep/er/a").read_bytes() == b"content"
    assert written["deep/er/a"].stat.inode == work.path("deep/er/a").stat().st_ino
    assert written["deep/er/a"].id == work.repo.format.hash_bytes(b"content")
    assert written["b"].size == 5
    assert list(work.repo.scratch.iterdir()) == []


def test_what_was_not_applied_is_dropped(work: Work) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage("a", blob(work))
    assert listing(work.root) == {}
    assert list(work.repo.scratch.iterdir()) == []


HOSTILE = [
    "",
    ".",
    "..",
    "../a",
    "a/../../b",
    "/tmp/a",
    "a//b",
    "a\\b",
    "C:a",
    ".mlstore/config",
    "dir/.MLSTORE/config",
    ".git/hooks/post-checkout",
    "a/.gi\u200dt/config",
    "a\0b",
    "a\nb",
    "\udcff",
    "x" * 256,
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_path_is_neither_written_nor_removed(work: Work, path: str) -> None:
    entry = blob(work)
    before = listing(work.root.parent, skip=("tmp",))
    with WorktreeWriter(work.repo) as files:
        for use in (
            lambda: files.stage(path, entry),
            lambda: files.stage_bytes(path, b"x"),
            lambda: files.remove(path),
        ):
            with pytest.raises(InvalidPath):
                use()
        files.apply(replace=True)
    assert listing(work.root.parent, skip=("tmp",)) == before


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("dir/a", "DIR/b"), ("é", "e\u0301")])
def test_two_names_that_are_one_elsewhere_are_refused(work: Work, one: str, other: str) -> None:
    with WorktreeWriter(work.repo) as files:
        files.stage(one, blob(work))
        with pytest.raises(InvalidPath, match="one name"):
            files.stage(other, blob(work))


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("link", ["dir", "dir/deep"])
def test_no_link_on_the_way_is_followed(work: Work, link: str, replace: bool) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    work.path(link).parent.mkdir(parents=True, exist_ok=True)
    work.path(link).symlink_to(outside)
    if replace:
        put(work, "dir/deep/er/a", replace=True)
        assert work.path("dir/deep/er/a").read_bytes() == b"content"
        assert not work.path(link).is_symlink()
    else:
        with pytest.raises(WouldOverwrite) as caught:
            put(work, "dir/deep/er/a")
        assert caught.value.data["paths"] == [link]
    assert list(outside.iterdir()) == []


def test_a_link_to_a_folder_inside_is_not_followed_either(work: Work) -> None:
    work.path("real").mkdir()
    work.path("dir").symlink_to("real")
    with pytest.raises(WouldOverwrite):
        put(work, "dir/a")
    assert list(work.path("real").iterdir()) == []


def test_a_leaf_that_is_a_link_or_a_hard_link_is_made_anew(work: Work) -> None:
    precious = work.root.parent / "precious"
    precious.write_text("precious")
    work.path("soft").symlink_to(precious)
    work.path("hard").hardlink_to(precious)
    work.path("dangling").symlink_to(work.root.parent / "nothing")
    for name in ("soft", "hard", "dangling"):
        put(work, name)
        assert work.path(name).read_bytes() == b"content"
        assert not work.path(name).is_symlink()
    assert precious.read_text() == "precious"
    assert not (work.root.parent / "nothing").exists()


def test_a_file_in_the_way_of_a_folder_is_named_or_replaced(work: Work) -> None:
    work.write("dir", "mine")
    with pytest.raises(WouldOverwrite, match="'dir' is in the way: a folder is needed there"):
        put(work, "dir/a")
    assert work.path("dir").read_text() == "mine"
    put(work, "dir/a", replace=True)
    assert work.path("dir/a").read_bytes() == b"content"


def test_a_pipe_on_the_way_is_not_waited_for(work: Work) -> None:
    os.mkfifo(work.path("dir"))
    with pytest.raises(WouldOverwrite):
        put(work, "dir/a")


def test_removing_takes_the_folders_that_it_leaves_empty(work: Work) -> None:
    for name in ("a/b/c/d", "a/b/e", "x/y"):
        work.write(name, "1")
    with WorktreeWriter(work.repo) as files:
        for name in ("a/b/c/d", "x/y", "nothing", "no/thing", "a/b"):
            files.remove(name)
        files.apply()
    assert sorted(listing(work.root)) == ["a", "a/b", "a/b/e"]


def test_nothing_is_removed_behind_a_link(work: Work) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")
    work.path("dir").symlink_to(outside)
    with WorktreeWriter(work.repo) as files:
        files.remove("dir/a")
        files.apply(replace=True)
    assert (outside / "a").read_text() == "precious"


@pytest.mark.parametrize("damage", ["damaged", "missing"])
def test_a_damaged_or_missing_blob_writes_nothing(work: Work, damage: str) -> None:
    good, bad = blob(work), blob(work, b"other")
    work.damage(bad.id) if damage == "damaged" else work.remove_object(bad.id)
    with WorktreeWriter(work.repo) as files:
        files.stage("a", good)
        with pytest.raises((CorruptObject, ObjectNotFound)):
            files.stage("b", bad)
    assert listing(work.root) == {}


def test_a_blob_that_never_was_writes_nothing(work: Work) -> None:
    with WorktreeWriter(work.repo) as files, pytest.raises(ObjectNotFound):
        files.stage("a", TreeEntry("a", "file", ObjectId("0" * 64), 1))


def test_a_folder_that_may_not_be_written_is_an_error_that_names_the_file(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    entry = blob(work)
    with WorktreeWriter(work.repo) as files:
        files.stage("dir/a", entry)
        monkeypatch.setattr(os, "mkdir", refuse)
        with pytest.raises(StorageError, match="'dir/a': permission denied"):
            files.apply()


def test_without_dir_fd_links_are_not_followed_either(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk by name, which other systems need."""
    monkeypatch.setattr(folders, "_HAS_DIR_FD", False)
    outside = work.root.parent / "outside"
    outside.mkdir()
    put(work, "new/deep/a")
    put(work, "new/b")
    assert work.path("new/deep/a").read_bytes() == b"content"
    work.path("link").symlink_to(outside)
    with pytest.raises(WouldOverwrite):
        put(work, "link/a")
    put(work, "link/a", replace=True)
    assert list(outside.iterdir()) == []
    work.path("full").mkdir()
    work.write("full/mine", "1")
    with pytest.raises(WouldOverwrite):
        put(work, "full")
    put(work, "full", replace=True)
    assert work.path("full").read_bytes() == b"content"
    with WorktreeWriter(work.repo) as files:
        files.remove("new/deep/a")
        files.apply()
    assert not work.path("new/deep").exists()


def test_text_is_written_whole_or_not_at_all(work: Work) -> None:
    write_text(work.repo, "mlstore.lock", "one\n")
    write_text(work.repo, "mlstore.lock", "zwei ü\n")
    assert work.path("mlstore.lock").read_text("utf-8") == "zwei ü\n"
    assert isinstance(work.path("mlstore.lock"), Path)


@pytest.mark.parametrize("durable", [True, False])
def test_text_is_on_the_disk_before_it_gets_its_name_and_the_name_before_we_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """A pin is acknowledged, and a pin that a loss of power takes back would let another pipeline pass."""
    repo = fast_repository(tmp_path / "durable")
    (repo.store / "config").write_text(
        f"[core]\nformat = 1\nobject-format = 'blake3'\nfsync = {str(durable).lower()}\n"
    )
    repo = Repository.open(repo.root)
    seen: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(fd: int) -> None:
        seen.append("sync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "sync file")
        sync(fd)

    def replace(source: Any, target: Any, **more: Any) -> None:
        seen.append("name")
        rename(source, target, **more)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_text(repo, "mlstore.lock", "one\n")
    assert seen == (["sync file", "name", "sync folder"] if durable else ["name"])


# --- whole folders, many files ---


def blobs(work: Work, *paths: str) -> dict[str, TreeEntry]:
    with work.repo.objects.transaction() as store:
        return {
            path: TreeEntry(path, "file", store.add_bytes(path.encode()), len(path.encode()))
            for path in paths
        }


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[object, ...]]:
    calls: list[tuple[object, ...]] = []
    real = getattr(os, name)

    def call(*args: object, **more: object) -> object:
        calls.append(args)
        return real(*args, **more)

    monkeypatch.setattr(os, name, call)
    return calls


MANY = [f"new/{folder}/{name}" for folder in ("a", "b/c") for name in range(20)]


def test_a_new_folder_gets_its_name_by_one_rename(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.write("old/kept", "mine")
    files = blobs(work, *MANY, "old/1", "top")
    renames, looks = counted(monkeypatch, "replace"), counted(monkeypatch, "pread")
    with WorktreeWriter(work.repo) as into:
        into.stage_all(files)
        assert not work.path("new").exists()
        written = by_path(into.apply())
    assert len(renames) == 3  # new, old/1, top
    assert len(looks) < 20
    for path in files:
        assert work.path(path).read_bytes() == path.encode()
        assert digest_of(written[path]) == work.repo.objects.check(files[path].id)
        assert written[path].stat == StatData.of(work.path(path).lstat())
    assert work.path("old/kept").read_text() == "mine"
    assert list(work.repo.scratch.iterdir()) == []


def test_a_folder_that_appears_meanwhile_gets_its_files_one_by_one(work: Work) -> None:
    files = blobs(work, *MANY)
    with WorktreeWriter(work.repo) as into:
        into.stage_all(files)
        work.write("new/theirs", "theirs")
        work.write("new/a/0", "old")
        written = by_path(into.apply())
    assert work.path("new/theirs").read_text() == "theirs"
    assert {path: work.path(path).read_bytes() for path in files} == {path: path.encode() for path in files}
    assert written["new/a/0"].stat.inode == work.path("new/a/0").lstat().st_ino


def test_a_link_that_appears_where_a_new_folder_is_to_be_is_not_followed(work: Work, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with WorktreeWriter(work.repo) as into:
        into.stage_all(blobs(work, *MANY))
        work.path("new").symlink_to(outside)
        with pytest.raises(WouldOverwrite):
            into.apply()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("packed", [True, False])
def test_one_damaged_blob_of_many_writes_nothing(work: Work, packed: bool) -> None:
    files = blobs(work, *MANY, "top")
    if packed:
        pack = next((work.repo.store / "objects" / "pack").iterdir())
        pack.chmod(0o644)
        data = pack.read_bytes()
        pack.write_bytes(data.replace(b"new/b/c/7", b"new/b/c/X", 1))
    else:
        entry = files["new/a/3"]
        files["new/a/3"] = TreeEntry(entry.name, "file", ObjectId("ab" * 32), entry.size)
    with pytest.raises(CorruptObject if packed else ObjectNotFound), WorktreeWriter(work.repo) as into:
        into.stage_all(files)
    assert listing(work.root) == {}
    assert list(work.repo.scratch.iterdir()) == []


def test_hostile_paths_are_refused_among_many(work: Work) -> None:
    for bad in ("../a", ".mlstore/config", "a/.git/x", "/abs"):
        files = blobs(work, "good/1")
        files[bad] = files["good/1"]
        with pytest.raises(InvalidPath), WorktreeWriter(work.repo) as into:
            into.stage_all(files)
        assert listing(work.root) == {}


# --- another file system below the root ---


def other_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rename out of the store's folder fails, as it does into a mount point."""
    real = os.replace

    def replace(source: str | Path, target: str | Path, **more: int) -> None:
        if ".mlstore/tmp" in str(source):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target, **more)

    monkeypatch.setattr(os, "replace", replace)


def test_files_reach_a_folder_on_another_file_system(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.write("mount/old", "old")
    files = blobs(work, "mount/old", "mount/new", "mount/deep/er")
    files["mount/run"] = TreeEntry("mount/run", "executable", files["mount/new"].id, files["mount/new"].size)
    other_file_system(monkeypatch)
    with WorktreeWriter(work.repo) as into:
        into.stage_all(files)
        written = by_path(into.apply())
    found = {name: what for name, what in listing(work.root).items() if what[0] == "file"}
    assert {name: what[2] for name, what in found.items()} == {
        "mount/old": b"mount/old",
        "mount/new": b"mount/new",
        "mount/deep/er": b"mount/deep/er",
        "mount/run": b"mount/new",
    }
    assert found["mount/run"][1] & 0o100
    assert not found["mount/new"][1] & 0o100
    assert written["mount/new"].stat.inode == work.path("mount/new").stat().st_ino
    assert list(work.repo.scratch.iterdir()) == []


def test_a_copy_to_another_file_system_that_fails_leaves_the_old_file(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.write("mount/old", "old")
    files = blobs(work, "mount/old")
    other_file_system(monkeypatch)

    def full(fd: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with WorktreeWriter(work.repo) as into:
        into.stage_all(files)
        monkeypatch.setattr(folders, "write_all", full)
        with pytest.raises(StorageError, match="no space"):
            into.apply()
    assert {name: what[2] for name, what in listing(work.root).items()} == {"mount": b"", "mount/old": b"old"}


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")
def test_a_real_second_file_system_does_as_well(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """The staging folder lies on the other one: that is as good as a mount below the root."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as scratch:
        if os.stat(scratch).st_dev == os.stat(work.root).st_dev:
            pytest.skip("one file system")
        monkeypatch.setattr(work.repo, "scratch", Path(scratch))
        files = blobs(work, *MANY)
        with WorktreeWriter(work.repo) as into:
            into.stage_all(files)
            into.apply()
        assert {path: work.path(path).read_bytes() for path in files} == {p: p.encode() for p in files}


@pytest.mark.parametrize("work", ["packed", "loose"], indirect=True)
def test_a_tree_that_understates_a_size_does_not_make_us_hold_the_blob(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(SMALL + 1)
    liar = blob(work, data)._replace(size=1)
    monkeypatch.setattr(ObjectDatabase, "read", lambda *_: pytest.fail("it was read whole"))
    with WorktreeWriter(work.repo) as files:
        with pytest.raises(CorruptObject, match="its tree says 1"):
            files.stage_all({"a": liar, "b": liar})
    assert not work.path("a").exists()


@pytest.mark.parametrize("said", [0, 1, 6, 1 << 40])
def test_a_tree_that_states_another_size_is_refused(work: Work, said: int) -> None:
    liar = blob(work, b"12345")._replace(size=said)
    with WorktreeWriter(work.repo) as files, pytest.raises(CorruptObject, match="has 5 bytes"):
        files.stage_all({"a": liar})


def test_many_files_are_spread_over_the_disk_and_their_folders_keep_no_mark_of_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked: list[tuple[Path, bool]] = []
    real = newtrees.spread_below

    def noted(folder: str | Path, *, on: bool = True) -> None:
        marked.append((Path(folder), on))
        real(folder, on=on)

    monkeypatch.setattr(newtrees, "spread_below", noted)
    monkeypatch.setattr(writer, "_SPREAD_FROM", 4)
    one = blob(work)
    few = {f"few/a/{n}": one for n in range(3)}
    with WorktreeWriter(work.repo) as files:
        files.stage_all(few)
        files.apply()
    assert marked == []
    with WorktreeWriter(work.repo) as files:
        files.stage_all({f"many/{folder}/{n}": one for folder in "abc" for n in range(3)})
        files.apply()
    scratch, *rest = marked
    assert scratch == (work.repo.scratch, True)
    assert [on for _, on in rest] == [True, False]
    assert len({folder for folder, _ in rest}) == 1
    assert len([path for path in work.path("many").rglob("*") if path.is_file()]) == 9


# --- in two processes ---------------------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """Share the work from the second file on; lists what children answered."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    found: list[bytes | None] = []
    real = writer.beside

    def noted(theirs: Any, ours: Any) -> bytes | None:
        found.append(real(theirs, ours))
        return found[-1]

    monkeypatch.setattr(writer, "beside", noted)
    monkeypatch.setattr(writer, "FORK_FROM", 2)
    monkeypatch.setattr(writer, "may_fork", lambda: True)
    return found


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
class TestInTwo:
    def put(self, work: Work, files: dict[str, TreeEntry]) -> None:
        with WorktreeWriter(work.repo) as into:
            into.stage_all(files)
            written = by_path(into.apply())
        for path, entry in files.items():
            assert work.path(path).read_bytes() == work.repo.objects.read(entry.id)
            assert written[path].stat == StatData.of(work.path(path).lstat())
            assert digest_of(written[path]) == work.repo.objects.check(entry.id)
        assert list(work.repo.scratch.iterdir()) == []

    def test_half_of_what_goes_into_new_folders_is_written_by_a_child(
        self, work: Work, answers: list[bytes | None]
    ) -> None:
        work.write("old/kept", "mine")
        files = blobs(work, *MANY, "old/1", "top")
        files["new/z"] = files[MANY[0]]._replace(kind="executable")  # one blob, in both halves
        self.put(work, files)
        assert len(answers) == 1
        assert answers[0]
        assert work.path("new/z").stat().st_mode & 0o111

    @pytest.mark.parametrize("how", ["dies", "has no room"])
    def test_what_a_child_could_not_do_is_done_here(
        self, work: Work, answers: list[bytes | None], monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        parent, real, made = os.getpid(), newtrees.create_file, []

        def failing(path: str, data: bytes, mode: int) -> os.stat_result:
            if os.getpid() != parent and len(made) == 3:
                if how == "dies":
                    os._exit(9)
                raise OSError(errno.ENOSPC, "No space left on device")
            made.append(path)
            return real(path, data, mode)

        monkeypatch.setattr(newtrees, "create_file", failing)
        self.put(work, blobs(work, *MANY))
        assert answers == [None]

    @pytest.mark.parametrize("damage", ["corrupt", "missing", "size"])
    def test_a_bad_blob_in_either_half_writes_nothing(
        self, work: Work, answers: list[bytes | None], damage: str
    ) -> None:
        files = blobs(work, *MANY)
        for path in (MANY[0], sorted(MANY)[-1]):
            bad = dict(files)
            if damage == "size":
                bad[path] = blob(work, b"x" * (SMALL + 1))
                bad[path] = bad[path]._replace(size=3)
            elif damage == "corrupt":
                work.damage(files[path].id, b"other")
            else:
                bad[path] = files[path]._replace(id=ObjectId("ab" * 32))
            with pytest.raises((CorruptObject, ObjectNotFound)), WorktreeWriter(work.repo) as into:
                into.stage_all(bad)
            assert listing(work.root) == {}
            assert list(work.repo.scratch.iterdir()) == []
