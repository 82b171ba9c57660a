"""`mlstore run`: what it says, what it gives back, and what it leaves behind when it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import SOURCES, Cli, Spawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def stage(name: str, command: str, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> str:
    return f"[stages.{name}]\ncommand = '''{command}'''\ninputs = {list(inputs)}\noutputs = {list(outputs)}\n"


@pytest.fixture
def line(cli: Cli) -> Cli:
    """in -> mid -> out."""
    cli.write("in", "x\n")
    cli.write(
        "mlstore.toml",
        stage("first", "echo working; cp in mid", ["in"], ["mid"])
        + stage("second", "cp mid out", ["mid"], ["out"]),
    )
    return cli


def one(cli: Cli, command: str, outputs: Sequence[str] = ("out",)) -> Cli:
    """A pipeline of one stage `only`, which reads `in`."""
    cli.write("in", "x\n")
    cli.write("mlstore.toml", stage("only", command, ["in"], outputs))
    return cli


# --- what it says -------------------------------------------------------------------------------------------


def test_a_run_says_what_runs_why_and_what_became_of_it(line: Cli) -> None:
    result = line("run")
    ids = [block["commit"][:10] for block in line("chain", "--json").json["stages"]]
    told = [text.replace(" s ", " s ").split(" in ")[0] for text in result.lines]
    assert told == [
        "first   runs: never ran",
        "working",
        "first   ran",
        "second  runs: never ran",
        "second  ran",
    ]
    assert result.lines[2].endswith(f" s -> commit {ids[0]}")
    assert result.lines[4].endswith(f" s -> commit {ids[1]}")
    assert result.err == ""


def test_a_second_run_says_that_all_is_up_to_date(line: Cli) -> None:
    line("run")
    assert line("run").lines == ["first   up to date", "second  up to date"]


def test_a_dry_run_says_what_would_run_and_changes_nothing(line: Cli) -> None:
    line("run")
    line.write("in", "y\n")
    head = line("rev-parse", "HEAD").out
    assert line("run", "--dry-run").lines == [
        "first   would run: input 'in' changed",
        "second  would run: upstream 'first' will run",
    ]
    assert line("run", "-n", "first").lines == ["first  would run: input 'in' changed"]
    assert line("rev-parse", "HEAD").out == head


def test_lines_fit_on_80_columns(cli: Cli) -> None:
    config = "[a_rather_long_section]\nsome_option_with_a_long_name = {}\n"
    cli.write("configuration.ini", config.format("the value before"))
    cli.write(
        "mlstore.toml", stage("only", "echo 1 > out", ["configuration.ini#a_rather_long_section"], ["out"])
    )
    cli("run")
    cli.write("configuration.ini", config.format("the value behind"))
    lines = cli("run").lines
    assert max(map(len, lines)) <= 80
    assert "the value before -> the value behind" in " ".join(" ".join(lines).split())


def test_output_without_a_line_end_does_not_swallow_our_line(cli: Cli) -> None:
    lines = one(cli, "printf half; echo 1 > out")("run").lines
    assert lines[1] == "half"
    assert lines[2].startswith("only  ran in ")


def test_bytes_that_are_no_text_go_through(cli: Cli) -> None:
    assert b"\xff\x00\x1b[1m" in one(cli, r"printf '\377\000\033[1m'; echo 1 > out")("run").raw


def test_with_quiet_nothing_is_said(line: Cli) -> None:
    result = line("run", "-q")
    assert (result.out, result.err) == ("", "")
    assert len(line("chain", "--json").json["stages"]) == 2


def test_warnings_go_to_stderr(cli: Cli) -> None:
    result = one(cli, "echo 1 > out; echo 2 > undeclared")("run")
    said = "'undeclared' was written while stage 'only' ran, and no stage declares it: not in the block"
    assert result.err == f"warning: {said}\n"


def test_names_from_the_pipeline_are_escaped(cli: Cli) -> None:
    cli.write("in\u202e", "x")
    cli.write(
        "mlstore.toml", '[stages.a]\ncommand = "cp in* out"\ninputs = ["in\\u202e"]\noutputs = ["out"]\n'
    )
    cli("run")
    cli.write("in\u202e", "y")
    assert "'in\\u202e' changed" in cli("run", "-n").out


# --- failures -----------------------------------------------------------------------------------------------


def test_a_failing_command_gives_1_and_shows_its_own_status_and_the_log(cli: Cli) -> None:
    result = one(cli, "echo out of luck; exit 42")("run", status=1)
    assert "out of luck" in result.lines
    assert result.lines[-1] == "only  failed"
    assert "error: stage 'only' failed: its command ended with status 42" in result.err
    assert "'.mlstore/logs/run/only.log'" in result.err
    assert cli.read(".mlstore/logs/run/only.log") == "out of luck\n"
    cli("rev-parse", "HEAD", status=4)


def test_the_last_lines_are_shown_when_the_output_was_not(cli: Cli) -> None:
    result = one(cli, "seq 1 20; printf '\\033[2J'; exit 1")("run", "-q", status=1)
    assert result.out == ""
    told = result.err.splitlines()
    assert told[1:11] == [*(f"  | {number}" for number in range(12, 21)), "  | \\x1b[2J"]


def test_every_failure_is_told_with_keep_going(cli: Cli) -> None:
    cli.write("in", "x")
    cli.write("mlstore.toml", "".join(stage(name, "exit 3", ["in"], [f"{name}.out"]) for name in ("a", "b")))
    assert cli("run", status=1).err.count("error:") == 1
    assert cli("run", "-k", status=1).err.count("error:") == 2


def test_a_missing_input_gives_4(cli: Cli) -> None:
    cli.write("mlstore.toml", stage("only", "true", ["nowhere.csv"], ["out"]))
    assert "stage 'only' reads 'nowhere.csv': there is no such file" in cli("run", status=4).err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[stages.a\n", "mlstore.toml:1"),
        (
            "\n[stages.a]\ncommand = 'x'\noutptus = ['a']\n",
            "'mlstore.toml:4': 'stages.a.outptus' is not known",
        ),
        (
            stage("a", "x", ["b.out"], ["a.out"]) + stage("b", "x", ["a.out"], ["b.out"]),
            "stages wait for each other: b -> a -> b",
        ),
    ],
)
def test_a_declaration_that_cannot_run_gives_2_and_says_where(cli: Cli, text: str, said: str) -> None:
    cli.write("mlstore.toml", text)
    assert said in cli("run", status=2).err
    assert said in cli("run", "-n", status=2).err


def test_an_unknown_stage_gives_2_and_a_suggestion(line: Cli) -> None:
    result = line("run", "secnod", status=2)
    assert result.err == "error: 'mlstore.toml' declares no stage 'secnod'\nhint: did you mean 'second'?\n"


def test_without_a_pipeline_it_says_how_one_is_written(cli: Cli) -> None:
    result = cli("run", status=2)
    assert "there is no 'mlstore.toml'" in result.err
    assert "[stages.train]" in result.err


def test_a_failed_stage_runs_again_once_it_is_mended(cli: Cli) -> None:
    one(cli, "echo partial > out; exit 1")("run", status=1)
    one(cli, "echo whole > out")("run")
    assert cli("show", "HEAD:out").out == "whole\n"


# --- JSON and many at once ----------------------------------------------------------------------------------


def test_json_is_one_object_and_the_output_goes_to_stderr(line: Cli) -> None:
    result = line("run", "--json")
    data = result.json
    assert (data["schema"], data["ok"], data["dry_run"]) == ("mlstore.run/1", True, False)
    assert [(one["stage"], one["result"], one["reason"]) for one in data["stages"]] == [
        ("first", "ran", "never ran"),
        ("second", "ran", "never ran"),
    ]
    assert data["stages"][1]["commit"] == line("rev-parse", "HEAD").out.strip()
    assert all(one["lineage"] and one["error"] is None for one in data["stages"])
    assert "working" in result.err


def test_json_tells_a_failure_within_the_report(cli: Cli) -> None:
    data = one(cli, "echo oops; exit 5")("run", "--json", status=1).json
    assert data["ok"] is False
    error = data["stages"][0]["error"]
    assert (error["kind"], error["command_status"]) == ("stage-failed", 5)
    assert error["log"] == ".mlstore/logs/run/only.log"


def test_json_of_a_dry_run(line: Cli) -> None:
    assert line("run", "-n", "--json").json == {
        "schema": "mlstore.run/1",
        "ok": True,
        "dry_run": True,
        "stages": [
            {"stage": "first", "result": "would-run", "reason": "never ran"},
            {"stage": "second", "result": "would-run", "reason": "never ran"},
        ],
        "warnings": [],
    }


def test_json_of_a_broken_pipeline_is_the_error_object(cli: Cli) -> None:
    assert cli("run", "--json", status=2).json["kind"] == "config"


def test_with_jobs_each_line_has_the_name_of_its_stage(cli: Cli) -> None:
    cli.write("in", "x")
    cli.write(
        "mlstore.toml",
        "".join(
            stage(name, f"echo one; printf two; echo 1 > {name}.out", ["in"], [f"{name}.out"])
            for name in "ab"
        ),
    )
    result = cli("run", "-j", "2")
    for name in "ab":
        assert [text for text in result.lines if text.startswith(f"{name} | ")] == [
            f"{name} | one",
            f"{name} | two",
        ]
    assert sorted(block["stage"] for block in cli("chain", "--json").json["stages"]) == ["a", "b"]


def test_python_prints_live_though_it_writes_into_a_pipe(cli: Cli) -> None:
    """The child waits until what it printed has arrived: held back in its buffer, that would never be."""
    cli.write(
        "stage.py",
        """
import os, time
print("alive")
for _ in range(1500):
    if os.path.exists("seen"):
        open("out", "w").write("1")
        break
    time.sleep(0.02)
""",
    )
    cli.write(".mlstoreignore", "seen\n")
    cli.write("mlstore.toml", f"[stages.a]\ncommand = ['{sys.executable}', 'stage.py']\noutputs = ['out']\n")
    with process(cli, "run") as running:
        assert running.stdout is not None
        while b"alive" not in running.stdout.readline():
            pass
        cli.write("seen", "")
        assert running.wait(60) == 0


def test_commands_do_not_get_what_is_typed(cli: Cli) -> None:
    one(cli, "cat > out")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mlstore_cli", "run"],
        cwd=cli.root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
        input=b"typed\n",
        capture_output=True,
        check=True,
    )
    assert b"ran in" in done.stdout
    assert cli.read("out") == ""


# --- ended from outside -------------------------------------------------------------------------------------


@contextmanager
def process(cli: Cli, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """`mlstore ARGS` in a process and a session of its own."""
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "mlstore_cli", *args],
        cwd=cli.root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def wait_until(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.01)


def pid_in(path: Path) -> int:
    """The process id that a command writes as its first act."""
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), path.name)
    return int(path.read_text())


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


SLEEPER = "echo $$ > one.pid; sleep 300 & echo $! > two.pid; echo partial > out; wait"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_run_that_is_ended_leaves_no_process_and_records_nothing(
    cli: Cli, number: int, status: int
) -> None:
    one(cli, SLEEPER)
    with process(cli, "run") as running:
        pids = [pid_in(cli.root / name) for name in ("one.pid", "two.pid")]
        assert all(map(is_alive, pids))
        running.send_signal(number)
        assert running.wait(30) == status
        for pid in pids:
            wait_until(lambda pid=pid: not is_alive(pid), "the end of the command")
    cli("rev-parse", "HEAD", status=4)
    assert cli.read("out") == "partial\n"
    one(cli, "echo whole > out")("run")


def test_a_run_under_nohup_goes_on_when_the_terminal_is_gone(cli: Cli) -> None:
    one(cli, "echo $$ > one.pid; while [ ! -e go ]; do sleep 0.02; done; echo 1 > out")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does, and children inherit
    try:
        with process(cli, "run") as running:
            pid_in(cli.root / "one.pid")
            running.send_signal(signal.SIGHUP)
            cli.write("go", "")
            assert running.wait(30) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_a_command_that_will_not_be_interrupted_is_killed(cli: Cli) -> None:
    one(cli, "trap '' INT TERM; echo $$ > one.pid; while :; do sleep 0.1; done")
    with process(cli, "run") as running:
        pid = pid_in(cli.root / "one.pid")
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)  # a second one does not wait
        assert running.wait(30) == 130
        wait_until(lambda: not is_alive(pid), "the end of the command")


def test_after_kill_9_the_next_run_works_and_loses_nothing(line: Cli) -> None:
    line("run", "first")
    before = line("rev-parse", "HEAD").out.strip()
    text = line.read("mlstore.toml")
    line.write("mlstore.toml", text.replace("cp mid out", "echo $$ > one.pid; cp mid out; exec sleep 300"))
    with process(line, "run") as running:
        pid = pid_in(line.root / "one.pid")
        running.kill()
        running.wait(30)
    os.kill(pid, signal.SIGKILL)
    assert line("rev-parse", "HEAD").out.strip() == before
    line("fsck")
    line.write("mlstore.toml", text)
    assert line("run").lines[0] == "first   up to date"
    assert line("rev-parse", "HEAD~1").out.strip() == before
    line("verify")


KILLING = """
import os, signal, sys
import mlstore.history.record, mlstore.objects.writer, mlstore.refs.store, mlstore.repository.repository
owner, name, when, count = {owner}, {name!r}, {when!r}, {count}
original = getattr(owner, name)
calls = 0

def dying(*args, **more):
    global calls
    calls += 1
    if calls == count and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*args, **more)
    if calls == count and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(owner, name, dying)
from mlstore_cli.main import main
sys.exit(main(["run"]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name", "count"),
    [
        *(("mlstore.objects.writer.ObjectWriter", "publish", count) for count in (1, 2, 3)),
        *(("mlstore.repository.repository.Repository", "save_index", count) for count in (1, 2)),
        ("mlstore.history.record", "move_head", 1),
        ("mlstore.refs.store.RefStore", "update", 1),
    ],
)
def test_kill_9_while_a_block_is_recorded_leaves_the_old_state_or_the_new_one(
    line: Cli, spawn: Spawn, owner: str, name: str, count: int, when: str
) -> None:
    line("run", "first")
    first = line("rev-parse", "HEAD").out.strip()
    done = spawn("-c", KILLING.format(owner=owner, name=name, count=count, when=when), cwd=line.root)
    assert done.returncode == -signal.SIGKILL, done.stderr
    line("fsck")
    line("status")
    line("run")
    assert line("rev-parse", "HEAD~1").out.strip() == first
    line("verify")
    assert line("status", "--porcelain").out == ""
    assert line("run").lines == ["first   up to date", "second  up to date"]


def test_a_second_run_beside_the_first_is_refused_and_names_it(cli: Cli) -> None:
    one(cli, "echo $$ > one.pid; while [ ! -e go ]; do sleep 0.02; done; echo 1 > out")
    with process(cli, "run") as running:
        pid_in(cli.root / "one.pid")
        assert str(running.pid) in cli("run", status=6).err
        cli("status")  # and nothing else is held up
        cli.write("go", "")
        assert running.wait(30) == 0
