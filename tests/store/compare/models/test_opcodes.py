"""Each opcode takes what Python's own unpickler takes, gives what it gives, and refuses what it refuses."""

from __future__ import annotations

import io
import pickle
from datetime import date
from typing import Any

import numpy as np
import pytest
from tests.store.compare.models.support import dump, kinds, look, short

from mlstore.compare import Artifact, Settings
from mlstore.compare.models import inspect
from mlstore.compare.models.compare import compare
from mlstore.compare.models.nodes import Array


def values(data: bytes, settings: Settings | None = None) -> list[Any]:
    return [leaf.value for leaf in look(data, "m.pkl", settings).leaves]


PLAIN = {
    "a quoted text of Python 2": b"S'ab\\n'\n.",
    "the same in double quotes": b'S"ab"\n.',
    "a short string of Python 2": b"U\x03abc.",
    "a long string of Python 2": b"T\x03\0\0\0abc.",
    "a text in a line": b"Va\\u00e9\n.",
    "a bool in a line": b"I01\n.",
    "a number in a line": b"I-17\n.",
    "a long number in a line": b"L123456789012345678901L\n.",
    "a float in a line": b"F1.5\n.",
    "a negative long": b"\x8a\x01\xff.",
    "a long long": b"\x8b\x02\0\0\0\x01\x02.",
    "a big float": b"G?\xf8\0\0\0\0\0\0.",
    "a number of two bytes": b"M\x01\x02.",
    "a text that is popped": b"Va\nVb\n0.",
    "what is doubled": b"Va\n2\x860Vb\n.",
    "an entry of the memo with a long number": b"Va\nr\x05\0\0\0" + b"0j\x05\0\0\0.",
}


@pytest.mark.parametrize("title", PLAIN)
def test_a_plain_value_is_what_python_reads(title: str) -> None:
    data = PLAIN[title]
    found = look(data, "m.pkl")
    assert (found.verdict, found.notes) == ("known", ())
    assert [leaf.value for leaf in found.leaves] == [pickle.loads(data, encoding="latin-1")]


def test_containers_of_old_and_new_protocols_hold_what_python_puts_into_them() -> None:
    for data in (b"(VA\nVB\nl.", b"]VA\naVB\na.", b"](VA\nVB\ne."):
        assert pickle.loads(data) == values(data) == ["A", "B"]
    data = b"(VA\nI1\nVB\nI2\nd."
    assert pickle.loads(data) == {"A": 1, "B": 2}
    assert [(leaf.path, leaf.value) for leaf in look(data).leaves] == [("A", 1), ("B", 2)]
    for protocol in (4, 5):
        assert values(pickle.dumps(frozenset({"A", "B"}), protocol)) == ["{'A', 'B'}"]
        assert values(pickle.dumps({"A", "B"}, protocol)) == ["{'A', 'B'}"]


REFUSED = {
    "a text without quotes": b"Sab\n.",
    "a text with one quote": b"S'\n.",
    "a text with two kinds of quotes": b"S'ab\"\n.",
    "a text with a bad escape": b"S'\\x4'\n.",
    "a text in a line with a bad escape": b"V\\u12\n.",
    "a text that is no UTF-8": b"X\x01\0\0\0\xff.",
    "a negative length of a string": b"T\xff\xff\xff\xff.",
    "a negative length of a number": b"\x8b\xff\xff\xff\xff.",
    "a number that is none": b"Iseven\n.",
    "a float that is none": b"Fpi\n.",
    "a memo entry below nothing": b"NpNaN\n.",
    "a negative memo entry": b"Np-1\n.",
    "a memo entry that was never made": b"h\x07.",
    "a name that is no UTF-8": b"c\xff\xff\nx\n.",
    "a name that is a number": b"\x80\x04I1\nI2\n\x93.",
    "an object without a class": b"(o.",
    "a protocol to come": b"\x80\x09N.",
    "a key without a value": b"(Va\nd.",
    "items of a list": b"]I0\nI1\ns.",
    "an empty stack": b".",
    "an empty stack to add to": b"Va\na.",
    "an empty stack to double": b"2.",
    "no mark": b"Nt.",
    "an opcode that there is not": b"\xff.",
    "an end too soon": b"X\x05\0\0\0ab",
    "a frame in a frame": b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N..",
}


@pytest.mark.parametrize("title", REFUSED)
def test_what_python_refuses_is_never_called_known(title: str) -> None:
    data = REFUSED[title]
    with pytest.raises(Exception):  # noqa: B017, PT011 - it has many words for it
        pickle._Unpickler(io.BytesIO(data)).load()  # the one that joblib builds on
    found = look(data, "m.pkl")
    assert found.verdict == "incomplete"
    assert found.missing


def test_what_belongs_into_no_such_container_is_refused() -> None:
    """Python asks the object for a method, which a stand-in does not have."""
    for data, said in (
        (b"}Va\na.", "appends to a dictionary"),
        (b"\x80\x04\x8f(Va\nVb\nu.", "items of what is no dictionary"),
        (b"ccollections\nCounter\nI5\nR.", "arguments of a call are no tuple"),
        (b"c_codecs\nencode\n(V\\u0107\nVlatin1\ntR.", "no latin-1"),
    ):
        found = look(data, "m.pkl")
        assert found.verdict == "incomplete"
        assert said in found.missing[0]


def test_arguments_that_are_computed_are_told() -> None:
    found = look(b"cbuiltins\nset\nccollections\nCounter\n)RR.", "m.pkl")
    assert kinds(found) == {"computed-call"}
    assert found.verdict == "suspicious"


def test_names_that_moved_since_python_2_are_those_that_python_3_would_import() -> None:
    moved = look(b"citertools\nizip\n(VA\ntR.", "m.pkl")
    assert [str(use.value) for use in moved.globals] == ["builtins.zip"]
    kept = look(b"\x80\x04citertools\nizip\n(VA\ntR.", "m.pkl")
    assert [str(use.value) for use in kept.globals] == ["itertools.izip"]


# --- limits ---


@pytest.mark.parametrize("data", [b"x" * 3000, "x" * 3000], ids=["bytes", "text"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_is_too_large_to_be_kept_is_told_by_its_hash(
    data: bytes | str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlstore.compare.models.opcodes._LARGEST_KEPT", 1000)
    if protocol == 2 and isinstance(data, bytes):
        packed = b"\x80\x02T" + len(data).to_bytes(4, "little") + data + b"."
    else:
        packed = pickle.dumps(data, protocol)
    (value,) = values(packed)
    assert value.startswith("<3000 bytes ")
    other = packed.replace(b"xxx", b"xxy", 1)
    assert values(other)[0] != value
    assert values(other)[0].startswith("<3000 bytes ")


def test_more_operations_than_the_limit_allows_are_not_walked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspect, "_MOST_OPERATIONS", 100)
    assert look(b"N0" * 40 + b"N.").verdict == "known"
    found = look(b"N0" * 100 + b"N.")
    assert found.missing == ("it has more operations than the limit allows",)


def test_a_line_without_an_end_is_not_read_to_it() -> None:
    assert look(b"V" + b"x" * 900_000 + b"\n.").verdict == "known"
    assert "a line is longer than the limit" in look(b"V" + b"x" * (4 << 20) + b"\n.").missing[0]


def test_a_frame_that_is_larger_than_the_limit_is_not_held() -> None:
    settings = Settings(memory=1 << 20)
    head = b"\x80\x04\x95" + (1 << 22).to_bytes(8, "little")
    found = look(head + b"N" * (1 << 22) + b".", settings=settings)
    assert found.verdict == "incomplete"


# --- numpy: what it writes is read, what it never writes is refused ---

ARRAYS = {
    "booleans": np.array([True, False]),
    "text": np.array(["a", "bc"]),
    "bytes": np.array([b"a", b"bc"]),
    "days": np.array(["2026-01-16"], "datetime64[D]"),
    "steps of 25 seconds": np.array([1, 2], "timedelta64[25s]"),
    "moments without a unit": np.array([3], "timedelta64"),
    "big-endian": np.arange(3, dtype=">i4"),
    "records": np.array([(1, 2.5)], [("a", "<i4"), ("b", "<f8")]),
    "records within records": np.array([((1, 2), 3)], [("a", [("x", "u1"), ("y", "u1")]), ("b", "<i2")]),
    "none": np.empty((0, 3)),
    "no dimension": np.array(5),
}


@pytest.mark.parametrize("title", ARRAYS)
@pytest.mark.parametrize("writer", ["joblib", "pickle 2", "pickle 5"])
def test_an_array_is_shown_with_its_shape_and_dtype(title: str, writer: str) -> None:
    array = ARRAYS[title]
    data = dump([array]) if writer == "joblib" else pickle.dumps([array], int(writer[-1]))
    found = look(data)
    assert found.verdict == "known"
    (leaf,) = [leaf for leaf in found.leaves if isinstance(leaf.value, Array)]
    assert leaf.value.shape == array.shape
    assert leaf.value.size == array.nbytes
    shown = inspect.leaf_to_dict(leaf)
    if array.dtype.kind in "if" and array.size:
        assert (shown["min"], shown["max"]) == (array.min(), array.max())
    else:
        assert (shown["min"], shown["max"]) == (None, None) or array.dtype.kind == "b"


@pytest.mark.parametrize("scalar", [np.float64(1.5), np.int8(3), np.bool_(True), np.datetime64("2026-01-16")])
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_number_of_numpy_is_its_value(scalar: Any, protocol: int) -> None:
    plain = scalar.item()
    expected = str(plain) if isinstance(plain, date) else plain
    assert values(pickle.dumps(scalar, protocol)) == [expected]


def dtype_with(args: bytes, state: bytes = b"") -> bytes:
    """Opcodes for a dtype that is the only value, so that it is shown by its name if it is believed."""
    return b"cnumpy\ndtype\n(" + args + b"tR" + (b"(" + state + b"tb" if state else b"") + b"."


GOOD = b"I3\nV<\nNNNI-1\nI-1\nI0\n"
ODD = {
    "no kind that there is": (b"Vq9\nI00\nI01\n", b""),
    "too many arguments": (b"Vf8\nI00\nI01\nI1\n", b""),
    "a flag that is a text": (b"Vf8\nVx\nI01\n", b""),
    "a state that is too short": (b"Vf8\nI00\nI01\n", b"I3\nV<\nNN"),
    "a state of a version to come": (b"Vf8\nI00\nI01\n", b"I9\nV<\nNNNI-1\nI-1\nI0\n"),
    "an unknown byte order": (b"Vf8\nI00\nI01\n", b"I3\nV!\nNNNI-1\nI-1\nI0\n"),
    "a size that contradicts": (b"Vf8\nI00\nI01\n", b"I3\nV<\nNNNI4\nI-1\nI0\n"),
    "metadata": (b"Vf8\nI00\nI01\n", b"I4\nV<\nNNNI-1\nI-1\nI0\nVx\n"),
    "a day without a unit": (b"VM8\nI00\nI01\n", b"I4\nV<\nNNNI-1\nI-1\nI0\nVx\n"),
    "a day with a unit that there is not": (
        b"VM8\nI00\nI01\n",
        b"I4\nV<\nNNNI-1\nI-1\nI0\n(}(Vx\nI1\nI1\nI1\ntt",
    ),
    "fields of a number": (b"Vf8\nI00\nI01\n", b"I3\nV<\nN(Va\nt}I-1\nI-1\nI0\n"),
    "names without fields": (b"VV8\nI00\nI01\n", b"I3\nV|\nN(Va\nt}I8\nI1\nI0\n"),
    "a field that is none": (b"VV8\nI00\nI01\n", b"I3\nV|\nN(Va\nt}Va\nI1\nsI8\nI1\nI0\n"),
    "a field outside of it": (
        b"VV8\nI00\nI01\n",
        b"I3\nV|\nN(Va\nt}Va\n(cnumpy\ndtype\n(Vf8\nI00\nI01\ntRI4\ntsI8\nI1\nI0\n",
    ),
}


def test_a_dtype_that_is_plain_is_shown_as_numpy_shows_it() -> None:
    assert values(dtype_with(b"Vf8\nI00\nI01\n", GOOD)) == ["<f8"]
    assert values(dtype_with(b"Vf8\nI00\nI01\n")) == ["<f8"]
    assert values(dtype_with(b"Vb1\nI00\nI01\n")) == ["|b1"]


@pytest.mark.parametrize("title", ODD)
def test_a_dtype_that_numpy_never_writes_is_not_believed(title: str) -> None:
    args, state = ODD[title]
    found = look(dtype_with(args, state), "m.pkl")
    assert found.leaves[0].role == "class", "it is shown as an object like any other"


# --- what is told of two that differ ---


def changes(old: bytes, new: bytes) -> str:
    found = compare(Artifact.from_bytes(old, "m.pkl"), Artifact.from_bytes(new, "m.pkl"), Settings())
    return "\n".join([found.verdict, *map(str, found.details)])


def test_a_value_of_another_kind_that_looks_the_same_is_told_by_its_kind() -> None:
    told = changes(pickle.dumps({"a": True}), pickle.dumps({"a": "True"}))
    assert told.startswith("different")
    assert changes(pickle.dumps({"a": 1}), pickle.dumps({"a": 1.0})).startswith("different")


def test_a_number_beyond_what_json_readers_hold_is_written_as_text() -> None:
    (leaf,) = look(pickle.dumps(1 << 80)).leaves
    assert inspect.leaf_to_dict(leaf)["value"] == hex(1 << 80)


def test_steps_that_are_no_steps_are_shown_by_their_places() -> None:
    for odd in ({"steps": []}, {"steps": ["scale", 1]}, {"steps": [("a", 1), ("a", 2)]}):
        found = look(pickle.dumps(odd))
        assert found.verdict == "known"
    assert short("x") == pickle.dumps("x", 4)[11:14]
