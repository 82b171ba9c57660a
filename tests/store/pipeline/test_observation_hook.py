"""The hook that a stage's own Python processes load, asked directly: what it writes down, and what not."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlstore.pipeline.observation import hook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Watched:
    """A repository that is watched, and what was written down of it so far."""

    def __init__(self, folder: Path) -> None:
        self.root, self.log = folder / "repo", folder / "hook" / "seen"
        self.root.mkdir()
        self.log.mkdir(parents=True)
        self.tell: Callable[..., None] = hook.watch(str(self.root), str(self.log))

    def path(self, name: str) -> str:
        return str(self.root / name)

    def records(self) -> list[str]:
        (file,) = self.log.iterdir()
        assert file.name == str(os.getpid()), "one file a process"
        return [record.decode() for record in file.read_bytes().split(b"\0")[1:-1]]  # without the first, S

    def seen(self, event: str, *args: Any) -> list[str]:
        before = len(self.records())
        self.tell(event, args)
        return self.records()[before:]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_the_start_is_written_down_with_the_interpreter(watched: Watched) -> None:
    (file,) = watched.log.iterdir()
    assert file.read_bytes() == os.fsencode(f"S {sys.executable}\0")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (os.O_RDONLY, ["R a"]),
        (os.O_RDWR, ["R a", "W a"]),
        (os.O_WRONLY, ["W a"]),
        (os.O_WRONLY | os.O_CREAT | os.O_TRUNC, ["W a"]),
        (os.O_RDWR | os.O_CREAT | os.O_TRUNC, ["W a"]),
        (os.O_RDONLY | os.O_CREAT, ["R a", "W a"]),
    ],
)
def test_opening_is_reading_or_writing_or_both(watched: Watched, flags: int, told: list[str]) -> None:
    assert watched.seen("open", watched.path("a"), None, flags) == told
    assert watched.seen("open", watched.path("a"), None, flags) == [], "once is enough"


@pytest.mark.parametrize(
    ("event", "args", "told"),
    [
        ("os.rename", ("a", "b", -1, -1), ["D a", "W b"]),
        ("os.link", ("a", "b", -1, -1), ["R a", "W b"]),
        ("os.symlink", ("elsewhere", "b", -1), ["W b"]),
        ("os.remove", ("a", -1), ["D a"]),
        ("os.truncate", ("a", 5), ["W a"]),
        ("ctypes.dlopen", ("lib.so",), ["R lib.so"]),
        ("ctypes.dlopen", (None,), []),
        ("sqlite3.connect", ("data.db",), ["R data.db"]),
        ("sqlite3.connect", ("file:data.db?mode=ro",), ["R data.db"]),
        ("os.truncate", (7, 5), []),
        ("os.system", (b"ls",), ["X sh"]),
        ("import", ("json", None, None, None, None), []),
    ],
)
def test_every_event_is_told_by_what_it_does_to_files(
    watched: Watched, event: str, args: tuple[Any, ...], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(watched.root)
    assert watched.seen(event, *args) == told


def test_paths_are_those_that_the_links_lead_to_and_outside_is_nobodys_business(
    watched: Watched, tmp_path: Path
) -> None:
    watched.root.joinpath("folder").mkdir()
    watched.root.joinpath("link").symlink_to("folder")
    (tmp_path / "repository-beside").mkdir()
    assert watched.seen("open", os.fsencode(watched.path("link/a")), None, os.O_RDONLY) == ["R folder/a"]
    for outside in (tmp_path / "a", tmp_path / "repository-beside" / "a", watched.root):
        assert watched.seen("open", str(outside), None, os.O_RDONLY) == []


def test_an_interpreter_within_the_repository_makes_no_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "repo" / ".venv"))
    watched = Watched(tmp_path)
    assert watched.seen("open", watched.path(".venv/lib/json.py"), None, os.O_RDONLY) == []
    assert watched.seen("open", watched.path(".venv2/json.py"), None, os.O_RDONLY) == ["R .venv2/json.py"]


@pytest.mark.parametrize(
    ("words", "more", "told"),
    [
        (["python3", "a.py"], {}, "X python3"),
        (["python3", "-c", "-I"], {}, "X python3"),
        (["python3", "-X", "dev", "-W", "ignore", "a.py"], {}, "X python3"),
        (["python3", "-bI", "a.py"], {}, "X python3 -bI"),
        (["python3", "-S", "a.py"], {}, "X python3 -S"),
        (["python3", "a.py"], {"PYTHONPATH": "/elsewhere"}, "X python3 with another PYTHONPATH"),
        (["python3", "a.py"], {"HOME": "/"}, "X python3 with another PYTHONPATH"),
        ("python3 a.py", {}, "X python3"),
    ],
)
def test_a_python_that_will_not_load_the_hook_is_told_with_the_reason(
    watched: Watched, words: Any, more: dict[str, str], told: str
) -> None:
    ours = {"PYTHONPATH": f"{watched.log.parent}:/more"}
    variables = (ours | more if "PYTHONPATH" in more else more) if more else ours
    for event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        again = Watched.__new__(Watched)
        again.root, again.log = watched.root, watched.log
        again.tell = hook.watch(str(watched.root), str(watched.log))
        args = ("/usr/bin/python3", words, *([None] if event == "subprocess.Popen" else []), variables)
        assert again.seen(event, *args) == [told]


def test_other_programs_are_told_by_their_names(watched: Watched) -> None:
    assert watched.seen("subprocess.Popen", b"/usr/bin/sort", ["sort", "-S"], None, None) == ["X sort"]
    assert watched.seen("subprocess.Popen", "python3.12", ["python3.12"], None, None) == ["X python3.12"]


def test_what_cannot_be_written_down_never_fails_the_stage(watched: Watched) -> None:
    assert watched.seen("open") == []  # an event without arguments
    watched.tell("open", (object(), None, os.O_RDONLY))
    for file in watched.log.iterdir():
        file.unlink()
    watched.log.rmdir()
    watched.tell("open", (watched.path("new"), None, os.O_RDONLY))
    assert not watched.log.exists()


# --- how it is loaded ---


@pytest.fixture
def loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the observer makes it, first on the path of a Python that is just starting."""
    here = tmp_path / "hook"
    (here / "seen").mkdir(parents=True)
    (here / "root").write_text(str(tmp_path / "repo"))
    monkeypatch.setattr(sys, "path", [str(here), str(tmp_path / "theirs")])
    monkeypatch.setattr(sys, "addaudithook", lambda _hook: None)
    monkeypatch.setitem(sys.modules, "sitecustomize", hook)
    return here


def test_the_sitecustomize_behind_ours_is_run_and_takes_our_place(loading: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("RAN = True\n")
    hook.begin(str(loading))
    assert sys.modules["sitecustomize"].RAN is True
    assert sys.path == [str(tmp_path / "theirs")], "our folder leaves no trace"
    assert [path.read_bytes()[:2] for path in (loading / "seen").iterdir()] == [b"S "]


def test_without_another_sitecustomize_ours_stays(loading: Path) -> None:
    hook.begin(str(loading))
    assert sys.modules["sitecustomize"] is hook


def test_what_their_sitecustomize_cannot_import_is_theirs_to_tell(loading: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("import a_module_that_there_is_not\n")
    with pytest.raises(ImportError, match="a_module_that_there_is_not"):
        hook.begin(str(loading))
    assert sys.modules["sitecustomize"] is hook
