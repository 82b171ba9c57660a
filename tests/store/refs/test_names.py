from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstore.errors import InvalidRef
from mlstore.refs import validate_ref
from mlstore.refs.names import is_ref


@pytest.mark.parametrize(
    "name",
    [
        "main",
        "feature/x",
        "v1.0",
        "golden-2026",
        "a_b",
        "ünï/日本",
        "0" * 64,
        "x" * 255,
        "a@b",
        "@a",
        "a{b}",
        "HEAD2",
    ],
)
def test_ordinary_names_are_given_back(name: str) -> None:
    for prefix in ("refs/heads/", "refs/tags/"):
        assert validate_ref(prefix + name) == prefix + name


HOSTILE = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../../x",
    "a/../b",
    "a..b",
    ".a",
    "a/.b",
    "a.",
    "a/b.",
    "a.lock",
    "a.lock/b",
    "@",
    "@{",
    "a@{1}",
    "HEAD",
    "-",
    "-a",
    "--all",
    "a b",
    "a\tb",
    "a\nb",
    "a\0b",
    "a\x1bb",
    "a\x7fb",
    "a\x9bb",
    "a~1",
    "a^",
    "a:b",
    "a?b",
    "a*",
    "a[b",
    "a\\b",
    "a\u200db",
    "a\u202eb",
    "\udcff",
    ".git",
    "a/.mlstore/b",
    "x" * 256,
    "x/" * 600 + "x",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str) -> None:
    assert not is_ref("refs/heads/" + name)
    with pytest.raises(InvalidRef) as caught:
        validate_ref("refs/heads/" + name)
    assert caught.value.message.isprintable()
    assert caught.value.data["ref"] == "refs/heads/" + name


@pytest.mark.parametrize("name", ["main", "HEAD", "/etc/passwd", "../refs/heads/x", "ref/heads/x", "refs"])
def test_only_what_is_below_refs_is_a_ref(name: str) -> None:
    with pytest.raises(InvalidRef):
        validate_ref(name)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to ask")
@pytest.mark.parametrize("name", [name for name in HOSTILE if "\0" not in name and name.isprintable()])
def test_what_git_refuses_we_refuse(name: str) -> None:
    done = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True, check=False)
    if done.returncode != 0:
        assert not is_ref("refs/heads/" + name)


@given(st.text("ab.@{}/~^:?*[\\- \tHEADlock", max_size=12))
def test_what_is_accepted_stays_below_refs(name: str) -> None:
    if is_ref("refs/heads/" + name):
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not set(name) & set(" \t~^:?*[\\")
        assert not name.startswith(("-", "/"))
