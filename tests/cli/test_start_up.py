"""What a plain command may not drag in: it decides how long the user waits for the prompt."""

from __future__ import annotations

import pytest

HEAVY = {"numpy", "pandas", "scipy", "sklearn", "joblib", "pyarrow", "rich", "yaml", "tomlkit"}
IMPORTED = "import sys; from mlstore_cli.main import main; main(sys.argv[1:]); print('MODULES', *sys.modules)"

RUNS = [
    ["--version"],
    ["--help"],
    ["status"],
    ["status", "--json"],
    ["log", "--graph", "--stat"],
    ["diff"],
    ["add", "-A"],
    ["commit", "--allow-empty", "-m", "x"],
    ["show"],
    ["checkout", "main"],
    ["branch"],
    ["config", "user.name"],
    ["hash-object", "a.txt"],
]


@pytest.mark.parametrize("args", RUNS, ids=" ".join)
def test_plain_commands_load_no_heavy_module(history, spawn, args):
    done = spawn("-c", IMPORTED, *args, cwd=history.root)
    assert done.returncode == 0, done.stderr
    modules = done.stdout.rpartition("MODULES")[2].split()
    assert not HEAVY.intersection(name.partition(".")[0] for name in modules)


@pytest.mark.modules
@pytest.mark.parametrize("args", [["status"], ["log"], ["rev-parse", "HEAD"]], ids=" ".join)
def test_reading_commands_load_neither_networking_nor_processes(history, spawn, args):
    modules = set(spawn("-c", IMPORTED, *args, cwd=history.root).stdout.rpartition("MODULES")[2].split())
    assert not modules & {"subprocess", "socket", "ssl", "asyncio", "multiprocessing", "email", "http"}


@pytest.mark.modules
def test_a_plain_status_loads_no_parser_no_json_and_nothing_that_writes(history, spawn):
    history("add", "-A")
    modules = set(spawn("-c", IMPORTED, "status", cwd=history.root).stdout.rpartition("MODULES")[2].split())
    assert not modules & {
        "click",
        "json",
        "tomllib",
        "dataclasses",
        "inspect",
        "hashlib",
        "zstandard",
        "logging",
    }
    assert not modules & {"mlstore.objects.writer", "mlstore.durable.files", "mlstore.durable.locks"}


# How many modules each may load, ours and the standard library's. Raise a bound knowingly, or not at all.
MOST_MODULES = {"--version": 45, "status": 140, "log": 200, "verify": 250}


@pytest.mark.modules
@pytest.mark.parametrize("command", MOST_MODULES)
def test_the_number_of_modules_stays_small(history, spawn, command):
    code = "import sys; from mlstore_cli.main import main; main(sys.argv[1:]); print('N', len(sys.modules))"
    done = spawn("-c", code, command, cwd=history.root)
    assert int(done.stdout.rpartition("N")[2]) <= MOST_MODULES[command]
