"""The action for GitHub: well formed, and its scripts do what they say with what GitHub gives them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.store.report.outcomes import schema_of
from tests.store.report.runner import obeyed
from tests.support import environment, run_mlstore

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "action.yml"
DOCUMENT = ROOT / "docs" / "ci.md"
VENDORED = "builtin_schemas/vendor"


@pytest.fixture(scope="module")
def action():
    return yaml.safe_load(FILE.read_text("utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout with a pipeline that is golden, and whose worktree is as recorded."""
    root = tmp_path_factory.mktemp("made")
    stage = '[stages.make]\ncommand = "cp a.txt b.txt"\ninputs = ["a.txt"]\noutputs = ["b.txt"]\n'
    (root / "mlstore.toml").write_text(stage)
    (root / "a.txt").write_text("1\n")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-qm", "one"],
        ["run", "-q"],
        ["tag", "--golden"],
    ):
        done = run_mlstore(command, root)
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def repository(made, tmp_path):
    return shutil.copytree(made, tmp_path / "work space")


def run_step(action, name, repository, tmp_path, **inputs):
    """Run a step's script as GitHub does: inputs by their defaults, in the workspace, files to report to."""
    (step,) = [step for step in action["runs"]["steps"] if step["name"] == name]
    values = {key: spec.get("default", "") for key, spec in action["inputs"].items()} | inputs
    env = {
        variable: re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", expression).expand(r"\1")
        for variable, expression in step["env"].items()
    }
    files = {
        name: tmp_path / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")
    }
    for path in files.values():
        path.touch()
    (tmp_path / "temp").mkdir(exist_ok=True)
    given = {
        **{variable: values[key] for variable, key in env.items()},
        **{name: str(path) for name, path in files.items()},
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(repository),
    }
    script = tmp_path / "script.sh"
    script.write_text(step["run"])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=repository,
        env=environment(given),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    return done, outputs, files["GITHUB_STEP_SUMMARY"].read_text()


def test_it_is_valid_by_the_published_schema(action):
    jsonschema.validate(action, schema_of("check_jsonschema", f"{VENDORED}/github-actions.json"))
    broken = {**action, "runs": {**action["runs"], "steps": [{"run": "true"}]}}  # a shell has to be named
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema_of("check_jsonschema", f"{VENDORED}/github-actions.json"))


def test_no_expression_stands_in_a_script_and_each_input_is_used(action):
    used = set()
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]
        used |= {
            re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", value).group(1) for value in step["env"].values()
        }
    assert used == set(action["inputs"])


def test_a_golden_pipeline_passes(action, repository, tmp_path):
    done, outputs, summary = run_step(action, "Verify", repository, tmp_path)
    assert done.returncode == 0, done.stderr
    assert outputs == {"status": "0", "verdict": "match", "sarif": str(repository / "mlstore.sarif")}
    assert summary.startswith("## ✅ mlstore: verified")
    assert obeyed(done.stdout.splitlines()) == []
    assert (repository / "mlstore.sarif").exists()


def test_one_that_differs_fails_with_annotations_and_every_report(action, repository, tmp_path):
    (repository / "b.txt").write_text("2\n")
    done, outputs, summary = run_step(
        action,
        "Verify",
        repository,
        tmp_path,
        junit="out/j.xml",
        html=str(tmp_path / "page.html"),
        sarif="",
        history="true",
    )
    assert done.returncode == 1
    assert outputs == {"status": "1", "verdict": "modified"}
    assert obeyed(done.stdout.splitlines()) == ["error"]
    assert "❌" in summary
    assert (repository / "out/j.xml").exists()
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize("key", ["against", "revision", "working-directory", "sarif"])
def test_an_input_is_a_value_and_never_a_script_or_an_option(action, repository, tmp_path, key):
    for harm in ("$(touch hacked)`touch hacked`", """'; touch hacked; "; touch hacked; '""", "--help"):
        done, outputs, _ = run_step(action, "Verify", repository, tmp_path, **{key: harm})
        assert not list(tmp_path.rglob("hacked"))
        assert "Usage" not in done.stdout
        assert outputs["status"] == str(done.returncode)
        if key != "sarif":
            assert done.returncode in (2, 4), (harm, done.stdout)


def test_mlstore_is_installed_from_the_actions_own_files_or_from_what_is_asked_for(
    action, repository, tmp_path
):
    stub = tmp_path / "python"
    log = tmp_path / "log"
    stub.write_text(
        f"#!{sys.executable}\nimport os, shutil, sys\n"
        f'open({str(log)!r}, "a").write(repr(sys.argv[1:]) + "\\n")\n'
        'if sys.argv[2] == "venv":\n    os.makedirs(sys.argv[3] + "/bin", exist_ok=True)\n'
        '    shutil.copy(__file__, sys.argv[3] + "/bin/python")\n'
    )
    stub.chmod(0o755)
    for source, expected in (("", str(ROOT)), ("/some where/mlstore", "/some where/mlstore"), ("none", None)):
        log.write_text("")
        done, _, _ = run_step(
            action, "Install mlstore", repository, tmp_path, python=str(stub), install=source
        )
        assert done.returncode == 0, done.stderr
        installed = [line for line in log.read_text().splitlines() if "'install'" in line]
        assert installed == (
            [f"['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--', {expected!r}]"]
            if expected
            else []
        )
    assert os.path.islink(tmp_path / "temp/mlstore-bin/mlstore")


def snippets():
    return [
        yaml.safe_load(text)
        for text in re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.M | re.S)
    ]


def test_the_snippets_of_the_documentation_are_valid(action):
    workflow = next(one for one in snippets() if "jobs" in one)
    workflow["on"] = workflow.pop(True)  # YAML 1.1 takes the key for a boolean
    jsonschema.validate(workflow, schema_of("check_jsonschema", f"{VENDORED}/github-workflows.json"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    (ours,) = [step for step in steps if "mlstore" in step.get("uses", "")]
    assert ours.get("with", {}).keys() <= action["inputs"].keys()

    pipeline = next(one for one in snippets() if "jobs" not in one)
    jsonschema.validate(pipeline, schema_of("check_jsonschema", f"{VENDORED}/gitlab-ci.json"))
    (job,) = [job for job in pipeline.values() if "script" in job]
    command = " ".join(job["script"])
    for kind, path in (("junit", "junit"), ("gitlab", "codequality")):
        assert f"--report {kind}={job['artifacts']['reports'][path]}" in command


def test_the_documentation_has_every_input(action):
    text = DOCUMENT.read_text("utf-8")
    assert [name for name in (*action["inputs"], *action["outputs"]) if f"`{name}`" not in text] == []
