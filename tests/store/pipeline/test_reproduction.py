"""Running a record again: what the command finds, what is compared, what is said, and what is left alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.store.pipeline.conftest import Project, stage
from tests.store.support import ADA, fast_repository, listing

from mlstore.errors import CorruptObject, ObjectNotFound, RefNotFound, UsageError
from mlstore.history import NoteBook
from mlstore.pipeline.reproduction import (
    NOTE_KIND,
    ReproduceRequest,
    Reproduction,
    StageResult,
    Watcher,
    record_verdicts,
    reproduce,
)
from mlstore.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def again(project: Project, scratch: Path) -> Callable[..., Reproduction]:
    def run(*stages: str, environ: dict[str, str] | None = None, **more: Any) -> Reproduction:
        values = environ or project.environ
        return reproduce(project.repo, ReproduceRequest(values, scratch, stages=stages, **more))

    return run


def only(found: Reproduction) -> StageResult:
    (result,) = found.stages
    return result


def recorded(project: Project, command: str, inputs: list[str], outputs: list[str], **files: str) -> None:
    """A pipeline of one stage `s` that has run."""
    for name, text in files.items():
        project.write(name.replace("_", "."), text)
    project.declare(stage("s", command, inputs, outputs))
    assert project.ran() == ["s"]


# --- verdicts -----------------------------------------------------------------------------------------------


def test_a_chain_that_gives_the_same_bytes_is_reproduced(
    line: Project, again: Callable[..., Reproduction], scratch: Path
) -> None:
    line.run()
    found = again()
    assert [(one.block.name, one.verdict, one.runs) for one in found.stages] == [
        ("upper", "reproduced", 1),
        ("report", "reproduced", 1),
    ]
    assert (found.ok, found.verdict) == (True, "reproduced")
    assert list(scratch.iterdir()) == []


def test_each_stage_is_run_from_its_own_record(line: Project, again: Callable[..., Reproduction]) -> None:
    line.run()
    line.write("upper.txt", "something else entirely\n")
    line.write("raw.txt", "changed since\n")
    assert [one.verdict for one in again().stages] == ["reproduced", "reproduced"]


def test_chance_is_called_nondeterministic_after_a_second_run(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    recorded(project, "head -c 8 /dev/urandom | od -x > out", [], ["out"])
    result = only(again())
    assert (result.verdict, result.cause, result.runs) == ("diverged", "nondeterministic", 2)
    (output,) = result.outputs
    assert output.expected not in output.actual
    assert output.actual[0] != output.actual[1]
    assert output.judged.comparison is not None


def test_runs_that_agree_and_differ_from_the_record_point_to_another_environment(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["OMP_NUM_THREADS"] = "7"
    recorded(project, "echo ${OMP_NUM_THREADS:-none} > out", [], ["out"])
    result = only(again())
    assert (result.verdict, result.cause, result.runs) == ("diverged", "another-environment", 2)
    assert result.changes is not None
    assert "OMP_NUM_THREADS removed: 7" in result.changes


def test_a_flaw_that_shows_in_one_run_of_several_is_found(
    project: Project, again: Callable[..., Reproduction], tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    command = f"echo x >> {counter}; test $(wc -l < {counter}) -ne 4 && echo good > out || echo bad > out"
    recorded(project, command, [], ["out"])
    assert only(again(times=2)).verdict == "reproduced"
    result = only(again(times=2))
    assert (result.verdict, result.cause) == ("diverged", "nondeterministic")
    assert [actual == result.outputs[0].expected for actual in result.outputs[0].actual] == [False, True]


def test_times_are_kept_to(project: Project, again: Callable[..., Reproduction]) -> None:
    recorded(project, "echo a > out", [], ["out"])
    assert only(again(times=3)).runs == 3


def test_the_rules_of_the_gate_decide_what_is_equivalent(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.write("first", "")
    project.declare(
        '[[gate.rules]]\npath = "*.json"\nequal = "content"\n',
        # With the marker in the environment the keys come in another order.
        stage("s", """test -n "$OMP_NUM_THREADS" && echo '{"a":1,"b":2}' > m.json ||
            echo '{"b": 2, "a": 1}' > m.json""", ["first"], ["m.json"]),
    )  # fmt: skip
    project.environ["OMP_NUM_THREADS"] = "1"
    project.ran()
    found = again()
    result = only(found)
    assert (result.verdict, found.verdict, found.ok, result.runs) == ("equivalent", "equivalent", True, 1)
    (output,) = result.outputs
    assert (output.judged.outcome, output.judged.rule) == ("equivalent", "rule 1")
    assert found.policy.source == "commit"


def test_a_rule_that_is_only_in_the_worktree_loosens_nothing(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["OMP_NUM_THREADS"] = "1"
    command = (
        """test -n "$OMP_NUM_THREADS" && echo '{"a":1,"b":2}' > m.json || echo '{"b":2,"a":1}' > m.json"""
    )
    recorded(project, command, [], ["m.json"])
    project.declare(
        '[[gate.rules]]\npath = "*.json"\nequal = "content"\n', stage("s", command, [], ["m.json"])
    )
    assert only(again()).verdict == "diverged"


def test_a_command_that_fails_is_failed_with_its_own_status_and_last_words(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["OMP_NUM_THREADS"] = "1"
    recorded(project, 'test -n "$OMP_NUM_THREADS" || { echo oh no; exit 7; }; echo a > out', [], ["out"])
    result = only(again())
    assert (result.verdict, result.runs) == ("failed", 1)
    assert result.failure is not None
    assert result.failure.status == 7
    assert result.failure.tail == b"oh no\n"
    assert not again().ok


def test_a_command_that_is_not_there_any_more_has_failed(
    project: Project, again: Callable[..., Reproduction], tmp_path: Path
) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho a > out\n")
    tool.chmod(0o755)
    project.write("mlstore.toml", f'[stages.s]\ncommand = ["{tool}"]\noutputs = ["out"]\n')
    project.ran()
    tool.unlink()
    result = only(again())
    assert result.failure is not None
    assert (result.verdict, result.failure.status) == ("failed", 127)


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(
    project: Project, again: Callable[..., Reproduction], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    project.environ["OMP_NUM_THREADS"] = "1"
    command = f'test -n "$OMP_NUM_THREADS" || {{ sleep 600 & echo $! > {pids}; wait; }}; echo a > out'
    recorded(project, command, [], ["out"])
    result = only(again(timeout=0.3))
    assert result.failure is not None
    assert (result.verdict, result.failure.status) == ("failed", None)
    assert "longer than 0.3 s" in result.failure.message
    assert_gone(int(pids.read_text()))


def test_what_a_command_leaves_running_is_ended(
    project: Project, again: Callable[..., Reproduction], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    command = f"(sleep 600 > /dev/null 2>&1 & echo $! > {pids}); echo a > out"
    recorded(project, command, [], ["out"])
    os.kill(int(pids.read_text()), 9)  # that of `run`
    assert only(again()).verdict == "reproduced"
    assert_gone(int(pids.read_text()))


def assert_gone(pid: int) -> None:
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} lives")


# --- what the command finds ---------------------------------------------------------------------------------


def test_exactly_the_recorded_inputs_are_there(project: Project, again: Callable[..., Reproduction]) -> None:
    project.write("data/a.txt", "a")
    project.write("data/b.txt", "b")
    project.write("run.sh", "#!/bin/sh\nfind . -type f ! -name out | LC_ALL=C sort > out\n", executable=True)
    project.write("config.ini", "[x]\nk = 1\n[y]\nk = 2\n")
    project.write("stranger.txt", "not declared")
    project.declare(stage("s", "./run.sh", ["run.sh", "data/a.txt", "config.ini#x"], ["out"]))
    project.add("stranger.txt", "data/b.txt")
    project.run()
    result = only(again(keep=True))
    folder = result.kept[0]
    assert {path for path, what in listing(Path(folder) / "work").items() if what[0] == "file"} == {
        "config.ini", "data/a.txt", "out", "run.sh",
    }  # fmt: skip
    assert (Path(folder) / "work/out").read_text() == "./config.ini\n./data/a.txt\n./run.sh\n"
    assert (Path(folder) / "work/config.ini").read_text() == "[x]\nk = 1\n[y]\nk = 2\n"
    assert result.verdict == "diverged"


def test_the_inputs_are_those_of_the_record_whatever_lies_in_the_worktree(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    recorded(project, "cp in out", ["in"], ["out"], **{"in": "then"})
    project.path("in").write_text("now")
    project.path("mlstore.toml").unlink()
    assert only(again()).verdict == "reproduced"


def test_a_read_that_is_not_declared_fails_and_the_hint_names_it(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.write("secret.csv", "1")
    recorded(project, "cat in secret.csv > out", ["in"], ["out"], **{"in": "x"})
    failure = only(again()).failure
    assert failure is not None
    assert "secret.csv" in failure.tail.decode()
    assert failure.hint.startswith("'secret.csv' is no recorded input of stage 's': declare it")
    assert "the command had 'in'" in failure.hint


def test_a_module_that_is_not_declared_is_named_too(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["PATH"] = os.pathsep.join([str(Path(os.sys.executable).parent), os.environ["PATH"]])  # type: ignore[attr-defined]
    project.write("helper.py", "X = 1\n")
    project.write("main.py", "import helper\nopen('out', 'w').write(str(helper.X))\n")
    project.declare(stage("s", "python main.py", ["main.py"], ["out"]))
    project.run()
    failure = only(again()).failure
    assert failure is not None
    assert failure.hint.startswith("'helper.py' is no recorded input")


def test_a_failure_that_names_no_file_points_to_observe(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["OMP_NUM_THREADS"] = "1"
    recorded(project, 'test -n "$OMP_NUM_THREADS" && cp in out', ["in"], ["out"], **{"in": "x"})
    failure = only(again()).failure
    assert failure is not None
    assert failure.hint == (
        "the command had 'in'; 'mlstore run --observe s' tells what it reads that is not declared"
    )


def test_the_environment_is_clean_but_for_what_is_declared(
    project: Project, again: Callable[..., Reproduction], scratch: Path
) -> None:
    project.write(
        "mlstore.toml",
        '[reproduce]\nenv = ["EVERYWHERE", "NOT_SET"]\n[stages.s]\ncommand = "env | sort > out"\n'
        'outputs = ["out"]\nenv = ["HERE", "EVERYWHERE"]\n',
    )
    project.run()
    environ = project.environ | {"HERE": "1", "EVERYWHERE": "2", "SECRET": "3", "LANG": "C"}
    result = only(again(environ=environ, keep=True))
    folder = result.kept[0]
    out = (Path(folder) / "work/out").read_text()
    values = dict(text.split("=", 1) for text in out.splitlines())
    for own in ("PWD", "SHLVL", "_", "OLDPWD"):  # the shell's
        values.pop(own, None)
    assert values == {
        "PATH": project.environ["PATH"],
        "HOME": f"{folder}/home",
        "TMPDIR": f"{folder}/tmp",
        "LANG": "C",
        "TZ": "UTC",
        "HERE": "1",
        "EVERYWHERE": "2",
    }
    assert (result.passed, result.unset) == (("EVERYWHERE", "HERE"), ("NOT_SET",))
    assert Path(folder).parent == scratch


# --- what came out ------------------------------------------------------------------------------------------


def test_an_output_that_is_not_written_again_is_missing(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["OMP_NUM_THREADS"] = "1"
    recorded(project, 'echo a > a; test -z "$OMP_NUM_THREADS" || echo b > b', [], ["a", "b"])
    result = only(again())
    assert (result.verdict, result.cause) == ("diverged", "another-environment")
    assert {one.path: one.judged.outcome for one in result.outputs} == {"a": "equal", "b": "missing"}


def test_an_output_that_the_record_does_not_have_is_extra(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.environ["OMP_NUM_THREADS"] = "1"
    command = 'mkdir -p d; echo a > d/a; test -n "$OMP_NUM_THREADS" || echo b > d/b'
    recorded(project, command, [], ["d"])
    result = only(again())
    assert (result.verdict, result.cause) == ("diverged", "another-environment")
    assert {one.path: one.judged.outcome for one in result.outputs} == {"d/a": "equal", "d/b": "extra"}


def test_names_made_by_chance_are_nondeterministic(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    recorded(project, "mkdir -p d; echo a > d/$$", [], ["d"])
    result = only(again())
    assert (result.verdict, result.cause) == ("diverged", "nondeterministic")


def test_a_link_is_no_output(project: Project, again: Callable[..., Reproduction]) -> None:
    project.environ["OMP_NUM_THREADS"] = "1"
    command = 'test -n "$OMP_NUM_THREADS" && cp in out || ln -s in out'
    recorded(project, command, ["in"], ["out"], **{"in": "x"})
    result = only(again())
    assert [one.judged.outcome for one in result.outputs] == ["missing"]


def test_what_else_was_written_is_told(project: Project, again: Callable[..., Reproduction]) -> None:
    recorded(project, "echo a > out; echo b > log.txt", [], ["out"])
    result = only(again())
    assert (result.verdict, result.written) == ("reproduced", ("log.txt",))


def test_folders_of_outputs_are_there(project: Project, again: Callable[..., Reproduction]) -> None:
    project.path("deep/er").mkdir(parents=True)
    recorded(project, "echo a > deep/er/out", [], ["deep/er/out"])
    assert only(again()).verdict == "reproduced"


# --- what is left alone -------------------------------------------------------------------------------------


def test_worktree_index_and_refs_are_untouched(project: Project, again: Callable[..., Reproduction]) -> None:
    recorded(project, "date +%N > out; echo x > other", ["in"], ["out"], **{"in": "x"})
    project.write("work in progress", "mine")
    before, store = project.everything(), listing(project.repo.store, skip=())
    stats = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    again(times=2)
    assert project.everything() == before
    assert listing(project.repo.store, skip=()) == store
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == stats


def test_a_scratch_folder_that_cannot_be_written_to_any_more_is_removed(
    project: Project, again: Callable[..., Reproduction], scratch: Path
) -> None:
    recorded(project, "echo a > out; mkdir -p locked/in; touch locked/in/f; chmod -R a-w locked", [], ["out"])
    assert only(again()).verdict == "reproduced"
    assert list(scratch.iterdir()) == []


def test_an_interruption_leaves_no_command_and_no_folder(
    project: Project, scratch: Path, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    recorded(
        project, f"echo $$ > {pids}; echo started; test -e {pids}.on && sleep 600; echo a > out", [], ["out"]
    )
    Path(f"{pids}.on").touch()

    def interrupt(_stage: str, _data: bytes) -> None:
        raise KeyboardInterrupt

    request = ReproduceRequest(project.environ, scratch, watcher=Watcher(output=interrupt))
    with pytest.raises(KeyboardInterrupt):
        reproduce(project.repo, request)
    assert_gone(int(pids.read_text()))
    assert list(scratch.iterdir()) == []


def test_temporary_files_inside_the_worktree_are_refused(project: Project) -> None:
    recorded(project, "echo a > out", [], ["out"])
    inside = project.root / "tmp"
    inside.mkdir()
    with pytest.raises(UsageError, match="inside the worktree"):
        reproduce(project.repo, ReproduceRequest(project.environ, inside))
    assert list(inside.iterdir()) == []


# --- what cannot be done ------------------------------------------------------------------------------------


def test_a_repository_without_stages_has_nothing_to_reproduce(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    project.commit("plain", a="1")
    with pytest.raises(RefNotFound, match="no stage is on record"):
        again()


def test_a_stage_that_the_chain_does_not_have_is_refused(
    line: Project, again: Callable[..., Reproduction]
) -> None:
    line.run()
    with pytest.raises(UsageError, match="has no stage 'uper'"):
        again("uper")


def test_an_input_that_is_gone_or_damaged_is_told(
    project: Project, again: Callable[..., Reproduction], scratch: Path
) -> None:
    recorded(project, "cp in out", ["in"], ["out"], **{"in": "x" * 1000})
    blob = project.blocks()["s"].stage.inputs["in"]
    project.damage(blob)
    with pytest.raises(CorruptObject):
        again()
    assert list(scratch.iterdir()) == []
    project.remove_object(blob)
    with pytest.raises(ObjectNotFound):
        again()


def test_a_record_whose_value_is_not_that_of_its_file_is_refused(
    project: Project, again: Callable[..., Reproduction]
) -> None:
    from dataclasses import replace

    recorded(project, "echo a > out", ["config.ini#x"], ["out"], config_ini="[x]\nk = 1\n")
    block = project.blocks()["s"]
    false = replace(block.stage, inputs={"config.ini#x": block.stage.outputs["out"]})
    project.record("false", stage=false)
    with pytest.raises(CorruptObject, match="another value"):
        again()


# --- notes --------------------------------------------------------------------------------------------------


def test_verdicts_are_noted_on_the_commits_and_change_nothing_else(
    line: Project, again: Callable[..., Reproduction]
) -> None:
    line.run()
    before = line.everything()
    for _ in range(2):
        found = record_verdicts(line.repo, again(), author=ADA, time=line.now())
    after = line.everything()
    assert (after[0], after[2]) == (before[0], before[2])
    book = NoteBook(Repository.open(line.root), NOTE_KIND)
    for stage_ in found.stages:
        notes = book.of(stage_.block.id)
        assert len(notes) == 2
        assert notes[-1].text == f"reproduced 2026-01-16 on {stage_.machine}"
        assert notes[-1].data["verdict"] == "reproduced"
        assert set(notes[-1].data["outputs"]) == set(stage_.block.stage.outputs)
        assert notes[-1].data["environment"]["platform"]["system"] == os.uname().sysname
    assert line.head == found.commit


def test_a_failure_and_its_cause_are_noted_too(project: Project, again: Callable[..., Reproduction]) -> None:
    recorded(project, "date +%N > out", [], ["out"])
    record_verdicts(project.repo, again(), author=ADA, time=project.now())
    (note,) = NoteBook(project.repo, NOTE_KIND).of(project.head)
    assert (note.data["verdict"], note.data["cause"], note.data["runs"]) == (
        "diverged",
        "nondeterministic",
        2,
    )


def test_the_result_is_plain_json(project: Project, again: Callable[..., Reproduction]) -> None:
    recorded(project, "date +%N > out", [], ["out"])
    value = json.loads(json.dumps(again().to_dict()))
    assert (value["ok"], value["verdict"], value["commit"]) == (False, "diverged", project.head)
    (one,) = value["stages"]
    assert one["outputs"][0]["comparison"]["schema"] == "mlstore.comparison/1"
    assert one["note"] is None


def test_sha256_repositories_are_reproduced_too(tmp_path: Path, scratch: Path) -> None:
    project = Project(fast_repository(tmp_path / "other", "sha256"))
    recorded(project, "cp in out", ["in"], ["out"], **{"in": "x"})
    found = reproduce(project.repo, ReproduceRequest(project.environ, scratch))
    assert found.verdict == "reproduced"
