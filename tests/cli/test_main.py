from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mlstore._version import __version__
from mlstore_cli import app
from mlstore_cli.app import _INSTEAD
from mlstore_cli.options import Command
from mlstore_cli.registry import COMMANDS

PYTHONPATH = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("store", "cli"))
IMPORTED = "import sys; from mlstore_cli.main import main; main(sys.argv[1:]); print(*sys.modules, sep='\\n')"


def load(name: str) -> click.Command:
    module = f"mlstore_cli.commands.{COMMANDS[name].module}"
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"'{name}' is not there yet")
    command = app.cli.get_command(click.Context(app.cli), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_that_begins_with_its_summary(name):
    command = load(name)
    assert command.name == name
    assert (command.help or "").split("\n")[0] == COMMANDS[name].summary + "."
    text = command.get_help(click.Context(command, info_name=name, **command.context_settings))
    assert text.startswith(f"Usage: {name}")
    assert "-h, --help" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name):
    for param in load(name).params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help, f"{name} {param.opts[0]}"
            assert param.help[0].isupper(), f"{name} {param.opts[0]}"
            assert param.help.endswith("."), f"{name} {param.opts[0]}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options(name):
    command = load(name)
    assert isinstance(command, Command)
    options = {option for param in command.params for option in param.opts}
    assert {"--quiet", "--no-color"} <= options
    assert "--json" in options or name == "exec"  # its output is that of the command it runs


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_with_its_summary(outside, option):
    shown = outside(option).out
    assert all(len(line) <= 80 for line in shown.splitlines())
    for name, entry in COMMANDS.items():
        assert f"  {name} " in shown
        assert entry.summary in shown


def test_help_as_a_word(outside):
    assert outside("help").out == outside("--help").out
    assert outside("help", "log").out == outside("log", "-h").out
    assert "'stauts' is not a command" in outside("help", "stauts", status=2).err


def test_no_command_prints_the_help_and_is_a_usage_error(outside):
    assert "Usage: mlstore" in outside(status=2).out


@pytest.mark.parametrize("args", [["--version"], ["-q", "--version"]])
def test_version(spawn, tmp_path, args):
    done = spawn(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"mlstore {__version__}\n")


def test_version_does_not_import_click(spawn, tmp_path):
    assert "click" not in spawn("-c", IMPORTED, "--version", cwd=tmp_path).stdout.split()


def test_help_imports_no_command(spawn, tmp_path):
    modules = spawn("-c", IMPORTED, "--help", cwd=tmp_path).stdout.split()
    assert "mlstore_cli.app" in modules
    assert not [name for name in modules if name.startswith("mlstore_cli.commands")]


def test_a_command_imports_no_other_command(spawn, tmp_path):
    modules = spawn("-c", IMPORTED, "rev-parse", "HEAD", cwd=tmp_path).stdout.split()
    assert [name for name in modules if name.startswith("mlstore_cli.commands.")] == [
        "mlstore_cli.commands.rev_parse"
    ]


@pytest.mark.parametrize(
    ("typed", "meant"), [("stauts", "'status'"), ("comit", "'commit'"), ("chekcout", "'checkout'")]
)
def test_a_mistyped_command_is_suggested(outside, typed, meant):
    err = outside(typed, status=2).err
    assert err.startswith(f"error: '{typed}' is not a command of mlstore\nhint: did you mean {meant}")


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("stash", "'mlstore switch -c NAME'"),
        ("push", "'mlstore clone'"),
        ("merge", "'mlstore checkout REVISION -- PATH'"),
        ("blame", "'mlstore why PATH'"),
    ],
)
def test_what_git_has_and_mlstore_has_not_is_told_with_what_does_its_work(outside, typed, advice):
    err = outside(typed, status=2).err
    assert err.startswith(f"error: '{typed}' is not a command of mlstore\nhint: ")
    assert advice in err


def test_no_advice_names_a_command_that_is_not_there_or_is_there_already():
    assert not _INSTEAD.keys() & COMMANDS.keys()
    named = {word for advice in _INSTEAD.values() for word in re.findall("'mlstore ([a-z-]+)", advice)}
    assert named <= COMMANDS.keys()


def test_a_command_like_no_other_points_to_the_help(outside):
    assert outside("xyzzy", status=2).err.endswith("hint: see 'mlstore --help'\n")


def test_an_unknown_option_is_a_usage_error_with_a_suggestion(cli):
    assert cli("status", "--untracked", status=2).err == (
        "error: unknown option '--untracked'\nhint: did you mean --untracked-files?\n"
    )
    assert cli("--nope", status=2).err.startswith("error: unknown option '--nope'\n")


def test_a_missing_argument_is_named(cli):
    assert cli("rm", status=2).err == "error: missing argument 'PATH...'\nhint: see 'mlstore rm -h'\n"


def test_the_folder_option_can_be_repeated_and_must_exist(cli):
    cli.write("data/x", "x")
    inner = cli("-C", "data", "status", "-s")
    assert inner.out == "?? ./\n"
    err = cli("-C", "data", "-C", "nope", "status", status=4).err
    assert err.startswith("error: '")
    assert err.endswith("no such file or directory\nhint: check the spelling\n")


def test_outside_a_repository_the_hint_names_init(outside):
    err = outside("status", status=2).err
    assert "is not in an mlstore repository" in err
    assert "hint: run 'mlstore init'" in err


def test_quiet_is_taken_before_and_after_the_command(outside):
    assert outside("-q", "init", "a").out == ""
    assert outside("init", "b", "--quiet").out == ""


def test_colour_only_where_somebody_wants_it(history, monkeypatch):
    assert "\x1b" not in history("log").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[33m" in history("log").out
    assert "\x1b" not in history("--no-color", "log").out
    assert "\x1b" not in history("log", "--no-color").out
    assert "\x1b" not in history("log", "--json").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in history("log").out


def test_the_output_is_utf8_whatever_the_locale_says(cli, spawn):
    cli.write("Größe.csv", "x")
    done = spawn("status", "-s", cwd=cli.root, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.stdout == "?? Größe.csv\n"


def test_completion_offers_commands_and_revisions_and_imports_only_what_it_needs(history, spawn):
    def complete(words: str, number: int) -> list[str]:
        done = spawn(
            cwd=history.root, _MLSTORE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(number)
        )
        return [line.partition(",")[2] for line in done.stdout.split()]

    history("branch", "feature")
    assert complete("mlstore stat", 1) == ["status"]
    assert complete("mlstore checkout f", 2) == ["feature"]
    assert "--oneline" in complete("mlstore log --one", 2)


def test_a_closed_pipe_is_quiet(history):
    if os.name != "posix":
        pytest.skip("no pipes of this kind")
    for number in range(30):
        history("commit", "-q", "--allow-empty", "-m", f"{number} " + "x" * 5000)
    sources = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("store", "cli"))
    with subprocess.Popen(
        [sys.executable, "-m", "mlstore_cli", "log"],
        cwd=history.root,
        env={**os.environ, "PYTHONPATH": sources},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "status"), [("log", 0), ("status", 0), ("log nope", 4)])
def test_a_closed_standard_stream_is_the_null_device(history, closed, words, status):
    command = f'"{sys.executable}" -m mlstore_cli {words} {closed}'
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=history.root,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_a_stage_says_into_a_closed_stream_reaches_no_file_of_the_store(history, closed):
    history.write("say.sh", "echo out; echo err >&2; echo made > made.txt\n")
    history.write(
        "mlstore.toml", '[stages.say]\ncommand = "sh say.sh"\ninputs = ["say.sh"]\noutputs = ["made.txt"]\n'
    )
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m mlstore_cli run {closed}'],
        cwd=history.root,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    history("fsck")
    assert history("show", "HEAD:made.txt").out == "made\n"


def test_an_interrupt_ends_with_130_and_no_traceback(cli, monkeypatch):
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.cli, "invoke", interrupted)
    assert cli("status", status=130).err == "interrupted\n"
    assert signal.SIGINT + 128 == 130


def test_a_bug_is_one_line_and_the_traceback_is_for_who_asks(cli, monkeypatch):
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("\x1b[2J")

    monkeypatch.setattr(app.cli, "invoke", broken)
    err = cli("status", status=6).err
    assert err.splitlines() == [
        "error: internal error: ZeroDivisionError: \\x1b[2J",
        "hint: this is a bug in mlstore; MLSTORE_DEBUG=1 in the environment shows where",
    ]
    monkeypatch.setenv("MLSTORE_DEBUG", "1")
    err = cli("status", status=6).err
    assert "Traceback (most recent call last)" in err
    assert "\x1b" not in err
