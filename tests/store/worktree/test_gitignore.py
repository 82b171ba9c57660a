from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlstore.worktree import ignore_in_git

if TYPE_CHECKING:
    from tests.store.support import Work


def test_outside_of_git_nothing_is_written(work: Work) -> None:
    assert ignore_in_git(work.repo) is None
    assert not work.path(".gitignore").exists()


@pytest.mark.parametrize("where", ["beside", "above", "a file"])
def test_inside_of_git_the_store_is_ignored(work: Work, where: str) -> None:
    git = work.root.parent / ".git" if where == "above" else work.path(".git")
    git.write_text("gitdir: x") if where == "a file" else git.mkdir()
    assert ignore_in_git(work.repo) == work.path(".gitignore")
    assert work.path(".gitignore").read_text() == ".mlstore/\n"
    assert ignore_in_git(work.repo) is None, "once is enough"


@pytest.mark.parametrize("line", [".mlstore", ".mlstore/", "/.mlstore", "/.mlstore/", "  .mlstore/  "])
def test_a_line_that_does_it_already_is_left_alone(work: Work, line: str) -> None:
    work.path(".git").mkdir()
    work.write(".gitignore", f"*.pyc\n{line}\n")
    assert ignore_in_git(work.repo) is None


@pytest.mark.parametrize("before", [b"*.pyc", b"*.pyc\n", b"caf\xe9\n", b""])
def test_what_stands_there_stays(work: Work, before: bytes) -> None:
    work.path(".git").mkdir()
    work.write(".gitignore", before)
    ignore_in_git(work.repo)
    separator = b"" if before.endswith(b"\n") or not before else b"\n"
    assert work.path(".gitignore").read_bytes() == before + separator + b".mlstore/\n"
