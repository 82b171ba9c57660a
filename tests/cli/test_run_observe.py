"""`mlstore run --observe`: how it is asked for, what it says, what it refuses."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def project(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """One stage, which reads more and writes more than it says."""
    scratch = tmp_path.parent / f"{tmp_path.name}-scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    cli.write("in.txt", "x")
    cli.write("unused.txt", "x")
    cli.write("extra.txt", "x")
    cli.write(
        "make.py",
        "open('in.txt'); open('extra.txt'); open('log.txt', 'a').write('x'); open('out.txt', 'w').write('x')",
    )
    python = sys._base_executable  # type: ignore[attr-defined]
    cli.write(
        "mlstore.toml",
        f'[stages.make]\ncommand = ["{python}", "make.py"]\n'
        'inputs = ["make.py", "in.txt", "unused.txt"]\noutputs = ["out.txt"]\n',
    )
    return cli


def declare(cli: Cli) -> None:
    """Make the declaration true."""
    text = cli.read("mlstore.toml").replace('"unused.txt"', '"extra.txt"').replace('"out.txt"', '"*.txt"')
    cli.write("mlstore.toml", text.replace('"*.txt"', '"out.txt", "log.txt"'))


def test_what_is_not_declared_is_a_warning_and_what_is_not_read_a_note(project: Cli) -> None:
    result = project("run", "--observe", "make")
    assert result.err.splitlines() == [
        "warning: stage 'make' read 'extra.txt': not declared as input",
        "warning: stage 'make' wrote or removed 'log.txt': not declared as output",
        "note: stage 'make' was not seen to read 'unused.txt'",
    ]
    assert "ran in" in result.out


def test_without_it_nothing_is_watched(project: Cli) -> None:
    value = project("run", "--json").json
    assert value["stages"][0]["observed"] is None


def test_json_has_what_was_seen(project: Cli) -> None:
    observed = project("run", "--observe", "--json").json["stages"][0]["observed"]
    assert observed == {
        "how": "audit",
        "processes": 1,
        "undeclared_reads": ["extra.txt"],
        "undeclared_writes": ["log.txt"],
        "unread_inputs": ["unused.txt"],
        "not_watched": [],
    }


def test_strict_records_nothing_and_exits_1(project: Cli) -> None:
    result = project("run", "--observe", "--strict", status=1)
    assert "error: stage 'make' read 'extra.txt': not declared as input" in result.err
    assert "hint: declare it in [stages.make] of mlstore.toml; nothing was recorded" in result.err
    project("rev-parse", "HEAD", status=4)
    failed = project("run", "--observe", "--strict", "--json", status=1).json["stages"][0]
    assert failed["observed"]["undeclared_reads"] == ["extra.txt"]
    declare(project)
    assert project("run", "--observe", "--strict", "-q").err == ""
    project("rev-parse", "HEAD")


def test_an_unknown_way_and_strict_alone_are_refused(project: Cli) -> None:
    assert "'ptrace'" in project("run", "--observe=ptrace", status=2).err
    assert "--strict needs --observe" in project("run", "--strict", status=2).err


def test_a_machine_without_strace_says_so(project: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = project("run", "--observe=strace", status=6)
    assert "error: 'strace' is not installed" in result.err
    assert "'--observe', which watches Python processes" in result.err
