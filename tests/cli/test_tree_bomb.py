"""Forty small trees that stand for 2^40 files: every command refuses them at once, in little memory."""

from __future__ import annotations

import dataclasses
import resource

import pytest
from tests import stored

from mlstore.model import Tree, TreeEntry, encode_tree
from mlstore.repository import Repository

LEVELS = 40
NAMES = ("left", "right")


def grow(writer, tree, size, levels, names=NAMES):
    """Put a tree into one with it in there twice, so often."""
    for _ in range(levels):
        data = encode_tree(Tree(tuple(TreeEntry(name, "tree", tree, size) for name in names)))
        tree, size = writer.add_bytes(data), len(data)
    return tree


def leaf(writer, content):
    blob = writer.add_bytes(content)
    data = encode_tree(Tree((TreeEntry("file", "file", blob, len(content)),)))
    return writer.add_bytes(data), len(data)


def commit_on(repo, build, branch):
    head = repo.refs.head().commit
    base = repo.objects.read_commit(head)
    with repo.objects.transaction() as writer:
        commit = dataclasses.replace(base, tree=build(writer), parents=(head,), height=base.height + 1)
        made = writer.add_commit(commit)
    (repo.store / "refs/heads" / branch).write_text(made + "\n")
    return made


@pytest.fixture
def bomb(history):
    """Branch `bomb`: 2^40 files below two folders; branch `other`: as many, and each another one."""
    repo = Repository.open(history.root)
    commit_on(repo, lambda writer: grow(writer, *leaf(writer, b"a"), LEVELS), "bomb")
    commit_on(repo, lambda writer: grow(writer, *leaf(writer, b"b"), LEVELS), "other")
    return history


RUNS = [
    ("checkout", "bomb"),
    ("switch", "bomb"),
    ("switch", "--detach", "bomb"),
    ("restore", "--source", "bomb", "."),
    ("checkout", "bomb", "--", "left"),
    ("reset", "--hard", "bomb"),
    ("diff", "main", "bomb"),
    ("diff", "bomb", "other"),
    ("diff", "--cached", "bomb"),
    ("log", "--stat", "bomb"),
    ("show", "bomb"),
    ("ls-tree", "-r", "bomb"),
    ("fsck",),
    ("fsck", "--quick"),
    ("verify", "--worktree", "bomb"),
    ("du",),
]


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_every_command_refuses_a_tree_bomb(bomb, arguments):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = bomb(*arguments, status=3)
    assert "stands for more files than any folder has" in result.out + result.err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
    assert sorted(path.name for path in bomb.root.iterdir()) == [".mlstore", "a.txt", "data"]


@pytest.mark.parametrize(
    "arguments", [("gc", "--prune=now"), ("gc", "-n", "--prune=now"), ("prune",), ("repack",)], ids=" ".join
)
@pytest.mark.parametrize("needed", [True, False], ids=["needed", "garbage"])
def test_tidying_up_looks_at_each_tree_of_a_bomb_once(bomb, arguments, needed):
    if not needed:
        bomb("branch", "-D", "bomb", "other")
    bomb(*arguments)
    bomb("fsck", status=3 if needed else 0)


@pytest.mark.parametrize(
    "arguments", [("status",), ("verify",), ("fsck",), ("commit", "-m", "x")], ids=" ".join
)
def test_a_bomb_that_is_checked_out_is_refused_too(bomb, arguments):
    (bomb.root / ".mlstore/HEAD").write_text("ref: refs/heads/bomb\n")
    bomb.write("a.txt", "new")
    result = bomb(*arguments, status=3)
    assert "stands for more files than any folder has" in result.out + result.err


def test_damage_in_a_bomb_is_told_with_a_few_of_its_paths(bomb):
    repo = Repository.open(bomb.root)
    stored.find(repo.store, repo.format.hash_bytes(b"a")).flip()
    result = bomb("fsck", status=3)
    assert "left/left/left/" in result.out
    assert f"and as {2**LEVELS - 8} more paths" in result.out


def test_what_is_below_the_limit_is_expanded(history):
    repo = Repository.open(history.root)
    commit_on(repo, lambda writer: grow(writer, *leaf(writer, b"a"), 8), "bushy")
    assert len(history("ls-tree", "-r", "--name-only", "bushy").lines) == 256
    history("switch", "-q", "bushy")
    assert history("status", "-s").lines == []
    history("verify")
    history("fsck")


def test_paths_of_more_than_4096_bytes_are_refused(history):
    repo = Repository.open(history.root)
    long = ("x" * 250,)
    commit_on(repo, lambda writer: grow(writer, *leaf(writer, b"a"), 17, long), "deep")
    for arguments in (("ls-tree", "-r", "deep"), ("checkout", "deep"), ("diff", "main", "deep")):
        assert "longer than 4096 bytes" in history(*arguments, status=3).err
