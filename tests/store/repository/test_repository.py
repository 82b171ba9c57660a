from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlstore.config import Config
from mlstore.errors import (
    ConfigError,
    CorruptFile,
    InvalidPath,
    Locked,
    NotARepository,
    StorageError,
    UsageError,
)
from mlstore.repository import Repository

if TYPE_CHECKING:
    from tests.store.support import Work


@pytest.mark.parametrize("name", ["blake3", "sha256"])
def test_init_makes_what_the_document_says(tmp_path: Path, name: str) -> None:
    repo = Repository.init(tmp_path / "new" / "deep", name)
    store = tmp_path / "new" / "deep" / ".mlstore"
    found = {path.relative_to(store).as_posix() for path in store.rglob("*")}
    assert found == {"HEAD", "config", "objects", "refs", "refs/heads", "refs/tags", "tmp"}
    assert (store / "HEAD").read_bytes() == b"ref: refs/heads/main\n"
    assert (store / "config").read_text() == f'[core]\nformat = 1\nobject-format = "{name}"\n'
    assert repo.format.name == name
    assert repo.fsync
    assert len(repo.read_index()) == 0


def test_init_twice_changes_nothing(tmp_path: Path) -> None:
    Repository.init(tmp_path, "sha256")
    (tmp_path / ".mlstore" / "HEAD").write_text("ref: refs/heads/other\n")
    assert Repository.init(tmp_path).format.name == "sha256"
    assert (tmp_path / ".mlstore" / "HEAD").read_text() == "ref: refs/heads/other\n"
    with pytest.raises(UsageError, match="sha256"):
        Repository.init(tmp_path, "blake3")
    with pytest.raises(UsageError, match="md5"):
        Repository.init(tmp_path / "x", "md5")
    assert not (tmp_path / "x").exists()


def test_a_folder_without_config_is_no_repository_yet_and_init_completes_it(tmp_path: Path) -> None:
    Repository.init(tmp_path)
    (tmp_path / ".mlstore" / "config").unlink()
    with pytest.raises(NotARepository):
        Repository.open(tmp_path)
    Repository.init(tmp_path, "sha256")
    assert Repository.open(tmp_path).format.name == "sha256"


def test_init_where_nothing_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".mlstore").write_bytes(b"")
    with pytest.raises(StorageError):
        Repository.init(tmp_path)


def test_a_repository_is_found_from_below(work: Work) -> None:
    deep = work.root / "a" / "b"
    deep.mkdir(parents=True)
    assert Repository.discover(deep).root == work.root.resolve()
    with pytest.raises(NotARepository) as caught:
        Repository.discover(work.root.parent)
    assert "mlstore init" in str(caught.value.hint)


def test_a_repository_is_found_through_a_link(work: Work) -> None:
    link = work.root.parent / "link"
    link.symlink_to(work.root)
    assert Repository.discover(link).root == work.root.resolve()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[core]\n",
        "[core]\nformat = 1\n",
        '[core]\nformat = 2\nobject-format = "blake3"\n',
        '[core]\nformat = "1"\nobject-format = "blake3"\n',
        '[core]\nformat = true\nobject-format = "blake3"\n',
        "[core]\nformat = 1\nobject-format = 5\n",
        "[core\n",
        "core = 5\n",
    ],
)
def test_a_config_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    Repository.init(tmp_path)
    (tmp_path / ".mlstore" / "config").write_text(text)
    with pytest.raises(ConfigError):
        Repository.open(tmp_path)


def test_a_config_that_is_no_text_or_no_file_is_an_error(tmp_path: Path) -> None:
    Repository.init(tmp_path)
    config = tmp_path / ".mlstore" / "config"
    config.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not text"):
        Repository.open(tmp_path)
    config.unlink()
    config.mkdir()
    with pytest.raises(ConfigError, match="not a file"):
        Repository.open(tmp_path)


def test_an_unknown_object_format_is_refused(tmp_path: Path) -> None:
    Repository.init(tmp_path)
    (tmp_path / ".mlstore" / "config").write_text('[core]\nformat = 1\nobject-format = "md5"\n')
    with pytest.raises(UsageError, match="md5"):
        _ = Repository.open(tmp_path).format


def test_settings_that_were_saved_are_there_next_time(work: Work) -> None:
    with work.repo.write_lock("config"):
        work.repo.save_config(work.repo.config.with_value("user.name", "Ada"))
    assert work.repo.config.get("user.name") == "Ada"
    assert Repository.open(work.root).config.get("user.name") == "Ada"
    assert isinstance(work.repo.config, Config)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".", ""),
        ("a", "a"),
        ("a/b/", "a/b"),
        ("./a/../b", "b"),
        ("sub/../../work/a", "a"),
        ("link/x", "link/x"),
    ],
)
def test_paths_are_taken_relative_to_the_root(
    work: Work, monkeypatch: pytest.MonkeyPatch, text: str, path: str
) -> None:
    (work.root / "link").symlink_to("/etc")
    monkeypatch.chdir(work.root)
    assert work.repo.path_of(Path(text)) == path
    assert work.repo.path_of(work.root / text) == path


@pytest.mark.parametrize("text", ["..", "../other", "/", "/etc/passwd", "a/../../x"])
def test_a_path_outside_is_refused(work: Work, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(work.root)
    with pytest.raises(InvalidPath):
        work.repo.path_of(Path(text))


def test_a_path_that_comes_in_through_a_link_is_understood(work: Work) -> None:
    link = work.root.parent / "link"
    link.symlink_to(work.root)
    assert work.repo.path_of(link / "a") == "a"
    assert work.repo.path_of(link) == ""


def test_a_symlink_is_named_by_its_own_name(work: Work) -> None:
    (work.root / "link").symlink_to("/etc/passwd")
    assert work.repo.path_of(work.root / "link") == "link"


def test_one_process_at_a_time_may_write(work: Work) -> None:
    other = Repository.open(work.root)
    with work.repo.write_lock("a test"):
        with pytest.raises(Locked, match=f"process {os.getpid()} \\(a test"), other.write_lock("x", wait=0):
            pass
        with work.repo.write_lock("again"):
            pass
        with pytest.raises(Locked), other.write_lock("x", wait=0):
            pass
    with other.write_lock("x", wait=0):
        pass


def test_threads_of_one_process_take_turns(work: Work) -> None:
    inside = 0
    most = 0

    def use() -> None:
        nonlocal inside, most
        for _ in range(20):
            with work.repo.write_lock("thread"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_lock_is_given_back_when_the_block_fails(work: Work) -> None:
    with pytest.raises(RuntimeError), work.repo.write_lock("x"):
        raise RuntimeError
    with Repository.open(work.root).write_lock("y", wait=0):
        pass


def test_whoever_takes_the_write_lock_sweeps_up_after_the_dead(work: Work) -> None:
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from mlstore.repository import Repository
        with Repository.open(Path(sys.argv[1])).objects.transaction() as writer:
            writer.add_bytes(b"x")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    subprocess.run([sys.executable, "-c", code, str(work.root)], check=False)
    assert len(list(work.repo.scratch.iterdir())) == 1
    with work.repo.write_lock("x"):
        assert list(work.repo.scratch.iterdir()) == []


def test_the_index_is_written_and_read_back(work: Work) -> None:
    work.write("a", "x")
    work.add()
    assert Repository.open(work.root).read_index().paths() == ["a"]


def test_a_damaged_index_is_an_error_that_names_it(work: Work) -> None:
    work.write("a", "x")
    work.add()
    (work.repo.store / "index").write_bytes(b"garbage")
    with pytest.raises(CorruptFile) as caught:
        work.repo.read_index()
    assert caught.value.data["path"] == "index"
    (work.repo.store / "index").unlink()
    (work.repo.store / "index").mkdir()
    with pytest.raises(CorruptFile):
        work.repo.read_index()


def test_logs_of_runs_are_kept(work: Work) -> None:
    path = work.repo.write_log("train.log", b"epoch 1\n")
    assert path == work.repo.store / "logs" / "run" / "train.log"
    assert path.read_bytes() == b"epoch 1\n"
