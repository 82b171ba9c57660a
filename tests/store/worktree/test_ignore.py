from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.support import Work, fast_repository

from mlstore.errors import ConfigError, Refused
from mlstore.worktree import scan
from mlstore.worktree.ignore import is_ignored


def test_ignored_files_are_not_seen_unless_asked_for(work: Work) -> None:
    work.write(".mlstoreignore", "*.tmp\n/build/\n!keep.tmp\n# a comment\n\n")
    for name in ("a", "a.tmp", "keep.tmp", "deep/b.tmp", "build/x", "deep/build/y"):
        work.write(name, "x")
    assert sorted(scan(work.repo).files) == [".mlstoreignore", "a", "deep/build/y", "keep.tmp"]
    assert len(scan(work.repo, ignored=True).files) == 7
    assert scan(work.repo, "build").files == {}


def test_the_nearest_file_decides(work: Work) -> None:
    work.write(".mlstoreignore", "*.csv\n")
    work.write("data/.mlstoreignore", "!*.csv\nraw/\n")
    for name in ("a.csv", "data/a.csv", "data/deep/b.csv", "data/raw/c.csv"):
        work.write(name, "x")
    found = {name for name in scan(work.repo).files if name.endswith(".csv")}
    assert found == {"data/a.csv", "data/deep/b.csv"}


def test_what_lies_in_an_ignored_folder_cannot_be_taken_back_in(work: Work) -> None:
    work.write(".mlstoreignore", "build/\n!build/keep\n")
    work.write("build/keep", "x")
    assert list(scan(work.repo).files) == [".mlstoreignore"]
    assert is_ignored(work.root, "build/keep")


def test_the_ignore_file_itself_is_a_file_like_any_other(work: Work) -> None:
    work.write(".mlstoreignore", "*.tmp\n")
    work.add()
    assert work.index.paths() == [".mlstoreignore"]


def test_an_ignored_file_is_added_only_by_force_and_tracked_from_then_on(work: Work) -> None:
    work.write(".mlstoreignore", "*.tmp\n")
    work.write("a.tmp", "x")
    with pytest.raises(Refused, match=r"'a\.tmp' is ignored"):
        work.add("a.tmp")
    from mlstore.worktree import add_paths

    add_paths(work.repo, ["a.tmp"], force=True)
    work.record()
    work.write("a.tmp", "changed")
    assert work.status()["unstaged"] == ["modified a.tmp"]
    work.add()
    assert work.files_of(work.record())["a.tmp"] == b"changed"


def test_a_rule_file_that_is_no_text_does_no_harm(work: Work) -> None:
    work.path(".mlstoreignore").write_bytes(b"\xff\xfe*.tmp\n*.log\n")
    work.write("a.log", "x")
    assert list(scan(work.repo).files) == [".mlstoreignore"]


# Without brackets and backslashes: there the library that reads the rules goes its own way in odd cases.
LINES = st.lists(
    st.text("ab*?/!.-# ", min_size=1, max_size=7).filter(lambda line: line.count("*") < 4), max_size=4
)
FILES = ["a", "b", "ab", "a.b", "sub/a", "sub/b", "sub/ab/a", "a-b", ".a"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to ask")
@settings(max_examples=40)
@given(LINES, LINES)
def test_what_git_ignores_we_ignore(memory: Path, top: list[str], below: list[str]) -> None:
    root = Path(tempfile.mkdtemp(dir=memory))
    work = Work(fast_repository(root))
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for name in FILES:
        if not (root / name).is_dir():
            work.write(name, "x")
    for folder, lines in (("", top), ("sub/", below)):
        for file in (".gitignore", ".mlstoreignore"):
            work.write(folder + file, "\n".join(lines) + "\n")
    listed = git_files(root)
    ours = {name for name in scan(work.repo).files if not name.endswith("ignore")}
    assert ours == {
        name for name in listed if not name.endswith("ignore") and not name.startswith(".mlstore/")
    }


def git_files(root: Path) -> set[str]:
    """What git would call untracked: everything that is not ignored."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--others", "--exclude-standard"]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    return {name for name in printed.decode().split("\0") if name}


@pytest.mark.parametrize("pattern", ["*a*a*a*a*b", "x/" + "**/a/" * 4, "!" + "*?" * 30])
def test_a_pattern_that_would_take_for_ever_is_refused(work: Work, pattern: str) -> None:
    work.write("a" * 200, "x")
    work.write(".mlstoreignore", f"# *a*b*c*d*e\n*.log\n{pattern}\n")
    with pytest.raises(ConfigError, match="line 3: too many wildcards") as caught:
        scan(work.repo)
    assert caught.value.hint


def test_patterns_of_as_many_stars_as_people_use_are_fine(work: Work) -> None:
    work.write("one/two/a.b.c.d", "x")
    work.write(".mlstoreignore", "**/two/*.*.*\n# *a*b*c*d*e\n[*]x*y*z*\n")
    assert set(scan(work.repo).files) == {".mlstoreignore"}
