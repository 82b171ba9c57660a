from __future__ import annotations

import json

import pytest

from mlstore.compare import Artifact, Settings, Verdict, compare_artifacts


def compare(old: str, new: str, name: str, settings: Settings | None = None):
    sides = [Artifact.from_bytes(text.encode(), name) for text in (old, new)]
    return compare_artifacts(*sides, settings)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.ini", "[a]\nx = 1\ny = 2\n", "; why\n[a]\ny=2\nx=1\n"),
        ("a.toml", "[a]\nx = 1\ny = 'b'\n", '# why\n[a]\ny = "b"\nx = 1\n'),
        ("a.yaml", "a:\n  x: 1\n  y: 2\n", "# why\na: {y: 2, x: 1}\n"),
        ("a.json", '{"a": {"x": 1, "y": 2}}', '{\n "a": {"y": 2, "x": 1}\n}\n'),
        ("a.json", "[1, 2]", "[1,2]"),
    ],
)
def test_comments_order_and_layout_are_no_content(name: str, old: str, new: str) -> None:
    assert compare(old, new, name).verdict is Verdict.EQUIVALENT


def test_added_removed_and_changed_keys_are_told_with_their_values() -> None:
    found = compare(
        "[data_generation]\nnum_samples = 1000\nold = 7\n",
        "[data_generation]\nnum_samples = 2000\nnoise = 0.1\n",
        "a.ini",
    )
    assert found.verdict is Verdict.DIFFERENT
    assert found.summary == "1 key changed, 1 key removed, 1 key added"
    assert [str(one) for one in found.details] == [
        "data_generation.noise added: 0.1",
        "data_generation.num_samples 1000 -> 2000",
        "data_generation.old removed: 7",
    ]
    assert found.measures == {"added": 1, "removed": 1, "changed": 1, "moved": 0}


def test_a_key_that_moved_is_one_move() -> None:
    found = compare(
        '{"a": {"seed": 7}, "b": {"x": 1}}', '{"a": {"y": 2}, "b": {"x": 1, "seed": 7}}', "a.json"
    )
    assert found.summary == "1 key moved, 1 key added"
    assert str(found.details[0]) == "a.seed to b.seed moved (value 7)"


def test_a_renamed_key_is_known_by_a_value_that_is_there_once() -> None:
    found = compare('{"path": "data/raw.csv"}', '{"source": "data/raw.csv"}', "a.json")
    assert found.measures["moved"] == 1
    # A short value, or one that several keys share, proves nothing.
    assert compare('{"a": 1}', '{"b": 1}', "a.json").measures["moved"] == 0
    assert compare('{"a": "long", "b": "long"}', '{"c": "long"}', "a.json").measures["moved"] == 0


def test_the_order_of_a_list_and_the_type_of_a_value_are_content() -> None:
    assert compare("[1, 2]", "[2, 1]", "a.json").verdict is Verdict.DIFFERENT
    found = compare('{"a": 1}', '{"a": "1"}', "a.json")
    assert str(found.details[0]) == "a int 1 -> str 1"


@pytest.mark.parametrize(
    ("name", "text"), [("a.ini", "x"), ("a.toml", "x ="), ("a.yaml", "a: ]"), ("a.json", "{")]
)
def test_a_configuration_that_cannot_be_read_is_incomplete(name: str, text: str) -> None:
    found = compare(text, text + "\n", name)
    assert found.verdict is Verdict.INCOMPLETE
    assert found.missing


def test_a_large_one_and_very_many_moves_stay_within_bounds() -> None:
    old, new = (json.dumps({f"{letter}{n}": 1234567 for n in range(2000)}) for letter in "ab")
    found = compare(old, new, "a.json")
    assert (found.measures["added"], found.measures["removed"]) == (2000, 2000)
    assert found.omitted == 4000 - 20
    assert compare(old, new, "a.json", Settings(memory=1000)).verdict is Verdict.INCOMPLETE
