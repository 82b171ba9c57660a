"""Names and messages from commits and files reach the terminal only as harmless text."""

from __future__ import annotations

import json

import pytest

from mlstore_cli.context import Session
from mlstore_cli.main import main
from mlstore_cli.output import escape

NAME = "gpj.\u202eexe\u200b.txt"
LOOSE = "\x1b[2J\x1b]0;owned\x07\rloose\n\u009bm"
MESSAGE = "fix\x1b[31m\u202e\r\n\x1b]8;;http://x\x07body\u2066\u200d\n"


@pytest.fixture
def hostile(cli, monkeypatch):
    monkeypatch.setenv("MLSTORE_AUTHOR_EMAIL", "a\u200b@\u202eexample")
    cli.write(NAME, "1\n")
    cli.write(f"folder\u2067/{NAME}", "1\n")
    cli("add", ".")
    cli("commit", "-q", "-m", MESSAGE)
    cli.write(NAME, "2\n")
    cli("commit", "-q", "-am", MESSAGE)
    cli("tag", "-m", MESSAGE, "v1")
    cli.write(NAME, "3\n")
    cli.write(LOOSE, "x")
    return cli


RUNS = [
    ("status",),
    ("status", "-s"),
    ("status", "--porcelain"),
    ("log",),
    ("log", "--oneline", "--graph", "--stat"),
    ("log", "-p", "--decorate"),
    ("log", "--name-status"),
    ("show",),
    ("show", "v1"),
    ("show", "--stat", "HEAD"),
    ("show", "HEAD^{tree}"),
    ("diff",),
    ("diff", "--stat"),
    ("diff", "--name-only"),
    ("diff", "HEAD~1", "HEAD"),
    ("branch", "-v"),
    ("tag",),
    ("reflog",),
    ("ls-tree", "-r", "HEAD"),
    ("ls-tree", "HEAD"),
    ("cat-file", "-p", "HEAD"),
    ("cat-file", "-p", "HEAD^{tree}"),
    ("cat-file", "-p", "v1"),
    ("add", "-n", NAME),
    ("rm", "-n", "-f", NAME),
    ("checkout", "HEAD~1", "--", NAME),
    ("checkout", "--detach"),
    ("reset", "HEAD~1"),
    ("reset", "--hard"),
    ("commit", "-am", MESSAGE),
    ("rev-parse", "--show-toplevel"),
]
FAILURES = [
    ("add", LOOSE),
    ("rm", LOOSE),
    ("log", LOOSE.replace("[", "") + "x"),
    ("show", LOOSE),
    ("show", f"HEAD:{LOOSE}"),
    ("checkout", "--", LOOSE + "x"),
    ("checkout", "v1~1", "-b", LOOSE),
    ("branch", LOOSE),
    ("tag", LOOSE),
    ("switch", LOOSE),
    ("reflog", LOOSE),
    ("cat-file", "-t", LOOSE),
    ("hash-object", LOOSE + "x"),
    ("config", LOOSE, "x"),
    ("init", "--object-format", LOOSE),
    ("log", f"--{LOOSE}"),
    ("commit", "-m", "\udcff"),
    (LOOSE,),
]


def assert_harmless(text: str) -> None:
    for line in text.split("\n"):
        plain = line.replace("\t", "")
        assert escape(plain) == plain


@pytest.mark.parametrize("args", RUNS, ids=lambda args: escape(" ".join(args)))
def test_what_is_shown_is_harmless(hostile, args):
    done = hostile(*args)
    assert_harmless(done.out)
    assert_harmless(done.err)


@pytest.mark.parametrize("args", FAILURES, ids=lambda args: escape(" ".join(args)))
def test_the_error_is_one_line_and_at_most_one_hint(hostile, args, capsys):
    assert main(["-C", str(hostile.root), *args]) in (1, 2, 4)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] in (["error"], ["error", "hint"])
    assert_harmless("\n".join(lines))


JSON = [
    ("status",),
    ("log", "--name-only"),
    ("show", "HEAD", "v1", "HEAD^{tree}"),
    ("diff",),
    ("branch",),
    ("tag",),
    ("reflog",),
    ("ls-tree", "-r", "HEAD"),
    ("add", "-n", NAME),
    ("reset", "HEAD~1"),
    ("commit", "-am", MESSAGE),
]


@pytest.mark.parametrize("args", JSON, ids=lambda args: escape(" ".join(args)))
def test_json_is_valid_utf8_harmless_and_true(hostile, args):
    done = hostile(*args, "--json")
    found = json.loads(done.raw.decode("utf-8"))
    assert found["schema"].startswith("mlstore.")
    assert_harmless(done.out)


def test_json_gives_the_names_themselves(hostile):
    found = hostile("status", "--json").json
    assert found["unstaged"][0]["path"] == NAME
    assert found["untracked"] == [LOOSE]
    assert hostile("log", "-1", "--json").json["commits"][0]["message"] == MESSAGE.strip("\n")


def test_for_a_terminal_the_content_of_a_diff_is_escaped_too(hostile, monkeypatch):
    hostile.write(NAME, b"\x1b[2J\xff\ttab\r\n")
    assert b"+\x1b[2J\xff\ttab\r\n" in hostile("diff").raw
    monkeypatch.setattr(Session, "is_terminal", property(lambda _: True))
    assert hostile("diff").lines[-1] == "+\\x1b[2J\\xff\ttab\\r"
