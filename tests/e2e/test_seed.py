"""The small demo that mlstore grew from, case by case, through the installed command.

That demo hashed a list of files into a chain, built the chain twice, and let production start when both last
hashes agreed. First comes the counterpart of each of its functions, then mlstore catching each failure that
it let pass.
"""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import stored
from tests.packformat import read_object
from tests.support import FIXTURES, run_mlstore

SEED = FIXTURES / "pipelines" / "seed"
UNSEEDED = FIXTURES / "pipelines" / "seed-unseeded"
STAGES = ["generate", "clean", "train"]


# --- helpers ------------------------------------------------------------------------------------------------


def ok(folder: Path, *args: str, **env: str) -> str:
    """Run a command that has to succeed and return what it printed."""
    done = run_mlstore(args, folder, env=env)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


def fails(folder: Path, *args: str, **env: str) -> tuple[int, str]:
    """Run a command that must not succeed and return its status and all that it said."""
    done = run_mlstore(args, folder, env=env)
    assert done.returncode != 0, f"{args}: {done.stdout}{done.stderr}"
    return done.returncode, done.stdout + done.stderr


def verify(folder: Path, *args: str) -> tuple[int, dict[str, Any]]:
    """Verify and return the exit status with the report."""
    done = run_mlstore(["verify", "--json", *args], folder)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["schema"] == "mlstore.verify/1"
    return done.returncode, report


def chain(folder: Path, rev: str = "HEAD") -> list[dict[str, Any]]:
    """The blocks of the chain at `rev`, first block first."""
    blocks: list[dict[str, Any]] = json.loads(ok(folder, "chain", rev, "--json"))["stages"]
    return blocks


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {row["stage"]: row["verdict"] for row in report["stages"]}


def errors(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["severity"] == "error"]


def text_of(finding: dict[str, Any]) -> str:
    return json.dumps(finding)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def build(folder: Path, **env: str) -> Path:
    """A golden run of the seed's pipeline in `folder`."""
    shutil.copytree(SEED, folder, ignore=shutil.ignore_patterns("__pycache__"))
    ok(folder, "init")
    ok(folder, "run", **env)
    ok(folder, "tag", "--golden", **env)
    return folder


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden run, never to be changed."""
    return build(tmp_path_factory.mktemp("golden") / "seed")


@pytest.fixture
def current(golden: Path, tmp_path: Path) -> Path:
    """A copy of the golden run, as a test finds it before anything goes wrong."""
    shutil.copytree(golden, tmp_path / "current")
    return tmp_path / "current"


# --- its functions, and where they are here -----------------------------------------------------------------


def test_building_the_chain_is_run_and_makes_one_block_a_stage(golden: Path) -> None:
    blocks = chain(golden)
    assert [block["stage"] for block in blocks] == STAGES
    assert [block["height"] for block in blocks] == [0, 1, 2]
    assert {block["record"] for block in blocks} == {"observed"}


def test_chain_length_is_the_number_of_blocks(golden: Path) -> None:
    assert len(chain(golden)) == int(ok(golden, "rev-list", "--count", "HEAD")) == len(STAGES)


def test_the_first_block_is_the_genesis_without_a_previous_one(golden: Path) -> None:
    first = chain(golden)[0]
    assert first["height"] == 0
    assert ok(golden, "rev-list", "HEAD").split()[-1] == first["commit"]
    status, _ = fails(golden, "rev-parse", "--verify", f"{first['commit']}^")
    assert status != 0


def test_the_last_block_is_head(golden: Path) -> None:
    assert chain(golden)[-1]["commit"] == ok(golden, "rev-parse", "HEAD").strip()


def test_the_nth_block_is_reached_from_the_end_as_in_git(golden: Path) -> None:
    blocks = chain(golden)
    for back, block in enumerate(reversed(blocks)):
        assert ok(golden, "rev-parse", f"HEAD~{back}").strip() == block["commit"]


def test_the_previous_block_is_the_parent(golden: Path) -> None:
    blocks = chain(golden)
    for previous, block in pairwise(blocks):
        assert ok(golden, "rev-parse", f"{block['commit']}^").strip() == previous["commit"]


def test_printing_the_chain_shows_a_row_for_each_block(golden: Path) -> None:
    printed = ok(golden, "chain").splitlines()
    for block in chain(golden):
        assert any(block["stage"] in row and block["commit"][:7] in row for row in printed)


def test_a_block_holds_configuration_data_and_model_and_no_stage_is_limited_to_one_file(golden: Path) -> None:
    generate, clean, train = chain(golden)
    assert set(generate["inputs"]) == {"config.ini#Paths.raw_data", "config.ini#data_generation"}
    assert set(generate["outputs"]) == {"data/raw.csv"}
    assert clean["inputs"]["data/raw.csv"] == generate["outputs"]["data/raw.csv"]
    assert train["inputs"]["data/clean.csv"] == clean["outputs"]["data/clean.csv"]
    assert set(train["outputs"]) == {"model.joblib", "metrics.json"}


def test_saving_and_loading_the_chain_needs_no_more_than_the_folder(golden: Path, tmp_path: Path) -> None:
    shutil.copytree(golden / ".mlstore", tmp_path / "elsewhere" / ".mlstore")
    assert chain(tmp_path / "elsewhere") == chain(golden)


def test_the_saved_last_hash_is_the_pin_in_mlstore_lock(golden: Path) -> None:
    saved = (golden / "mlstore.lock").read_text(encoding="utf-8")
    last = chain(golden)[-1]
    assert last["commit"] in saved
    assert last["lineage"] in saved


def test_a_saved_last_hash_of_another_chain_is_refused(current: Path) -> None:
    lock = current / "mlstore.lock"
    last = chain(current)[-1]
    edit(lock, f'commit = "{last["commit"]}"', f'commit = "{chain(current)[0]["commit"]}"')
    status, report = verify(current, "--against", "golden")
    assert status == 1
    assert any("mlstore.lock" in text_of(finding) for finding in errors(report))


def test_comparing_two_equal_chains_built_at_different_times_and_places(golden: Path, tmp_path: Path) -> None:
    other = build(tmp_path / "another place", MLSTORE_AUTHOR_NAME="Somebody Else")
    ours, theirs = chain(golden), chain(other)
    assert [block["lineage"] for block in ours] == [block["lineage"] for block in theirs]
    assert not {block["commit"] for block in ours} & {block["commit"] for block in theirs}
    status, report = verify(other, "--against", str(golden))
    assert (status, report["verdict"]) == (0, "match")


def test_comparing_a_rebuilt_chain_with_golden_matches_in_spite_of_new_commits(current: Path) -> None:
    ok(current, "run", "--force")
    assert ok(current, "rev-parse", "HEAD") != ok(current, "rev-parse", "golden^{commit}")
    status, report = verify(current, "--against", "golden")
    assert (status, report["ok"], report["verdict"]) == (0, True, "match")
    assert verdicts(report) == dict.fromkeys(STAGES, "match")


def test_comparing_chains_of_different_length_names_the_missing_block(current: Path) -> None:
    status, report = verify(current, "HEAD~1", "--against", "golden")
    assert status == 1
    assert verdicts(report) == {"generate": "match", "clean": "match", "train": "missing"}


def test_comparing_the_nth_blocks_tells_where_two_chains_part(current: Path) -> None:
    edit(current / "config.ini", "fit_intercept = yes", "fit_intercept = no")
    ok(current, "run")
    same = [
        ours["lineage"] == theirs["lineage"]
        for ours, theirs in zip(chain(current, "golden"), chain(current), strict=True)
    ]
    assert same == [True, True, False]


def test_production_starts_when_the_chains_agree_and_predicts(current: Path) -> None:
    printed = ok(current, "exec", "--against", "golden", "--", "python", "score.py")
    assert printed.startswith("prediction for [22.0, 22.0]: ")
    table = np.loadtxt(current / "data" / "clean.csv", delimiter=",", skiprows=1)
    ones = np.ones((len(table), 1))
    fitted = np.linalg.lstsq(np.hstack([table[:, :2], ones]), table[:, 2])[0]
    assert float(printed.split()[-1]) == pytest.approx(float(fitted @ [22, 22, 1]), abs=1e-5)


# --- its failures, each caught ------------------------------------------------------------------------------


def test_the_blind_chain_a_file_that_no_stage_writes_cannot_be_listed(tmp_path: Path) -> None:
    folder = tmp_path / "seed"
    shutil.copytree(SEED, folder)
    edit(folder / "mlstore.toml", 'outputs = ["data/raw.csv"]', 'outputs = ["data/raw.npy"]')
    ok(folder, "init")
    status, said = fails(folder, "run", "generate")
    assert status == 1
    assert "data/raw.npy" in said
    assert "data/raw.csv" in said  # what it wrote, and nobody declared
    assert run_mlstore(["rev-parse", "HEAD"], folder).returncode != 0  # nothing was recorded


def test_the_blind_chain_a_file_that_nobody_wrote_cannot_be_an_input(tmp_path: Path) -> None:
    folder = tmp_path / "seed"
    shutil.copytree(SEED, folder)
    manifest = folder / "mlstore.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('    "data/raw.csv",\n', '    "data/raw.npy",\n'), encoding="utf-8")
    ok(folder, "init")
    _, said = fails(folder, "run")
    assert "data/raw.npy" in said


def test_the_blind_chain_a_changed_raw_file_is_seen(current: Path) -> None:
    raw = current / "data" / "raw.csv"
    raw.write_bytes(raw.read_bytes().replace(b"0.", b"1.", 1))
    status, report = verify(current, "--against", "golden")
    assert status == 1
    assert errors(report)[0]["path"] == "data/raw.csv"
    assert "data/raw.csv" in fails(current, "verify")[1]


def test_the_unlisted_clean_data_is_in_the_chain_and_a_change_is_seen(current: Path) -> None:
    clean = current / "data" / "clean.csv"
    clean.write_bytes(clean.read_bytes().replace(b"0.", b"1.", 1))
    status, report = verify(current)
    assert status == 1
    assert errors(report)[0]["path"] == "data/clean.csv"


def test_the_unlisted_clean_data_a_model_made_from_other_clean_data_is_stale(current: Path) -> None:
    clean = current / "data" / "clean.csv"
    clean.write_bytes(clean.read_bytes().replace(b"0.", b"1.", 1))
    ok(current, "commit", "--stage", "train", "-m", "trained on what lay there")
    status, report = verify(current)
    assert status == 1
    assert verdicts(report)["train"] == "stale"
    assert any(f["stage"] == "train" and "data/clean.csv" in text_of(f) for f in errors(report))


def test_the_shared_config_a_changed_key_is_noticed_before_anything_runs(current: Path) -> None:
    edit(current / "config.ini", "features = 2", "features = 3")
    status, report = verify(current)
    assert status == 1
    assert any("data_cleaning" in text_of(finding) for finding in errors(report))


def test_the_shared_config_a_changed_key_is_the_cause_of_all_that_follows(current: Path) -> None:
    edit(current / "config.ini", "features = 2", "features = 3")
    ok(current, "run")
    status, report = verify(current, "--against", "golden")
    assert (status, report["verdict"]) == (1, "changed-input")
    assert verdicts(report) == {"generate": "match", "clean": "changed-input", "train": "changed-input"}
    first = errors(report)[0]
    assert first["stage"] == "clean"
    assert first["path"] == "config.ini"
    assert "data_cleaning.features 2 -> 3" in first["cause"]


def test_the_random_data_diverge_at_generation_and_everything_after_is_a_consequence(current: Path) -> None:
    shutil.copy2(UNSEEDED / "generate.py", current)
    ok(current, "run", "--force")
    status, report = verify(current, "--against", "golden")
    assert (status, report["verdict"]) == (1, "diverged")
    assert verdicts(report) == {"generate": "diverged", "clean": "changed-input", "train": "changed-input"}
    first = errors(report)[0]
    assert (first["kind"], first["stage"], first["path"]) == ("diverged", "generate", "data/raw.csv")


def test_the_random_data_keep_production_from_starting(current: Path) -> None:
    shutil.copy2(UNSEEDED / "generate.py", current)
    ok(current, "run", "--force")
    status, said = fails(current, "exec", "--against", "golden", "--", "python", "score.py")
    assert status == 1
    assert "prediction" not in said
    assert "generate" in said


def test_the_random_data_are_put_down_to_the_script_where_the_script_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "seed"
    shutil.copytree(SEED, folder)
    edit(
        folder / "mlstore.toml", '["config.ini#Paths.raw_data"', '["generate.py", "config.ini#Paths.raw_data"'
    )
    ok(folder, "init")
    ok(folder, "run", "generate")
    ok(folder, "tag", "--golden")
    shutil.copy2(UNSEEDED / "generate.py", folder)
    ok(folder, "run", "generate")
    status, report = verify(folder, "--against", "golden")
    assert (status, report["verdict"]) == (1, "changed-input")
    assert "generate.py" in errors(report)[0]["cause"]


def test_the_date_in_the_config_breaks_nothing(current: Path) -> None:
    head = ok(current, "rev-parse", "HEAD")
    edit(current / "config.ini", "date = 2026-01-16", "date = 2026-02-03")
    edit(current / "config.ini", "author = The mlstore authors", "author = Somebody else")
    ok(current, "run")
    assert ok(current, "rev-parse", "HEAD") == head  # nothing was stale
    status, report = verify(current, "--against", "golden")
    assert (status, report["verdict"]) == (0, "match")
    ok(current, "exec", "--against", "golden", "--", "python", "score.py")


def test_the_date_in_the_config_is_told_all_the_same(current: Path) -> None:
    edit(current / "config.ini", "date = 2026-01-16", "date = 2026-02-03")
    status, report = verify(current)
    assert status == 0
    assert [(f["severity"], f["path"]) for f in report["findings"]] == [("info", "config.ini")]


def test_a_silent_failed_build_is_reported_and_records_nothing(current: Path) -> None:
    head = ok(current, "rev-parse", "HEAD")
    edit(
        current / "clean.py",
        "    main()\n",
        '    raise SystemExit("no more space on the disk")\n',
    )
    status, said = fails(current, "run")
    assert status == 1
    assert "no more space on the disk" in said
    assert "'clean'" in said
    assert ok(current, "rev-parse", "HEAD") == head


def test_a_silent_failed_build_shows_the_status_of_the_command(current: Path) -> None:
    edit(current / "clean.py", "    main()\n", "    raise SystemExit(77)\n")
    status, said = fails(current, "run")
    assert status == 1
    assert "77" in said


def test_does_not_match_says_where_and_why_when_another_library_version_made_the_model(
    golden: Path, current: Path, tmp_path: Path
) -> None:
    """The model of another scikit-learn has other bytes; the environment that differs stands beside it."""
    old = tmp_path / "old release"
    old.mkdir()
    (old / "sitecustomize.py").write_text("import sklearn.base\nsklearn.base.__version__ = '0.0.1'\n")
    info = old / "scikit_learn-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scikit-learn\nVersion: 0.0.1\n")
    ok(current, "run", "train", "--force", PYTHONPATH=str(old))
    status, report = verify(current, "--against", "golden")
    assert (status, report["verdict"]) == (1, "diverged")
    assert verdicts(report) == {"generate": "match", "clean": "match", "train": "diverged"}
    first = errors(report)[0]
    assert (first["stage"], first["path"]) == ("train", "model.joblib")
    assert "scikit-learn" in text_of(first)
    assert "0.0.1" in text_of(first)


def test_a_chain_kept_beside_its_data_cannot_be_moved_behind_the_back_of_the_lock(current: Path) -> None:
    shutil.copy2(UNSEEDED / "generate.py", current)
    ok(current, "run", "--force")
    ok(current, "tag", "-f", "golden", "HEAD")  # without --golden, so mlstore.lock stays as it is
    status, report = verify(current, "--against", "golden")
    assert status == 1
    assert any("mlstore.lock" in text_of(finding) for finding in errors(report))


def test_a_damaged_block_is_found(current: Path) -> None:
    name = chain(current)[1]["commit"]
    block = read_object(current / ".mlstore" / "objects", name)
    stored.replace(current / ".mlstore", name, block.replace(b"clean", b"cleam", 1))
    status, report = verify(current, "--against", "golden")
    assert status == 3
    assert name in text_of(errors(report)[0])
