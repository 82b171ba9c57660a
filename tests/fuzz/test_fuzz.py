"""Decoders before bytes that nobody meant: a documented error or the truth, and never anything else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.__main__ import attempt
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
MUTATIONS = 700


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_valid_is_accepted(name: str) -> None:
    for seed in TARGETS[name].seeds():
        assert attempt(name, seed, repaired=False) is None, seed


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_of_the_valid_are_refused_or_true(name: str) -> None:
    target, rng = TARGETS[name], random.Random(name)
    seeds, refused = target.seeds(), 0
    for number in range(MUTATIONS):
        refused += attempt(name, mutate(rng, seeds), repaired=bool(number % 2)) is not None
    # Were nothing refused, or everything, the mutations would test nothing.
    assert refused < MUTATIONS
    assert refused > 0 or not target.errors


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=200))
@settings(max_examples=25)
def test_any_bytes_are_refused_or_true(name: str, data: bytes) -> None:
    attempt(name, data, repaired=False)


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_once_broke_a_decoder_does_so_no_more(path: Path) -> None:
    attempt(path.parent.name, path.read_bytes(), repaired=False)


def test_a_decoder_that_lets_another_error_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def lax(data: bytes) -> None:
        {}[data]

    monkeypatch.setitem(TARGETS, "lax", TARGETS["tree"]._replace(run=lax))
    with pytest.raises(KeyError):
        attempt("lax", b"x", repaired=False)


def test_a_decoder_that_takes_two_forms_of_one_thing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlstore.model import tree

    valid = TARGETS["tree"].seeds()[1]
    monkeypatch.setattr(tree, "decode_tree", lambda data: tree._decode_any(data.rstrip()))
    with pytest.raises(AssertionError, match="encodes it as"):
        attempt("tree", valid + b"\n", repaired=False)
