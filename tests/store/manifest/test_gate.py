"""``[gate]`` of mlstore.toml: what it says, and the file, line and key of every mistake."""

from __future__ import annotations

import pytest

from mlstore.errors import ConfigError
from mlstore.manifest import GateRule, parse_manifest


def rules(text: str) -> tuple[GateRule, ...]:
    return parse_manifest(text).gate.rules


def rule(*lines: str) -> str:
    return "\n".join(["[[gate.rules]]", *lines, ""])


def test_without_a_gate_only_the_same_bytes_count() -> None:
    gate = parse_manifest("").gate
    assert gate.rules_for("anything") == (GateRule(0, "", "bytes"),)
    assert gate == parse_manifest("[gate]\n").gate == parse_manifest('[gate]\nequal = "bytes"\n').gate


def test_rules_are_read_whole_and_numbered() -> None:
    text = rule('path = "*.npy"', 'equal = "close"', "rtol = 1e-6", "atol = 1") + rule(
        'path = "m.joblib"', 'equal = "predictions"', 'on = "data/probe.csv"', "atol = 0.5"
    )
    text += rule('path = "m.json"', 'equal = "metric"', 'key = ["a.b", "c"]', "min = -1", "max_change = 0.5")
    assert rules(text) == (
        GateRule(1, "*.npy", "close", 1e-6, 1.0),
        GateRule(2, "m.joblib", "predictions", 0.0, 0.5, "data/probe.csv"),
        GateRule(3, "m.json", "metric", keys=("a.b", "c"), min=-1.0, max_change=0.5),
    )


def test_the_last_rule_that_fits_counts_else_the_default() -> None:
    text = '[gate]\nequal = "content"\n' + rule('path = "models"', 'equal = "parameters"')
    gate = parse_manifest(text + rule('path = "models/*.npy"', 'equal = "bytes"')).gate
    found = {path: gate.rules_for(path)[0].equal for path in ("x.csv", "models/a.joblib", "models/a.npy")}
    assert found == {"x.csv": "content", "models/a.joblib": "parameters", "models/a.npy": "bytes"}


def test_metric_rules_for_other_keys_of_a_file_count_together_up_to_another_rule() -> None:
    metric = [rule('path = "m.json"', 'equal = "metric"', f'key = "{key}"', "min = 0") for key in "aab"]
    other = rule('path = "*.json"', 'equal = "content"')
    gate = parse_manifest(metric[0] + other + metric[1] + metric[2]).gate
    assert [found.number for found in gate.rules_for("m.json")] == [4, 3]
    assert [found.number for found in parse_manifest("".join(metric)).gate.rules_for("m.json")] == [3, 2]
    assert [found.equal for found in parse_manifest(metric[0] + other).gate.rules_for("m.json")] == [
        "content"
    ]


@pytest.mark.parametrize(
    ("lines", "line", "key", "what"),
    [
        (['path = "a"', 'equal = "byte"'], 3, "gate.rules.equal", "is none of bytes, content"),
        (['path = "a"', "equal = 1"], 3, "gate.rules.equal", "is none of"),
        (['path = "a"'], 1, "gate.rules", "does not say what is equal"),
        (['equal = "content"'], 1, "gate.rules", "has no path"),
        (['path = "../a"', 'equal = "content"'], 2, "gate.rules.path", "not a path inside"),
        (['path = "a#b"', 'equal = "content"'], 2, "gate.rules.path", "holds a '#'"),
        (['path = "a"', 'equal = "content"', "atoll = 1"], 4, "gate.rules.atoll", "not known"),
        (['path = "a"', 'equal = "content"', "atol = 1"], 4, "gate.rules.atol", "does not go with"),
        (['path = "a"', 'equal = "close"', "atol = -1"], 4, "gate.rules.atol", "less than 0"),
        (['path = "a"', 'equal = "close"', "rtol = inf"], 4, "gate.rules.rtol", "is not a number"),
        (['path = "a"', 'equal = "close"', "rtol = nan"], 4, "gate.rules.rtol", "is not a number"),
        (['path = "a"', 'equal = "close"', "rtol = true"], 4, "gate.rules.rtol", "is not a number"),
        (['path = "a"', 'equal = "close"', 'rtol = "1"'], 4, "gate.rules.rtol", "is not a number"),
        (['path = "a"', 'equal = "predictions"'], 3, "gate.rules.equal", "names no table"),
        (['path = "a"', 'equal = "predictions"', 'on = "/x"'], 4, "gate.rules.on", "not a path inside"),
        (['path = "a"', 'equal = "metric"', "min = 1"], 3, "gate.rules.equal", "no usable key"),
        (['path = "a"', 'equal = "metric"', 'key = ""', "min = 1"], 4, "gate.rules.key", "no usable key"),
        (['path = "a"', 'equal = "metric"', 'key = ["a", "a"]', "min = 1"], 4, "gate.rules.key", "no usable"),
        (['path = "a"', 'equal = "metric"', 'key = "a"'], 3, "gate.rules.equal", "has no bound"),
        (
            ['path = "a"', 'equal = "metric"', 'key = "a"', "min = 2", "max = 1"],
            5,
            "gate.rules.min",
            "larger",
        ),
    ],
)
@pytest.mark.parametrize("before", ["", rule('path = "first"', 'equal = "content"')])
def test_a_mistake_in_a_rule_is_told_with_line_and_key(
    before: str, lines: list[str], line: int, key: str, what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        parse_manifest(before + rule(*lines))
    found = caught.value
    assert (found.data["line"], found.data["key"]) == (line + before.count("\n"), key)
    assert found.message.startswith(f"'mlstore.toml:{line + before.count(chr(10))}': ")
    assert found.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("gate = 1\n", "'gate' is not a table"),
        ("[gate]\nrules = 1\n", "is not a list"),
        ("[gate]\nrules = [1]\n", "is no table"),
        ("[gate]\nequals = 'bytes'\n", "'gate.equals' is not known"),
        ("[gate]\nequal = 'parameters'\n", "needs a rule of its own"),
        ("[gate]\nequal = 'content'\natol = 1\n", "does not go with"),
    ],
)
def test_a_mistake_in_the_table_is_told(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        parse_manifest(text)


def test_a_default_may_have_a_tolerance() -> None:
    default = parse_manifest('[gate]\nequal = "close"\natol = 1e-9\n').gate.default
    assert (default.equal, default.atol, default.name) == ("close", 1e-9, "the default")
