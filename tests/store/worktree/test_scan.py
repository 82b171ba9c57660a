from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from mlstore.errors import StorageError
from mlstore.worktree import scan
from mlstore.worktree.scan import Lookup

if TYPE_CHECKING:
    from tests.store.support import Work


def test_files_are_found_with_their_stat_and_nothing_else(work: Work) -> None:
    for name in ("a", "deep/er/b", ".hidden", "mlstore.toml", "ünï/日本"):
        work.write(name, "x")
    (work.root / "empty").mkdir()
    found = scan(work.repo)
    assert sorted(found.files) == sorted(["a", "deep/er/b", ".hidden", "mlstore.toml", "ünï/日本"])
    assert found.files["a"].st_ino == work.path("a").stat().st_ino
    assert found.special == {}


def test_stores_are_never_entered_and_the_lock_is_no_file_of_ours(work: Work) -> None:
    for name in (".git/config", "sub/.git/config", "sub/.mlstore/config", "mlstore.lock", "sub/mlstore.lock"):
        work.write(name, "x")
    assert list(scan(work.repo).files) == ["sub/mlstore.lock"]
    assert list(scan(work.repo, ignored=True).files) == ["sub/mlstore.lock"]


def test_a_folder_can_be_walked_by_itself(work: Work) -> None:
    work.write("a", "x")
    work.write("deep/b", "x")
    work.write("deep/er/c", "x")
    assert sorted(scan(work.repo, "deep").files) == ["deep/b", "deep/er/c"]
    assert scan(work.repo, "nowhere").files == {}


def test_links_are_named_and_never_followed(work: Work) -> None:
    work.write("real/a", "x")
    (work.root / "file").symlink_to("real/a")
    (work.root / "folder").symlink_to("real")
    (work.root / "loop").symlink_to("loop")
    (work.root / "out").symlink_to("/etc")
    found = scan(work.repo)
    assert list(found.files) == ["real/a"]
    assert found.special == dict.fromkeys(["file", "folder", "loop", "out"], "symlink")


def test_what_is_no_regular_file_is_named(work: Work) -> None:
    os.mkfifo(work.path("pipe"))
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(work.root, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    assert scan(work.repo).special == {"pipe": "named pipe", "socket": "socket"}


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_names_that_are_not_utf8_are_named_too(work: Work) -> None:
    for name in (b"caf\xe9", b"b\xff/inner"):
        path = os.path.join(os.fsencode(work.root), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    found = scan(work.repo)
    assert found.files == {}
    assert found.special == dict.fromkeys(["caf\udce9", "b\udcff/inner"], "file whose name is not UTF-8")


def test_odd_names_that_are_utf8_are_files(work: Work) -> None:
    names = ["new\nline", "\x1b[31m", "zero\u200bwidth", "-rf", " "]
    for name in names:
        work.write(name, "x")
    assert sorted(scan(work.repo).files) == sorted(names)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_folder(work: Work) -> None:
    work.write("locked/a", "x")
    work.path("locked").chmod(0)
    try:
        with pytest.raises(StorageError):
            scan(work.repo)
    finally:
        work.path("locked").chmod(0o755)


def test_an_unreadable_folder_is_an_error_for_root_too(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    work.write("a", "x")

    def refuse(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError):
        scan(work.repo)


def test_a_lookup_does_not_go_through_links(work: Work) -> None:
    work.write("real/deep/a", "x")
    (work.root / "link").symlink_to("real")
    lookup = Lookup(work.root)
    assert lookup.status("real/deep/a") is not None
    assert lookup.status("link") is not None, "the link itself is there"
    for behind in ("link/deep", "link/deep/a", "real/deep/a/b", "nothing/a", "real/nothing"):
        assert lookup.status(behind) is None
