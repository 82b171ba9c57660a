"""`mlstore reproduce`: what it says, its exit status, its JSON, the notes, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import stored
from tests.cli.conftest import SOURCES, Cli
from tests.store.support import listing

if TYPE_CHECKING:
    from collections.abc import Sequence


def stage(name: str, command: str, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> str:
    return f"[stages.{name}]\ncommand = '''{command}'''\ninputs = {list(inputs)}\noutputs = {list(outputs)}\n"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scratch folders are made, outside of the repository."""
    import tempfile

    folder = tmp_path.parent / f"{tmp_path.name}-scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def line(cli: Cli, scratch: Path) -> Cli:
    """in -> mid -> out."""
    cli.write("in", "x\n")
    cli.write(
        "mlstore.toml",
        stage("first", "cp in mid", ["in"], ["mid"])
        + stage("second", "echo hi; cp mid out", ["mid"], ["out"]),
    )
    cli("run", "-q")
    return cli


@pytest.fixture
def chance(cli: Cli, scratch: Path) -> Cli:
    cli.write("in", "x\n")
    cli.write("mlstore.toml", stage("draw", "cp in same; date +%N > out.txt", ["in"], ["same", "out.txt"]))
    cli("run", "-q")
    return cli


def told(lines: Sequence[str]) -> list[str]:
    """Lines without ids and times."""
    return [text.split(" in ")[0].split(" (commit")[0].split(" at HEAD")[0] for text in lines]


def test_it_says_what_runs_and_what_came_of_it(line: Cli) -> None:
    result = line("reproduce")
    assert told(result.lines) == [
        "first  runs again",
        "first  reproduced",
        "second  runs again",
        "hi",
        "second  reproduced",
        "reproduced: 2 stages",
    ]
    assert result.err == ""


def test_a_word_may_be_a_revision_or_a_stage(line: Cli) -> None:
    assert told(line("reproduce", "second").lines)[-1] == "reproduced: 1 stage"
    assert told(line("reproduce", "HEAD~1").lines)[0] == "first  runs again"
    assert len(line("reproduce", "HEAD~1", "--json").json["stages"]) == 1
    assert [
        one["stage"] for one in line("reproduce", "HEAD", "--stage", "first", "--json").json["stages"]
    ] == ["first"]


def test_a_word_that_is_both_is_refused(line: Cli) -> None:
    line("tag", "first")
    refused = line("reproduce", "first", status=2)
    assert "both a revision and a stage" in refused.err
    assert "--stage first" in refused.err
    line("reproduce", "--stage", "first")
    line("reproduce", "refs/tags/first")


def test_what_is_neither_is_missing(line: Cli) -> None:
    assert "error: " in line("reproduce", "frist", status=4).err
    assert "has no stage 'frist'" in line("reproduce", "--stage", "frist", status=2).err
    line("reproduce", "--times", "0", status=2)
    line("reproduce", "--timeout", "0", status=2)


def test_a_stage_that_comes_out_by_chance_exits_1_and_shows_what_differs(chance: Cli) -> None:
    result = chance("reproduce", status=1)
    text = result.out
    assert "draw  runs again, the second time" in text
    assert "diverged: nondeterministic: 2 re-runs differ among themselves" in text
    assert "  out.txt: " in text
    assert "  same: " not in text
    assert text.splitlines()[-1].startswith("not reproduced: 1 of 1 stage at HEAD")


def test_json_is_one_object_whatever_the_command_prints(line: Cli, chance: Cli) -> None:
    value = chance("reproduce", "--json", status=1).json
    assert value["schema"] == "mlstore.reproduce/1"
    assert (value["ok"], value["verdict"], value["rev"]) == (False, "diverged", "HEAD")
    assert value["policy"]["source"] == "commit"
    draw = next(one for one in value["stages"] if one["stage"] == "draw")
    assert (draw["verdict"], draw["cause"], draw["runs"]) == ("diverged", "nondeterministic", 2)
    assert {one["path"]: one["outcome"] for one in draw["outputs"]} == {
        "out.txt": "different",
        "same": "equal",
    }
    assert draw["environment"]["recorded"] is True
    assert draw["environment"]["now"]["platform"]["system"] == os.uname().sysname
    assert draw["failure"] is None


def test_what_the_command_prints_goes_to_stderr_with_json(line: Cli) -> None:
    result = line("reproduce", "second", "--json")
    assert result.json["ok"] is True
    assert "hi\n" in result.err
    assert line("reproduce", "second", "--json", "-q").err == ""


def test_a_failure_shows_status_last_words_and_what_there_was(cli: Cli, scratch: Path) -> None:
    cli.write("in", "x\n")
    cli.write("more.csv", "x\n")
    cli.write("mlstore.toml", stage("s", "cat in more.csv > out", ["in"], ["out"]))
    cli("run", "-q")
    result = cli("reproduce", status=1)
    assert "s  failed: its command ended with status 1" in result.out
    assert "  | cat: more.csv: No such file or directory" in result.out
    assert "hint: 'more.csv' is no recorded input of stage 's'" in result.out
    failure = cli("reproduce", "--json", status=1).json["stages"][0]["failure"]
    assert failure["command_status"] == 1


def test_declared_variables_are_named(cli: Cli, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "1")
    cli.write("mlstore.toml", stage("s", "echo $GIVEN > out", [], ["out"]) + 'env = ["GIVEN", "ABSENT"]\n')
    cli("run", "-q")
    assert "  declared variables passed: GIVEN; not set here: ABSENT" in cli("reproduce").lines
    (one,) = cli("reproduce", "--json").json["stages"]
    assert one["variables"] == {"passed": ["GIVEN"], "unset": ["ABSENT"]}


def test_a_variable_that_counts_and_is_not_declared_is_pointed_out(
    cli: Cli, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    cli.write("mlstore.toml", stage("s", "echo $OMP_NUM_THREADS > out", [], ["out"]))
    cli("run", "-q")
    text = cli("reproduce", status=1).out
    assert "another environment: 2 re-runs agree, and not with the record" in text
    assert "    OMP_NUM_THREADS removed: 3" in text
    assert "hint: 'env' in mlstore.toml passes variables on" in text


def test_keep_leaves_the_folder_and_says_where(line: Cli, scratch: Path) -> None:
    (kept,) = [text for text in line("reproduce", "first", "--keep").lines if text.startswith("  kept: ")]
    folder = Path(kept.removeprefix("  kept: "))
    assert folder.parent == scratch
    assert (folder / "work/mid").read_text() == "x\n"
    assert {path for path, what in listing(folder / "work").items() if what[0] == "file"} == {"in", "mid"}


def test_help_says_that_it_executes(line: Cli) -> None:
    assert "EXECUTES" in line("reproduce", "--help").out


# --- notes --------------------------------------------------------------------------------------------------


def test_recorded_verdicts_are_shown_by_log_and_chain(line: Cli) -> None:
    plain = line("log").out, line("chain").out
    head = line("rev-parse", "HEAD").out
    line("reproduce", "--record")
    line("reproduce", "second", "--record", "--times", "2")
    log = line("log").out
    machine = f"{os.uname().sysname.lower()} {os.uname().machine}"
    assert log.count("Notes:\n") == 2
    assert "Notes:\n    reproduced 20" in line("show").out
    assert len(line("show", "--json").json["objects"][0]["notes"]) == 2
    assert log.count(f" on {machine}\n") == 3
    assert [text for text in log.splitlines() if " on " not in text and text not in ("Notes:", "")] == [
        text for text in plain[0].splitlines() if text
    ]
    chain = line("chain").out
    assert chain.startswith(plain[1])
    assert [text.split()[:2] for text in chain.splitlines()[-2:]] == [
        ["first", "reproduced"],
        ["second", "reproduced"],
    ]
    assert line("rev-parse", "HEAD").out == head


def test_notes_are_in_the_json_of_log_and_chain(line: Cli) -> None:
    line("reproduce", "--record", "--json")
    for notes in (
        line("log", "--json").json["commits"][0]["notes"],
        line("chain", "--json").json["stages"][1]["notes"],
    ):
        (note,) = notes
        assert (note["kind"], note["data"]["verdict"], note["data"]["stage"]) == (
            "reproduce",
            "reproduced",
            "second",
        )
        assert note["author"] == {"name": "Ada", "email": "ada@example.org"}
    assert line("log", "--json").json["commits"][1]["notes"] != []


def test_the_json_of_a_recorded_verdict_names_its_note(line: Cli) -> None:
    value = line("reproduce", "first", "--record", "--json").json
    note = value["stages"][0]["note"]
    assert line("cat-file", "-p", note).out.startswith("mlstore note 1\n")
    commit = value["stages"][0]["commit"]
    listed = line("ls-tree", "-r", "refs/notes/reproduce").out
    assert f"{commit[:2]}/{commit[2:]}/{note}" in listed


def test_notes_are_no_commits_of_the_pipeline(line: Cli) -> None:
    before = (
        line("log", "--all", "--oneline").out,
        line("rev-list", "HEAD").out,
        line("branch").out,
        line("tag").out,
    )
    line("reproduce", "--record")
    after = (
        line("log", "--all", "--oneline").out,
        line("rev-list", "HEAD").out,
        line("branch").out,
        line("tag").out,
    )
    assert after == before
    assert line("rev-parse", "refs/notes/reproduce").out.strip() not in after[0]
    line("verify")
    assert "ok" in line("fsck").out


def test_damaged_notes_do_not_hide_the_history(line: Cli) -> None:
    line("reproduce", "--record")
    plain = line("log", "--oneline").out
    path = line.root / ".mlstore/refs/notes/reproduce"
    path.write_text("f" * 64 + "\n")
    result = line("log")
    assert result.err.count("warning: notes cannot be read") == 1
    assert result.out.count("commit ") == 2
    assert line("log", "--oneline").out == plain
    assert "warning: notes cannot be read" in line("chain").err
    line("fsck", status=4)


def test_notes_whose_bytes_are_elsewhere_are_passed_over(line: Cli) -> None:
    note = line("reproduce", "second", "--record", "--json").json["stages"][0]["note"]
    stored.remove(line.root / ".mlstore", note)
    result = line("log")
    assert (result.err, "Notes:" in result.out) == ("", False)
    line("fsck", status=4)


# --- the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_command_and_no_folder(
    cli: Cli, scratch: Path, tmp_path: Path, number: signal.Signals
) -> None:
    pids = scratch.parent / f"{tmp_path.name}-pids"
    cli.write(
        "mlstore.toml",
        stage("s", f"test -e {pids} && (sleep 600 & echo $! > {pids}; wait); echo a > out", [], ["out"]),
    )
    cli("run", "-q")
    pids.touch()
    before = listing(cli.root), listing(cli.root / ".mlstore", skip=())
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES), "TMPDIR": str(scratch)}
    command = [sys.executable, "-P", "-m", "mlstore_cli", "reproduce"]
    process = subprocess.Popen(
        command, cwd=cli.root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        while not pids.read_text():
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number), err
    assert list(scratch.iterdir()) == []
    assert (listing(cli.root), listing(cli.root / ".mlstore", skip=())) == before
    with pytest.raises(ProcessLookupError):
        for _ in range(6000):  # whoever adopts it reaps it when it likes
            os.kill(int(pids.read_text()), 0)
            time.sleep(0.01)
