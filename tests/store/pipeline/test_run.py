"""Running: what becomes a block, what is refused, and what is only said."""

from __future__ import annotations

import json
import os
import shutil
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tests.store.pipeline.conftest import Project, stage
from tests.store.support import ADA, fast_repository

from mlstore.errors import (
    ConfigError,
    InvalidPath,
    Locked,
    PathNotFound,
    Refused,
    StageFailed,
    StorageError,
    UsageError,
)
from mlstore.model import compute_lineage
from mlstore.pipeline import Listener, Request, StageOutcome, run
from mlstore.worktree.storer import store_file

if TYPE_CHECKING:
    from pathlib import Path

    from mlstore.objects import ObjectWriter
    from mlstore.repository import Repository
    from mlstore.worktree import HashedFile


# --- a run that goes well -----------------------------------------------------------------------------------


def test_every_stage_becomes_one_commit_in_order(line: Project) -> None:
    report = line.run()
    assert report.ok
    assert [one.stage for one in report.outcomes] == ["upper", "report"]
    commits = [line.repo.objects.read_commit(one.commit) for one in report.outcomes if one.commit]
    assert [commit.height for commit in commits] == [0, 1]
    assert [commit.message for commit in commits] == ["run upper", "run report"]
    assert commits[1].parents == (report.outcomes[0].commit,)
    assert line.head == report.outcomes[1].commit


def test_a_block_says_what_was_read_run_and_written(line: Project) -> None:
    line.run()
    upper, report = (line.blocks()[name] for name in ("upper", "report"))
    record = report.stage
    assert record.record == "observed"
    assert record.command == ("sh", "-c", "cat config.ini upper.txt | wc -l > report.txt")
    assert set(record.inputs) == {"upper.txt", "config.ini#report"}
    assert record.inputs["upper.txt"] == upper.stage.outputs["upper.txt"]
    assert record.outputs == {"report.txt": line.repo.format.hash_bytes(line.path("report.txt").read_bytes())}
    assert record.upstream == {"upper": upper.lineage}
    assert record.parameters == {"config.ini#report.mode": "plain"}
    assert report.commit.author == ADA
    assert report.lineage == compute_lineage(line.repo.format, record)
    assert record.duration_ms is not None


def test_the_environment_is_a_blob_of_canonical_json(line: Project) -> None:
    line.run()
    environment = line.blocks()["upper"].stage.environment
    assert environment is not None
    found = json.loads(line.repo.objects.read(environment))
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["click"]


def test_a_block_holds_the_manifest_inputs_and_outputs_and_nothing_else(line: Project) -> None:
    line.write("notes.txt", "mine")
    line.run("upper")
    assert set(line.committed()) == {"mlstore.toml", "raw.txt", "upper.txt"}
    line.run()
    assert set(line.committed()) == {"mlstore.toml", "raw.txt", "upper.txt", "config.ini", "report.txt"}


def test_after_a_run_nothing_is_left_to_commit(line: Project) -> None:
    line.run()
    assert line.status() == {"staged": [], "unstaged": [], "untracked": []}
    assert line.index.tree == line.repo.objects.read_commit(line.head).tree


def test_other_staged_work_stays_staged_and_is_in_no_block(line: Project) -> None:
    line.commit("before", notes__txt="old", raw__txt="abc\n")
    line.write("notes.txt", "new")
    line.add("notes.txt")
    line.run()
    assert line.committed()["notes.txt"] == b"old"
    assert line.status()["staged"] == ["modified notes.txt"]


def test_output_is_live_and_stderr_comes_with_it(project: Project) -> None:
    project.declare(stage("a", "echo one; echo two >&2; echo three | tee out", ["in"], ["out"]))
    project.write("in")
    project.run()
    assert project.printed == {"a": b"one\ntwo\nthree\n"}


def test_a_list_is_executed_without_a_shell(project: Project) -> None:
    project.write("in", "x")
    project.write(
        "mlstore.toml",
        '[stages.a]\ncommand = ["cp", "in", "a b; $HOME"]\ninputs = ["in"]\noutputs = ["a b; $HOME"]\n',
    )
    assert project.ran() == ["a"]
    assert project.blocks()["a"].stage.command == ("cp", "in", "a b; $HOME")


def test_commands_run_in_the_root_with_the_given_environment_and_no_input(project: Project) -> None:
    project.environ["GREETING"] = "hello"
    project.write("in")
    project.declare(stage("a", 'pwd > out; echo "$GREETING $HOME" >> out; cat >> out', ["in"], ["out"]))
    project.run()
    assert project.path("out").read_text() == f"{project.root}\nhello \n"


def test_a_stage_can_hold_several_files_and_folders(project: Project) -> None:
    project.write("in")
    command = "mkdir -p parts/deep; echo 1 > parts/a; echo 2 > parts/deep/b; echo 3 > x.csv; echo 4 > y.csv"
    project.declare(stage("a", command, ["in"], ["parts", "*.csv"]))
    project.run()
    assert set(project.blocks()["a"].stage.outputs) == {"parts/a", "parts/deep/b", "x.csv", "y.csv"}


def test_ignored_outputs_are_tracked_because_they_are_declared(project: Project) -> None:
    project.write(".mlstoreignore", "*.bin\n")
    project.write("in")
    project.declare(stage("a", "echo x > out.bin", ["in"], ["out.bin"]))
    project.run()
    assert "out.bin" in project.committed()
    assert project.ran() == []


def test_executable_outputs_keep_their_mode(project: Project) -> None:
    project.write("in")
    project.declare(stage("a", "echo x > tool; chmod +x tool", ["in"], ["tool"]))
    project.run()
    assert project.index.get("tool").kind == "executable"  # type: ignore[union-attr]
    assert project.status()["unstaged"] == []


def test_a_linear_chain_needs_no_inputs(project: Project) -> None:
    project.declare(
        *(stage(name, f"echo {name} >> log; cp log {name}", [], [name]) for name in ("one", "two", "three"))
    )
    report = project.run()
    assert report.ok
    blocks = project.blocks()
    assert [dict(blocks[name].stage.upstream) for name in ("one", "two", "three")] == [
        {},
        {"one": blocks["one"].lineage},
        {"two": blocks["two"].lineage},
    ]
    assert project.ran() == []


# --- only what is stale -------------------------------------------------------------------------------------


def test_nothing_runs_twice(line: Project) -> None:
    line.run()
    head = line.head
    assert line.results() == {"upper": "up-to-date", "report": "up-to-date"}
    assert line.head == head


def test_a_changed_input_runs_its_stage_and_what_follows(line: Project) -> None:
    line.run()
    line.write("raw.txt", "xyz\n")
    assert line.reasons() == {"upper": "input 'raw.txt' changed", "report": "upstream 'upper' will run"}
    assert line.ran() == ["upper", "report"]


def test_a_changed_key_runs_only_the_stage_that_reads_it(line: Project) -> None:
    line.run()
    line.write("config.ini", "[report]\nmode = fancy\n[DEFAULT]\ndate = 2026-01-16\n")
    assert line.reasons() == {
        "upper": None,
        "report": "input 'config.ini#report' changed (mode plain -> fancy)",
    }
    assert line.ran() == ["report"]


def test_a_date_elsewhere_in_the_config_triggers_nothing(line: Project) -> None:
    line.run()
    line.write("config.ini", "[report]\nmode = plain\n# a comment\n[DEFAULT]\ndate = 2027-02-03\n")
    assert line.ran() == []
    line.add("config.ini")
    line.record("the date")
    assert line.ran() == []


def test_a_changed_command_runs(line: Project) -> None:
    line.run()
    line.write("mlstore.toml", line.path("mlstore.toml").read_text().replace("tr a-z", "tr  a-z"))
    assert line.reasons()["upper"] == "command changed"
    assert line.ran() == ["upper", "report"]


def test_a_missing_or_modified_output_runs(line: Project) -> None:
    line.run()
    line.path("upper.txt").unlink()
    assert line.reasons()["upper"] == "output 'upper.txt' is missing"
    line.write("upper.txt", "tampered")
    assert line.reasons()["upper"] == "output 'upper.txt' was modified"
    # The same content comes out again, so the lineage is the same and nothing follows.
    assert line.ran() == ["upper"]


def test_a_file_that_joined_the_outputs_runs(project: Project) -> None:
    project.write("in")
    project.declare(stage("a", "rm -rf parts; mkdir parts; echo 1 > parts/a", ["in"], ["parts"]))
    project.run()
    project.write("parts/stranger", "x")
    assert project.reasons() == {"a": "output 'parts/stranger' is not from its last run"}
    assert project.ran() == ["a"]


def test_a_file_that_joined_or_left_a_glob_input_runs(project: Project) -> None:
    project.write("data/a.csv", "1")
    project.declare(stage("a", "cat data/*.csv > out", ["data/*.csv"], ["out"]))
    project.run()
    project.write("data/b.csv", "2")
    assert project.reasons() == {"a": "input 'data/b.csv' is new"}
    project.run()
    project.path("data/a.csv").unlink()
    assert project.reasons() == {"a": "input 'data/a.csv' is gone"}


def test_an_input_that_is_no_longer_declared_runs(line: Project) -> None:
    line.run()
    text = line.path("mlstore.toml").read_text()
    line.write("mlstore.toml", text.replace(", 'config.ini#report'", ""))
    assert line.reasons()["report"] == "input 'config.ini#report' is no longer declared"


def test_an_upstream_with_another_history_and_the_same_content_still_counts(line: Project) -> None:
    """Equal bytes from other inputs: the chain below has to say what it is now made from."""
    line.write("raw.txt", "ABC\n")
    line.run()
    line.write("raw.txt", "abc\n")
    assert line.ran() == ["upper", "report"]
    blocks = line.blocks()
    assert blocks["report"].stage.upstream == {"upper": blocks["upper"].lineage}


def test_a_stage_whose_upstream_was_recorded_anew_behind_its_back_is_stale(line: Project) -> None:
    line.run()
    line.write("raw.txt", "ABC\n")
    line.run("upper")
    assert line.reasons()["report"] == "upstream 'upper' has another lineage"


def test_content_that_head_no_longer_holds_is_recorded_again(line: Project) -> None:
    line.run()
    line.commit("tampered", upper__txt="tampered")
    line.write("upper.txt", "ABC\n")
    assert line.reasons()["upper"] == "HEAD holds another 'upper.txt'"
    line.run()
    assert line.committed()["upper.txt"] == b"ABC\n"


def test_a_changed_key_that_was_committed_and_taken_back_is_recorded_again(line: Project) -> None:
    line.run()
    good = line.path("config.ini").read_text()
    line.commit("other", config__ini="[report]\nmode = fancy\n")
    line.write("config.ini", good)
    assert line.reasons() == {"upper": None, "report": "HEAD holds another 'config.ini#report'"}


def test_one_stage_runs_after_what_is_stale_above_it(line: Project) -> None:
    line.write(
        "mlstore.toml",
        line.path("mlstore.toml").read_text() + stage("other", "cp raw.txt o", ["raw.txt"], ["o"]),
    )
    assert line.ran("report") == ["upper", "report"]
    line.write("raw.txt", "new")
    assert line.results("report") == {"upper": "ran", "report": "ran"}
    assert line.results("upper") == {"upper": "up-to-date"}


def test_force_runs_what_is_named_or_everything(line: Project) -> None:
    line.run()
    before = line.blocks()
    assert line.results("report", force=True) == {"upper": "up-to-date", "report": "ran"}
    assert line.ran(force=True) == ["upper", "report"]
    after = line.blocks()
    assert {name: block.lineage for name, block in after.items()} == {
        name: block.lineage for name, block in before.items()
    }
    assert line.reasons(force=True) == {"upper": "forced", "report": "upstream 'upper' will run"}


def test_a_plan_changes_nothing(line: Project) -> None:
    assert line.reasons() == {"upper": "never ran", "report": "never ran"}
    assert line.repo.refs.head().commit is None
    assert not line.path("upper.txt").exists()


def test_two_runs_at_different_times_and_places_have_equal_lineage(line: Project, tmp_path: Path) -> None:
    other = Project(fast_repository(tmp_path / "other place"), clock=2_000_000_000)
    for name in ("raw.txt", "config.ini", "mlstore.toml"):
        other.write(name, line.path(name).read_bytes())
    other.commit("something of its own", readme__md="x")
    line.run()
    other.run()
    ours, theirs = line.blocks(), other.blocks()
    assert {n: b.lineage for n, b in ours.items()} == {n: b.lineage for n, b in theirs.items()}
    assert not {b.id for b in ours.values()} & {b.id for b in theirs.values()}


# --- refused ------------------------------------------------------------------------------------------------


def failure(project: Project, name: str = "a") -> StageFailed:
    """Run one stage, which must fail, record nothing, and leave its log."""
    head = project.repo.refs.head().commit
    index = project.index.snapshot()
    outcome = project.outcome(name)
    assert outcome.result == "failed"
    assert isinstance(outcome.error, StageFailed)
    assert project.repo.refs.head().commit == head
    assert project.index.snapshot() == index
    return outcome.error


def test_a_failing_command_records_nothing_and_gives_its_status(project: Project) -> None:
    project.write("in")
    project.declare(stage("a", "echo partial > out; echo what happened >&2; exit 7", ["in"], ["out"]))
    error = failure(project)
    assert error.message == "stage 'a' failed: its command ended with status 7"
    assert error.data["status"] == 7
    assert error.data["log"] == ".mlstore/logs/run/a.log"
    assert project.path(error.data["log"]).read_text() == "what happened\n"
    assert ".mlstore/logs/run/a.log" in (error.hint or "")
    assert project.path("out").read_text() == "partial\n"  # left for the user to see


def test_a_command_that_is_killed_names_the_signal(project: Project) -> None:
    project.write("in")
    project.declare(stage("a", "kill -9 $$", ["in"], ["out"]))
    error = failure(project)
    assert error.message == "stage 'a' failed: its command was killed by signal 9 (SIGKILL)"
    assert error.data["status"] == -9


def test_a_command_that_cannot_be_started_says_so(project: Project) -> None:
    project.write("in")
    project.write(
        "mlstore.toml", '[stages.a]\ncommand = ["no-such-thing"]\ninputs = ["in"]\noutputs = ["out"]\n'
    )
    error = failure(project)
    assert error.message == "stage 'a' failed: 'no-such-thing' cannot be started: it was not found"
    assert error.data["status"] == 127


def test_a_missing_output_is_refused(project: Project) -> None:
    project.write("in")
    project.declare(stage("a", "echo x > elsewhere", ["in"], ["out", "elsewhere"]))
    error = failure(project)
    assert error.message == "stage 'a' did not write its output 'out': it is missing"
    assert error.data["status"] == 0


def test_an_output_of_a_pattern_that_nothing_matches_is_refused(project: Project) -> None:
    project.write("in")
    project.declare(stage("a", "mkdir -p models", ["in"], ["models/*.pkl"]))
    assert "'models/*.pkl': it is missing" in failure(project).message


def test_an_output_that_the_command_did_not_write_is_refused(project: Project) -> None:
    project.write("in")
    project.write("out", "from somewhere else")
    project.declare(stage("a", "true", ["in"], ["out"]))
    assert failure(project).message == (
        "stage 'a' did not write its output 'out': the file there is older than the run"
    )


def test_an_output_that_was_written_with_the_same_bytes_and_date_counts_as_written(project: Project) -> None:
    project.write("in", "x")
    os.utime(project.path("in"), ns=(10**18, 10**18))
    project.declare(stage("a", "cp -p in out", ["in"], ["out"]))
    assert project.ran() == ["a"]
    assert project.ran(force=True) == ["a"]


def test_a_file_left_over_from_an_earlier_run_is_refused(project: Project) -> None:
    project.write("in", "1")
    project.declare(stage("a", "mkdir -p models; cp in models/$(cat in).pkl", ["in"], ["models/*.pkl"]))
    project.run()
    project.write("in", "2")
    error = failure(project)
    assert (
        error.message == "'models/1.pkl' fits output 'models/*.pkl' of stage 'a', but an earlier run left it"
    )
    assert error.data["paths"] == ["models/1.pkl"]
    project.path("models/1.pkl").unlink()
    assert project.ran() == ["a"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo y > out; echo more >> data/a", "input 'data/a' changed while stage 'a' ran"),
        ("echo y > out; echo new > data/b", "input 'data/b' appeared while stage 'a' ran"),
        ("echo y > out; rm data/z", "input 'data/z' was removed while stage 'a' ran"),
    ],
)
def test_an_input_that_changes_while_the_stage_runs_is_refused(
    project: Project, command: str, message: str
) -> None:
    project.write("data/a", "x")
    project.write("data/z", "x")
    project.declare(stage("a", command, ["data"], ["out"]))
    assert failure(project).message == message


def test_an_input_that_is_swapped_with_its_size_and_date_kept_is_refused(project: Project) -> None:
    project.write("in", "x")
    os.utime(project.path("in"), ns=(10**18, 10**18))
    project.commit("in is tracked, with its stat data")
    project.declare(stage("a", "cp in out; printf y > new; touch -r in new; mv new in", ["in"], ["out"]))
    assert failure(project).message == "input 'in' changed while stage 'a' ran"


def test_an_input_that_changes_between_being_hashed_and_being_stored_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store(repo: Repository, path: str, writer: ObjectWriter) -> HashedFile:
        if path == "in":
            project.write("in", "other")
        return store_file(repo, path, writer)

    monkeypatch.setattr("mlstore.pipeline.execute.store_file", store)
    project.write("in", "x")
    project.declare(stage("a", "cp in out", ["in"], ["out"]))
    assert failure(project).message == "input 'in' changed while stage 'a' ran"


def test_an_input_that_is_gone_after_the_run_is_refused(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "mv in out", ["in"], ["out"]))
    assert "an input is gone after the run" in failure(project).message


def test_a_key_that_changes_while_the_stage_runs_is_refused(project: Project) -> None:
    project.write("c.ini", "[a]\nx = 1\n")
    project.declare(stage("a", "echo y > out; echo 'z = 2' >> c.ini", ["c.ini#a"], ["out"]))
    assert failure(project).message == "input 'c.ini#a' changed while stage 'a' ran"


def test_another_key_may_change_while_the_stage_runs(project: Project) -> None:
    project.write("c.ini", "[b]\nx = 1\n[a]\nx = 1\n")
    project.declare(stage("a", "cp c.ini out; echo '[c]' >> c.ini", ["c.ini#b"], ["out"]))
    assert project.ran() == ["a"]
    assert project.committed()["c.ini"].endswith(b"[c]\n")
    assert project.ran() == []


def test_a_missing_input_names_the_stage(project: Project) -> None:
    project.declare(stage("a", "true", ["in"], ["out"]))
    error = project.outcome("a").error
    assert isinstance(error, PathNotFound)
    assert error.message == "stage 'a' reads 'in': there is no such file"
    assert project.reasons() == {"a": "never ran"}


def test_an_output_that_is_a_symlink_is_refused(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "ln -sf in out", ["in"], ["out"]))
    error = project.outcome("a").error
    assert isinstance(error, InvalidPath)
    assert "'out' is a symlink" in error.message


def test_outputs_that_collide_on_other_file_systems_are_refused(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "mkdir -p o; echo 1 > o/Model; echo 2 > o/model", ["in"], ["o"]))
    error = project.outcome("a").error
    assert isinstance(error, InvalidPath)
    assert project.repo.refs.head().commit is None
    assert len(project.index) == 0


def test_head_on_another_branch_after_the_run_is_refused(project: Project) -> None:
    project.write("in", "x")
    project.commit("first")
    project.declare(stage("a", "echo 'ref: refs/heads/other' > .mlstore/HEAD; echo y > out", ["in"], ["out"]))
    error = project.outcome("a").error
    assert isinstance(error, Refused)
    assert error.message == "HEAD was moved elsewhere while stage 'a' ran: its block is not recorded"


def test_a_commit_that_was_made_on_the_branch_meanwhile_is_built_upon(project: Project) -> None:
    project.write("in", "x")
    project.commit("first")
    project.declare(stage("a", "echo y > out", ["in"], ["out"]))
    listener = Listener(started=lambda one, reason: project.commit("meanwhile", notes__txt="n") and None)
    report = run(project.repo, Request(project.environ, ADA, project.now, listener=listener))
    assert report.ok
    assert project.repo.objects.read_commit(project.head).parents == (project.commits["meanwhile"],)
    assert "notes.txt" in project.committed()


def test_the_index_is_as_it_was_when_the_commit_fails(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("in", "x")
    project.declare(stage("a", "echo y > out", ["in"], ["out"]))
    message = "disk full"

    def fail(*_args: object, **_more: object) -> None:
        raise StorageError(message)

    monkeypatch.setattr("mlstore.pipeline.record.record_commit", fail)
    assert isinstance(project.outcome("a").error, StorageError)
    assert len(project.index) == 0
    monkeypatch.undo()
    assert project.ran() == ["a"]


# --- only said ----------------------------------------------------------------------------------------------


def warnings(outcome: StageOutcome) -> str:
    return "\n".join(outcome.warnings)


def test_a_file_that_nobody_declared_is_said(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "echo 1 > out; echo 2 > cache.bin", ["in"], ["out"]))
    outcome = project.outcome("a")
    assert outcome.result == "ran"
    assert outcome.warnings == (
        "'cache.bin' was written while stage 'a' ran, and no stage declares it: not in the block",
    )
    assert "cache.bin" not in project.committed()


def test_an_undeclared_file_is_said_when_the_declared_one_is_missing(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "echo 1 > raw.csv", ["in"], ["raw.npy"]))
    outcome = project.outcome("a")
    assert outcome.result == "failed"
    assert "'raw.csv' was written" in warnings(outcome)


def test_an_old_file_that_was_rewritten_is_said(project: Project) -> None:
    project.write("in", "x")
    project.write("state", "1")
    project.declare(stage("a", "echo 1 > out; echo 2 >> state", ["in"], ["out"]))
    assert "'state' was written" in warnings(project.outcome("a"))


def test_ignored_files_and_bytecode_are_not_said(project: Project) -> None:
    project.write("in", "x")
    project.write(".mlstoreignore", "*.tmp\n")
    project.declare(
        stage(
            "a",
            "echo 1 > out; echo 2 > x.tmp; mkdir __pycache__; echo 3 > __pycache__/m.pyc",
            ["in"],
            ["out"],
        )
    )
    assert project.outcome("a").warnings == ()


def test_writing_the_output_of_another_stage_is_said(project: Project) -> None:
    project.write("in", "x")
    project.declare(
        stage("a", "echo 1 > a.out; echo 2 > b.out", ["in"], ["a.out"]),
        stage("b", "echo 3 > b.out", ["in"], ["b.out"]),
    )
    assert project.outcome("a").warnings == (
        "'b.out' was written while stage 'a' ran, but belongs to stage 'b'",
    )


def test_a_tracked_change_that_a_stage_declares_is_not_said(line: Project) -> None:
    line.run()
    line.write("raw.txt", "new")
    line.write("config.ini", "[report]\nmode = plain\n[DEFAULT]\ndate = 2027-02-03\n")
    assert line.run().warnings == ()


def test_many_undeclared_files_are_one_warning(project: Project) -> None:
    project.write("in", "x")
    project.declare(
        stage("a", "echo 1 > out; for i in 1 2 3 4 5 6 7; do echo $i > f$i; done", ["in"], ["out"])
    )
    (text,) = project.outcome("a").warnings
    assert text.startswith("'f1', 'f2', 'f3', 'f4', 'f5' and 2 more were written")


def test_a_tracked_change_that_no_stage_declares_is_said_once(line: Project) -> None:
    line.commit("before", helper__py="old", other__py="o")
    line.write("helper.py", "new")
    report = line.run()
    text = "changed since HEAD, and no stage declares it: 'helper.py'; the blocks hold the committed version"
    assert report.warnings == (text,)
    assert line.heard.count(f"warning: {text}") == 1
    assert line.committed()["helper.py"] == b"old"
    assert line.run().warnings == ()  # nothing runs, nothing to say


def test_an_input_that_is_not_what_its_recorded_stage_wrote_is_said(project: Project) -> None:
    project.write("raw.txt", "one")
    project.add()
    project.record(stage="fetch")
    project.write("raw.txt", "two")
    project.declare(stage("a", "cp raw.txt out", ["raw.txt"], ["out"]))
    assert project.outcome("a").warnings == (
        (
            "input 'raw.txt' of stage 'a' is not what stage 'fetch' wrote:"
            " record it with 'mlstore commit --stage fetch'"
        ),
    )


# --- what a block holds when declarations change ------------------------------------------------------------


def test_outputs_that_are_no_longer_produced_leave_the_snapshot(project: Project) -> None:
    project.write("in", "1")
    project.declare(stage("a", "rm -rf o; mkdir o; cp in o/$(cat in)", ["in"], ["o"]))
    project.run()
    project.write("in", "2")
    project.run()
    assert set(project.committed()) == {"mlstore.toml", "in", "o/2"}
    assert project.status() == {"staged": [], "unstaged": [], "untracked": []}


def test_an_output_that_was_renamed_leaves_the_snapshot_and_stays_in_the_worktree(project: Project) -> None:
    project.write("in", "1")
    project.declare(stage("a", "cp in old", ["in"], ["old"]))
    project.run()
    project.declare(stage("a", "cp in new", ["in"], ["new"]))
    project.run()
    assert set(project.committed()) == {"mlstore.toml", "in", "new"}
    assert project.status()["untracked"] == ["old"]


def test_an_output_that_another_stage_took_over_stays(project: Project) -> None:
    project.write("in", "1")
    project.declare(stage("a", "cp in x; cp in y", ["in"], ["x", "y"]))
    project.run()
    project.declare(stage("b", "cp in y", ["in"], ["y"]), stage("a", "cp in x", ["in"], ["x"]))
    project.run()
    assert set(project.committed()) == {"mlstore.toml", "in", "x", "y"}


def test_a_folder_that_became_a_file_takes_its_place(project: Project) -> None:
    project.write("in", "1")
    project.declare(stage("a", "mkdir o; cp in o/x", ["in"], ["o"]))
    project.run()
    project.declare(stage("a", "rm -rf o; cp in o", ["in"], ["o"]))
    project.run()
    assert set(project.committed()) == {"mlstore.toml", "in", "o"}
    assert project.status()["staged"] == []


def test_a_tracked_file_that_became_a_folder_gives_way(project: Project) -> None:
    project.commit("o is a file", o="1", **{"in": "1"})
    project.path("o").unlink()
    project.declare(stage("a", "mkdir o; cp in o/x", ["in"], ["o/x"]))
    project.run()
    assert set(project.committed()) == {"mlstore.toml", "in", "o/x"}
    assert project.status()["staged"] == []


def test_a_folder_that_comes_back_in_the_run_is_seen_by_the_next_stage(project: Project) -> None:
    project.write("in", "1")
    project.declare(
        stage("a", "mkdir -p data; cp in data/x", ["in"], ["data/x"]),
        stage("b", "cp data/x out", ["data/x"], ["out"]),
    )
    project.run()
    shutil.rmtree(project.path("data"))
    assert project.results() == {"a": "ran", "b": "up-to-date"}


def test_the_block_holds_the_declaration_that_was_run(project: Project) -> None:
    project.write("in", "1")
    project.declare(stage("a", "echo '# edited meanwhile' >> mlstore.toml; cp in out", ["in"], ["out"]))
    before = project.path("mlstore.toml").read_bytes()
    project.run()
    assert project.committed()["mlstore.toml"] == before
    assert project.status()["unstaged"] == ["modified mlstore.toml"]


# --- scheduling ---------------------------------------------------------------------------------------------


@pytest.fixture
def fork(project: Project) -> Project:
    """`bad` and `good` from `in`; `below` needs `bad`, `deeper` needs `below`, `side` needs `good`."""
    project.write("in", "x")
    project.declare(
        stage("bad", "exit 3", ["in"], ["bad.out"]),
        stage("good", "cp in good.out", ["in"], ["good.out"]),
        stage("below", "cp bad.out below.out", ["bad.out"], ["below.out"]),
        stage("deeper", "cp below.out deeper.out", ["below.out"], ["deeper.out"]),
        stage("side", "cp good.out side.out", ["good.out"], ["side.out"]),
    )
    return project


def test_a_failure_stops_the_run(fork: Project) -> None:
    report = fork.run()
    assert {one.stage: one.result for one in report.outcomes} == {
        "bad": "failed",
        "good": "skipped",
        "below": "skipped",
        "deeper": "skipped",
        "side": "skipped",
    }
    assert report.error is report.outcomes[0].error
    assert [one.reason for one in report.outcomes[1:3]] == [
        "an earlier stage failed",
        "upstream 'bad' failed",
    ]


def test_keep_going_runs_what_does_not_depend_on_the_failure(fork: Project) -> None:
    report = fork.run(keep_going=True)
    assert {one.stage: (one.result, one.reason) for one in report.outcomes} == {
        "bad": ("failed", "never ran"),
        "good": ("ran", "never ran"),
        "below": ("skipped", "upstream 'bad' failed"),
        "deeper": ("skipped", "upstream 'below' was skipped"),
        "side": ("ran", "never ran"),
    }
    assert not report.ok


def test_independent_stages_run_at_the_same_time(project: Project) -> None:
    """Each waits for a sign that the other has started: one after the other they would both fail."""
    project.write("in", "x")
    wait = "i=0; while [ ! -e {other}.sign ]; do i=$((i+1)); [ $i -gt 500 ] && exit 9; sleep 0.02; done"
    project.write(".mlstoreignore", "*.sign\n")
    project.declare(
        *(
            stage(me, f"touch {me}.sign; {wait.format(other=other)}; cp in {me}.out", ["in"], [f"{me}.out"])
            for me, other in (("a", "b"), ("b", "a"))
        )
    )
    report = project.run(jobs=2)
    assert report.ok, report.error
    assert [one.warnings for one in report.outcomes] == [(), ()]
    assert set(project.blocks()) == {"a", "b"}


def test_parallel_stages_give_the_same_lineage_as_one_after_the_other(
    project: Project, tmp_path: Path
) -> None:
    project.write("in", "x")
    names = [f"s{number}" for number in range(6)]
    project.declare(
        *(stage(name, f"cp in {name}.out", ["in"], [f"{name}.out"]) for name in names),
        stage("all", "cat s*.out > all.out", [f"{name}.out" for name in names], ["all.out"]),
    )
    assert project.run(jobs=3).ok
    other = Project(fast_repository(tmp_path / "other"))
    for name in ("in", "mlstore.toml"):
        other.write(name, project.path(name).read_bytes())
    assert other.run().ok
    assert {n: b.lineage for n, b in project.blocks().items()} == {
        n: b.lineage for n, b in other.blocks().items()
    }
    heights = [project.repo.objects.read_commit(block.id).height for block in project.blocks().values()]
    assert sorted(heights) == list(range(7))
    assert all(one < other for one, other in pairwise(sorted(heights)))


def test_what_runs_beside_a_failure_is_finished_and_recorded(project: Project) -> None:
    project.write("in", "x")
    project.write(".mlstoreignore", "*.sign\n")
    project.declare(
        stage("bad", "while [ ! -e slow.sign ]; do sleep 0.02; done; exit 1", ["in"], ["bad.out"]),
        stage("slow", "touch slow.sign; sleep 0.2; cp in slow.out", ["in"], ["slow.out"]),
        stage("late", "cp in late.out", ["in"], ["late.out"]),
    )
    assert project.results(jobs=2) == {"bad": "failed", "slow": "ran", "late": "skipped"}


def test_only_one_run_at_a_time(line: Project) -> None:
    with line.repo.lock("run", "run"), pytest.raises(Locked):
        line.run()


def test_what_a_command_leaves_running_does_not_hold_up_the_run(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "sleep 60 & echo $! > pid; cp in out", ["in"], ["out"]))
    project.write(".mlstoreignore", "pid\n")
    try:
        assert project.ran() == ["a"]
    finally:
        os.kill(int(project.path("pid").read_text()), 9)


def test_an_exception_in_the_listener_ends_the_command(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "echo $$ > pid; echo hello; exec sleep 3600", ["in"], ["out"]))

    def refuse(_stage: str, _data: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(project.repo, Request(project.environ, ADA, project.now, listener=Listener(output=refuse)))
    with pytest.raises(ProcessLookupError):
        os.kill(int(project.path("pid").read_text()), 0)


def test_without_a_manifest_there_is_nothing_to_run(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"there is no 'mlstore\.toml'"):
        project.run()
    project.write("mlstore.toml", "")
    with pytest.raises(ConfigError, match="declares no stages"):
        project.run()


def test_an_unknown_stage_runs_nothing(line: Project) -> None:
    with pytest.raises(UsageError, match="declares no stage 'reprot'"):
        line.run("reprot")


def test_a_retired_stage_is_no_upstream_any_more(project: Project) -> None:
    project.write("in", "x")
    project.declare(stage("a", "cp in mid", ["in"], ["mid"]), stage("b", "cp mid out", ["mid"], ["out"]))
    project.run()
    project.declare(stage("b", "cp mid out", ["mid"], ["out"]))
    assert project.reasons() == {"b": "upstream 'a' has another lineage"}
    project.run()
    assert project.blocks()["b"].stage.upstream == {}
    assert set(project.blocks()) == {"b"}
