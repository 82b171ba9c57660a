"""Using a repository that belongs to another user: refused, and how to say that it is trusted."""

from __future__ import annotations

import os

import pytest

from mlstore_cli.trust import is_trusted

STRANGER = 64_321
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a folder away"
)


@pytest.fixture
def stolen(cli, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
    os.chown(cli.root / ".mlstore", STRANGER, -1)
    return cli


@needs_root
@pytest.mark.parametrize("args", [("status",), ("log",), ("verify",), ("add", "."), ("run",), ("init",)])
def test_every_command_refuses_it_with_the_way_to_trust_it(stolen, args):
    done = stolen(*args, status=2)
    assert f"'{stolen.root / '.mlstore'}' belongs to another user" in done.err
    assert (
        f"hint: if you trust them: 'mlstore config --global --add safe.directory {stolen.root}'" in done.err
    )


@needs_root
def test_the_hint_works(stolen):
    stolen("config", "--global", "--add", "safe.directory", str(stolen.root))
    stolen("status")
    assert stolen("config", "--global", "--list").out == f"safe.directory=['{stolen.root}']\n"


@needs_root
def test_a_relative_folder_is_kept_as_an_absolute_one_and_once(stolen):
    for _ in range(2):
        stolen("config", "--global", "--add", "safe.directory", ".")
    found = stolen("config", "--global", "--list", "--json").json
    assert found["settings"] == {"safe.directory": [str(stolen.root)]}


@needs_root
def test_a_star_trusts_every_folder(stolen):
    stolen("config", "--global", "--add", "safe.directory", "*")
    stolen("status")


@needs_root
def test_another_folder_trusts_nothing_here(stolen):
    stolen("config", "--global", "--add", "safe.directory", str(stolen.root.parent))
    stolen("status", status=2)


@needs_root
def test_what_the_repository_says_of_itself_does_not_count(stolen):
    with (stolen.root / ".mlstore" / "config").open("a") as config:
        config.write('[safe]\ndirectory = ["*"]\n')
    stolen("status", status=2)


@needs_root
def test_the_environment_may_name_folders(stolen, monkeypatch):
    monkeypatch.setenv("MLSTORE_SAFE_DIRECTORY", f"/elsewhere{os.pathsep}{stolen.root}")
    stolen("status")


@needs_root
def test_under_sudo_that_of_the_user_who_called_it_is_used(stolen, monkeypatch):
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    stolen("status")
    monkeypatch.setenv("SUDO_UID", str(STRANGER + 1))
    stolen("status", status=2)


def test_sudo_counts_for_root_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not is_trusted(tmp_path, STRANGER, {"SUDO_UID": str(STRANGER)}, tmp_path / "none")


@pytest.mark.parametrize("text", ["safe = 3\n[", "[safe]\ndirectory = [3]\n", "[safe]\ndirectory = true\n"])
def test_settings_that_cannot_be_read_trust_nothing(tmp_path, text):
    from mlstore.errors import ConfigError

    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigError):
        is_trusted(tmp_path, STRANGER, {}, tmp_path / "config")


@pytest.mark.parametrize(
    "args", [("--global",), ("--global", "user.name"), ("--add", "safe.directory", "x"),
             ("--global", "--add", "user.name", "x")]
)  # fmt: skip
def test_the_users_settings_hold_trust_and_nothing_else(cli, args):
    assert "--add safe.directory" in cli("config", *args, status=2).err


def test_a_store_that_everybody_may_write_into_is_warned_of(history):
    (history.root / ".mlstore" / "objects").chmod(0o777)
    for command in ("verify", "fsck"):
        done = history(command)
        assert "every user may write into '.mlstore/objects'" in done.out
        assert "chmod -R o-w .mlstore" in done.out
    (history.root / ".mlstore" / "objects").chmod(0o755)
    assert "every user" not in history("verify").out


@pytest.mark.parametrize("name", ["AUX", "con.txt", "nul.tar.gz", "com1", "LPT\u00b9.csv", "gpj.\u202eexe"])
def test_a_name_that_does_harm_elsewhere_is_warned_of(cli, name):
    cli.write(f"data/{name}", "x\n")
    cli("add", ".")
    cli("commit", "-q", "-m", "odd")
    for command in ("verify", "fsck"):
        found = cli(command, "--json").json
        assert [(f["kind"], f["severity"], f["path"]) for f in found["findings"]] == [
            ("doubtful-name", "warning", f"data/{name}")
        ]


@pytest.mark.parametrize("name", ["auxiliary", "console", "com", "com10", "nulls.csv", "caf\u00e9"])
def test_an_ordinary_name_is_not(cli, name):
    cli.write(name, "x\n")
    cli("add", ".")
    cli("commit", "-q", "-m", "plain")
    assert cli("verify", "--json").json["findings"] == []
