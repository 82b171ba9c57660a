"""What a stage's patterns are in the worktree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.store.pipeline.conftest import Project, stage

from mlstore.compare.keyed import value_id
from mlstore.errors import ConfigError, InvalidPath, PathNotFound, Refused
from mlstore.manifest import parse_manifest
from mlstore.pipeline import ResolvedInputs, resolve_inputs
from mlstore.worktree import ContentCache

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId


def resolve(project: Project, *inputs: str) -> ResolvedInputs:
    spec = parse_manifest(stage("s", "x", inputs, ["out"])).stages["s"]
    return resolve_inputs(project.repo, spec, ContentCache(project.repo))


def id_of(project: Project, data: str) -> ObjectId:
    return project.repo.format.hash_bytes(data.encode())


def test_a_file_is_itself(project: Project) -> None:
    project.write("a.txt", "one")
    found = resolve(project, "a.txt")
    assert found.ids == {"a.txt": id_of(project, "one")}
    assert found.files["a.txt"].size == 3


def test_a_folder_is_every_file_below_it(project: Project) -> None:
    for name in ("data/a", "data/deep/b", "database"):
        project.write(name, name)
    assert list(resolve(project, "data").ids) == ["data/a", "data/deep/b"]
    assert resolve(project, "data/").ids == resolve(project, "data").ids


def test_a_glob_is_each_file_that_it_matches(project: Project) -> None:
    for name in ("data/a.csv", "data/b.csv", "data/c.txt", "data/deep/d.csv"):
        project.write(name, name)
    assert list(resolve(project, "data/*.csv").ids) == ["data/a.csv", "data/b.csv"]
    assert list(resolve(project, "data/**/*.csv").ids) == ["data/a.csv", "data/b.csv", "data/deep/d.csv"]


def test_a_file_that_two_patterns_match_is_one_input(project: Project) -> None:
    project.write("data/a.csv", "a")
    assert list(resolve(project, "data", "data/*.csv").ids) == ["data/a.csv"]


def test_what_is_declared_counts_even_when_it_is_ignored(project: Project) -> None:
    project.write(".mlstoreignore", "data/\n*.csv\n")
    project.write("data/a.csv", "a")
    project.write("b.csv", "b")
    assert list(resolve(project, "data/*", "b.csv").ids) == ["data/a.csv", "b.csv"]


def test_bytecode_below_a_folder_is_left_out(project: Project) -> None:
    project.write("src/a.py", "a")
    project.write("src/__pycache__/a.cpython-311.pyc", "x")
    assert list(resolve(project, "src").ids) == ["src/a.py"]
    assert list(resolve(project, "**/a*").ids) == ["src/a.py"]


def test_a_key_counts_by_its_value_and_gives_parameters(project: Project) -> None:
    project.write("config.ini", "[data]\nsamples = 1000\nseed = 22\n[other]\nx = 1\n")
    found = resolve(project, "config.ini#data", "config.ini#other.x")
    assert found.ids == {
        "config.ini#data": value_id(project.repo.format, {"samples": "1000", "seed": "22"}),
        "config.ini#other.x": value_id(project.repo.format, "1"),
    }
    assert found.parameters == {
        "config.ini#data.samples": "1000",
        "config.ini#data.seed": "22",
        "config.ini#other.x": "1",
    }
    assert list(found.files) == ["config.ini"]


@pytest.mark.parametrize("pattern", ["missing.txt", "data/*.csv", "data", "missing.ini#a"])
def test_a_pattern_that_matches_nothing_names_stage_and_pattern(project: Project, pattern: str) -> None:
    with pytest.raises(PathNotFound) as caught:
        resolve(project, pattern)
    path = pattern.partition("#")[0]
    assert caught.value.message == f"stage 's' reads '{path}': there is no such file"
    assert caught.value.hint is not None
    assert caught.value.data["stage"] == "s"


def test_a_missing_key_names_stage_and_key(project: Project) -> None:
    project.write("config.ini", "[data]\na = 1\n")
    with pytest.raises(PathNotFound) as caught:
        resolve(project, "config.ini#data.b")
    assert caught.value.message == "stage 's' reads 'config.ini#data.b': 'config.ini' has no such key"


def test_values_are_read_from_the_very_bytes_that_were_hashed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("config.ini", "[data]\na = 1\n")
    monkeypatch.setattr("mlstore.pipeline.inputs.read_file", lambda *_: b"[data]\na = 2\n")
    with pytest.raises(Refused, match="changed while it was read"):
        resolve(project, "config.ini#data")


def test_a_key_of_a_folder_is_refused(project: Project) -> None:
    project.write("data.ini/x", "x")
    with pytest.raises(InvalidPath, match=r"'data\.ini' is a folder"):
        resolve(project, "data.ini#a")


def test_a_key_of_a_file_without_keys_is_refused(project: Project) -> None:
    project.write("data.csv", "x")
    with pytest.raises(ConfigError, match=r"'data\.csv' has no keys to select"):
        resolve(project, "data.csv#a")


def test_a_name_with_a_hash_sign_is_refused(project: Project) -> None:
    project.write("data/a#b.csv", "x")
    with pytest.raises(InvalidPath, match=r"stage 's' cannot read 'data/a#b\.csv'"):
        resolve(project, "data")


def test_a_name_that_no_repository_may_hold_is_refused(project: Project) -> None:
    project.write("data/a:b.csv", "x")
    with pytest.raises(InvalidPath):
        resolve(project, "data")


@pytest.mark.parametrize("pattern", ["link.txt", "*.txt", "folder/real.txt", "folder", "folder/*"])
def test_a_symlink_is_refused_wherever_it_stands(project: Project, pattern: str) -> None:
    project.write("real/real.txt", "x")
    project.path("link.txt").symlink_to("real/real.txt")
    project.path("folder").symlink_to("real")
    with pytest.raises(InvalidPath, match="is a symlink"):
        resolve(project, pattern)


def test_a_named_pipe_is_refused_and_not_waited_for(project: Project) -> None:
    os.mkfifo(project.path("pipe"))
    with pytest.raises(InvalidPath, match="'pipe' is a named pipe"):
        resolve(project, "pipe")


def test_the_lock_and_the_stores_are_no_inputs(project: Project) -> None:
    project.write("a", "x")
    project.write("mlstore.lock", "x")
    project.write(".git/config", "x")
    assert list(resolve(project, "**").ids) == ["a"]
