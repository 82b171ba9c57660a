"""The gate from outside: what may differ, by whose rules, and what is said about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.keys import Keys, needs_keygen
from tests.support import FIXTURES, environment, run_mlstore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD_MODEL = FIXTURES / "models" / "linear-sklearn-1.5.2.joblib"
OLD_VERSION = "1.5.2"
HEAVY = {"numpy", "pandas", "scipy", "sklearn", "joblib", "pyarrow", "rich", "yaml"}

# Each stage copies what lies in hidden/, which nobody declares: the next run may find something else there.
STAGES = """
[stages.data]
command = "mkdir -p data && cp hidden/raw.csv data/raw.csv"
inputs = ["config.ini#data"]
outputs = ["data/raw.csv"]

[stages.model]
command = "cp hidden/model.joblib hidden/w.npy ."
inputs = ["data/raw.csv"]
outputs = ["model.joblib", "w.npy"]

[stages.metrics]
command = "cp hidden/metrics.json metrics.json"
inputs = ["model.joblib"]
outputs = ["metrics.json"]
"""
RULES = """
[[gate.rules]]
path = "data/*.csv"
equal = "content"

[[gate.rules]]
path = "*.joblib"
equal = "parameters"
atol = 1e-9

[[gate.rules]]
path = "w.npy"
equal = "close"
atol = 1e-6

[[gate.rules]]
path = "metrics.json"
equal = "metric"
key = "test.accuracy"
min = 0.9
max_change = 0.01
"""
TABLE = "id,x,y\n" + "".join(f"{n},{n / 4},{n * 1.5}\n" for n in range(1, 41))


def run(folder: Path, *args: str, status: int = 0) -> str:
    done = run_mlstore(args, folder)
    assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def verify(folder: Path, *args: str, status: int = 0) -> dict[str, Any]:
    done = run_mlstore(["verify", "--against", "golden", "--json", *args], folder)
    assert done.returncode == status, done.stdout + done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {row["stage"]: row["verdict"] for row in report["stages"]}


def of_kind(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["kind"] == kind]


def build(folder: Path, rules: str) -> Path:
    (folder / "hidden").mkdir(parents=True)
    (folder / "mlstore.toml").write_text(STAGES + rules)
    (folder / "config.ini").write_text("[data]\nnum_samples = 1000\n")
    (folder / "hidden" / "raw.csv").write_text(TABLE)
    shutil.copy(OLD_MODEL, folder / "hidden" / "model.joblib")
    np.save(folder / "hidden" / "w.npy", np.linspace(0.0, 1.0, 9))
    (folder / "hidden" / "metrics.json").write_text(json.dumps({"test": {"accuracy": 0.95}, "seconds": 3}))
    run(folder, "init")
    run(folder, "config", "core.fsync", "false")
    run(folder, "run")
    run(folder, "tag", "--golden")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Golden pipelines with and without rules, and a model that the installed scikit-learn fits."""
    base = tmp_path_factory.mktemp("gate")
    script = FIXTURES / "models" / "make_linear.py"
    new = base / "new.joblib"
    subprocess.run([sys.executable, script, new], check=True, env=environment())
    return {"rules": build(base / "rules", RULES), "bytes": build(base / "bytes", ""), "new model": new}


@pytest.fixture
def pipeline(made: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    def copy(which: str) -> Path:
        shutil.copytree(made[which], tmp_path / which)
        return tmp_path / which

    return copy


def hide(folder: Path, name: str, data: bytes | str) -> None:
    (folder / "hidden" / name).write_bytes(data if isinstance(data, bytes) else data.encode())


# a model of another scikit-learn


def test_a_model_of_another_sklearn_is_equivalent_by_its_parameters_and_names_the_versions(
    pipeline: Callable[[str], Path], made: dict[str, Path]
) -> None:
    folder = pipeline("rules")
    new = made["new model"].read_bytes()
    assert new != OLD_MODEL.read_bytes()
    hide(folder, "model.joblib", new)
    run(folder, "run", "--force", "model", "metrics")
    report = verify(folder)
    assert report["ok"]
    assert report["verdict"] == "equivalent"
    assert verdicts(report) == {"data": "match", "model": "equivalent", "metrics": "equivalent"}
    finding, behind = of_kind(report, "equivalent")
    assert (finding["severity"], finding["path"], finding["rule"]) == ("info", "model.joblib", "rule 2")
    assert f"scikit-learn {OLD_VERSION} -> " in finding["message"]
    assert "<= 1e-09" in finding["message"]
    assert finding["comparison"]["comparator"] == "model"
    assert behind["stage"] == "metrics"
    text = run(folder, "verify", "--against", "golden")
    assert "is equivalent to golden, not the same" in text
    assert "rule 2: *.joblib parameters (atol 1e-09), used 1 time" in text
    assert "started" in run(folder, "exec", "--against", "golden", "--", "echo", "started")


def test_without_a_rule_the_same_model_has_diverged(
    pipeline: Callable[[str], Path], made: dict[str, Path]
) -> None:
    folder = pipeline("bytes")
    hide(folder, "model.joblib", made["new model"].read_bytes())
    run(folder, "run", "--force", "model", "metrics")
    report = verify(folder, status=1)
    assert verdicts(report)["model"] == "diverged"
    first = report["findings"][0]
    assert (first["rule"], first["comparison"]["measures"]["old_versions"]) == (None, [OLD_VERSION])
    assert "refused" in run(folder, "exec", "--against", "golden", "--", "touch", "started", status=1)
    assert not (folder / "started").exists()


AUDIT = """
import sys
seen = []
def hook(event, args):
    if event == "import":
        seen.append("import " + str(args[0]))
    elif event in ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        seen.append(event + " " + str(args[:2]))
sys.addaudithook(hook)
from mlstore_cli.main import main
code = main(sys.argv[1:])
print("SEEN", *seen, sep="\\n", file=sys.stderr)
raise SystemExit(code)
"""


def test_nothing_that_a_model_names_is_imported_or_called_to_judge_it(
    pipeline: Callable[[str], Path], made: dict[str, Path]
) -> None:
    folder = pipeline("rules")
    (folder / "model.joblib").write_bytes(made["new model"].read_bytes())
    done = subprocess.run(
        [sys.executable, "-P", "-c", AUDIT, "verify", "--against", "golden"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is not what the commit holds, but equivalent under rule 2" in " ".join(done.stdout.split())
    seen = done.stderr.partition("SEEN\n")[2].splitlines()
    assert "import numpy" in seen  # the hook works
    named = [line for line in seen if line.split()[1].split(".")[0] in ("sklearn", "joblib", "scipy")]
    assert named == []
    assert [line for line in seen if not line.startswith("import ")] == []


def test_a_changed_hyperparameter_is_named_and_no_tolerance_helps(
    pipeline: Callable[[str], Path], made: dict[str, Path]
) -> None:
    folder = pipeline("rules")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import joblib, make_linear as m; "
        "joblib.dump(m.LinearRegression(fit_intercept=False).fit(*m.data()), sys.argv[2])"
    )
    target = folder / "model.joblib"
    subprocess.run([sys.executable, "-c", script, FIXTURES / "models", target], check=True, env=environment())
    report = verify(folder, status=1)
    (finding,) = of_kind(report, "modified")
    assert "different under rule 2" in finding["cause"]
    assert "fit_intercept True -> False" in finding["details"]
    assert report["policy"]["used"] == {"rule 2": 1}


def test_predictions_are_compared_only_with_leave_and_the_finding_says_that_models_ran(
    tmp_path: Path, made: dict[str, Path]
) -> None:
    rule = '[[gate.rules]]\npath = "*.joblib"\nequal = "predictions"\non = "data/raw.csv"\natol = 1e-6\n'
    folder = build(tmp_path / "repo", rule)
    hide(folder, "model.joblib", made["new model"].read_bytes())
    run(folder, "run", "--force", "model", "metrics")
    report = verify(folder, status=1)
    assert verdicts(report)["model"] == "diverged"
    (first, *_) = of_kind(report, "diverged")
    assert any(
        "neither golden's own nor vouched for, so it was not loaded" in line for line in first["details"]
    )
    report = verify(folder, "--allow-load")
    (finding, *_) = of_kind(report, "equivalent")
    assert "both models were loaded: stage 'model' wrote it here" in finding["message"]


@needs_keygen
def test_a_model_is_loaded_when_its_block_is_signed_and_never_by_a_list_that_came_along(
    tmp_path: Path, made: dict[str, Path]
) -> None:
    rule = '[[gate.rules]]\npath = "*.joblib"\nequal = "predictions"\non = "data/raw.csv"\natol = 1e-6\n'
    folder = build(tmp_path / "repo", rule)
    keys = Keys(tmp_path / "keys")
    keys.make("ada")
    keys.allow("ada", "ada@example.org")
    run(folder, "config", "user.signingkey", str(keys.folder / "ada"))
    hide(folder, "model.joblib", made["new model"].read_bytes())
    run(folder, "run", "-S", "--force", "model", "metrics")

    run(folder, "config", "signing.allowedsigners", str(keys.allowed))
    (finding, *_) = of_kind(verify(folder), "equivalent")
    assert "stage 'model' wrote it, signed by 'ada@example.org'" in finding["message"]

    keys.make("eve")
    stranger = tmp_path / "others"
    stranger.write_text(f"eve@example.org {(keys.folder / 'eve.pub').read_text()}")
    run(folder, "config", "signing.allowedsigners", str(stranger))
    assert verdicts(verify(folder, status=1))["model"] == "diverged"

    (folder / "signers").write_text(keys.allowed.read_text())
    run(folder, "config", "signing.allowedsigners", str(folder / "signers"))
    report = verify(folder, status=1)
    assert verdicts(report)["model"] == "diverged"
    assert "neither golden's own nor vouched for" in str(report["findings"])


# tables


def test_a_row_put_in_at_the_top_is_one_row_added(pipeline: Callable[[str], Path]) -> None:
    for which in ("bytes", "rules"):
        folder = pipeline(which)
        head, _, rest = TABLE.partition("\n")
        hide(folder, "raw.csv", f"{head}\n0,9.5,9.5\n{rest}")
        run(folder, "run", "--force", "data")
        report = verify(folder, status=1)
        first = next(finding for finding in report["findings"] if finding["kind"] == "diverged")
        assert first["path"] == "data/raw.csv"
        assert any("1 row added (40 -> 41 rows)" in line for line in first["details"])
        assert "'data/raw.csv': row 1 added: 0, 9.5, 9.5" in first["details"]
        assert first["comparison"]["measures"]["rows_changed"] == 0


def test_other_float_formatting_is_the_same_content(pipeline: Callable[[str], Path]) -> None:
    other = "\r\n".join(
        ",".join(f"{float(cell):.3e}" if n and "." in cell else cell for cell in line.split(","))
        for n, line in enumerate(TABLE.splitlines())
    )
    folder = pipeline("rules")
    hide(folder, "raw.csv", other)
    run(folder, "run", "--force")
    report = verify(folder)
    assert verdicts(report) == {"data": "equivalent", "model": "equivalent", "metrics": "equivalent"}
    finding = of_kind(report, "equivalent")[0]
    assert "equivalent under rule 1 (the same content in another encoding" in finding["message"]
    strict = pipeline("bytes")
    hide(strict, "raw.csv", other)
    run(strict, "run", "--force")
    assert verdicts(verify(strict, status=1))["data"] == "diverged"


def test_a_changed_cell_is_named_by_row_and_column(pipeline: Callable[[str], Path]) -> None:
    folder = pipeline("rules")
    (folder / "data" / "raw.csv").write_text(TABLE.replace("\n7,1.75,10.5\n", "\n7,1.75,10.75\n"))
    (finding,) = of_kind(verify(folder, status=1), "modified")
    assert "row 7, column 'y' 10.5 -> 10.75 (|d| = 0.25)" in finding["details"]
    assert any(line.startswith("first differing byte at offset") for line in finding["details"])


# configuration, arrays, metrics


def test_a_changed_key_is_named_with_both_values(pipeline: Callable[[str], Path]) -> None:
    folder = pipeline("rules")
    (folder / "config.ini").write_text("[data]\nnum_samples = 2000\n")
    run(folder, "run", "--force", "data")
    report = verify(folder, status=1)
    assert report["findings"][0]["cause"] == "config.ini: data.num_samples 1000 -> 2000"
    assert report["findings"][0]["comparison"]["details"][0]["new"] == "2000"


def test_an_array_within_its_tolerance_is_equivalent_and_beyond_it_is_not(
    pipeline: Callable[[str], Path],
) -> None:
    folder = pipeline("rules")
    np.save(folder / "w.npy", np.linspace(0.0, 1.0, 9) + 3e-7)
    report = verify(folder)
    assert "(max |d| 3e-07 <= 1e-06)" in of_kind(report, "equivalent")[0]["message"]
    np.save(folder / "w.npy", np.linspace(0.0, 1.0, 9) + 3e-6)
    assert of_kind(verify(folder, status=1), "modified")[0]["rule"] == "rule 3"
    np.save(folder / "w.npy", np.linspace(0.0, 1.0, 9).astype(np.float32))
    assert of_kind(verify(folder, status=1), "modified")[0]["rule"] == "rule 3"


def test_a_metric_within_its_bounds_is_equivalent_and_out_of_them_is_not(
    pipeline: Callable[[str], Path],
) -> None:
    folder = pipeline("rules")
    (folder / "metrics.json").write_text('{"test": {"accuracy": 0.945}, "seconds": 7}')
    message = of_kind(verify(folder), "equivalent")[0]["message"]
    assert "test.accuracy 0.945 >= 0.9" in message
    assert "1 other key changed and not judged" in message
    for text in ('{"test": {"accuracy": 0.93}}', '{"test": {}}', '{"test": {"accuracy": NaN}}', "{"):
        (folder / "metrics.json").write_text(text)
        (finding,) = of_kind(verify(folder, status=1), "modified")
        assert finding["rule"] == "rule 4"


# whose rules


LOOSE = '[[gate.rules]]\npath = "**"\nequal = "close"\natol = 1000\n'


def test_a_rule_loosened_on_the_branch_does_not_loosen_the_verdict(pipeline: Callable[[str], Path]) -> None:
    folder = pipeline("rules")
    (folder / "mlstore.toml").write_text(STAGES + LOOSE)
    np.save(folder / "hidden" / "w.npy", np.linspace(0.0, 1.0, 9) + 5)
    run(folder, "run", "--force", "model", "metrics")
    report = verify(folder, status=1)
    assert verdicts(report)["model"] == "diverged"
    assert [rule["equal"] for rule in report["policy"]["rules"]] == [
        "content",
        "parameters",
        "close",
        "metric",
    ]
    assert report["policy"]["source"] == "commit"
    (warning,) = of_kind(report, "gate-rules")
    assert warning["severity"] == "warning"
    assert "are looser than golden's; golden's judge it" in warning["message"]
    assert "'w.npy': close (atol 1000) would be looser than golden's close (atol 1e-06)" in warning["details"]


def test_a_branch_without_mlstore_toml_is_judged_by_golden_all_the_same(
    pipeline: Callable[[str], Path],
) -> None:
    folder = pipeline("bytes")
    run(folder, "rm", "-q", "--cached", "mlstore.toml")
    run(folder, "commit", "-m", "no rules to go by")
    (folder / "mlstore.toml").write_text(STAGES + LOOSE)
    np.save(folder / "w.npy", np.linspace(0.0, 1.0, 9) + 5)
    report = verify(folder, status=1)
    assert of_kind(report, "modified")[0]["path"] == "w.npy"
    assert report["policy"]["rules"] == []
    assert of_kind(report, "gate-rules")[0]["severity"] == "warning"
    (folder / "mlstore.toml").unlink()
    assert not verify(folder, status=1)["ok"]


def by_hand(folder: Path, rules: str) -> Path:
    """A pipeline recorded by hand, whose commits hold no mlstore.toml."""
    folder.mkdir()
    run(folder, "init")
    (folder / "metrics.json").write_text('{"accuracy": 0.95}')
    run(folder, "add", "metrics.json")
    run(folder, "commit", "--stage", "metrics", "-m", "by hand")
    (folder / "mlstore.toml").write_text(rules)
    run(folder, "tag", "--golden")
    (folder / "metrics.json").write_text('{"accuracy": 0.9500001}')
    return folder


def test_where_golden_tracks_no_rules_those_count_that_the_lock_pins(tmp_path: Path) -> None:
    rules = '[gate]\nequal = "close"\natol = 1e-3\n'
    folder = by_hand(tmp_path / "hand", rules)
    assert "\ngate = " in (folder / "mlstore.lock").read_text()
    report = verify(folder)
    assert (report["verdict"], report["policy"]["source"]) == ("equivalent", "pinned")
    (folder / "mlstore.toml").write_text(rules.replace("1e-3", "1e-2"))
    report = verify(folder, status=1)
    assert report["policy"]["source"] == "default"
    assert "not those that are pinned" in of_kind(report, "gate-rules")[0]["cause"]
    lock = folder / "mlstore.lock"
    lock.write_text("".join(line for line in lock.read_text().splitlines(True) if "gate" not in line))
    assert not verify(folder, status=1)["ok"]


def test_a_lock_that_pins_other_rules_than_golden_holds_is_found(pipeline: Callable[[str], Path]) -> None:
    folder = pipeline("rules")
    lock = folder / "mlstore.lock"
    lock.write_text(_other_gate(lock.read_text()))
    (finding,) = of_kind(verify(folder, status=1), "moved-pin")
    assert "other rules of the gate" in finding["message"]


def _other_gate(text: str) -> str:
    lines = [f'gate = "{"0" * 64}"' if line.startswith("gate = ") else line for line in text.splitlines()]
    return "\n".join(lines) + "\n"


# cost


@pytest.mark.modules
def test_verify_loads_no_numerical_module_where_nothing_differs(pipeline: Callable[[str], Path]) -> None:
    folder = pipeline("rules")
    code = "import sys; from mlstore_cli.main import main; main(sys.argv[1:]); print('MODULES', *sys.modules)"
    loaded = {}
    for name, change in (("same", None), ("other", "{}")):
        if change is not None:
            (folder / "w.npy").write_bytes(b"\x93NUMPY other")
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, "verify", "--against", "golden"],
            cwd=folder,
            env=environment(),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        loaded[name] = set(done.stdout.rpartition("MODULES")[2].split())
    assert not HEAVY & loaded["same"]
    assert not {name for name in loaded["same"] if name.startswith("mlstore.gate.") and "policy" not in name}
    assert "mlstore.gate.judgement" in loaded["other"]
    assert len(loaded["same"]) <= 250 + len([n for n in loaded["same"] if n.startswith("site")])


if os.name != "posix":
    pytest.skip("the stages are shell commands", allow_module_level=True)
