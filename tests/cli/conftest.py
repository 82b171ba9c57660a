"""A runner for the command line: in this process, with streams of its own: hundreds of runs stay cheap."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from mlstore_cli.main import main

SOURCES = [str(Path(__file__).parents[2] / folder) for folder in ("store", "cli")]


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the command gave."""

    status: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode("utf-8")

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs `mlstore -C ROOT ARGS` and checks the exit status."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *args: str, status: int = 0, cwd: Path | str = "", stdin: bytes = b"") -> Result:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                got = main(["-C", str(self.root / cwd), *args])
        finally:
            sys.stdin = before
        for stream in (out, err):
            stream.flush()
        result = Result(got, out.buffer.getvalue(), err.buffer.getvalue().decode("utf-8"))
        assert got == status, f"mlstore {' '.join(args)} gave {got}\n{result.out}\n{result.err}"
        return result

    def write(self, path: str, text: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return target

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def commit(self, message: str, **files: str) -> str:
        """Write FILES (name_ext=text), commit everything and give the new commit's id."""
        for name, text in files.items():
            self.write(name.replace("_", "."), text)
        self("add", "-A")
        self("commit", "-m", message)
        return self("rev-parse", "HEAD").out.strip()


class Spawn(Protocol):
    """Starts the command in a process of its own."""

    def __call__(self, *args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def spawn() -> Spawn:
    """Run `python -m mlstore_cli ARGS`, or with `-c` any code, in a process of its own."""

    def run(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *(args if args[:1] == ("-c",) else ["-m", "mlstore_cli", *args])],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES), **env},
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=60,
        )

    return run


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """An author, so that no test depends on who runs it."""
    monkeypatch.setenv("MLSTORE_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("MLSTORE_AUTHOR_EMAIL", "ada@example.org")


@pytest.fixture
def outside(tmp_path: Path, identity: None) -> Cli:
    """A folder that is no repository."""
    return Cli(tmp_path)


@pytest.fixture
def cli(outside: Cli, request: pytest.FixtureRequest) -> Cli:
    """An empty repository; its small objects are packed, unless the test asks for "loose" ones."""
    outside("init", "-q")
    if getattr(request, "param", "packed") == "loose":
        outside("config", "core.pack", "false")
    return outside


@pytest.fixture
def history(cli: Cli) -> Cli:
    """Two commits on main: `one` adds a.txt and data/b.txt, `two` changes a.txt."""
    cli.write("data/b.txt", "b\n")
    cli.commit("one", a_txt="1\n")
    cli.commit("two", a_txt="1\n2\n")
    return cli
