"""How the parts of a model are told: each value at a path of its own, in the order of the file."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date
from typing import Any

import numpy as np
import pytest
from tests.store.compare.models.support import look, short

from mlstore.compare.models import describe
from mlstore.compare.models.nodes import Array


def told(value: Any, protocol: int = 4) -> dict[str, Any]:
    found = look(pickle.dumps(value, protocol), "m.pkl")
    return {leaf.path: leaf.value for leaf in found.leaves}


def test_plain_containers_are_told_by_keys_and_places() -> None:
    assert told({"a": [1, (2, {})], "b c": {3: None}, "e": []}) == {
        "a[0]": 1,
        "a[1][0]": 2,
        "a[1][1]": "{}",
        "b c[3]": None,
        "e": "[]",
    }
    (value,) = told({frozenset({1}): b"abc"}).values()
    assert value.startswith("<3 bytes ")


def test_what_is_put_into_an_object_is_told_below_it() -> None:
    ordered = told(OrderedDict([("a", 1), ("b", 2)]))
    assert ordered == {"": "collections.OrderedDict", "a": 1, "b": 2}
    counted = told(Counter("aab"))
    assert (counted["(0).a"], counted["(0).b"]) == (2, 1)
    queue = told(deque([5, 6], 9))
    assert [queue["[0]"], queue["[1]"], queue["(1)"]] == [5, 6, 9]
    grouped = told(defaultdict(list, {"x": 1}))
    assert (grouped["(0)"], grouped["x"]) == ("<builtins.list>", 1)
    assert told(date(2026, 1, 16))[""] == "datetime.date"


def test_arguments_with_names_are_told_by_them() -> None:
    data = b"\x80\x04" + short("collections") + short("Counter") + b"\x93)}" + short("a") + b"K\x05s\x92."
    found = look(data, "m.pkl")
    assert [(leaf.path, leaf.value) for leaf in found.leaves] == [("", "collections.Counter"), ("a", 5)]


def test_a_value_in_itself_is_told_once() -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    assert told(inner) == {"[0]": 1, "[1]": "<itself>"}


class Odd:
    """Gives whatever state it is told to."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        return Counter, (), self.state


def test_a_state_that_is_no_dictionary_is_told_as_such() -> None:
    assert told(Odd([1, 2]))["<state>[1]"] == 2
    slots = told(Odd((None, {"x_": 3, 4: 5})))
    assert (slots["x_"], slots["'<key>'"]) == (3, 5)


def test_steps_are_told_by_their_names_where_they_have_some() -> None:
    named = told(Odd({"steps": [("scale", 1), ("fit", 2, ["a"])]}))
    assert (named["scale"], named["fit"], named["'fit.<2>'[0]"]) == (1, 2, "a")
    for odd in ([], "text", [("scale",)], ["scale"], [(1, 2)]):
        assert not any(path.startswith("scale") for path in told(Odd({"steps": odd})))
    twice = told(Odd({"steps": [("a", 1), ("a", 2)]}))
    assert (twice["steps[0][1]"], twice["steps[1][1]"]) == (1, 2)


@pytest.mark.parametrize("limit", ["_DEEPEST", "_MOST_VISITS"])
def test_what_is_too_deep_or_too_much_is_said_to_be_missing(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, limit, 3)
    found = look(pickle.dumps([[[[[1]]], [[[2]]]]]), "m.pkl")
    assert found.verdict == "incomplete"
    assert found.missing == ("parts of the model that are nested too deeply or are too many",)


# --- arrays and numbers as Python 2 and others write them ---

DTYPE = b"cnumpy\ndtype\n(Vf8\nI00\nI01\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntb"
ONE = b"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u00f0\\u003f"


def scalar(data: bytes) -> Any:
    found = look(b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + data + b"tR.", "m.pkl")
    return found.leaves[0].value


def test_a_number_that_is_kept_as_text_is_read_as_the_bytes_that_it_was() -> None:
    assert scalar(b"V" + ONE + b"\n") == 1.0
    for damaged in (b"V" + ONE[6:] + b"\n", b"V\n", b"I5\n", b"N"):
        assert scalar(damaged) == "numpy.core.multiarray.scalar", "shown as an object like any other"


def test_an_array_whose_bytes_do_not_fit_its_shape_is_shown_as_an_object() -> None:
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
    good = look(head + b"(I1\n(I1\nt" + DTYPE + b"I00\nV" + ONE + b"\ntb.", "m.pkl")
    (leaf,) = good.leaves
    assert isinstance(leaf.value, Array)
    assert leaf.value.data == np.float64(1).tobytes()
    for shape, flag in ((b"(I2\nt", b"I00\n"), (b"(I-1\nt", b"I00\n"), (b"(I1\nt", b"Vx\n")):
        odd = look(head + b"(I1\n" + shape + DTYPE + flag + b"V" + ONE + b"\ntb.", "m.pkl")
        assert odd.leaves[0].value == "numpy.core.multiarray._reconstruct"
