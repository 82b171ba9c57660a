from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstore.compare import Artifact, Settings, Verdict, compare_artifacts
from mlstore.compare.inspect import inspect_artifact
from mlstore.compare.numbers import Spread


def npy(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def npz(compress: bool = False, **arrays) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def compare(old, new, **options):
    data = [one if isinstance(one, bytes) else npy(one) for one in (old, new)]
    name = "a.npz" if data[0][:2] == b"PK" else "a.npy"
    return compare_artifacts(*(Artifact.from_bytes(one, name) for one in data), Settings(**options))


def test_how_far_and_where() -> None:
    old = np.arange(12.0).reshape(3, 4)
    new = old.copy()
    new[1, 2] += 0.5
    new[2, 3] += 0.25
    found = compare(old, new)
    assert found.verdict is Verdict.DIFFERENT
    assert found.summary == (
        "array <f8[3, 4] changed (2 of 12, max |d| = 0.5 at [1, 2], mean |d| = 0.0625, max relative = 0.0833)"
    )
    assert found.measures["beyond_tolerance"] == 2
    assert compare(old, new, atol=0.3).measures["beyond_tolerance"] == 1
    assert compare(old, new, rtol=0.05).measures["beyond_tolerance"] == 1


def test_the_version_of_the_format_and_the_order_in_memory_are_encoding() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert compare(npy(array), npy(array, version=(2, 0))).verdict is Verdict.EQUIVALENT
    assert compare(array, np.asfortranarray(array)).verdict is Verdict.EQUIVALENT
    other = array.copy()
    other[0, 2] = 9
    assert "at [0, 2]" in compare(array, np.asfortranarray(other)).summary
    assert "at [0, 2]" in compare(np.asfortranarray(array), np.asfortranarray(other)).summary
    assert compare(array, np.asfortranarray(array), memory=16).verdict is Verdict.INCOMPLETE


def test_shape_and_dtype() -> None:
    found = compare(np.zeros((2, 3)), np.zeros(6))
    assert found.summary == "array <f8[2, 3] -> <f8[6]"
    assert found.measures["shape_changed"]
    found = compare(np.zeros(3), np.zeros(3, "f4"))
    assert found.summary == "array <f8[3] -> <f4[3] (same values)"
    assert found.verdict is Verdict.DIFFERENT
    assert compare(np.zeros(3, ">f8"), np.zeros(3, "<f8")).verdict is Verdict.DIFFERENT


def test_nan_is_nan_and_coming_or_going_is_counted() -> None:
    old = np.array([np.nan, 1.0, 2.0, np.inf])
    found = compare(old, np.array([np.nan, np.nan, 2.0, np.inf]))
    assert (found.measures["nan_added"], found.measures["nan_removed"], found.measures["differing"]) == (
        1,
        0,
        1,
    )
    assert found.measures["beyond_tolerance"] == 1
    other = old.copy().view("u8")
    other[0] ^= 1  # another NaN
    assert compare(old, other.view("f8")).verdict is Verdict.EQUIVALENT
    found = compare(old, np.array([np.nan, 1.0, 2.0, -np.inf]))
    assert found.measures["max_abs"] == "inf"


@pytest.mark.parametrize(
    ("old", "new", "distance"),
    [
        (np.array([-(2**63)], "i8"), np.array([2**63 - 1], "i8"), 2.0**64),
        (np.array([0], "u8"), np.array([2**64 - 1], "u8"), 2.0**64),
        (np.array([200], "u1"), np.array([10], "u1"), 190.0),
        (np.array([True, False]), np.array([True, True]), 1.0),
        (np.array([3 + 4j]), np.array([0j]), 5.0),
        (np.array([1], "f2"), np.array([2], "f2"), 1.0),
        (np.array([1], np.longdouble), np.array([3], np.longdouble), 2.0),
        (np.array([1], "i4"), np.array([1.5]), 0.5),
    ],
)
def test_distances_do_not_overflow(old: np.ndarray, new: np.ndarray, distance: float) -> None:
    found = compare(old, new)
    assert found.measures["max_abs"] == pytest.approx(distance)


def test_what_is_no_number_is_compared_for_being_the_same() -> None:
    found = compare(np.array(["a", "b"]), np.array(["a", "c"]))
    assert "1 of 2, first at [1]" in found.summary
    assert compare(np.array(["a"], "U1"), np.array(["a"], "U5")).measures["dtype_changed"]
    dates = np.array(["2026-01-01", "NaT"], "M8[D]")
    assert compare(dates, np.array(["2026-01-02", "NaT"], "M8[D]")).measures["differing"] == 1
    rows = np.array([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f8")])
    other = rows.copy()
    other["b"][1] = 5
    found = compare(rows, other)
    assert (found.measures["differing"], found.measures["max_abs"]) == (1, 1.0)
    raw = np.array([b"ab", b"cd"], "V2")
    assert compare(raw, np.array([b"ab", b"ce"], "V2")).measures["differing"] == 1


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    old = np.random.default_rng(0).normal(size=(70, 30))
    new = old.copy()
    new[::7] += 0.001
    whole = compare(old, new)
    for module in ("numbers", "arrays"):
        monkeypatch.setattr(f"mlstore.compare.{module}.CHUNK", 64)
    parts = compare(old, new)
    assert parts.summary == whole.summary
    assert parts.measures["mean_abs"] == pytest.approx(whole.measures["mean_abs"])


def test_an_array_of_objects_is_not_unpickled() -> None:
    old, new = (npy(np.array([{}, n], object), allow_pickle=True) for n in (1, 2))
    found = compare(old, new)
    assert found.verdict is Verdict.INCOMPLETE
    assert "Python objects" in found.missing[0]


def test_damaged_files_are_incomplete() -> None:
    good = npy(np.arange(5.0))
    for bad in (
        good[:-1],
        good + b"x",
        good[:20],
        good[:7] + b"\x09" + good[8:],
        good.replace(b"<f8", b"<q8"),
    ):
        assert compare(good, bad).verdict is not Verdict.EQUIVALENT
        assert not compare(good, bad).complete or compare(good, bad).verdict is Verdict.DIFFERENT
    huge = good.replace(b"(5,)", b"(9" + b"9" * 30 + b",)")
    assert compare(good, huge).verdict is Verdict.INCOMPLETE


def test_archives_member_by_member() -> None:
    a, b = np.arange(3.0), np.ones(2, "i4")
    assert compare(npz(a=a, b=b), npz(compress=True, b=b, a=a)).verdict is Verdict.EQUIVALENT
    found = compare(npz(a=a, b=b), npz(a=a + 1, c=b))
    assert found.summary == "1 array added, 1 array removed, 1 array changed"
    assert found.details[0].where == "array 'a' <f8[3]"
    assert found.measures["max_abs"] == 1.0
    assert "array 'b' removed" in found.lines()


def test_archives_that_lie_are_incomplete() -> None:
    a = np.arange(300.0)
    good = npz(compress=True, a=a)
    broken = bytearray(good)
    broken[len(good) // 2] ^= 0xFF
    assert compare(good, bytes(broken)).verdict in (Verdict.INCOMPLETE, Verdict.DIFFERENT)
    assert not compare(good, bytes(broken)).complete
    assert compare(good, npz(compress=True, a=a + 1), unpacked=100).verdict is Verdict.INCOMPLETE
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", npy(a))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.npy", npy(a + 1))
    assert compare(good, buffer.getvalue()).verdict is Verdict.INCOMPLETE
    objects = [npz(a=np.array([None, n], object)) for n in (1, 2)]
    assert "Python objects" in compare(*objects).missing[0]


SEEDS = [
    npy(np.arange(4.0)),
    npy(np.array([(1, "x")], [("a", "i4"), ("b", "U1", (2,))])),
    npz(a=np.arange(3)),
]


@settings(max_examples=150)
@given(st.sampled_from(SEEDS), st.integers(0), st.binary(min_size=1, max_size=3))
def test_mutated_files_give_an_answer(good: bytes, at: int, patch: bytes) -> None:
    at %= len(good)
    bad = good[:at] + patch + good[at + len(patch) :]
    found = compare(good, bad)
    assert found.verdict in tuple(Verdict)


def test_records_are_compared_field_by_field_and_nan_equals_nan() -> None:
    dtype = [("a", "<f8"), ("b", "<i4"), ("c", "<f4", (2,))]
    old = np.zeros(4, dtype)
    old["a"] = [np.nan, 1, 2, 3]
    new = old.copy()
    assert compare(npy(old), npy(old, version=(2, 0))).verdict is Verdict.EQUIVALENT
    new["a"][2] = 2.5
    new["c"][2, 1] = 0.25
    found = compare(old, new)
    assert found.verdict is Verdict.DIFFERENT
    assert "1 of 4, first at [2]" in found.summary, "the row with the NaN did not change"
    assert (found.measures["max_abs"], found.measures["beyond_tolerance"]) == (0.5, 2)
    assert compare(old, new, atol=1).measures["beyond_tolerance"] == 0


def test_records_with_other_fields_differ_in_every_row() -> None:
    old = np.zeros(3, [("a", "<i4"), ("b", "<f4")])
    renamed = np.zeros(3, [("a", "<i4"), ("z", "<f4")])
    reshaped = np.zeros(3, [("a", "<i4"), ("b", "<f4", (2,))])
    for new in (renamed, reshaped):
        assert compare(old, new).verdict is Verdict.DIFFERENT
    spread = Spread()
    spread.update(old, renamed, Settings())
    assert (spread.differing, spread.beyond, spread.first) == (3, 3, 0)
    spread = Spread()
    spread.update(old, reshaped, Settings())
    assert (spread.differing, spread.first) == (3, 0)


def test_a_number_and_its_text_are_not_the_same() -> None:
    assert compare(np.array([1, 2]), np.array(["1", "2"])).verdict is Verdict.DIFFERENT
    spread = Spread()
    spread.update(np.array([1, 2]), np.array(["1", "2"]), Settings())
    assert spread.differing == 2


def header(descr: object, shape: object = (2,), **more: object) -> bytes:
    """A .npy file with that header and sixteen bytes."""
    text = repr({"descr": descr, "fortran_order": False, "shape": shape, **more}).encode() + b"\n"
    return b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + bytes(16)


@pytest.mark.parametrize(
    "bad",
    [
        header("<f8", more=1),
        header("<f8", 2),
        header("<f8", (-2,)),
        header("<f8", (True,)),
        header("<f8", (1,) * 65),
        header("<f8", (1 << 40, 1 << 40)),
        header("<f99"),
        header([]),
        header([5]),
        header([("a", "<f4", 2, 3)]),
        header([(5, "<f4")]),
        header([("a", "<f4", -1)]),
        header([("a", "<f4", (1 << 40,))]),
        header([("a", "<f4"), ("a", "<f4")]),
        b"\x93NUMPY\x01\0\x03\x00[1]",
        b"\x93NUMPY\x01\0\x03\x00[1:",
        b"\x93NUMPY\x02\0\xff\xff\xff\x7f{}",
        b"\x93NUMPY\x01\0\xff\x00{}",
    ],
)
def test_a_header_that_numpy_never_writes_is_incomplete_and_allocates_nothing(bad: bytes) -> None:
    for pair in ((bad, header("<f8")), (header("<f8"), bad), (bad, bad + b"x")):
        assert compare(*pair).verdict is Verdict.INCOMPLETE
    look = inspect_artifact(Artifact.from_bytes(bad, "a.npy"))
    assert (look.verdict, look.facts) == ("incomplete", ())


def test_fields_with_titles_are_read_by_their_names() -> None:
    titled = [(("the first", "a"), "<f4"), ("b", "<f4")]
    assert compare(header(titled), header([("a", "<f4"), ("b", "<f4")])).verdict is Verdict.EQUIVALENT


def test_objects_within_records_are_objects() -> None:
    look = inspect_artifact(Artifact.from_bytes(header([("a", "<f4"), ("b", "|O")]), "a.npy"))
    assert look.verdict == "suspicious"
