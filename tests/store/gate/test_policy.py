"""Whose rules count, what they are called, and which of two sets is the looser one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.support import Work, fast_repository

from mlstore.gate import Policy, compare_policies, made_here, read_policy
from mlstore.gate.policy import rules_id
from mlstore.hashing import object_format
from mlstore.history import read_chain
from mlstore.manifest import CompareSpec, GateSpec, parse_manifest

CLOSE = '[[gate.rules]]\npath = "*.csv"\nequal = "close"\natol = 1e-9\n'


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(fast_repository(tmp_path / "repo", pack=False))


def test_the_rules_are_those_of_the_commit_whatever_the_worktree_says(work: Work) -> None:
    one = work.commit("one", mlstore__toml=CLOSE)
    work.write("mlstore.toml", "[gate]\nequal = 'content'\n")
    found = read_policy(work.repo, one)
    assert (found.source, found.commit, found.gate.rules[0].equal) == ("commit", one, "close")
    work.path("mlstore.toml").unlink()
    assert read_policy(work.repo, one) == found


def test_without_tracked_rules_the_worktree_counts_only_if_asked_for_or_pinned(work: Work) -> None:
    one = work.commit("one", a="1")
    assert read_policy(work.repo, one, worktree=False).source == "default"
    assert read_policy(work.repo, one).source == "default"
    work.write("mlstore.toml", CLOSE)
    beside = read_policy(work.repo, one)
    assert (beside.source, beside.has_rules) == ("worktree", True)
    assert not read_policy(work.repo, one, worktree=False).has_rules
    assert read_policy(work.repo, one, pinned=beside.id, worktree=False).source == "pinned"
    other = read_policy(work.repo, one, pinned=work.repo.format.hash_bytes(b""), worktree=False)
    assert (other.has_rules, "not those that are pinned" in str(other.note)) == (False, True)


@pytest.mark.parametrize("text", ["[gate\n", "[gate]\nequal = 'newer'\n", b"\xff\xfe"])
def test_rules_that_cannot_be_read_are_no_loose_ones(work: Work, text: str | bytes) -> None:
    one = work.commit("one", mlstore__toml=text)
    found = read_policy(work.repo, one)
    assert (found.source, found.has_rules) == ("default", False)
    assert "cannot be used" in str(found.note)
    two = work.commit("two", mlstore__toml=None)
    work.write("mlstore.toml", text)
    assert not read_policy(work.repo, two).has_rules


def test_without_its_blob_the_tracked_file_is_known_by_its_id(work: Work) -> None:
    one = work.commit("one", mlstore__toml=CLOSE)
    file = str(read_policy(work.repo, one).file)
    (work.repo.store / "objects" / file[:2] / file[2:]).unlink()
    work.repo = type(work.repo).open(work.root)
    assert read_policy(work.repo, one).source == "commit"
    work.write("mlstore.toml", CLOSE.replace("1e-9", "1e-8"))
    found = read_policy(work.repo, one)
    assert (found.has_rules, "is not in this store" in str(found.note)) == (False, True)


def policy(text: str) -> Policy:
    manifest = parse_manifest(text)
    fmt = object_format("blake3")
    found = rules_id(fmt, manifest.gate, manifest.compare)
    return Policy("commit", found, manifest.gate, manifest.compare)


def test_the_id_is_that_of_the_rules_and_of_nothing_else_in_the_file() -> None:
    other = '[stages.a]\ncommand = "x"\noutputs = ["a"]\n[compare]\nrows = 3\n\n# a comment\n'
    assert policy(CLOSE).id == policy(other + CLOSE).id
    for text in (
        CLOSE.replace("1e-9", "1e-8"),
        CLOSE.replace("*.csv", "*.tsv"),
        CLOSE + CLOSE,
        "[gate]\nequal = 'content'\n" + CLOSE,
        '[compare]\nallow = ["a.B"]\n' + CLOSE,
        '[[compare.rules]]\npath = "*.csv"\nkey = ["id"]\n' + CLOSE,
    ):
        assert policy(text).id != policy(CLOSE).id
    # The id is on disk in mlstore.lock: it stays what it is.
    assert rules_id(object_format("sha256"), GateSpec(), CompareSpec()) == (
        object_format("sha256").hash_bytes(
            b'mlstore gate 1\n{"allow":[],"compare":[],"default":{"equal":"bytes","path":"**"},"rules":[]}'
        )
    )


def metric(**bounds: float) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in bounds.items())
    return f'[[gate.rules]]\npath = "a.csv"\nequal = "metric"\nkey = "k"\n{lines}'


@pytest.mark.parametrize(
    ("golden", "branch", "relation"),
    [
        ("", CLOSE, "looser"),
        (CLOSE, "", "stricter"),
        ("[gate]\nequal = 'content'\n", CLOSE, "looser"),
        (CLOSE, CLOSE.replace("1e-9", "1e-3"), "looser"),
        (CLOSE, CLOSE.replace("1e-9", "1e-12"), "stricter"),
        (CLOSE, CLOSE.replace("atol = 1e-9", "rtol = 1e-12"), "other"),
        (metric(min=0.9), metric(min=0.8), "looser"),
        (metric(min=0.9), metric(min=0.95), "stricter"),
        (metric(min=0.9, max_change=1), metric(min=0.9), "looser"),
        (metric(max=0.9), metric(max=1.9), "looser"),
        (metric(min=0.9), metric(max=0.9), "other"),
        (CLOSE, metric(min=0.9), "other"),
        (CLOSE, '[[compare.rules]]\npath = "a.csv"\nkey = ["id"]\n' + CLOSE, "other"),
    ],
)
def test_rules_are_held_against_each_other_by_what_they_let_through(
    golden: str, branch: str, relation: str
) -> None:
    (found,) = compare_policies(policy(golden), policy(branch), ["a.csv"])
    assert found.relation == relation
    assert str(found).startswith("'a.csv': ")


def test_only_files_for_which_it_makes_a_difference_are_named() -> None:
    looser = CLOSE.replace("1e-9", "1e-3")
    found = compare_policies(policy(CLOSE), policy(looser), ["z.csv", "b.json", "a.csv"])
    assert [one.path for one in found] == ["a.csv", "z.csv"]
    assert not compare_policies(policy(CLOSE), policy(CLOSE), ["a.csv"])


def test_trust_goes_to_what_was_observed_here_and_to_nothing_else(work: Work) -> None:
    from tests.store.support import ADA

    from mlstore.history import record_commit
    from mlstore.model import StageRecord

    work.write("m", "model")
    work.add("m")
    blob = work.repo.format.hash_bytes(b"model")

    def record(name: str, how: str) -> str:
        stage = StageRecord(name, ("true",), {}, {"m": blob}, {}, how)  # type: ignore[arg-type]
        return record_commit(
            work.repo, message=name, author=ADA, time=work.now(), stage=stage, allow_empty=True
        )

    asserted = record("one", "asserted")
    assert made_here(work.repo, read_chain(work.repo, asserted))("m", blob) is None  # type: ignore[arg-type]
    observed = record("one", "observed")
    chain = read_chain(work.repo, observed)  # type: ignore[arg-type]
    trust = made_here(work.repo, chain)
    assert "stage 'one' wrote it here" in str(trust("m", blob))
    assert trust("m", work.repo.format.hash_bytes(b"other")) is None
    assert trust("n", blob) is None
    (work.repo.store / "logs" / "HEAD").unlink()
    assert made_here(work.repo, chain)("m", blob) is None
