from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlstore.durable import Staging, move_files, staging, sweep
from mlstore.errors import StorageError


def never(_path: Path) -> bool:
    return False


def fill(store: Staging, *contents: bytes) -> list[Path]:
    paths = []
    for data in contents:
        file = store.new_file()
        file.write(data)
        file.close()
        paths.append(file.path)
    return paths


class Trace:
    """The order of what makes a batch durable: syncs of files and folders, syncfs, links."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, syncfs: bool) -> None:
        self.events: list[str] = []
        link, fsync = os.link, os.fsync

        def traced_fsync(fd: int) -> None:
            self.events.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
            fsync(fd)

        def traced_link(*args: object, **more: object) -> None:
            self.events.append("link")
            link(*args, **more)  # type: ignore[arg-type]

        def traced_syncfs(_folder: Path) -> bool:
            if syncfs:
                self.events.append("syncfs")
            return syncfs

        monkeypatch.setattr(os, "fsync", traced_fsync)
        monkeypatch.setattr(os, "link", traced_link)
        monkeypatch.setattr(staging, "sync_file_system", traced_syncfs)


def names(tmp_path: Path, count: int) -> list[Path]:
    return [tmp_path / "objects" / f"{number:02x}" / "x" for number in range(count)]


def test_a_few_files_are_synced_each_then_named_then_their_folders_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "objects").mkdir()
    trace = Trace(monkeypatch, syncfs=True)
    with Staging(tmp_path / "tmp") as store:
        staged = fill(store, b"one", b"two")
        finals = names(tmp_path, 2)
        assert not any(path.exists() for path in finals)
        store.publish(zip(staged, finals, strict=True), is_corrupt=never)
    assert [path.read_bytes() for path in finals] == [b"one", b"two"]
    # Two new folders, and objects/ which names them.
    assert trace.events == ["file"] * 2 + ["link"] * 2 + ["folder"] * 3


def test_many_files_are_synced_by_two_calls_around_the_naming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, syncfs=True)
    with Staging(tmp_path / "tmp") as store:
        staged = fill(store, *(b"%d" % number for number in range(9)))
        store.publish(zip(staged, names(tmp_path, 9), strict=True), is_corrupt=never)
    assert trace.events == ["syncfs", *["link"] * 9, "syncfs"]


def test_without_syncfs_many_files_are_synced_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "objects").mkdir()
    trace = Trace(monkeypatch, syncfs=False)
    with Staging(tmp_path / "tmp") as store:
        staged = fill(store, *(b"%d" % number for number in range(5)))
        store.publish(zip(staged, names(tmp_path, 5), strict=True), is_corrupt=never)
    assert trace.events == ["file"] * 5 + ["link"] * 5 + ["folder"] * 6


def test_a_throw_away_store_syncs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(monkeypatch, syncfs=True)
    with Staging(tmp_path / "tmp", fsync=False) as store:
        store.publish(zip(fill(store, b"x"), names(tmp_path, 1), strict=True), is_corrupt=never)
    assert trace.events == ["link"]


@pytest.mark.parametrize("count", [1, 9])
def test_a_failed_sync_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    def broken(*_args: object) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.setattr(staging, "sync_file_system", broken)
    with Staging(tmp_path / "tmp") as store:
        staged = fill(store, *[b"x"] * count)
        with pytest.raises(StorageError) as caught:
            store.publish(zip(staged, names(tmp_path, count), strict=True), is_corrupt=never)
    assert caught.value.data["errno"] == errno.EIO
    assert not (tmp_path / "objects").exists()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    final = tmp_path / "objects" / "x"
    final.parent.mkdir()
    final.write_bytes(b"old")
    inode = final.stat().st_ino
    with Staging(tmp_path / "tmp") as store:
        store.publish([(fill(store, b"new")[0], final)], is_corrupt=never)
    assert (final.read_bytes(), final.stat().st_ino) == (b"old", inode)


def test_a_damaged_file_gives_way_to_the_good_copy(tmp_path: Path) -> None:
    final = tmp_path / "objects" / "x"
    final.parent.mkdir()
    final.write_bytes(b"bad")
    other_name = tmp_path / "elsewhere"
    other_name.hardlink_to(final)
    asked: list[Path] = []
    with Staging(tmp_path / "tmp") as store:
        store.publish([(fill(store, b"good")[0], final)], is_corrupt=lambda path: not asked.append(path))
    assert asked == [final]
    assert final.read_bytes() == b"good"
    assert other_name.read_bytes() == b"bad", "replaced, not written through"


@pytest.mark.parametrize("present", [None, b"old", b"bad"])
def test_where_there_are_no_hard_links_a_rename_does_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: bytes | None
) -> None:
    def no_links(*_args: object, **_more: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    final = tmp_path / "objects" / "x"
    final.parent.mkdir()
    if present is not None:
        final.write_bytes(present)
    with Staging(tmp_path / "tmp") as store:
        store.publish([(fill(store, b"new")[0], final)], is_corrupt=lambda path: path.read_bytes() == b"bad")
    assert final.read_bytes() == (b"old" if present == b"old" else b"new")


def test_what_was_not_published_is_dropped(tmp_path: Path) -> None:
    with Staging(tmp_path / "tmp") as store:
        fill(store, b"x", b"y")
        assert len(list((tmp_path / "tmp").iterdir())) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_staged_files_are_read_only(tmp_path: Path) -> None:
    with Staging(tmp_path / "tmp") as store:
        (path,) = fill(store, b"x")
        assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_publishing_nothing_makes_no_folder(tmp_path: Path) -> None:
    with Staging(tmp_path / "tmp") as store:
        store.publish([], is_corrupt=never)
    assert not (tmp_path / "tmp").exists()


def test_the_sweep_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from mlstore.durable import Staging
        file = Staging(Path(sys.argv[1])).new_file()
        file.write(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
        """
    scratch = tmp_path / "tmp"
    subprocess.run([sys.executable, "-c", code, str(scratch)], check=False)
    assert len(list(scratch.glob("staging-*/*"))) == 2
    sweep(scratch)
    assert list(scratch.iterdir()) == []


def test_the_sweep_leaves_what_is_in_use(tmp_path: Path) -> None:
    with Staging(tmp_path / "tmp") as store:
        (path,) = fill(store, b"x")
        sweep(tmp_path / "tmp")
        assert path.read_bytes() == b"x"
        store.publish([(path, tmp_path / "final")], is_corrupt=never)
    assert (tmp_path / "final").read_bytes() == b"x"


def test_the_sweep_leaves_what_has_no_lock_until_it_is_old(tmp_path: Path) -> None:
    folder, file, link = tmp_path / "staging-1", tmp_path / "other-1", tmp_path / "link"
    folder.mkdir()
    (folder / "x").write_bytes(b"")
    file.write_bytes(b"")
    target = tmp_path.parent / "target"
    target.mkdir()
    link.symlink_to(target)
    sweep(tmp_path)
    assert folder.exists()
    assert file.exists()
    long_ago = time.time() - 7200
    for path in (folder, file, link):
        os.utime(path, (long_ago, long_ago), follow_symlinks=False)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert target.is_dir()


def test_the_sweep_takes_single_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "file-1").write_bytes(b"half of an ind")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_swept_at_once_and_its_owner_takes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill leaves between the last two calls of tidying up, or the first two of an owner."""
    (tmp_path / "staging-1").mkdir()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    real, sweeps = os.open, 0

    def sweep_first(path: Path, flags: int, *args: int, **more: int) -> int:
        nonlocal sweeps
        if sweeps == 0:
            sweeps += 1
            sweep(tmp_path)  # before the lock file is there
        return real(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", sweep_first)
    with Staging(tmp_path) as store:
        (path,) = fill(store, b"x")
        assert path.read_bytes() == b"x"
    assert sweeps == 1


def test_a_sweep_between_making_a_folder_and_locking_it_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment in which the owner's lock file exists and nobody holds it."""
    real, sweeps = staging.try_lock, 0

    def sweep_first(fd: int) -> bool:
        nonlocal sweeps
        if sweeps == 0:
            sweeps += 1
            sweep(tmp_path / "tmp")  # takes the lock, removes the folder
        return real(fd)

    monkeypatch.setattr(staging, "try_lock", sweep_first)
    with Staging(tmp_path / "tmp") as store:
        (path,) = fill(store, b"x")
        assert path.read_bytes() == b"x"


def test_the_sweep_holds_the_lock_until_the_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "staging-1"
    folder.mkdir()
    (folder / "owner.lock").write_bytes(b"")
    taken: list[bool] = []
    (folder / "1").write_bytes(b"")
    real = os.unlink

    def try_to_take_it(path: Path) -> None:
        fd = os.open(folder / "owner.lock", os.O_RDWR)
        taken.append(staging.try_lock(fd))
        os.close(fd)
        real(path)

    monkeypatch.setattr(os, "unlink", try_to_take_it)
    sweep(tmp_path)
    assert taken == [False, False]  # at the file, and at the lock itself, which goes last
    assert not folder.exists()


def test_a_sweep_of_nothing_is_fine(tmp_path: Path) -> None:
    sweep(tmp_path / "nowhere")


def test_a_staging_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tmp").write_bytes(b"")
    with pytest.raises(StorageError):
        Staging(tmp_path / "tmp").new_file()


def test_moved_files_are_at_one_of_the_two_places_and_both_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    for name in "ab":
        (tmp_path / "old" / name).write_text(name)
    trace = Trace(monkeypatch, syncfs=True)
    moves = [(tmp_path / "old" / name, tmp_path / "new" / "deep" / name) for name in "ab"]
    move_files(moves, is_corrupt=never)
    assert trace.events == ["folder", "folder", "link", "link", "folder", "folder"]
    assert [path.read_text() for _, path in moves] == ["a", "b"]
    assert not any(path.exists() for path, _ in moves)


@pytest.mark.parametrize("corrupt", [True, False])
def test_a_file_at_the_new_place_stays_unless_it_is_damaged(tmp_path: Path, corrupt: bool) -> None:
    (tmp_path / "good").write_text("good")
    (tmp_path / "there").write_text("there")
    move_files(
        [(tmp_path / "good", tmp_path / "there")], is_corrupt=lambda path: path.name == "there" and corrupt
    )
    assert (tmp_path / "there").read_text() == ("good" if corrupt else "there")
    assert not (tmp_path / "good").exists()


def test_without_fsync_a_move_syncs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("a")
    trace = Trace(monkeypatch, syncfs=True)
    move_files([(tmp_path / "a", tmp_path / "b" / "a")], is_corrupt=never, fsync=False)
    assert trace.events == ["link"]


def test_an_error_of_linking_that_no_rename_would_mend_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with Staging(tmp_path / "tmp", fsync=False) as staging:
        file = staging.new_file()
        file.close()
        with pytest.raises(StorageError, match="no space left"):
            staging.publish([(file.path, tmp_path / "made" / "a")], is_corrupt=lambda _path: False)
    assert list((tmp_path / "made").iterdir()) == []


def test_a_sweep_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file-precious").write_bytes(b"precious")
    (tmp_path / "tmp").symlink_to(tmp_path / "mine")
    sweep(tmp_path / "tmp")
    assert (tmp_path / "mine" / "file-precious").read_bytes() == b"precious"


def test_a_staging_that_was_discarded_can_be_discarded_again(tmp_path: Path) -> None:
    with Staging(tmp_path / "tmp", fsync=False) as staging:
        staging.new_file().close()
        staging.discard()
        assert list((tmp_path / "tmp").iterdir()) == []
