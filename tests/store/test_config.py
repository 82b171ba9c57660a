from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlstore.config import Config, _parse_plain
from mlstore.errors import ConfigError, UsageError

TEXT = """\
# mine
[core]
format = 1
object-format = "blake3"  # never changes
fsync = false

[user]
name = "Ada"
[user.deep]
x = 1
"""


def test_values_are_found_by_section_and_key() -> None:
    config = Config.parse(TEXT)
    assert config.get("core.format") == 1
    assert config.get_text("user.name") == "Ada"
    assert config.get_flag("core.fsync", True) is False
    assert config.get("user.deep.x") == 1
    assert (
        config.get("user.email") is config.get("nothing.at.all") is config.get("core.format.deeper") is None
    )
    assert config.get_flag("core.other", True) is True
    assert [key for key, _ in config.items()] == [
        "core.format",
        "core.fsync",
        "core.object-format",
        "user.deep.x",
        "user.name",
    ]


def test_a_value_of_another_type_names_the_key() -> None:
    config = Config.parse("[core]\nfsync = 1\nobject-format = 5\n")
    for look in (lambda: config.get_flag("core.fsync", True), lambda: config.get_text("core.object-format")):
        with pytest.raises(ConfigError) as caught:
            look()
        assert caught.value.data["key"].startswith("core.")


def test_setting_a_value_keeps_everything_else_and_the_comments() -> None:
    config = Config.parse(TEXT).with_value("user.email", "ada@example.org")
    assert config.get("user.email") == "ada@example.org"
    assert config.get("user.name") == "Ada"
    assert "# mine" in config.text
    assert "# never changes" in config.text
    assert Config.parse(config.text) == config


@pytest.mark.parametrize(
    "value", ["plain", 'quo"te', "back\\slash", "new\nline", "ünï 🎉", "", True, False, 5]
)
def test_every_value_that_is_set_is_read_back(value: str | bool | int) -> None:
    config = Config.parse(Config.parse("").with_value("a-section.a_key", value).text)
    assert config.get("a-section.a_key") == value


def test_a_value_that_is_unset_is_gone() -> None:
    config = Config.parse(TEXT).without("user.name")
    assert config.get("user.name") is None
    assert config.get("user.deep.x") == 1
    with pytest.raises(UsageError):
        config.without("user.name")


@pytest.mark.parametrize(
    "key",
    ["", "name", ".name", "user.", "user..name", "user name.x", "user.na me", "ü.x", "user.name\n", "-a.b"],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError):
        Config.parse(TEXT).with_value(key, "x")


@pytest.mark.parametrize("key", ["core.format", "core.object-format"])
def test_what_ids_depend_on_cannot_be_changed(key: str) -> None:
    with pytest.raises(UsageError, match="cannot be changed"):
        Config.parse(TEXT).with_value(key, "sha256")
    with pytest.raises(UsageError, match="cannot be changed"):
        Config.parse(TEXT).without(key)


def test_a_value_is_no_section() -> None:
    with pytest.raises(UsageError, match="is a value"):
        Config.parse(TEXT).with_value("user.name.first", "Ada")


def test_a_file_that_is_no_toml_names_the_line() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.parse("[core]\nformat = \n")
    assert (caught.value.data["file"], caught.value.data["line"]) == ("config", 2)
    assert "'config:2' is not valid TOML" in caught.value.message


PIECES = [
    "[",
    "]",
    '"',
    " = ",
    "=",
    "\n",
    "a",
    "a",
    "b-1",
    "core.x",
    "true",
    "0",
    "12",
    "#",
    "'",
    " ",
    "\\",
    "é",
    "_",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
@example('[core]\nformat = 1\nobject-format = "blake3"\nfsync = false\n')
@example("[a]\n[a]\n")
@example("[a]\na = 1\na = 2\n")
@example("[a]\r\na = 1\r\n")
@example("a = 1\n")
@example('[a]\na = """\n')
@example('[a]\na = "x\n"')
def test_what_is_read_without_the_parser_is_what_the_parser_reads(text: str) -> None:
    plain = _parse_plain(text)
    if plain is not None:
        assert plain == tomllib.loads(text)


def test_what_init_writes_is_read_without_the_parser(tmp_path: Path) -> None:
    from mlstore.repository import Repository

    assert _parse_plain(Repository.init(tmp_path).config.text) is not None
