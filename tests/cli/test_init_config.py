from __future__ import annotations

import subprocess

import pytest


def git(*args: str, cwd: object) -> str:
    done = subprocess.run(["git", *args], cwd=str(cwd), capture_output=True, check=True, encoding="utf-8")
    return done.stdout


def test_init_says_where_and_is_harmless_twice(outside):
    store = outside.root / ".mlstore"
    assert outside("init").out == f"Initialized empty mlstore repository in {store}\n"
    assert outside("init").out == f"Reinitialized existing mlstore repository in {store}\n"


def test_init_makes_the_folder_it_is_given(outside):
    outside("init", "-q", "new/place")
    assert (outside.root / "new/place/.mlstore/HEAD").is_file()
    assert outside("status", "-sb", cwd="new/place").out == "## No commits yet on main\n"


def test_init_takes_the_object_format_once(outside):
    outside("init", "-q", "--object-format", "sha256")
    outside.write("a", "abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert outside("hash-object", "a").out == known + "\n"
    assert "object format 'sha256'" in outside("init", "--object-format", "blake3", status=2).err
    assert outside("init", "--object-format", "md5", status=2).err.startswith("error: invalid value")


def test_init_in_a_git_worktree_ignores_the_store_and_says_so(outside):
    git("init", "-q", cwd=outside.root)
    outside.write(".gitignore", "*.tmp")
    assert outside("init").err == "Added '.mlstore/' to .gitignore, for this is a git worktree\n"
    assert outside.read(".gitignore") == "*.tmp\n.mlstore/\n"
    assert git("status", "--porcelain", cwd=outside.root) == "?? .gitignore\n"
    assert outside("init").err == ""
    assert outside.read(".gitignore") == "*.tmp\n.mlstore/\n"


def test_init_as_json(outside):
    assert outside("init", "--json").json == {
        "schema": "mlstore.init/1",
        "root": str(outside.root),
        "object_format": "blake3",
        "existed": False,
        "gitignore": None,
    }


def test_config_sets_gets_lists_and_unsets(cli):
    cli("config", "user.name", "Ada Lovelace")
    assert cli("config", "user.name").out == "Ada Lovelace\n"
    assert cli("config", "get", "user.name").out == "Ada Lovelace\n"
    assert cli("config", "--get", "user.name").out == "Ada Lovelace\n"
    assert "user.name=Ada Lovelace" in cli("config", "--list").lines
    assert cli("config", "-l").out == cli("config", "list").out
    cli("config", "--unset", "user.name")
    assert cli("config", "user.name", status=1).out == ""


def test_config_words_do_the_same(cli):
    cli("config", "set", "user.email", "ada@example.org")
    assert cli("config", "user.email").out == "ada@example.org\n"
    cli("config", "unset", "user.email")
    assert cli("config", "unset", "user.email", status=2).err.startswith("error: 'user.email' is not set")


def test_config_knows_true_and_false_but_names_are_text(cli):
    cli("config", "core.fsync", "false")
    cli("config", "user.name", "true")
    assert cli("config", "--json", "--list").json["settings"] | {} == {
        "core.format": 1,
        "core.object-format": "blake3",
        "core.fsync": False,
        "user.name": "true",
    }
    assert cli("config", "core.fsync").out == "false\n"


def test_config_refuses_what_would_break_the_store(cli):
    assert "cannot be changed" in cli("config", "core.object-format", "sha256", status=2).err
    assert "is not a configuration key" in cli("config", "nonsense", "x", status=2).err


@pytest.mark.parametrize("args", [(), ("set", "a.b"), ("get",), ("a.b", "c", "d")])
def test_config_explains_itself(cli, args):
    assert cli("config", *args, status=2).err.splitlines()[1] == "hint: see 'mlstore config -h'"


class TestAuthor:
    def author(self, cli) -> str:
        cli("commit", "-q", "--allow-empty", "-m", "x")
        author = cli("show", "--json", "-s").json["objects"][0]["author"]
        return f"{author['name']} <{author['email']}>"

    def test_the_environment_comes_first(self, cli):
        cli("config", "user.name", "Config")
        assert self.author(cli) == "Ada <ada@example.org>"

    def test_then_the_settings_of_the_repository(self, cli, monkeypatch):
        monkeypatch.delenv("MLSTORE_AUTHOR_NAME")
        cli("config", "user.name", "Config")
        assert self.author(cli) == "Config <ada@example.org>"

    def test_then_the_settings_of_git(self, cli, monkeypatch):
        monkeypatch.delenv("MLSTORE_AUTHOR_NAME")
        monkeypatch.delenv("MLSTORE_AUTHOR_EMAIL")
        git("init", "-q", cwd=cli.root)
        git("config", "user.name", "Git", cwd=cli.root)
        git("config", "user.email", "git@example.org", cwd=cli.root)
        assert self.author(cli) == "Git <git@example.org>"

    def test_then_the_login_with_a_hint_even_without_git(self, cli, monkeypatch):
        monkeypatch.delenv("MLSTORE_AUTHOR_NAME")
        monkeypatch.delenv("MLSTORE_AUTHOR_EMAIL")
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setenv("LOGNAME", "eve")
        err = cli("commit", "--allow-empty", "-m", "x").err
        assert err.startswith("hint: the author was guessed")
        assert self.author(cli).startswith("eve <eve@")

    def test_control_characters_and_brackets_are_dropped(self, cli, monkeypatch):
        monkeypatch.setenv("MLSTORE_AUTHOR_NAME", "A<d>a\n\x1b[31m\u202e")
        assert self.author(cli) == "Ada[31m <ada@example.org>"
