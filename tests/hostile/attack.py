"""Runs every command on a hostile repository, in children of one process that has it all imported.

A line on stdin names a case and a folder; for each command a line comes back: what it said, how it ended,
what it took, and whether anything beside the worktree changed. One that takes more than ten seconds of a
processor, or waits for twenty, is killed: then the last line says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.server import import_all
from tests.hostile.cases import CASES
from tests.hostile.raw import Raw

MOST_SECONDS = 10
MOST_WAITING = 20

TOUCH = ["sh", "-c", "touch ../outside/started"]

# Reading ones first: what they leave as it was need not be made anew.
COMMANDS: dict[str, list[str]] = {
    "log": ["log", "--stat", "evil"],
    "log-json": ["log", "--json", "evil"],
    "log-graph": ["log", "--oneline", "--graph", "--all"],
    "show": ["show", "evil"],
    "show-json": ["show", "--json", "evil"],
    "show-tag": ["show", "ugly"],
    "diff": ["diff", "main", "evil"],
    "diff-stat": ["diff", "--stat", "main", "evil"],
    "diff-json": ["diff", "--json", "main", "evil"],
    "ls-tree": ["ls-tree", "-r", "evil"],
    "ls-tree-json": ["ls-tree", "-r", "--json", "evil"],
    "cat-file": ["cat-file", "-p", "evil^{tree}"],
    "rev-parse": ["rev-parse", "evil"],
    "rev-list": ["rev-list", "evil"],
    "chain": ["chain", "evil"],
    "chain-json": ["chain", "--json", "evil"],
    "why": ["why", "config.ini"],
    "branch": ["branch", "-v"],
    "branch-json": ["branch", "--json"],
    "tag": ["tag"],
    "reflog": ["reflog"],
    "reflog-json": ["reflog", "--json"],
    "config": ["config", "--list"],
    "hash-object": ["hash-object", "config.ini"],
    "inspect": ["inspect", "config.ini"],
    "du": ["du"],
    "du-json": ["du", "--json"],
    "run-dry": ["run", "--dry-run"],
    "run-dry-json": ["run", "--dry-run", "--json"],
    "verify": ["verify", "evil"],
    "verify-json": ["verify", "--history", "--json", "evil"],
    "verify-head": ["verify"],
    "verify-commit": ["verify-commit", "evil"],
    "verify-tag": ["verify-tag", "ugly"],
    "verify-against": ["verify", "--against", "evil"],
    "exec": ["exec", "--against", "evil", "--", *TOUCH],
    "load": [],
    "fsck": ["fsck"],
    "fsck-json": ["fsck", "--json"],
    "status": ["status"],
    "status-json": ["status", "--json"],
    "diff-worktree": ["diff"],
    "add": ["add", "."],
    "commit": ["commit", "--allow-empty", "-am", "more"],
    "gc": ["gc"],
    "repack": ["repack"],
    "prune": ["prune"],
    "checkout": ["checkout", "evil"],
    "checkout-force": ["checkout", "-f", "evil"],
    "switch": ["switch", "evil"],
    "restore": ["restore", "--source", "evil", "."],
    "reset": ["reset", "--hard", "evil"],
    "rm": ["rm", "-f", "config.ini"],
    "init": ["init"],
    "hook": ["hook", "run", "pre-commit"],
    "report": ["report", "-o", "-", "evil"],
    "clone": ["clone", "-q", ".", "copy"],
}
# What may start a process: git is asked for the author's name.
_ALLOWED = ("git", "ssh-keygen")


def snapshot(folder: Path, leave: str = "") -> str:
    """Give a hash of all that lies below *folder*: names, kinds, modes, contents of files, targets of links.

    A folder called *leave* in it is left out, and so is the content of a file without an end.
    """
    rows = []
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != leave]
        for name in sorted([*folders, *files]):
            path = os.path.join(base, name)
            status = os.lstat(path)
            what = ""
            if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 24:
                what = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                what = os.readlink(path)
            rows.append((path, status.st_mode, what))
    return hashlib.sha256(repr(sorted(rows)).encode("utf-8", "surrogatepass")).hexdigest()


def stamps(folder: Path) -> list[tuple[str, int, int, int]]:
    """Give what tells a folder from its changed self, without reading any file."""
    found = []
    for base, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            status = os.lstat(os.path.join(base, name))
            found.append((os.path.join(base, name), status.st_mode, status.st_size, status.st_mtime_ns))
    return sorted(found)


def build(case: str, folder: Path) -> None:
    """Make the repository anew, in a child: what building takes is not counted as ours."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            CASES[case].build(Raw(folder / "work"))
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"the case {case} cannot be built")


def load() -> int:
    """Do what the scoring job does."""
    import mlstore
    from mlstore.errors import MlstoreError
    from mlstore_cli import output
    from mlstore_cli.errors import status_of

    try:
        mlstore.open(".").read_bytes("config.ini", at="evil")
    except MlstoreError as exc:
        sys.stderr.write(f"error: {output.escape(exc.message)}\n")
        return status_of(exc)
    return 0


def one(name: str, started: list[str]) -> dict[str, Any]:
    from mlstore_cli.main import main

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        del started[:]
        before = resource.getrusage(resource.RUSAGE_SELF)
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, MOST_WAITING)
        status = load() if name == "load" else main(COMMANDS[name])
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        after = resource.getrusage(resource.RUSAGE_SELF)
        sys.stdout.flush()
        sys.stderr.flush()
        for file in (out, err):
            file.seek(0)
        return {
            "command": name,
            "status": status,
            "out": out.read().decode("utf-8", "backslashreplace"),
            "err": err.read().decode("utf-8", "backslashreplace"),
            "seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "peak": after.ru_maxrss * 1024,
            "started": list(started),
        }


def child(case: str, folder: Path, pipe: Any, only: list[str] | None) -> None:
    """Run the commands one after another; the pipe tells how far it got."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    started: list[str] = []

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            command = [args[0], *(args[1] or ())]
            if os.path.basename(str(command[0])) not in _ALLOWED:
                started.append(f"{event} {command}")
        elif event in ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn"):
            started.append(f"{event} {args[:2]}")

    sys.addaudithook(watch)
    build(case, folder)
    work = folder / "work"
    fresh, outside, before = stamps(folder), snapshot(folder / "outside"), snapshot(work, leave=".mlstore")
    for name in only or COMMANDS:
        os.chdir(work)
        pipe.write(json.dumps({"begins": name}) + "\n")
        pipe.flush()
        found = one(name, started)
        os.chdir(folder.parent)
        found["outside"] = snapshot(folder / "outside") == outside
        found["beside"] = sorted(os.listdir(folder)) == ["outside", "work"]
        changed = stamps(folder) != fresh
        found["changed"] = changed
        found["worktree"] = snapshot(work, leave=".mlstore") == before
        pipe.write(json.dumps(found) + "\n")
        pipe.flush()
        if changed:
            build(case, folder)
            fresh = stamps(folder)


def answers(case: str, folder: Path, only: list[str] | None) -> list[dict[str, Any]]:
    """Fork a child for the case and give what it says."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
        status = 1
        try:
            with os.fdopen(writing, "w") as pipe:
                child(case, folder, pipe, only)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    found: list[dict[str, Any]] = []
    begun = ""
    with os.fdopen(reading) as pipe:
        for line in pipe:
            value = json.loads(line)
            if "begins" in value:
                begun = value["begins"]
            else:
                found.append(value)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        found.append({"command": begun, "killed": code})
    shutil.rmtree(folder, ignore_errors=True)
    return found


def serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        begun = time.monotonic()
        found = answers(request["case"], Path(request["folder"]), request.get("only"))
        told = {"answers": found, "seconds": time.monotonic() - begun}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        import_all()
        serve()
