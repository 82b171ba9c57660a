"""What must hold whatever else changes: seen from outside, through the installed command."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import blake3
import pytest
from tests import stored
from tests.support import environment, run_mlstore

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"numpy", "pandas", "scipy", "sklearn", "joblib", "rich", "yaml"}

MANIFEST = """
[stages.generate]
command = ["python", "generate.py"]
inputs = ["config.json#rows"]
outputs = ["raw.csv"]

[stages.clean]
command = ["python", "clean.py"]
inputs = ["clean.py", "raw.csv"]
outputs = ["clean.csv"]

[stages.fit]
command = ["python", "fit.py"]
inputs = ["fit.py", "clean.csv"]
outputs = ["model.json"]
"""
GENERATE = """
import json, random
rng = random.Random({seed})
rows = json.load(open("config.json"))["rows"]
open("raw.csv", "w").writelines(f"{{rng.random()}}\\n" for _ in range(rows))
"""
CLEAN = 'open("clean.csv", "w").writelines(line[:8] + "\\n" for line in open("raw.csv"))'
FIT = 'open("model.json", "w").write(str(sum(map(float, open("clean.csv")))))'


def make(folder: Path, *, seed: str = "7", rows: int = 20, pack: bool = True) -> Path:
    """A small pipeline; `seed` is the text of an expression, None draws without one."""
    folder.mkdir(parents=True)
    (folder / "mlstore.toml").write_text(MANIFEST)
    (folder / "config.json").write_text(json.dumps({"rows": rows, "date": "2026-01-16"}))
    (folder / "generate.py").write_text(GENERATE.format(seed=seed))
    (folder / "clean.py").write_text(CLEAN)
    (folder / "fit.py").write_text(FIT)
    run(folder, "init")
    run(folder, "config", "core.pack", "true" if pack else "false")
    run(folder, "run")
    return folder


def run(folder: Path, *args: str, status: int = 0, **env: str) -> str:
    done = run_mlstore(args, folder, env=env)
    assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def run_json(folder: Path, *args: str, status: int = 0) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run(folder, *args, "--json", status=status))
    return value


@pytest.fixture
def golden(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = make(tmp_path / "golden", pack=getattr(request, "param", "packed") == "packed")
    run(folder, "tag", "--golden")
    return folder


# 1: ids and loose objects


def test_hash_object_is_what_b3sum_prints(tmp_path: Path) -> None:
    for size in (0, 1, 4096, (1 << 20) + 1, 5_000_000):
        data = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
        (tmp_path / "file").write_bytes(data[:size])
        expected = blake3.blake3(data[:size]).hexdigest()
        assert run(tmp_path, "hash-object", "file").strip() == expected


@pytest.mark.parametrize("name", ["blake3", "sha256"])
def test_a_large_file_is_a_loose_object_with_exactly_its_bytes(tmp_path: Path, name: str) -> None:
    data = b"0123456789abcdef" * 100_000
    (tmp_path / "large.bin").write_bytes(data)
    run(tmp_path, "init", "--object-format", name)
    run(tmp_path, "add", "large.bin")
    digest = blake3.blake3(data).hexdigest() if name == "blake3" else hashlib.sha256(data).hexdigest()
    path = tmp_path / ".mlstore/objects" / digest[:2] / digest[2:]
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


# 2: JSON


def test_verify_prints_one_json_object(golden: Path) -> None:
    value = run_json(golden, "verify", "--against", "golden")
    assert value["schema"] == "mlstore.verify/1"
    assert value["ok"] is True
    assert value["verdict"] == "match"
    assert value["findings"] == []
    assert value["checked"]["files"] == 7
    assert value["skipped"]
    (golden / "model.json").write_text("0")
    (finding,) = run_json(golden, "verify", status=1)["findings"]
    wanted = {"kind", "severity", "stage", "commit", "path", "expected", "actual", "cause", "hint"}
    assert wanted <= finding.keys()
    assert (finding["kind"], finding["stage"], finding["path"]) == ("modified", "fit", "model.json")


def test_chain_prints_one_json_object(golden: Path) -> None:
    value = run_json(golden, "chain")
    assert [stage["stage"] for stage in value["stages"]] == ["generate", "clean", "fit"]
    for height, stage in enumerate(value["stages"]):
        assert {"stage", "height", "commit", "lineage", "record", "inputs", "outputs"} <= stage.keys()
        assert stage["height"] == height
        assert stage["record"] == "observed"
        assert re.fullmatch("[0-9a-f]{64}", stage["lineage"])
    assert list(value["stages"][0]["inputs"]) == ["config.json#rows"]
    assert list(value["stages"][0]["outputs"]) == ["raw.csv"]


# 3: two clones, the unseeded variant, a changed key


def test_two_clones_have_equal_lineage_and_other_commits(golden: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other" / "place")
    ours, theirs = (run_json(folder, "chain")["stages"] for folder in (golden, other))
    assert [stage["lineage"] for stage in ours] == [stage["lineage"] for stage in theirs]
    assert all(one["commit"] != two["commit"] for one, two in zip(ours, theirs, strict=True))
    assert run_json(other, "verify", "--against", str(golden))["verdict"] == "match"
    assert run_json(other, "verify", "--against", f"{golden}@golden")["ok"]


def test_the_unseeded_variant_diverged_where_the_data_are_drawn(golden: Path) -> None:
    (golden / "generate.py").write_text(GENERATE.format(seed="None"))
    run(golden, "run", "--force")
    value = run_json(golden, "verify", "--against", "golden", status=1)
    assert value["verdict"] == "diverged"
    rows = {row["stage"]: row["verdict"] for row in value["stages"]}
    assert rows == {"generate": "diverged", "clean": "changed-input", "fit": "changed-input"}
    assert value["findings"][0]["stage"] == "generate"


def test_a_changed_key_is_named(golden: Path) -> None:
    (golden / "config.json").write_text(json.dumps({"rows": 30, "date": "2026-01-16"}))
    run(golden, "run")
    value = run_json(golden, "verify", "--against", "golden", status=1)
    assert value["verdict"] == "changed-input"
    assert "rows 20 -> 30" in value["findings"][0]["cause"]


def test_another_date_breaks_nothing(golden: Path) -> None:
    (golden / "config.json").write_text(json.dumps({"date": "2027-12-31", "rows": 20}))
    value = run_json(golden, "verify", "--against", "golden")
    assert value["ok"]
    assert [finding["severity"] for finding in value["findings"]] == ["info"]
    assert "up to date" in run(golden, "run")


# 4: damage

EITHER = pytest.mark.parametrize("golden", ["packed", "loose"], indirect=True)


@EITHER
def test_a_flipped_bit_in_any_object_is_found_by_verify_and_fsck(golden: Path) -> None:
    objects = stored.object_ids(golden / ".mlstore")
    assert len(objects) > 12
    for object_id in objects:
        place = stored.find(golden / ".mlstore", object_id)
        place.flip()
        for command in ("verify", "fsck"):
            value = run_json(golden, command, status=3)
            named = [finding for finding in value["findings"] if finding["expected"] == object_id]
            assert named, f"{command} does not name {object_id}"
        place.flip()
    assert run_json(golden, "fsck")["ok"]


@EITHER
def test_a_damaged_object_names_paths_and_commits_and_is_never_checked_out(golden: Path) -> None:
    chain = run_json(golden, "chain")["stages"]
    object_id = chain[2]["outputs"]["model.json"]
    stored.find(golden / ".mlstore", object_id).flip()
    (finding,) = run_json(golden, "fsck", status=3)["findings"]
    assert finding["path"] == "model.json"
    assert any("model.json" in line and chain[2]["commit"][:10] in line for line in finding["details"])

    before = (golden / "model.json").read_bytes()
    run(golden, "restore", "--source", "golden", "model.json")  # nothing to write: the file is good
    (golden / "model.json").unlink()
    assert " D model.json" in run(golden, "status", "--porcelain")
    for args in (["restore", "model.json"], ["checkout", "golden", "--", "model.json"], ["reset", "--hard"]):
        run(golden, *args, status=3)
        assert not (golden / "model.json").exists()
    # Whoever still has the file heals the store with it.
    (golden / "model.json").write_bytes(before)
    run(golden, "add", "model.json")
    assert run_json(golden, "fsck")["ok"]


# 7: nothing heavy is loaded


@pytest.mark.parametrize("args", [["--version"], ["status"], ["log"], ["verify"], ["fsck"], ["chain"]])
def test_nothing_heavy_is_loaded(golden: Path, args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "mlstore_cli", *args],
        cwd=golden,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "mlstore_cli" in loaded
    assert not loaded & HEAVY


# exec


def test_exec_runs_the_command_on_a_match_and_gives_its_status(golden: Path) -> None:
    out = run(golden, "exec", "--against", "golden", "--", sys.executable, "-c", "print('scored')")
    assert out == "scored\n"
    run(golden, "exec", "--", sys.executable, "-c", "raise SystemExit(42)", status=42)


def test_exec_does_not_start_the_command_otherwise(golden: Path) -> None:
    (golden / "model.json").write_text("0")
    done = run_mlstore(["exec", "--", sys.executable, "-c", "open('started', 'w')"], golden)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "not verified" in done.stderr
    assert "was not started" in done.stderr
    assert not (golden / "started").exists()


def test_exec_without_a_golden_pipeline_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "repo")
    run(folder, "exec", "--", sys.executable, "-c", "open('started', 'w')", status=4)
    assert not (folder / "started").exists()
    run(folder, "exec", status=2)
    run(folder, "tag", "--golden")
    run(folder, "exec", "--", "no-such-command", status=4)


# the lock


def test_the_lock_is_readable_and_never_tracked(golden: Path) -> None:
    import tomllib

    lock = tomllib.loads((golden / "mlstore.lock").read_text())
    pin = lock["pins"]["golden"]
    chain = run_json(golden, "chain")
    assert pin["commit"] == run(golden, "rev-parse", "golden^{commit}").strip()
    assert pin["lineage"] == chain["stages"][-1]["lineage"]
    assert pin["height"] == 2
    assert pin["stages"] == {stage["stage"]: stage["lineage"] for stage in chain["stages"]}
    run(golden, "add", "-A")
    assert "mlstore.lock" not in run(golden, "ls-tree", "-r", "--name-only", "HEAD")
    assert "mlstore.lock" not in run(golden, "status", "--porcelain")


def test_what_does_not_verify_cannot_be_golden(tmp_path: Path) -> None:
    folder = make(tmp_path / "repo")
    (folder / "raw.csv").write_text("other")
    done = run_mlstore(["tag", "--golden"], folder)
    assert done.returncode == 1
    assert "cannot be golden" in done.stderr
    assert not (folder / "mlstore.lock").exists()
