"""`run --observe`: what a stage opens is seen, what it declares is passed over, the rest is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.pipeline.conftest import Project
from tests.store.support import listing

from mlstore.errors import CannotRun, StageFailed
from mlstore.manifest import InputSpec, StageSpec
from mlstore.pipeline.observation import Events, Observing, Seen, judge_events
from mlstore.pipeline.observation.strace import find_strace, read_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.pipeline import StageOutcome


def strace_works(folder: Path) -> bool:
    try:
        find_strace(folder, os.environ)
    except CannotRun:
        return False
    return True


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def watch(project: Project, scratch: Path) -> Callable[..., StageOutcome]:
    """Run one stage `s` whose Python code is CODE, reading `s.py` and `in`, writing `out`."""
    # The bare interpreter: with no packages to look through, every run is quicker.
    tools = project.root.parent / "tools"
    tools.mkdir()
    (tools / "python").symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    project.environ["PATH"] = os.pathsep.join([str(tools), os.environ["PATH"]])

    def run(
        code: str, *, how: Any = "audit", strict: bool = False, command: str = "python s.py"
    ) -> StageOutcome:
        if how == "strace" and not strace_works(project.root.parent):
            pytest.skip("strace does not work here")
        project.write("s.py", code + "\nopen('in').close()\nopen('out', 'w').write('x')\n")
        project.write("in", "x")
        project.write(
            "mlstore.toml",
            f"[stages.s]\ncommand = '''{command}'''\ninputs = ['s.py', 'in']\noutputs = ['out']\n",
        )
        outcome = project.outcome("s", force=True, observing=Observing(how, scratch, strict))
        assert list(scratch.iterdir()) == []
        return outcome

    return run


def seen(outcome: StageOutcome) -> Seen:
    assert outcome.seen is not None, outcome.error
    return outcome.seen


BOTH = pytest.mark.parametrize("how", ["audit", "strace"])


# --- what is seen -------------------------------------------------------------------------------------------


@BOTH
def test_a_stage_that_keeps_to_its_declaration_is_clean(watch: Callable[..., StageOutcome], how: str) -> None:
    outcome = watch("pass", how=how)
    assert outcome.result == "ran"
    assert outcome.warnings == ()
    assert seen(outcome).clean
    assert seen(outcome).processes >= 1
    assert list(seen(outcome).remarks()) == []


READS = {
    "open": "open('extra.txt').read()",
    "os.open": "import os; os.read(os.open('extra.txt', os.O_RDONLY), 1)",
    "pathlib": "import pathlib; pathlib.Path('extra.txt').read_text()",
    "an absolute path": "import os; open(os.path.abspath('extra.txt'))",
    "a folder above": "import os; h = os.getcwd(); os.chdir('..'); open(f'{h}/extra.txt'); os.chdir(h)",
    "a bytes path": "open(b'extra.txt')",
    "a child": "import subprocess; subprocess.run(['python', '-c', 'open(\"extra.txt\")'], check=True)",
    "a grandchild": "import os; os.system('sh -c \"python child.py\"')",
    "a copy": "import shutil; shutil.copy('extra.txt', 'out')",
    "configparser": "import configparser; configparser.ConfigParser().read('extra.txt')",
    "mmap": "import mmap; f = open('extra.txt'); mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)",
}


@pytest.mark.parametrize("name", READS)
def test_a_read_of_an_undeclared_file_is_seen(
    project: Project, watch: Callable[..., StageOutcome], name: str
) -> None:
    project.write("extra.txt", "[a]\nb=1\n")
    project.write("child.py", "open('extra.txt')")
    outcome = watch(READS[name])
    assert outcome.error is None, outcome.error
    assert seen(outcome).reads == (("child.py", "extra.txt") if name == "a grandchild" else ("extra.txt",))
    assert outcome.warnings[0].endswith("'extra.txt': not declared as input")
    assert outcome.result == "ran"


def test_strace_sees_it_too(project: Project, watch: Callable[..., StageOutcome]) -> None:
    project.write("extra.txt", "x")
    assert seen(watch("open('extra.txt')", how="strace")).reads == ("extra.txt",)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_are_watched(
    project: Project, watch: Callable[..., StageOutcome], method: str
) -> None:
    project.write("extra.txt", "x")
    code = f"""
import multiprocessing
def read(name):
    return open(name).read()
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        pool.map(read, ["extra.txt"])
"""
    assert seen(watch(code)).reads == ("extra.txt",)


def test_a_module_is_seen_whether_python_reads_its_source_or_its_bytecode(
    project: Project, watch: Callable[..., StageOutcome]
) -> None:
    project.write("helper.py", "X = 1\n")
    for _ in range(2):
        assert seen(watch("import helper")).reads == ("helper.py",)
    assert any(project.path("__pycache__").glob("helper.*.pyc"))


def test_a_database_is_seen_by_its_name(project: Project, watch: Callable[..., StageOutcome]) -> None:
    import sqlite3

    for name in ("a.db", "b.db"):
        sqlite3.connect(project.path(name)).close()
        project.path(name).write_bytes(b"")
    code = (
        "import os, sqlite3\nsqlite3.connect('a.db').close()\n"
        "sqlite3.connect(f'file:{os.getcwd()}/b.db?mode=ro', uri=True).close()\n"
        "sqlite3.connect(':memory:').close()"
    )
    assert seen(watch(code)).reads == ("a.db", "b.db")


@BOTH
def test_a_write_beside_the_outputs_is_seen(
    project: Project, watch: Callable[..., StageOutcome], how: str
) -> None:
    project.write("old.txt", "x")
    project.write("gone.txt", "x")
    code = (
        "import os\nopen('log.txt', 'w').write('x')\nopen('old.txt', 'a').write('y')\nos.remove('gone.txt')\n"
        "open('t', 'w').write('x'); os.replace('t', 'moved.txt')\nopen('tmp', 'w').close(); os.remove('tmp')"
    )
    outcome = watch(code, how=how)
    assert seen(outcome).writes == ("gone.txt", "log.txt", "moved.txt", "old.txt")
    assert seen(outcome).reads == ()
    (warning,) = outcome.warnings
    assert warning.startswith("stage 's' wrote or removed 'gone.txt', 'log.txt', 'moved.txt', 'old.txt'")


@BOTH
def test_an_output_that_is_renamed_into_place_is_no_stray(
    watch: Callable[..., StageOutcome], how: str
) -> None:
    assert seen(watch("import os; open('o.tmp', 'w').close(); os.replace('o.tmp', 'out')", how=how)).clean


def test_what_was_opened_for_writing_and_left_alone_is_no_write(
    project: Project, watch: Callable[..., StageOutcome]
) -> None:
    project.write("same.txt", "x")
    outcome = seen(watch("open('same.txt', 'r+').read()"))
    assert (outcome.reads, outcome.writes) == (("same.txt",), ())


def test_its_own_files_are_no_undeclared_reads(watch: Callable[..., StageOutcome]) -> None:
    code = "open('own', 'w').write('x'); open('own').read(); open('out', 'w').close(); open('out')"
    assert seen(watch(code)).reads == ()


def test_a_file_that_was_looked_for_in_vain_is_not_told(watch: Callable[..., StageOutcome]) -> None:
    code = "try:\n    open('not there')\nexcept OSError:\n    pass"
    assert seen(watch(code)).clean


def test_files_outside_of_the_repository_are_nobodys_business(
    watch: Callable[..., StageOutcome], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("x")
    assert seen(watch(f"open({str(tmp_path / 'elsewhere')!r})")).clean


def test_tools_of_the_repository_make_no_noise(project: Project, watch: Callable[..., StageOutcome]) -> None:
    project.write(".git/HEAD", "x")
    project.write("venv/pyvenv.cfg", "x")
    project.write("venv/lib/x.py", "x")
    project.write("thing.dist-info/METADATA", "x")
    code = "for n in ('.git/HEAD', '.mlstore/config', 'venv/lib/x.py', 'thing.dist-info/METADATA'): open(n)"
    assert seen(watch(code)).clean


def test_an_input_that_is_never_read_is_mentioned(
    project: Project, watch: Callable[..., StageOutcome]
) -> None:
    watch("pass")
    project.write("unused.txt", "x")
    text = project.path("mlstore.toml").read_text().replace("'in']", "'in', 'unused.txt']")
    project.write("mlstore.toml", text)
    outcome = project.outcome("s", observing=Observing("audit", project.root.parent / "temporary"))
    assert seen(outcome).unread == ("unused.txt",)
    assert list(seen(outcome).remarks()) == ["stage 's' was not seen to read 'unused.txt'"]
    assert outcome.warnings == ()


# --- what is not seen, and said -----------------------------------------------------------------------------


def test_programs_in_other_languages_are_named(project: Project, watch: Callable[..., StageOutcome]) -> None:
    project.write("extra.txt", "x")
    outcome = seen(watch("import subprocess; subprocess.run(['cat', 'extra.txt'], check=True)"))
    assert (outcome.reads, outcome.blind) == ((), ("cat",))
    assert list(outcome.remarks()) == ["stage 's' ran 'cat': what other programs open is not seen"]


def test_strace_sees_what_other_programs_read(project: Project, watch: Callable[..., StageOutcome]) -> None:
    project.write("extra.txt", "x")
    outcome = seen(watch("import subprocess; subprocess.run(['cat', 'extra.txt'], check=True)", how="strace"))
    assert (outcome.reads, outcome.blind) == (("extra.txt",), ())


@pytest.mark.parametrize(
    ("child", "told"),
    [
        ("[sys.executable, '-I', '-c', 'open(\"extra.txt\")']", " -I"),
        ("[sys.executable, '-S', '-c', 'open(\"extra.txt\")']", " -S"),
        ("[sys.executable, '-bE', '-c', 'open(\"extra.txt\")']", " -bE"),
        ("[sys.executable, '-c', 'open(\"extra.txt\")'], env={}", " with another PYTHONPATH"),
    ],
)
def test_a_python_that_does_not_let_itself_be_watched_is_named(
    project: Project, watch: Callable[..., StageOutcome], child: str, told: str
) -> None:
    project.write("extra.txt", "x")
    outcome = seen(watch(f"import subprocess, sys; subprocess.run({child}, check=True)"))
    assert outcome.reads == ()
    assert outcome.blind == ("python" + told,)


@pytest.mark.parametrize("command", ["python -I s.py", "python -S s.py", "cp in out"])
def test_a_stage_that_nobody_could_watch_is_never_called_clean(
    project: Project, watch: Callable[..., StageOutcome], command: str
) -> None:
    outcome = watch("pass", command=command)
    assert not seen(outcome).clean
    assert "could not be observed" in outcome.warnings[0]
    strict = watch("pass", command=command, strict=True)
    assert strict.result == "failed"


# --- strict -------------------------------------------------------------------------------------------------


@BOTH
def test_strict_records_no_stage_that_breaks_its_declaration(
    project: Project, watch: Callable[..., StageOutcome], how: str
) -> None:
    project.write("extra.txt", "x")
    outcome = watch("open('extra.txt')", how=how, strict=True)
    assert outcome.result == "failed"
    assert isinstance(outcome.error, StageFailed)
    assert outcome.error.message == "stage 's' read 'extra.txt': not declared as input"
    assert seen(outcome).reads == ("extra.txt",)
    assert project.repo.refs.head().commit is None


@BOTH
def test_strict_records_a_stage_that_keeps_to_it(watch: Callable[..., StageOutcome], how: str) -> None:
    assert watch("pass", how=how, strict=True).result == "ran"


@BOTH
def test_a_stage_that_fails_fails_as_ever_and_what_was_seen_is_told(
    project: Project, watch: Callable[..., StageOutcome], how: str
) -> None:
    project.write("extra.txt", "x")
    outcome = watch("open('extra.txt'); raise SystemExit(7)", how=how)
    assert isinstance(outcome.error, StageFailed)
    assert outcome.error.data["status"] == 7
    assert seen(outcome).reads == ("extra.txt",)
    assert outcome.warnings == ("stage 's' read 'extra.txt': not declared as input",)


# --- the hook leaves the stage alone ------------------------------------------------------------------------


def test_the_stage_finds_its_module_path_as_without_us(
    project: Project, watch: Callable[..., StageOutcome], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    project.environ["PYTHONPATH"] = str(other)
    code = "import sys; open('out', 'w').close(); open({!r}, 'w').write(repr(sys.path))"
    watch(code.format(str(tmp_path / "watched")))
    python = str(project.root.parent / "tools/python")
    subprocess.run([python, "s.py"], cwd=project.root, env=project.environ, check=True)
    plain = (tmp_path / "watched").read_text()
    watch(code.format(str(tmp_path / "watched")))
    assert (tmp_path / "watched").read_text() == plain


def test_a_sitecustomize_that_was_there_before_is_run(
    project: Project, watch: Callable[..., StageOutcome], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import builtins\nbuiltins.CUSTOM = 'yes'\n")
    project.environ["PYTHONPATH"] = str(other)
    project.write("extra.txt", "x")
    outcome = watch(
        "import sitecustomize\nassert CUSTOM == 'yes'\nassert sitecustomize.__file__.startswith("
        f"{str(other)!r})\nopen('extra.txt')"
    )
    assert outcome.error is None, outcome.error
    assert seen(outcome).reads == ("extra.txt",)


def test_a_sitecustomize_that_fails_takes_no_sight_away(
    project: Project, watch: Callable[..., StageOutcome], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("raise RuntimeError('broken')\n")
    project.environ["PYTHONPATH"] = str(other)
    project.write("extra.txt", "x")
    outcome = watch("open('extra.txt')")
    assert outcome.result == "ran"
    assert seen(outcome).reads == ("extra.txt",)
    assert b"RuntimeError: broken" in project.printed["s"]


def test_the_recorded_environment_knows_nothing_of_it(
    project: Project, watch: Callable[..., StageOutcome]
) -> None:
    watch("pass")
    block = project.blocks()["s"]
    assert block.stage.command == ("sh", "-c", "python s.py")
    assert block.stage.environment is not None
    assert b"observe" not in project.repo.objects.read(block.stage.environment)


def test_a_program_that_closes_every_descriptor_gets_none_of_our_records(
    project: Project, watch: Callable[..., StageOutcome]
) -> None:
    project.write("extra.txt", "x")
    code = "import os\nos.closerange(3, 100)\nf = open('out', 'w')\nopen('extra.txt')\nf.write('mine')\n"
    code += "f.close()\nassert open('out').read() == 'mine'"
    outcome = watch(code)
    assert outcome.error is None, outcome.error
    assert seen(outcome).reads == ("extra.txt",)


def test_names_with_line_breaks_and_odd_bytes_are_seen_whole(
    project: Project, watch: Callable[..., StageOutcome]
) -> None:
    project.write("a\nb \u00e9", "x")
    assert seen(watch("open('a\\nb \\u00e9')")).reads == ("a\nb \u00e9",)


def test_nothing_is_left_behind(project: Project, watch: Callable[..., StageOutcome], scratch: Path) -> None:
    watch("pass")
    assert list(scratch.iterdir()) == []
    assert not any("sitecustomize" in path for path in listing(project.root))


# --- strace -------------------------------------------------------------------------------------------------


def test_a_machine_without_strace_is_told_so(watch: Callable[..., StageOutcome], project: Project) -> None:
    watch("pass")
    tools = project.root.parent / "bare"
    tools.mkdir()
    for name in ("sh", "git"):
        (tools / name).symlink_to(shutil.which(name) or name)
    project.environ["PATH"] = str(tools)
    outcome = project.outcome(
        "s", force=True, observing=Observing("strace", project.root.parent / "temporary")
    )
    assert isinstance(outcome.error, CannotRun)
    assert outcome.error.message == "'strace' is not installed"


def test_a_strace_that_may_not_trace_is_told_so(watch: Callable[..., StageOutcome], project: Project) -> None:
    watch("pass")
    tools = project.root.parent / "false"
    tools.mkdir()
    (tools / "strace").write_text("#!/bin/sh\necho 'strace: ptrace: Operation not permitted' >&2\nexit 1\n")
    (tools / "strace").chmod(0o755)
    project.environ["PATH"] = f"{tools}{os.pathsep}{project.environ['PATH']}"
    outcome = project.outcome(
        "s", force=True, observing=Observing("strace", project.root.parent / "temporary")
    )
    assert isinstance(outcome.error, CannotRun)
    assert "Operation not permitted" in outcome.error.message


CALLS = r"""
openat(AT_FDCWD</r>, "in.csv", O_RDONLY|O_CLOEXEC) = 3</r/in.csv>
openat(AT_FDCWD</r/sub>, "O_WRONLY.txt", O_RDONLY) = 3</r/sub/O_WRONLY.txt>
openat(AT_FDCWD</r>, "new", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4</r/new>
openat(AT_FDCWD</r>, "both", O_RDWR) = 4</r/both>
openat(AT_FDCWD</r>, "caf\303\251 \"q\"", O_RDONLY) = 3</r/caf\303\251 "q">
openat(AT_FDCWD</r>, "a>b", O_RDONLY) = 3</r/a\76b>
openat(AT_FDCWD</r>, "gone", O_RDONLY) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD</r>, ".", O_RDONLY|O_DIRECTORY) = 3</r>
openat(AT_FDCWD</r>, "/other/file", O_RDONLY) = 3</other/file>
openat(AT_FDCWD</r>, "link", O_RDONLY) = 3</r/target>
creat("made", 0644) = 5</r/made>
renameat2(AT_FDCWD</r/sub>, "x", 7</r/dir>, "y", RENAME_NOREPLACE) = 0
rename("p", "q") = 0
unlink("u") = 0
unlink("not there") = -1 ENOENT (No such file or directory)
rename("not", "there") = -1 ENOENT (No such file or directory)
unlinkat(AT_FDCWD</r/sub>, "d", AT_REMOVEDIR) = 0
execve("/r/tool", ["tool"], 0x7ffd /* 20 vars */) = 0
openat(AT_FDCWD</r>, "cut of
""".strip().splitlines()


def test_calls_of_strace_are_understood() -> None:
    events = Events()
    read_calls(CALLS, "/r", events)
    assert events.reads == {"in.csv", "sub/O_WRONLY.txt", "both", 'caf\u00e9 "q"', "a>b", "target", "tool"}
    assert events.writes == {"new", "both", "made", "dir/y", "sub/q"}
    assert events.removed == {"sub/x", "sub/p", "sub/u"}


@pytest.mark.parametrize(
    ("call", "reads", "writes", "removed"),
    [
        ('link("a", "b") = 0', {"a"}, {"b"}, set()),
        ('linkat(AT_FDCWD</r>, "a", 7</r/d>, "b", 0) = 0', {"a"}, {"d/b"}, set()),
        ('symlink("elsewhere", "b") = 0', set(), {"b"}, set()),
        ('symlinkat("elsewhere", 7</r/d>, "b") = 0', set(), {"d/b"}, set()),
        ('truncate("a", 5) = 0', set(), {"a"}, set()),
        ('unlinkat(AT_FDCWD</r/d>, "a", 0) = 0', set(), set(), {"d/a"}),
        (r'truncate("tab\there \"\x41\\", 5) = 0', set(), {'tab\there "A\\'}, set()),
    ],
)
def test_links_and_lengths_are_understood_too(
    call: str, reads: set[str], writes: set[str], removed: set[str]
) -> None:
    events = Events()
    read_calls([call], "/r", events)
    assert (events.reads, events.writes, events.removed) == (reads, writes, removed)


def test_a_line_of_strace_that_makes_no_sense_is_passed_over() -> None:
    events = Events()
    read_calls(
        ["", "+++ exited with 0 +++", "openat(", 'openat(AT_FDCWD</r>, "x") = ?', "\udcff = 3</r/x>"],
        "/r",
        events,
    )
    assert (events.reads, events.writes) == (set(), set())


# --- the judgement ------------------------------------------------------------------------------------------


def test_what_is_declared_by_folder_or_pattern_counts_as_declared(tmp_path: Path) -> None:
    for name in ("data/a.csv", "data/deep/b.csv", "conf.ini", "x.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    inputs = (InputSpec("data", "data", None), InputSpec("conf.ini#a", "conf.ini", "a"))
    spec = StageSpec("s", ("true",), False, inputs, ("*.log",), 1)
    judge = partial(judge_events, stage=spec, how="audit", root=str(tmp_path), inputs=[], before={})
    events = Events({"data/a.csv", "data/deep/b.csv", "conf.ini"}, {"x.log"}, processes=1)
    assert judge(events).clean
    events.reads.add("x.log")
    assert judge(events).clean
