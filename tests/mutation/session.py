"""Try mutants in a copy of the tracked files: a process for each, forked where everything is loaded already.

    python -m tests.mutation.session JOB

`tests.mutation` starts it, in the copy. JOB is a file with what to do: see `Job`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, settings
from tests.mutation import measuring
from tests.mutation.choosing import Chooser
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.swapping import NeedsImport, swap

# Hypothesis does the same in every run, and does not look for the smallest example of what it found.
settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
UNSEEN = "-Wignore::pytest.PytestAssertRewriteWarning"  # of hypothesis, which is loaded already
OPTIONS = [*measuring.OPTIONS, "-p", "no:cov", "--hypothesis-profile=mutation", UNSEEN]
LOADED = (
    "blake3",
    "click",
    "hypothesis.stateful",
    "numpy",
    "pyfastcdc",
    "tomlkit",
    "xxhash",
    "yaml",
    "zstandard",
)
MOST_MEMORY = 4 << 30  # bytes
MOST_WRITTEN = 1 << 30  # bytes of one file
NEEDS_IMPORT = 99  # exit status of a child
ALONE = "alone"  # a folder for the temporary files of one mutant


# Runs tests on a mutant, or on the code as it is, and writes the name of one that fails to a descriptor.
Run: TypeAlias = Callable[[list[str], Mutant | None, int], None]


@dataclass(frozen=True)
class Job:
    """What the driver asks for: mutants by path and number, in order; where the results go."""

    mutants: list[tuple[str, int]]
    measured: str
    out: str
    end: float
    budget: float
    later: bool
    fresh: bool

    @classmethod
    def read(cls, path: str) -> Job:
        return cls(**json.loads(Path(path).read_text()))


def in_a_child(work: Callable[[int], None], seconds: float) -> tuple[str, str]:
    """How a child ended that did WORK: "survived", "noticed" or "hung"; and the test that noticed."""
    clear()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 101
        try:
            os.setpgid(0, 0)
            os.close(reading)
            limits()
            work(writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # whoever comes first
    ended = wait(child, 30 + 10 * seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        test = pipe.read().decode()
    code = os.waitstatus_to_exitcode(status)
    if code == NEEDS_IMPORT:
        return "", ""
    if not ended or code in (-signal.SIGXCPU, -signal.SIGALRM):
        return "hung", test
    return ("noticed" if code or test else "survived"), test


def clear() -> None:
    """Have an empty folder for temporary files; a killed test may have left something mounted there."""
    folder = Path(ALONE).resolve()
    if folder.exists():
        for line in Path("/proc/mounts").read_text().splitlines():
            place = line.split()[1]
            if place.startswith(f"{folder}/"):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(folder)
    folder.mkdir()


def limits() -> None:
    """A change may fill memory or the disk."""
    for what, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_FSIZE, MOST_WRITTEN)):
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def patience(seconds: float) -> None:
    """Have this process killed if a test takes far longer than the SECONDS that it took before."""
    most = int(time.process_time() + 3 + 10 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.alarm(int(10 + 20 * seconds))


def wait(child: int, seconds: float) -> bool:
    """Whether the child ended in time; it is not reaped."""
    poll = select.poll()
    fd = os.pidfd_open(child)
    try:
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(1000 * seconds))
    finally:
        os.close(fd)


class Trial:
    """Tries mutants one after the other and writes a line for each."""

    def __init__(self, job: Job) -> None:
        self.job = job
        measured = measuring.read(Path(job.measured))
        only = measured.later if job.later else None
        self.chooser, self.seconds = Chooser(measured, job.budget, only), measured.seconds
        self.sound: set[str] = set()  # tests that are known to pass on the code as it is
        self.unsound: set[str] = set()
        self.sources: dict[str, list[Mutant]] = {}

    def mutant(self, path: str, number: int) -> Mutant:
        if path not in self.sources:
            self.sources[path] = mutants_of(Path(path), Path(path).read_text("utf-8"))
        return self.sources[path][number]

    def tests(self, mutant: Mutant) -> list[str]:
        return [name for name in self.chooser.choose(mutant) if name not in self.unsound]

    def try_one(self, mutant: Mutant, run: Run) -> bool:
        """Have RUN run tests on the mutant, or on the code as it is, and write down what came of it.

        False, and nothing written, if this change needs a process that has not loaded the module.
        """
        began = time.monotonic()
        while True:
            tests = self.tests(mutant)
            if not tests:
                outcome, by = "survived" if self.job.later else "not covered", ""
                break
            with changed_file(mutant):
                outcome, by = in_a_child(partial(run, tests, mutant), self.chooser.seconds(tests))
            if not outcome:
                return False
            if not by or by in self.sound:
                break
            alone, _ = in_a_child(partial(run, [by], None), self.chooser.seconds([by]))
            (self.sound if alone == "survived" else self.unsound).add(by)
            if alone == "survived":
                break
        if by:
            self.chooser.learn(mutant, by)
        row: dict[str, Any] = {"path": mutant.path.as_posix(), "line": mutant.line, "what": mutant.what}
        row |= {"number": mutant.number, "outcome": outcome, "by": by, "tests": len(tests)}
        with open(self.job.out, "a") as out:
            print(json.dumps(row | {"seconds": round(time.monotonic() - began, 2)}), file=out)
        return True

    @property
    def over(self) -> bool:
        return time.time() > self.job.end


@contextlib.contextmanager
def changed_file(mutant: Mutant) -> Any:
    """Have the change on disk as well, for the commands that tests start."""
    try:
        mutant.path.write_text(ast.unparse(mutant.tree()), "utf-8")
        yield
    finally:
        mutant.path.write_text(mutant.source, "utf-8")


class Loaded:
    """A pytest session that collects all tests once, and runs them for each mutant in a child."""

    def __init__(self, trial: Trial, mutants: list[Mutant], later: int) -> None:
        self.trial, self.mutants, self.later = trial, mutants, later

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        self.session = session
        for plugin in session.config.pluginmanager.get_plugins():
            if hasattr(plugin, "MEMORY"):  # tests/store/conftest.py: what a killed test leaves is to be ours
                plugin.MEMORY = Path(ALONE).resolve()
        for mutant in self.mutants:
            if self.trial.over:
                break
            if not self.trial.try_one(mutant, self.run):
                os.write(self.later, f"{mutant.path.as_posix()}\t{mutant.number}\n".encode())
        return True

    def run(self, tests: list[str], mutant: Mutant | None, fd: int) -> None:
        if mutant:
            try:
                swap(str(mutant.path.resolve()), mutant.source, mutant.tree())
            except NeedsImport:
                os._exit(NEEDS_IMPORT)
        items = [self.items[name] for name in tests if name in self.items]
        self.session.config.pluginmanager.register(Noticed(fd, self.trial.seconds))
        for at, item in enumerate(items):
            following = items[at + 1] if at + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.session.testsfailed:
                break
        self.session._setupstate.teardown_exact(None)


class Chosen:
    """Runs some of the tests of the files that were collected, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self.place = {name: at for at, name in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place), key=lambda item: self.place[item.nodeid]
        )


class Noticed:
    """Tells through a pipe which test failed first; no test is waited for without an end."""

    def __init__(self, fd: int, seconds: dict[str, float]) -> None:
        self.fd, self.seconds, self.told = fd, seconds, False

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        patience(self.seconds.get(nodeid, 1.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.told:
            os.write(self.fd, report.nodeid.encode())
            self.told = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            os._exit(1)


def fresh(trial: Trial) -> Run:
    """Runs tests where nothing of ours is loaded; the file on disk is what counts."""

    def run(tests: list[str], _: Mutant | None, fd: int) -> None:
        files = sorted({name.partition("::")[0] for name in tests})
        arguments = [*OPTIONS, "-x", f"--basetemp={ALONE}/pytest", *files]
        if status := pytest.main(arguments, plugins=[Noticed(fd, trial.seconds), Chosen(tests)]):
            os._exit(int(status))

    return run


def run_loaded(trial: Trial, mutants: list[Mutant]) -> list[Mutant]:
    """Try those that can be put into functions that are loaded; gives the others."""
    files = sorted({name.partition("::")[0] for one in mutants for name in trial.tests(one)})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        arguments = [*OPTIONS, f"--basetemp={ALONE}/pytest", *files]
        os._exit(int(pytest.main(arguments, plugins=[Loaded(trial, mutants, writing)])))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        rows = [line.rstrip("\n").split("\t") for line in pipe]
    if os.waitpid(child, 0)[1]:
        sys.exit("the session ended with an error")
    return [trial.mutant(path, int(number)) for path, number in rows]


def main() -> None:
    job = Job.read(sys.argv[1])
    for name in LOADED:
        importlib.import_module(name)
    sys.dont_write_bytecode = True
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    trial = Trial(job)
    mutants = [trial.mutant(path, number) for path, number in job.mutants]
    if not job.fresh:
        mutants = run_loaded(trial, mutants)
    for mutant in mutants:
        if trial.over:
            break
        trial.try_one(mutant, fresh(trial))
    clear()


if __name__ == "__main__":
    main()
