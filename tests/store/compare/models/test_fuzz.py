"""Whatever the bytes are: an answer or a known error, within bounds, and never trust without reason."""

from __future__ import annotations

import base64
import contextlib
import io
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.compare.models.support import PACKERS, dump, look, lz4_frame

from mlstore.compare import Settings
from mlstore.compare.models.unpack import Trailing, unpack
from mlstore.errors import CorruptArtifact

VALUE = {
    "a": np.arange(4.0),
    "b": [1, "text", None, (True, 2.5)],
    "c": np.array([1, None], object),
    "d": {1, 2},
    "e": np.array([(1, 2.0)], [("x", "i4"), ("y", "f8")]),
}
SEEDS = [dump(VALUE), *(pickle.dumps(VALUE, protocol) for protocol in range(6))]
SMALL = Settings(memory=16 << 20, unpacked=1 << 22)
OPCODES = bytes(range(0x80, 0x99)) + b"(.012FIJKLMNPQRSTUVXabcd}eghijl]opqrstu)GBC\x00\x01\x02\n'"


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            data[at] = draw(st.integers(0, 255))
        elif kind == 1:
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == 2:
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            data[at:at] = data[draw(st.integers(0, len(data))) :][: draw(st.integers(0, 40))]
        data = data or bytearray(b".")
    return bytes(data)


@settings(max_examples=100)
@given(mutated())
def test_mutated_pickles_give_an_answer(data: bytes) -> None:
    found = look(data, settings=SMALL)
    assert found.verdict in ("known", "suspicious", "incomplete")
    found.to_dict()
    found.warnings()


@settings(max_examples=100)
@given(st.lists(st.sampled_from([bytes([code]) for code in OPCODES]), max_size=60))
def test_random_opcodes_give_an_answer(parts: list[bytes]) -> None:
    look(b"".join(parts), settings=SMALL)


class Tracing(pickle._Unpickler):
    """Python's own unpickler, which tells what it is asked to import and imports nothing."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.seen: set[str] = set()

    def find_class(self, module: str, name: str):
        self.seen.add(f"{module}.{name}")
        raise pickle.UnpicklingError("seen enough")


@settings(max_examples=100)
@given(mutated())
def test_what_python_would_import_first_is_seen(data: bytes) -> None:
    other = Tracing(data)
    try:
        other.load()
    except Exception:  # noqa: BLE001 - it is broken on purpose
        pass
    found = look(data, settings=SMALL)
    assert not found.missing or not other.seen or found.globals
    if other.seen and not any(name.startswith(("__builtin__", "copy_reg")) for name in other.seen):
        names = {f"{use.value.module}.{use.value.name}" for use in found.globals}
        assert other.seen <= names


@settings(max_examples=100)
@given(st.sampled_from(sorted(PACKERS)), st.data())
def test_mutated_compressed_data_ends_in_a_known_error(packer: str, data: st.DataObject) -> None:
    packed = bytearray(PACKERS[packer](b"abc" * 100))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        total = sum(map(len, unpack(io.BytesIO(bytes(packed)), 1 << 24)))
    except (CorruptArtifact, Trailing):
        return
    assert total < 1 << 24


@given(st.binary(max_size=300))
def test_any_bytes_at_all(data: bytes) -> None:
    look(data, settings=SMALL)


LZ4_RAW = b"".join(b"row %d," % (i % 7) for i in range(40))
# Frames that the reference implementation wrote: linked blocks, independent ones, checksums of everything.
LZ4_FRAMES = (
    (
        LZ4_RAW + b"z" * 300 + bytes(range(64)),
        (
            "1R_lsXh2*700000006sd0001Ba&LDaFf0ZD5ite;5i$k<5i<q=5i|w>5j6$?FE%VH0J9%@0RaCQ@G$@Z0s{mE1_uZU"
            "3JVMk4i69!5)%{^78e*98XFuP9v>hfA|oUvCMPH<Dl054E-x@KGBY$aHa9pqIy*c)K0g2e000"
        ),
    ),
    (
        LZ4_RAW + b"z" * 300 + bytes(range(64)),
        (
            "1R_lsd_Y_R00000004Pw0001Ba&LDaFf0ZD5ite;5i$k<5i<q=5i|w>5j6$?FE%VH0J9%@0RaCQ@G$@Z0s{mE1_uZU"
            "3JVMk4i69!5)%{^78e*98XFuP9v>hfA|oUvCMPH<Dl054E-x@KGBY$aHa9pqIy*c)K0oQi7TN#+006|NIU@"
        ),
    ),
    (
        LZ4_RAW * 400,
        (
            "1R_lsNI(F00RR91005^p0RRACa&LDaFf0ZD5ite;5i$k<5i<q=5i|w>5j6$?5jF+@4=Mn&55@qq510WL5AXp0|NsC0"
            "|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0"
            "|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0"
            "|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0"
            "|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NjF}EOKvmAcX(`01-0S{}1s0|NsC0|NsC0|NsC0|NsC0|NsC0"
            "|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0"
            "|NsC0|NsC0|NsC0|NsC0|NsC0|NsC0|NsA4P;Yl2G%NrB000"
        ),
    ),
)


@pytest.mark.parametrize(("raw", "frame"), LZ4_FRAMES, ids=["plain", "checked", "linked"])
def test_lz4_frames_of_the_reference_implementation(raw: bytes, frame: str) -> None:
    data = base64.b85decode(frame)
    assert b"".join(unpack(io.BytesIO(data), 1 << 24)) == raw
    for at in range(len(data)):
        broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with contextlib.suppress(CorruptArtifact, Trailing):
            for _ in unpack(io.BytesIO(broken), 1 << 24):
                pass


@given(st.binary(max_size=200_000))
@settings(max_examples=20)
def test_stored_lz4_blocks_are_read_back(data: bytes) -> None:
    assert b"".join(unpack(io.BytesIO(lz4_frame(data)), 1 << 24)) == data


def test_joblib_reads_what_the_tests_write() -> None:
    assert joblib.load(io.BytesIO(dump([1, 2]))) == [1, 2]
