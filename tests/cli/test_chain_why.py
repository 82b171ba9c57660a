"""`mlstore chain` and `mlstore why`."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def line(cli: Cli) -> Cli:
    """generate (config.ini#data) -> raw.csv -> train (train.sh) -> model.bin and metrics.json, both run."""
    cli.write("config.ini", "[data]\nsamples = 10\nseed = 22\n[DEFAULT]\ndate = 2026-01-16\n")
    cli.write("train.sh", "cp raw.csv model.bin\necho '{}' > metrics.json\n")
    cli.write(
        "mlstore.toml",
        """
[stages.generate]
command = "grep samples config.ini > raw.csv"
inputs = ["config.ini#data"]
outputs = ["raw.csv"]

[stages.train]
command = ["sh", "train.sh"]
inputs = ["raw.csv", "train.sh"]
outputs = ["model.bin", "metrics.json"]
""",
    )
    cli("run", "-q")
    return cli


def test_the_chain_has_a_row_for_each_stage(line: Cli) -> None:
    stages = line("chain", "--json").json["stages"]
    rows = [text.split(maxsplit=6) for text in line("chain").lines]
    assert rows[0] == ["height", "commit", "stage", "record", "lineage", "state", "outputs"]
    for row, stage in zip(rows[1:], stages, strict=True):
        ids = [stage["commit"][:10], stage["stage"], "observed", stage["lineage"][:10]]
        assert row[:6] == [str(stage["height"]), *ids, "ok"]
    assert [row[6] for row in rows[1:]] == ["raw.csv", "metrics.json +1"]


def test_the_json_has_exactly_these_fields(line: Cli) -> None:
    data = line("chain", "--json").json
    assert set(data) == {"schema", "commit", "lineage", "stages"}
    assert data["schema"] == "mlstore.chain/1"
    assert data["commit"] == line("rev-parse", "HEAD").out.strip()
    generate, train = data["stages"]
    assert data["lineage"] == train["lineage"]
    assert set(train) == {
        "stage", "height", "commit", "lineage", "record", "inputs", "outputs",
        "command", "upstream", "parameters", "duration_ms", "time", "notes",
    }  # fmt: skip
    assert (train["stage"], train["height"], train["record"]) == ("train", 1, "observed")
    assert train["command"] == ["sh", "train.sh"]
    assert train["upstream"] == {"generate": generate["lineage"]}
    assert train["inputs"]["raw.csv"] == generate["outputs"]["raw.csv"]
    assert generate["parameters"] == {"config.ini#data.samples": "10", "config.ini#data.seed": "22"}
    assert isinstance(train["duration_ms"], int)


def test_rows_fit_on_80_columns(cli: Cli) -> None:
    outputs = [f"a/rather/long/path/number-{number}.csv" for number in range(9)]
    command = "mkdir -p a/rather/long/path; " + "; ".join(f"echo 1 > {path}" for path in outputs)
    cli.write("mlstore.toml", f"[stages.only]\ncommand = '{command}'\noutputs = {outputs}\n")
    cli("run", "-q")
    assert max(map(len, cli("chain").lines)) <= 80
    assert cli("chain").lines[1].endswith("...")


def test_what_the_worktree_left_behind_is_stale_and_says_why(line: Cli) -> None:
    line.write("config.ini", "[data]\nsamples = 11\nseed = 22\n")
    lines = line("chain").lines
    assert [text.split()[5] for text in lines[1:3]] == ["stale", "stale"]
    assert lines[3:] == [
        "",
        "generate  input 'config.ini#data' changed (samples 10 -> 11)",
        "train     upstream 'generate' will run",
    ]


def test_a_declared_stage_that_never_ran_is_named(line: Cli) -> None:
    text = (
        line.read("mlstore.toml") + "[stages.score]\ncommand = 'x'\ninputs = ['model.bin']\noutputs = ['s']\n"
    )
    line.write("mlstore.toml", text)
    assert line("chain").lines[-1] == "score  never ran"


def test_an_older_chain_has_no_state(line: Cli) -> None:
    line.write("raw.csv", "changed")
    lines = line("chain", "HEAD~1").lines
    assert len(lines) == 2
    assert "state" not in lines[0]


def test_an_empty_chain_is_no_error(cli: Cli) -> None:
    cli.commit("one", a_txt="1")
    result = cli("chain")
    assert result.out == ""
    assert "no stage is on record here" in result.err
    assert cli("chain", "--json").json["stages"] == []


def test_an_unknown_revision_gives_4(line: Cli) -> None:
    line("chain", "nowhere", status=4)


def test_a_broken_manifest_is_a_warning(line: Cli) -> None:
    line.write("mlstore.toml", "[stages")
    result = line("chain")
    assert len(result.lines) >= 3
    assert result.err.startswith("warning: 'mlstore.toml' is not valid TOML")


# --- commit --stage -----------------------------------------------------------------------------------------


def test_a_block_by_hand_is_asserted(line: Cli) -> None:
    line.write("model.bin", "made elsewhere")
    line("commit", "--stage", "train", "-m", "trained on the cluster")
    row = line("chain", "--json").json["stages"][1]
    assert (row["stage"], row["record"]) == ("train", "asserted")
    assert line("log", "--oneline", "-1").out.rstrip().endswith("[train] trained on the cluster")


def test_the_same_block_by_hand_again_is_nothing_to_commit(line: Cli) -> None:
    assert "nothing to record for stage 'train'" in line("commit", "--stage", "train", status=1).err


def test_a_block_by_hand_with_all_takes_tracked_changes(cli: Cli) -> None:
    cli.commit("one", raw_csv="1")
    cli.write("raw.csv", "2")
    cli("commit", "-a", "--stage", "fetch")
    assert set(cli("chain", "--json").json["stages"][0]["outputs"]) == {"raw.csv"}


# --- why ----------------------------------------------------------------------------------------------------


def test_why_goes_back_to_the_configuration(line: Cli) -> None:
    blocks = {block["stage"]: block for block in line("chain", "--json").json["stages"]}
    train, generate = blocks["train"], blocks["generate"]
    value = generate["inputs"]["config.ini#data"][:10]
    assert line("why", "model.bin").lines == [
        f"model.bin {train['outputs']['model.bin'][:10]}",
        f"  stage train, commit {train['commit'][:10]}, observed {train['time']}",
        "    runs sh train.sh",
        f"    raw.csv {generate['outputs']['raw.csv'][:10]}",
        f"      stage generate, commit {generate['commit'][:10]}, observed {generate['time']}",
        "        runs grep samples config.ini > raw.csv",
        f"        config.ini#data {value}  source, commit {generate['commit'][:10]} run generate",
        "          samples = 10",
        "          seed = 22",
        f"    train.sh {train['inputs']['train.sh'][:10]}  source, commit {train['commit'][:10]} run train",
    ]


def test_why_shows_a_single_value_in_its_place(cli: Cli) -> None:
    cli.write("c.toml", "[a]\nb = 1.5\n")
    cli.write(
        "mlstore.toml", "[stages.a]\ncommand = 'echo 1 > out'\ninputs = ['c.toml#a.b']\noutputs = ['out']\n"
    )
    cli("run", "-q")
    assert cli("why", "out").lines[3].startswith("    c.toml#a.b = 1.5  source, commit ")


def test_why_as_json(line: Cli) -> None:
    data = line("why", "--json", "model.bin").json
    assert (data["schema"], data["name"], data["current"]) == ("mlstore.why/1", "model.bin", True)
    raw, script = data["stage"]["inputs"]
    assert raw["stage"]["inputs"][0]["values"] == {
        "config.ini#data.samples": "10",
        "config.ini#data.seed": "22",
    }
    assert script["stage"] is None


def test_why_takes_paths_as_the_shell_gives_them_and_a_revision(line: Cli) -> None:
    (line.root / "sub").mkdir()
    assert line("why", "../raw.csv", cwd="sub").lines[0].startswith("raw.csv ")
    assert line("why", "raw.csv", "--at", "HEAD~1").lines[0].startswith("raw.csv ")
    line("why", "model.bin", "--at", "HEAD~1", status=4)


def test_why_of_something_unknown_gives_4(line: Cli) -> None:
    assert line("why", "nothing.csv", status=4).err.startswith("error: 'nothing.csv' is not in HEAD\n")


def test_values_are_escaped(cli: Cli) -> None:
    cli.write("c.json", '{"a": {"b": "\\u001b[2J"}}')
    cli.write(
        "mlstore.toml", "[stages.a]\ncommand = 'echo 1 > out'\ninputs = ['c.json#a']\noutputs = ['out']\n"
    )
    cli("run", "-q")
    assert "b = \\x1b[2J" in cli("why", "out").out
