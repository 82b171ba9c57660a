from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.compare import (
    ABSENT,
    KeyChange,
    diff_values,
    flatten,
    is_keyed,
    load_values,
    select,
    value_id,
)
from mlstore.errors import ConfigError, PathNotFound
from mlstore.hashing import object_format

FMT = object_format("blake3")
INI = b"""\
; a comment
[DEFAULT]
author = Ada
date = 2026-01-16

[data]
Seed = 7
path: data/raw.csv
flag
text = two
    lines
percent = 50%
"""
TOML = b"""\
title = "x"
[data]
seed = 7
rate = 0.1
big = 1_000
on = true
when = 2026-01-16
at = 2026-01-16T15:24:48Z
list = [1, 2.0, "3"]
[[run]]
name = "a"
[[run]]
name = "b"
"""


def load(text: str, name: str = "c.yaml") -> dict[str, Any]:
    return load_values(text.encode(), name)


# --- reading ---


def test_ini_values_are_text_keys_keep_their_case_and_a_section_is_its_own_keys() -> None:
    assert load_values(INI, "config.ini") == {
        "DEFAULT": {"author": "Ada", "date": "2026-01-16"},
        "data": {"Seed": "7", "path": "data/raw.csv", "flag": None, "text": "two\nlines", "percent": "50%"},
    }


def test_a_date_in_default_does_not_change_another_section() -> None:
    other = INI.replace(b"2026-01-16", b"2027-12-31").replace(b"; a comment", b"# said otherwise")
    ids = [value_id(FMT, select(load_values(text, "c.ini"), "data")) for text in (INI, other)]
    assert ids[0] == ids[1]
    ids = [value_id(FMT, select(load_values(text, "c.ini"), "DEFAULT")) for text in (INI, other)]
    assert ids[0] != ids[1]


def test_toml_yaml_and_json_with_the_same_values_have_the_same_id() -> None:
    texts = {
        "c.toml": "a = 1\nb = [1.5, 'x']\n",
        "c.yaml": "b: [1.5, x]\na: 1\n",
        "c.json": '{"b": [1.5, "x"], "a": 1}',
    }
    assert len({value_id(FMT, load(text, name)) for name, text in texts.items()}) == 1


def test_a_byte_order_mark_is_passed_over() -> None:
    assert load_values(b"\xef\xbb\xbf" + INI, "c.ini") == load_values(INI, "c.ini")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.ini", b"no section = 1\n"),
        ("c.ini", b"[a]\nx = 1\nx = 2\n"),
        ("c.ini", b"[a]\n[a]\n"),
        ("c.cfg", b"\xff\xfe"),
        ("c.toml", b"a = \n"),
        ("c.toml", b"a = " + b"[" * 5000),
        ("c.json", b"{"),
        ("c.json", b"[1]"),
        ("c.json", b"5"),
        ("c.json", b'{"a":' * 100_000),
        ("c.json", b'{"a":' * 200 + b"1" + b"}" * 200),
        ("c.json", b'{"a": ' + b"9" * 5000 + b"}"),
        ("c.yaml", b"a: [\n"),
        ("c.yaml", b"- 1\n"),
        ("c.yaml", b""),
        ("c.yaml", b"a: !!python/object/apply:os.system ['true']\n"),
        ("c.yaml", b"a: &x [*x]\n"),
        ("c.yml", b"x" * 10 + b": &a {b: *a}\n"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_file(name: str, text: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        load_values(text, name)
    assert caught.value.data["file"] == name
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_a_billion_laughs_are_not_counted() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match="repeats itself"):
        load("\n".join(lines))


def test_aliases_that_stay_small_are_fine() -> None:
    assert load("base: &b {x: 1}\nother: {<<: *b, y: 2}\n")["other"] == {"x": 1, "y": 2}


def test_other_files_have_no_keys() -> None:
    for name in ("data.csv", "config", "ini", "x.toml.bak", "dir.ini/file"):
        assert not is_keyed(name)
        with pytest.raises(ConfigError, match="no keys to select"):
            load_values(b"", name)
    assert all(is_keyed(name) for name in ("a.ini", "x/y.TOML", "a.yml", "a.yaml", "a.json", "a.cfg"))


# --- selecting ---


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", "x"),
        ("data.seed", 7),
        ("data", ...),
        ("data.list.0", 1),
        ("data.list.2", "3"),
        ("run.1.name", "b"),
        ("run.0", {"name": "a"}),
    ],
)
def test_a_dotted_key_selects(key: str, value: object) -> None:
    found = select(load_values(TOML, "c.toml"), key)
    assert value is ... or found == value


@pytest.mark.parametrize(
    "key",
    ["nothing", "data.nothing", "title.x", "data.list.3", "data.list.-1", "data.list.x", "data.list.\u0661",
     "run.name", "data.list." + "9" * 5000, "", "data."],
)  # fmt: skip
def test_a_key_that_is_not_there_is_an_error_that_names_both(key: str) -> None:
    with pytest.raises(PathNotFound) as caught:
        select(load_values(TOML, "c.toml"), key, "c.toml")
    assert caught.value.data["path"] == f"c.toml#{key}"


def test_names_that_hold_dots_are_found_the_longest_first() -> None:
    value = load('{"a.b": {"c": 1}, "a": {"b": {"c": 2, "d": 3}}, "a.b.c": 4}', "c.json")
    assert [select(value, key) for key in ("a.b.c", "a.b.d", "a.b")] == [4, 3, {"c": 1}]


def test_keys_that_are_no_text_are_found_by_their_text() -> None:
    value = load("7: seven\ntrue: [yes it is]\n2026-01-16: a day\n")
    assert [select(value, key) for key in ("7", "True.0", "2026-01-16")] == ["seven", "yes it is", "a day"]


# --- ids ---


def test_the_id_of_a_value_is_the_hash_of_the_bytes_in_the_document() -> None:
    value = load_values(TOML, "c.toml")["data"]
    text = (
        'mlstore value 1\n{"at":{"$date":"2026-01-16T15:24:48+00:00"},"big":1000,"list":[1,'
        '{"$float":"2.0"},"3"],"on":true,"rate":{"$float":"0.1"},"seed":7,"when":{"$date":"2026-01-16"}}'
    )
    assert value_id(FMT, value) == FMT.hash_bytes(text.encode())
    assert value_id(FMT, "7") == FMT.hash_bytes(b'mlstore value 1\n"7"')
    assert value_id(object_format("sha256"), None) == object_format("sha256").hash_bytes(
        b"mlstore value 1\nnull"
    )


DIFFERENT = [
    "a: 1",
    "a: '1'",
    "a: 1.0",
    "a: true",
    "a: null",
    "a: ''",
    "a: [1]",
    "a: [[1]]",
    "a: {}",
    "a: []",
    "a: {1: x}",
    "a: {'1': x}",
    "a: {true: x}",
    "a: {$int:1: x}",
    "a: 0.0",
    "a: -0.0",
    "a: .nan",
    "a: .inf",
    "a: 'nan'",
    "a: {$float: nan}",
    "a: {$float: '1.0'}",
    "a: 2026-01-16",
    "a: '2026-01-16'",
    "a: {$date: '2026-01-16'}",
    "a: 2026-01-16 00:00:00",
    "a: 0x8000000000000000",
    "a: 0x7fffffffffffffff",
    "a: {$int: '0x8000000000000000'}",
    "a: !!binary aGk=",
    "a: 'hi'",
    "a: {$$x: 1}",
    "a: {$x: 1}",
    "a: {x: 1}",
    "b: 1",
    "a: e\u0301",
    "a: \u00e9",
]


def test_values_that_differ_have_different_ids_and_are_told_to_differ() -> None:
    values = [load(text) for text in DIFFERENT]
    assert len({value_id(FMT, value) for value in values}) == len(values)
    for one in values:
        for other in values:
            assert bool(diff_values(one, other)) == (one is not other), (one, other)


def test_huge_numbers_have_ids_too() -> None:
    value = load("a: 0x" + "f" * 5000)
    assert value_id(FMT, value) != value_id(FMT, load("a: 0x" + "f" * 4999))
    assert diff_values(value, load("a: 1"))[0].new == "1"


def test_a_set_has_the_same_id_in_every_process() -> None:
    code = """if True:
        from mlstore.compare import load_values, value_id, flatten
        from mlstore.hashing import object_format
        value = load_values(b"a: !!set {x, y, z, other, things}", "c.yaml")
        print(value_id(object_format("blake3"), value), sorted(flatten(value)))
        """
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": str(seed)}, capture_output=True, check=True
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(found) == 1


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


@given(TABLES, TABLES)
def test_ids_are_equal_exactly_when_nothing_is_told_to_differ(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    one, other = (load(json.dumps(value), "c.json") for value in (one, other))
    assert (value_id(FMT, one) == value_id(FMT, other)) == (diff_values(one, other) == [])
    assert diff_values(one, one) == []


# --- differences ---


def test_differences_are_told_key_by_key_and_order_and_comments_do_not_count() -> None:
    old = load("# x\na: {seed: 7, rate: 0.1, gone: 1}\nsame: [1, 2]\n")
    new = load("same: [1, 2]\na: {rate: 0.2, seed: 7, new: {deep: yes}}\n")
    changes = diff_values(old, new)
    assert changes == [
        KeyChange("a.gone", "1", None),
        KeyChange("a.new.deep", None, "true"),
        KeyChange("a.rate", "0.1", "0.2"),
    ]
    assert list(map(str, changes)) == ["a.gone removed: 1", "a.new.deep added: true", "a.rate 0.1 -> 0.2"]
    assert diff_values(old, new, "cfg")[2].key == "cfg.a.rate"


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("a: {n: 1000}", "a: {n: '1000'}", KeyChange("a.n", "int 1000", "str 1000")),
        ("a: {n: true}", "a: {n: 'true'}", KeyChange("a.n", "bool true", "str true")),
        ("a: {n: 2026-01-16}", "a: {n: '2026-01-16'}", KeyChange("a.n", "date 2026-01-16", "str 2026-01-16")),
        ("a: [1, 2]", "a: [1, '2']", KeyChange("a.1", "int 2", "str 2")),
        ("a: {n: 1}", "a: {n: 1.0}", KeyChange("a.n", "1", "1.0")),
    ],
)
def test_a_change_of_type_alone_names_its_key_and_the_types(old: str, new: str, change: KeyChange) -> None:
    assert diff_values(load(old), load(new)) == [change]


def test_a_change_of_type_is_told_among_others() -> None:
    found = diff_values(load("a: 1\nb: 2\n"), load("a: '1'\nb: 3\n"))
    assert found == [KeyChange("a", "int 1", "str 1"), KeyChange("b", "2", "3")]


def test_a_single_value_is_compared_under_its_name() -> None:
    assert diff_values(1, 2, "seed") == [KeyChange("seed", "1", "2")]
    assert diff_values("x", "x", "seed") == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({}, {"a": 1}, ["a added: 1"]),
        ({"a": {}}, {"a": {"b": 1, "c": {}}}, ["a.b added: 1", "a.c added: {}"]),
        ({"a": [5]}, {"a": []}, ["a.0 removed: 5"]),
        ({"a": []}, {"a": {}}, ["a [] -> {}"]),
        ({"a": {}}, {"a": 1}, ["a {} -> 1"]),
        ({"a": {}}, {"a.b": 1}, ["a removed: {}", "a.b added: 1"]),
    ],
)
def test_a_table_that_is_filled_or_emptied_is_told_by_what_was_in_it(
    old: Any, new: Any, told: list[str]
) -> None:
    assert list(map(str, diff_values(old, new))) == told


@pytest.mark.parametrize("value", [1, None, {}, [], {"x": 1}])
def test_a_value_that_was_not_there_is_added_whatever_it_is(value: Any) -> None:
    (added,), (removed,) = diff_values(ABSENT, value, "k"), diff_values(value, ABSENT, "k")
    assert added.old is removed.new is None
    assert added.new == removed.old is not None
    assert diff_values(ABSENT, ABSENT, "k") == []


def test_keys_that_look_alike_are_not_taken_for_the_same() -> None:
    old, new = load('{"a.b": 1, "a": {"b": 2}}', "c.json"), load('{"a.b": 2, "a": {"b": 2}}', "c.json")
    assert diff_values(old, new) != []


def test_leaves_are_flattened_to_text() -> None:
    assert flatten(load("a: {b: [1, {c: x}], d: null, e: {}, f: []}\n")) == {
        "a.b.0": "1",
        "a.b.1.c": "x",
        "a.d": "null",
        "a.e": "{}",
        "a.f": "[]",
    }
    assert flatten(5, "n") == {"n": "5"}


def test_text_that_is_no_unicode_is_a_mistake_in_the_file_and_no_crash() -> None:
    from mlstore.errors import UsageError

    value = load('{"a": "\\ud800"}', "c.json")
    with pytest.raises(UsageError):
        value_id(FMT, value)
    assert diff_values(value, load('{"a": "x"}', "c.json"))[0].key == "a"
