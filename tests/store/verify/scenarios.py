"""Pipelines in which something is wrong, and all that `verify` and `fsck` say of it, to the last hint.

    python -m tests.store.verify.scenarios

writes what they say now into `scenarios.json`, for whoever changed it on purpose: look at the difference.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.store.verify.building import ADA, CONFIG, Pipeline, commit_time

from mlstore.hashing import ObjectId
from mlstore.history import create_tag
from mlstore.repository import Repository
from mlstore.signing import LastSeen
from mlstore.verify import Sample, fsck, pin_golden, verify
from mlstore.worktree import add_paths

EXPECTED = Path(__file__).with_name("scenarios.json")
Scenario = Callable[[Path], Any]
SCENARIOS: dict[str, Scenario] = {}
MANY = "".join(f"key-{number} = {number}\n" for number in range(12))


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


def plain(report: dict[str, Any], folder: Path) -> Any:
    """What a report says, without what is empty, where the folder is, and the ends of ids."""
    text = json.dumps(without_nothing(report | {"policy": (report.get("policy") or {}).get("used")}))
    text = text.replace(str(folder), "FOLDER")
    return json.loads(re.sub(r"\b([0-9a-f]{10})[0-9a-f]{54}\b", r"\1", text))


def without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: without_nothing(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in (None, {}, []) and one is not False}
    if isinstance(value, list | tuple):
        return [without_nothing(one) for one in value]
    return value


def say(name: str, folder: Path) -> Any:
    """Everything that is said in a scenario, made in FOLDER."""
    return plain(SCENARIOS[name](folder), folder)


def made(folder: Path, name: str = "one") -> Pipeline:
    """A pipeline that was run once, every object a file."""
    pipeline = Pipeline(folder / name, pack=False)
    pipeline.run()
    return pipeline


def golden(folder: Path) -> Pipeline:
    pipeline = made(folder)
    create_tag(pipeline.repo, "golden", head(pipeline), message="golden", tagger=ADA, time=commit_time(5))
    return pipeline


def pinned(folder: Path) -> Pipeline:
    pipeline = made(folder)
    pin_golden(pipeline.repo, tagger=ADA, time=commit_time(3))
    return pipeline


def head(pipeline: Pipeline) -> ObjectId:
    commit = pipeline.repo.refs.head().commit
    assert commit is not None
    return commit


def parent(pipeline: Pipeline) -> ObjectId:
    return pipeline.repo.objects.read_commit(head(pipeline)).parents[0]


def judged(pipeline: Pipeline, **how: Any) -> dict[str, Any]:
    pipeline.repo = Repository.open(pipeline.root)
    return verify(pipeline.repo, **how).to_dict()


def against(pipeline: Pipeline, rev: str = "golden") -> dict[str, Any]:
    return judged(pipeline, against=rev)


def configured(pipeline: Pipeline, old: str, new: str) -> None:
    pipeline.write("config.ini", CONFIG.replace(old, new))


# against golden


@scenario
def golden_itself(folder: Path) -> Any:
    return against(golden(folder))


@scenario
def other_output(folder: Path) -> Any:
    pipeline = golden(folder)
    pipeline.run("7")
    return against(pipeline)


@scenario
def other_output_of_the_last_stage(folder: Path) -> Any:
    pipeline = golden(folder)
    pipeline.train("model 2")
    return against(pipeline)


@scenario
def a_changed_key_at_the_start(folder: Path) -> Any:
    pipeline = golden(folder)
    configured(pipeline, "rows = 1000", "rows = 2000")
    pipeline.run("7")
    return against(pipeline)


@scenario
def a_changed_key_at_the_end(folder: Path) -> Any:
    pipeline = golden(folder)
    configured(pipeline, "alpha = 1", "alpha = 2")
    pipeline.train("model 2")
    return against(pipeline)


@scenario
def many_changed_keys(folder: Path) -> Any:
    pipeline = golden(folder)
    configured(pipeline, "seed = 42\n", "seed = 43\n" + MANY)
    pipeline.run("7")
    return against(pipeline)


@scenario
def the_same_output_from_other_input(folder: Path) -> Any:
    pipeline = golden(folder)
    configured(pipeline, "seed = 42", "seed = 43")
    pipeline.run()
    return against(pipeline)


@scenario
def another_command(folder: Path) -> Any:
    pipeline = golden(folder)
    pipeline.generate(command=("python", "generate.py", "--fast"))
    pipeline.clean()
    pipeline.train()
    return against(pipeline)


@scenario
def another_source(folder: Path) -> Any:
    """A stage with several files as input, two of which are others."""
    pipeline = Pipeline(folder / "one", pack=False)
    for text in ("1", "2"):
        pipeline.write("a.txt", text)
        pipeline.write("b.txt", text)
        pipeline.write("c.txt", "same")
        commit = pipeline.stage("join", ["a.txt", "b.txt", "c.txt"], {"out.txt": f"out {text}"})
        if text == "1":
            create_tag(pipeline.repo, "golden", commit, message="g", tagger=ADA, time=commit_time(5))
    return against(pipeline)


@scenario
def a_missing_stage(folder: Path) -> Any:
    one = golden(folder)
    other = Pipeline(folder / "other", pack=False)
    other.generate()
    other.clean()
    return against(other, f"{one.root}@golden")


@scenario
def an_extra_stage(folder: Path) -> Any:
    pipeline = golden(folder)
    pipeline.stage("publish", ["model.joblib"], {"published": "yes"})
    return against(pipeline)


@scenario
def a_stage_more_and_an_input_less(folder: Path) -> Any:
    pipeline = golden(folder)
    pipeline.stage("clean", ["data/raw.csv", "config.ini#DEFAULT.date"], {"data/clean.csv": "a\n2\n"})
    pipeline.stage("train", ["data/clean.csv"], {"model.joblib": "model 3", "metrics.json": "{}"})
    return against(pipeline)


@scenario
def a_reordered_chain(folder: Path) -> Any:
    pipelines = Pipeline(folder / "one", pack=False), Pipeline(folder / "other", pack=False)
    for pipeline, order in zip(pipelines, ("abc", "acb"), strict=True):
        before = None
        for name in order:
            pipeline.stage(name, [], {f"{name}.txt": name}, follows=before)
            before = name
    return against(pipelines[1], str(pipelines[0].root))


@scenario
def a_stale_stage(folder: Path) -> Any:
    pipeline = golden(folder)
    configured(pipeline, "rows = 1000", "rows = 2000")
    pipeline.generate("a,b\n9,9\n")
    return against(pipeline)


def in_environments(folder: Path, *environments: dict[str, Any] | None) -> Any:
    pipelines = Pipeline(folder / "one", pack=False), Pipeline(folder / "other", pack=False)
    for pipeline, environment, text in zip(
        pipelines, environments, ("a,b\n1,2\n", "a,b\n7,7\n"), strict=True
    ):
        pipeline.generate(text, environment=environment)
    return against(pipelines[1], str(pipelines[0].root))


@scenario
def another_environment(folder: Path) -> Any:
    old = {f"package-{number}": "1.0" for number in range(5)}
    return in_environments(folder, {"packages": old}, {"packages": dict.fromkeys(old, "2.0")})


@scenario
def the_same_environment(folder: Path) -> Any:
    return in_environments(folder, {"packages": {"numpy": "1"}}, {"packages": {"numpy": "1"}})


@scenario
def an_environment_that_was_not_recorded(folder: Path) -> Any:
    return in_environments(folder, {"packages": {"numpy": "1"}}, None)


@scenario
def files_without_stages(folder: Path) -> Any:
    pipeline = Pipeline(folder / "one", pack=False)
    for name in ("kept", "changed", "gone"):
        pipeline.write(f"{name}.txt", "1\n2\n")
    add_paths(pipeline.repo, [""])
    first = pipeline.commit("one")
    pipeline.write("changed.txt", "1\n3\n")
    pipeline.write("new.txt", "new\n")
    (pipeline.root / "gone.txt").unlink()
    configured(pipeline, "seed = 42", "seed = 43")
    add_paths(pipeline.repo, [""])
    pipeline.commit("two")
    return against(pipeline, first)


@scenario
def files_outside_of_the_pipeline(folder: Path) -> Any:
    pipeline = golden(folder)
    pipeline.write("README.md", "hello")
    add_paths(pipeline.repo, ["README.md"])
    pipeline.commit("readme")
    return against(pipeline)


@scenario
def close_enough(folder: Path) -> Any:
    """Equal by a rule, where the rules were loosened on the branch."""
    pipeline = Pipeline(folder / "one", pack=False)
    rule = '[[gate.rules]]\npath = "**/*.csv"\nequal = "close"\natol = {}\n'
    for atol, value in ((0.1, 1.0), (0.5, 1.05)):
        pipeline.write("mlstore.toml", rule.format(atol))
        add_paths(pipeline.repo, ["mlstore.toml"])
        pipeline.generate(f"a,b\n{value},2.0\n")
        pipeline.clean(f"a\n{value}\n")
        pipeline.train("model 1")
        if atol == 0.1:
            create_tag(pipeline.repo, "golden", head(pipeline), message="g", tagger=ADA, time=commit_time(5))
    return against(pipeline)


# by itself: the history


@scenario
def a_wrong_height_and_another_lineage(folder: Path) -> Any:
    pipeline = made(folder)
    pipeline.forge(height=9, lineage=ObjectId("ab" * 32))
    return judged(pipeline)


@scenario
def a_missing_parent(folder: Path) -> Any:
    pipeline = made(folder)
    pipeline.forge(parents=(ObjectId("ab" * 32),))
    return judged(pipeline)


@scenario
def false_records(folder: Path) -> Any:
    pipeline = made(folder)
    stage = pipeline.repo.objects.read_commit(head(pipeline)).stage
    assert stage is not None
    wrong = ObjectId("ab" * 32)
    inputs = stage.inputs | {"config.ini#train": wrong, "config.ini#no.such": wrong, "nowhere.csv": wrong}
    outputs = stage.outputs | {"model.joblib": wrong, "data": wrong}
    pipeline.forge(stage=replace(stage, inputs=inputs, outputs=outputs))
    return judged(pipeline)


@scenario
def a_producer_that_was_run_again(folder: Path) -> Any:
    pipeline = made(folder)
    pipeline.generate("a,b\n3,4\n")
    return judged(pipeline)


@scenario
def a_source_that_was_changed(folder: Path) -> Any:
    pipeline = made(folder)
    configured(pipeline, "alpha = 1", "alpha = 3")
    add_paths(pipeline.repo, ["config.ini"])
    pipeline.commit("alpha")
    return judged(pipeline)


@scenario
def an_output_that_was_overwritten_or_removed(folder: Path) -> Any:
    pipeline = made(folder)
    pipeline.write("model.joblib", "by hand")
    (pipeline.root / "data/clean.csv").unlink()
    add_paths(pipeline.repo, [""])
    pipeline.commit("by hand")
    return judged(pipeline)


# by itself: the content


def damaged(folder: Path, what: str, **how: Any) -> Any:
    pipeline = made(folder)
    victims = {
        "blob": pipeline.value("data/raw.csv"),
        "commit": parent(pipeline),
        "tree": pipeline.repo.objects.read_commit(head(pipeline)).tree,
    }
    pipeline.flip(victims[what])
    return judged(pipeline, **how)


@scenario
def a_damaged_blob(folder: Path) -> Any:
    return damaged(folder, "blob")


@scenario
def a_damaged_commit(folder: Path) -> Any:
    return damaged(folder, "commit")


@scenario
def a_damaged_tree(folder: Path) -> Any:
    return damaged(folder, "tree")


@scenario
def a_damaged_blob_without_looking(folder: Path) -> Any:
    return damaged(folder, "blob", dataless=True)


@scenario
def missing_blobs(folder: Path) -> Any:
    pipeline = made(folder)
    for path in ("data/raw.csv", "model.joblib"):
        pipeline.remove_object(pipeline.value(path))
    return judged(pipeline, history=True)


@scenario
def a_blob_that_many_paths_need(folder: Path) -> Any:
    pipeline = made(folder)
    for number in range(30):
        pipeline.write(f"copies/{number}.txt", "the same")
    add_paths(pipeline.repo, [""])
    pipeline.commit("copies")
    pipeline.flip(pipeline.value("copies/0.txt"))
    return judged(pipeline)


# by itself: the worktree


@scenario
def a_worktree_that_was_worked_in(folder: Path) -> Any:
    pipeline = made(folder)
    pipeline.write("data/raw.csv", "a,b\n1,3\n")
    (pipeline.root / "data/clean.csv").unlink()
    (pipeline.root / "model.joblib").chmod(0o755)
    configured(pipeline, "alpha = 1", "alpha = 5")
    return judged(pipeline)


@scenario
def a_configuration_that_no_stage_reads(folder: Path) -> Any:
    pipeline = made(folder)
    configured(pipeline, "date = 2026-01-16", "date = 2026-01-17")
    return judged(pipeline)


@scenario
def another_revision_than_what_is_checked_out(folder: Path) -> Any:
    return judged(made(folder), rev="HEAD~1")


# the pins


@scenario
def a_pin_that_matches(folder: Path) -> Any:
    return judged(pinned(folder))


@scenario
def a_pin_that_is_older(folder: Path) -> Any:
    pipeline = pinned(folder)
    pipeline.train("model 2")
    return judged(pipeline)


@scenario
def a_head_before_the_pin(folder: Path) -> Any:
    pipeline = pinned(folder)
    (pipeline.repo.store / "refs/heads/main").write_text(parent(pipeline) + "\n")
    return judged(pipeline, worktree=False)


@scenario
def an_older_revision_than_the_pin_that_was_asked_for(folder: Path) -> Any:
    return judged(pinned(folder), rev="HEAD~1")


@scenario
def a_moved_tag(folder: Path) -> Any:
    pipeline = pinned(folder)
    target = parent(pipeline)
    create_tag(pipeline.repo, "golden", target, message=None, tagger=ADA, time=commit_time(4), force=True)
    return judged(pipeline)


@scenario
def a_removed_tag(folder: Path) -> Any:
    pipeline = pinned(folder)
    (pipeline.repo.store / "refs/tags/golden").unlink()
    return judged(pipeline)


@scenario
def a_lock_of_another_store(folder: Path) -> Any:
    one, other = pinned(folder), Pipeline(folder / "other", pack=False)
    other.clock = 11
    other.run()
    (other.root / "mlstore.lock").write_bytes((one.root / "mlstore.lock").read_bytes())
    return judged(other, against="golden")


# what was seen last


def seen_before(folder: Path, change: Callable[[Pipeline], None], **how: Any) -> Any:
    """What is said where the client saw golden, and then something was done behind its back."""
    pipeline = golden(folder)
    seen = LastSeen(folder / "state")
    for rev in ("HEAD", "golden"):
        verify(pipeline.repo, rev, seen=seen)
    change(pipeline)
    first = judged(pipeline, seen=seen, **{"worktree": False, **how})
    again = judged(pipeline, seen=seen, worktree=False)
    return first | {"again": again["anchors"]}


def back(pipeline: Pipeline) -> None:
    (pipeline.repo.store / "refs/heads/main").write_text(parent(pipeline) + "\n")


@scenario
def seen_and_unchanged(folder: Path) -> Any:
    return seen_before(folder, lambda _: None)


@scenario
def seen_and_gone_on(folder: Path) -> Any:
    def go_on(pipeline: Pipeline) -> None:
        pipeline.train("model 2")

    return seen_before(folder, go_on)


@scenario
def seen_and_rolled_back(folder: Path) -> Any:
    return seen_before(folder, back)


@scenario
def seen_and_rolled_back_and_accepted(folder: Path) -> Any:
    return seen_before(folder, back, accept_rollback=True)


@scenario
def seen_and_a_tag_is_gone(folder: Path) -> Any:
    gone = "refs/tags/golden"
    return seen_before(folder, lambda pipeline: (pipeline.repo.store / gone).unlink(), against="HEAD")


@scenario
def seen_and_a_tag_is_rolled_back(folder: Path) -> Any:
    def move(pipeline: Pipeline) -> None:
        (pipeline.repo.store / "refs/tags/golden").write_text(parent(pipeline) + "\n")

    return seen_before(folder, move, rev="golden")


@scenario
def seen_and_detached(folder: Path) -> Any:
    def detach(pipeline: Pipeline) -> None:
        (pipeline.repo.store / "HEAD").write_text(parent(pipeline) + "\n")

    return seen_before(folder, detach)


@scenario
def a_memory_that_cannot_be_read(folder: Path) -> Any:
    def spoil(_: Pipeline) -> None:
        (path,) = (folder / "state/seen").glob("*.json")
        path.write_text("no json")

    found = seen_before(folder, spoil)
    found["skipped"]["last-seen"] = found["skipped"]["last-seen"].partition("cannot be used")[1]
    return found


# the whole store


def checked(pipeline: Pipeline, **how: Any) -> dict[str, Any]:
    return fsck(Repository.open(pipeline.root), jobs=1, **how).to_dict()


@scenario
def a_sound_store(folder: Path) -> Any:
    return checked(golden(folder))


@scenario
def a_sound_store_in_parts(folder: Path) -> Any:
    pipeline = golden(folder)
    return {"quick": checked(pipeline, quick=True), "sample": checked(pipeline, sample=Sample(1, 2))}


@scenario
def what_nothing_leads_to(folder: Path) -> Any:
    pipeline = golden(folder)
    old = head(pipeline)
    pipeline.train("model 2")
    (pipeline.repo.store / "refs/heads/main").write_text(old + "\n")
    for log in (pipeline.repo.store / "logs").rglob("*"):
        if log.is_file():
            log.unlink()
    (pipeline.repo.store / "index").unlink()
    return checked(pipeline)


@scenario
def damage_of_every_kind(folder: Path) -> Any:
    pipeline = golden(folder)
    tree = pipeline.repo.objects.read_commit(head(pipeline)).tree
    pipeline.remove_object(pipeline.value("model.joblib"))
    for object_id in (pipeline.value("data/raw.csv"), tree, parent(pipeline)):
        pipeline.flip(object_id)
    return checked(pipeline)


@scenario
def damaged_refs_and_files(folder: Path) -> Any:
    pipeline = golden(folder)
    store = pipeline.repo.store
    (store / "refs/heads/garbage").write_text("garbage\n")
    (store / "refs/heads/nowhere").write_text("ab" * 32 + "\n")
    (store / "refs/heads/blob").write_text(pipeline.value("data/raw.csv") + "\n")
    with (store / "logs/refs/heads/main").open("a") as log:
        log.write("no entry\n")
    index = bytearray((store / "index").read_bytes())
    index[-1] ^= 1
    (store / "index").write_bytes(index)
    (store / "objects/stranger").write_text("?")
    return checked(pipeline)


def main() -> None:
    found = {}
    for name in sorted(SCENARIOS):
        with tempfile.TemporaryDirectory(prefix="mlstore-") as folder:
            found[name] = say(name, Path(folder).resolve())
    EXPECTED.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
