"""Mistakes that fingers make: each gets one line that names it, a hint, and changes nothing."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("args", [("checkout", "-b"), ("checkout", "-B"), ("switch", "-c"), ("switch", "-C")])
def test_a_branch_without_a_name_is_not_a_switch_that_succeeds(history, args):
    err = history(*args, "", status=2).err
    assert "error: '' cannot be the name of a branch or tag" in err
    assert history("branch").out == "* main\n"


def test_a_branch_to_create_and_to_move_at_once_moves_none(history):
    history("branch", "kept", "HEAD~1")
    before = history("rev-parse", "kept").out
    history("checkout", "-b", "kept", "-B", "other", status=1)
    assert history("rev-parse", "kept").out == before


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("status", "a.txt"), "unexpected argument 'a.txt'"),
        (("status", ""), "unexpected argument ''"),
        (("gc", "a b (c)"), "unexpected argument 'a b (c)'"),
        (("fsck", "a", "b"), "unexpected arguments 'a b'"),
    ],
)
def test_an_argument_too_many_is_named_in_quotes(history, args, told):
    err = history(*args, status=2).err
    assert f"error: {told}\nhint: see 'mlstore {args[0]} -h'\n" in err


@pytest.mark.parametrize("args", [("switch", "-c"), ("log", "-n"), ("tag", "x", "-m")])
def test_an_option_without_its_value_points_to_the_help_of_its_command(history, args):
    err = history(*args, status=2).err
    assert err == f"error: option '{args[-1]}' requires an argument\nhint: see 'mlstore {args[0]} -h'\n"


def test_an_empty_revision_is_named_as_it_was_typed(history):
    err = history("ls-tree", "", status=2).err
    assert "error: '' is not a revision\n" in err


def test_a_file_where_a_tree_is_meant_comes_with_a_hint(history):
    err = history("ls-tree", "HEAD:a.txt", status=2).err
    assert "error: 'HEAD:a.txt' is a blob, not a tree\nhint: 'mlstore cat-file -p'" in err


@pytest.mark.parametrize("args", [("",), ("", "copy"), (".", "")])
def test_an_empty_folder_of_a_clone_is_no_path(history, args):
    err = history("clone", *args, status=2).err
    assert err.endswith("error: '' is not a path\nhint: '.' is this folder\n")


@pytest.mark.parametrize(
    ("path", "status", "hint"), [("nope", 4, "check the spelling"), (".", 2, "name a file")]
)
def test_a_file_to_hash_that_is_none_comes_with_a_hint(history, path, status, hint):
    assert f"\nhint: {hint}" in history("hash-object", path, status=status).err


@pytest.mark.parametrize("key", ["core.pack", "core.fsync", "commit.sign", "tag.sign"])
def test_a_word_that_would_stop_every_later_command_is_not_set(history, key):
    err = history("config", key, "maybe", status=2).err
    assert err == f"error: 'maybe' is no value of '{key}'\nhint: it is 'true' or 'false'\n"
    history("config", key, "false")
    history("status")


def test_a_word_written_there_by_hand_can_be_set_right_by_the_hint(history):
    config = history.root / ".mlstore/config"
    config.write_text(config.read_text().replace("[core]\n", '[core]\npack = "maybe"\n'))
    err = history("status", status=2).err
    assert "hint: set it by 'mlstore config core.pack true', the default" in err
    history("config", "core.pack", "true")
    history("status")


def test_an_emptied_config_is_not_called_a_newer_format(history):
    config = history.root / ".mlstore/config"
    config.write_bytes(b"")
    err = history("status", status=2).err
    assert "does not say which disk format this is\nhint: it was cut short or emptied" in err


def test_a_golden_folder_that_is_none_is_not_a_tag_to_make(history):
    err = history("verify", "--against", "../nope", status=4).err
    assert "tag --golden" not in err
    assert "hint: a folder has to hold .mlstore" in err


def test_a_manifest_that_is_not_text_comes_with_a_hint(history):
    history.write("mlstore.toml", b"\xff\xfe")
    err = history("run", status=2).err
    assert err.startswith("error: 'mlstore.toml' is not UTF-8 text\nhint: save it as UTF-8")


@pytest.mark.parametrize("args", [("-m", "x"), ("-a", "-m", "x"), ("-f",)])
def test_a_tag_without_a_name_is_not_a_list_that_succeeds(history, args):
    history("tag", "v1")
    assert (
        history("tag", *args, status=2).err == "error: missing argument 'NAME'\nhint: see 'mlstore tag -h'\n"
    )
    assert history("tag").out == "v1\n"
