"""Pickles that would do harm are seen for what they are, and are not run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.store.compare.models.support import PACKERS, call, dump, kinds, look, named, short

from mlstore.compare import Settings


class Harm:
    """Calls something when it is loaded."""

    def __init__(self, function, *args):
        self.parts = (function, args)

    def __reduce__(self):
        return self.parts


SYSTEM = os.system.__module__ + ".system"

BY_HAND = {
    "GLOBAL and REDUCE": (b"cos\nsystem\n(Vtrue\ntR.", {"os.system"}),
    "INST": (b"(Vtrue\nios\nsystem\n.", {"os.system"}),
    "OBJ": (b"(cos\nsystem\nVtrue\no.", {"os.system"}),
    "NEWOBJ": (b"\x80\x02cos\nsystem\nVtrue\n\x85\x81.", {"os.system"}),
    "NEWOBJ_EX": (
        b"\x80\x04" + short("os") + short("system") + b"\x93" + short("true") + b"\x85}\x92.",
        {"os.system"},
    ),
    "STACK_GLOBAL": (b"\x80\x04" + call("subprocess", "run") + b"N.", {"subprocess.run"}),
    "the memo": (
        b"\x80\x04" + short("os") + b"\x94" + short("system") + b"\x9400h\x00h\x01\x93N\x85R.",
        {"os.system"},
    ),
    "PUT and GET": (b"Vos\np7\n0Vsystem\np8\n0(g7\ng8\nt\x93.", set()),
    "the names of Python 2": (b"c__builtin__\neval\n(V1\ntR.", {"builtins.eval"}),
    "a dotted name": (b"\x80\x04" + call("numpy", "core.os.system") + b"N.", {"numpy.core.os.system"}),
    "what is popped": (b"\x80\x04(" + call("builtins", "exec") + b"1N.", {"builtins.exec"}),
    "a chain of getattr": (
        b"\x80\x04" + short("builtins") + short("getattr") + b"\x93" + short("os") + b"N\x86RN\x85R.",
        {"builtins.getattr"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", BY_HAND)
def test_every_way_to_name_a_global_is_seen(title: str) -> None:
    data, expected = BY_HAND[title]
    found = look(data, "m.pkl")
    assert named(found) >= expected
    assert found.verdict in ("suspicious", "incomplete")
    if expected:
        assert found.verdict == "suspicious"


@pytest.mark.parametrize("protocol", range(6))
def test_a_real_one_of_every_protocol(protocol: int) -> None:
    data = pickle.dumps([1, Harm(os.system, "true")], protocol)
    found = look(data, "m.pkl")
    assert named(found) == {SYSTEM}
    assert found.unknown[0].called
    assert "runs code, commands or files" in found.warnings()[0]


@pytest.mark.parametrize("packer", PACKERS)
def test_every_compression(packer: str) -> None:
    data = PACKERS[packer](dump({"a": np.arange(5), "b": Harm(os.system, "true")}))
    found = look(data, "m.joblib")
    assert found.codec == packer
    assert named(found) == {SYSTEM}
    assert found.verdict == "suspicious"


@pytest.mark.parametrize("packer", PACKERS)
def test_a_payload_behind_an_array(packer: str) -> None:
    data = PACKERS[packer](dump([np.arange(1000.0), Harm(eval, "1")]))
    (use,) = look(data).unknown
    assert (str(use.value), use.behind_arrays) == ("builtins.eval", 1)
    assert "behind 1 array" in look(data).warnings()[0]


def test_build_extension_codes_persistent_ids_and_buffers() -> None:
    assert "changes-global" in kinds(look(b"ccollections\nOrderedDict\n}Vx\nNsb.", "m.pkl"))
    assert "changes-global" in kinds(look(b"ccollections\nOrderedDict\nVx\nNs.", "m.pkl"))
    for code in (b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"):
        assert kinds(look(b"\x80\x02" + code + b")R.", "m.pkl")) == {"extension", "computed-call"}
    assert kinds(look(b"P17\n.", "m.pkl")) == {"persistent-id"}
    assert kinds(look(b"V17\nQ.", "m.pkl")) == {"persistent-id"}
    assert kinds(look(b"\x80\x05\x97\x98.", "m.pkl")) == {"outside-buffer"}


def test_computed_names_and_calls_of_results() -> None:
    computed = b"\x80\x04" + short("builtins") + short("str") + b"\x93" + short("os") + b"\x85R"
    computed += short("system") + b"\x93."
    assert "computed-global" in kinds(look(computed, "m.pkl"))
    assert "computed-call" in kinds(look(b"ccollections\nCounter\n)R)R.", "m.pkl"))
    assert "unusual-call" in kinds(look(b"c_codecs\nencode\n(Va\nVrot13\ntR.", "m.pkl"))
    assert "unusual-call" in kinds(look(b"cnumpy\nmemmap\n(Va\ntR.", "m.pkl"))


def test_several_pickles_and_trailing_bytes() -> None:
    two = pickle.dumps([1]) + pickle.dumps(Harm(os.system, "true"))
    found = look(two, "m.pkl")
    assert kinds(found) == {"several-pickles"}
    assert named(found) == {SYSTEM}
    rest = look(pickle.dumps([1]) + b"\xffmore", "m.pkl")
    assert kinds(rest) == {"trailing-bytes"}
    assert rest.verdict == "incomplete"
    many = look(pickle.dumps(1) * 500, "m.pkl")
    assert many.verdict == "incomplete"


@pytest.mark.parametrize("packer", [name for name in PACKERS if name != "raw"])
def test_what_stands_behind_the_compressed_part(packer: str) -> None:
    found = look(PACKERS[packer](dump([1])) + b"#!/bin/sh")
    assert found.verdict != "known"
    twice = look(PACKERS[packer](dump([1])) + PACKERS[packer](dump(Harm(os.system, "x"))))
    assert named(twice) == {SYSTEM}, "joblib reads on into a second stream"


@pytest.mark.parametrize("packer", PACKERS)
def test_a_broken_tail_is_never_called_whole(packer: str) -> None:
    good = PACKERS[packer](dump([np.arange(100.0), Harm(os.system, "true"), "x" * 50]))
    seen = set()
    for cut in (1, 2, 5, 9, len(good) // 2):
        found = look(good[:-cut])
        assert found.verdict == "incomplete"
        seen |= named(found)
    assert seen == {SYSTEM} or packer in ("bz2", "lz4"), "what was whole before the damage was not looked at"


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_no_prefix_of_a_good_file_is_called_known(protocol: int) -> None:
    good = pickle.dumps({"a": [1, 2.5, "x", (None, True)], "b": np.arange(3)}, protocol)
    assert look(good, "m.pkl").verdict == "known"
    for cut in range(len(good)):
        assert look(good[:cut], "m.pkl").verdict != "known", cut


# --- where a reader that is less exact than Python or joblib would be led astray ---


def test_opcodes_hidden_in_an_array_that_pickle_would_run() -> None:
    evil = b"cos\nsystem\n(Vtrue\ntR."
    found = look(old_style(evil.ljust(64, b".")))
    assert "hidden-opcodes" in kinds(found)
    assert look(old_style(b"\x00" * 64)).verdict == "known"


def old_style(content: bytes) -> bytes:
    """A file as joblib before 1.2 wrote it: no padding before the array's bytes."""
    dtype = b"cnumpy\ndtype\n(Vu1\nI00\nI01\ntR(I3\nV|\nNNNI-1\nI-1\nI0\ntb"
    return (
        b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("
        b"X\x08\x00\x00\x00subclasscnumpy\nndarray\n"
        b"X\x05\x00\x00\x00shapeK" + bytes([len(content)]) + b"\x85"
        b"X\x05\x00\x00\x00orderX\x01\x00\x00\x00C"
        b"X\x05\x00\x00\x00dtype" + dtype + b"X\x0a\x00\x00\x00allow_mmap\x88ub" + content + b"."
    )


def test_opcodes_that_a_frame_hides_behind_an_array() -> None:
    # joblib reads the array from the file, behind the frame; what is left of the frame runs afterwards.
    inner = old_style(b"N" * 16)
    head, tail = inner[2:-17], inner[-17:]
    hidden = b"cos\nsystem\n(Vtrue\ntR0"
    frame = head + hidden
    data = b"\x80\x04\x95" + len(frame).to_bytes(8, "little") + frame + tail
    found = look(data)
    assert named(found) == {"os.system"}
    assert "payload-beside-array" in kinds(found)


@pytest.mark.parametrize(
    "make",
    [
        b"cpandas.core.indexes.base\n_new_Index\n(cjoblib.numpy_pickle\nNumpyArrayWrapper\n}tR}b.",
        b"ccopyreg\n_reconstructor\n(cjoblib.numpy_pickle\nNumpyArrayWrapper\ncbuiltins\nlist\nNtR}b.",
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n(NNNNtR}b.",
        b"](cjoblib.numpy_pickle\nNumpyArrayWrapper\ne.",
        b"((cjoblib.numpy_pickle\nNumpyArrayWrapper\ntt.",
        b"ccollections\nCounter\n)\x81cjoblib.numpy_pickle\nNumpyArrayWrapper\nb.",
    ],
)
def test_a_stand_in_for_an_array_that_is_made_in_an_unusual_way(make: bytes) -> None:
    found = look(make)
    assert found.verdict != "known"
    assert "array-in-disguise" in kinds(found) or found.missing


ODD_ARRAYS = {
    "a key twice": (b"K\x03\x85", b"K\x04\x85X\x05\x00\x00\x00shapeK\x03\x85"),
    "an unknown order": (b"X\x01\x00\x00\x00C", b"X\x01\x00\x00\x00A"),
    "a negative shape": (b"K\x03\x85", b"J\xff\xff\xff\xff\x85"),
    "a huge shape": (b"K\x03\x85", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"),
    "a boolean shape": (b"K\x03\x85", b"\x88\x85"),
    "a list as dtype": (b"(Vu1\n", b"(Vi4,f8\n"),
    "another size": (b"NNNI-1\n", b"NNNI9\n"),
    "a size that is no integer": (b"NNNI-1\n", b"NNNF-1\n"),
    "a subarray": (b"V|\nNNN", b"V|\n]NN"),
}  # fmt: skip


@pytest.mark.parametrize("title", ODD_ARRAYS)
def test_an_array_that_numpy_would_not_write_is_not_located_by_guessing(title: str) -> None:
    old, new = ODD_ARRAYS[title]
    good = old_style(b"abc")
    assert look(good).verdict == "known"
    assert old in good
    found = look(good.replace(old, new))
    assert found.verdict == "incomplete"


def test_a_stand_in_for_an_array_that_is_used_twice() -> None:
    # The memo still holds the stand-in: joblib would read a second array, with what both states say.
    good = old_style(b"abc")
    twice = good.replace(b")\x81}(", b")\x81q\x00}(")
    assert look(twice).verdict == "known"
    found = look(twice[:-1] + b"h\x00}X\x05\x00\x00\x00shapeK\x05\x85sb" + b"NNNNN.")
    assert found.verdict == "incomplete"
    assert "used twice" in found.missing[0]


def test_an_array_of_objects_is_a_pickle_within() -> None:
    good = dump([np.array([1, "x", None], object), 3])
    assert look(good).verdict == "known"
    found = look(dump([np.array([Harm(os.system, "true"), None], object), 3]))
    assert named(found) == {SYSTEM}


# --- limits ---


def test_bombs_are_stopped() -> None:
    import zlib

    found = look(zlib.compress(b"N0" * 5_000_000), settings=Settings(unpacked=1 << 20))
    assert found.missing == ("it unpacks to more than the limit allows",)
    laughs = (
        b"\x80\x04]" + b"".join(b"\x94h" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(60)) + b"."
    )
    assert look(laughs, "m.pkl").missing
    found = look(b"(" * 10_000_000 + b".", "m.pkl", Settings(memory=16 << 20))
    assert "more than the memory" in found.missing[0]
    promised = b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"abc"
    assert "ends too early" in look(promised, "m.pkl").missing[0]


def test_a_cycle_and_deep_nesting_come_to_an_end() -> None:
    assert look(b"]\x94h\x00a.", "m.pkl").verdict == "known"
    deep = look(b"]" * 5000 + b"a" * 4999 + b".", "m.pkl")
    assert deep.verdict == "incomplete"


# --- nothing is imported and nothing is called ---

WATCH = """
import sys
from pathlib import Path
from mlstore.compare import Artifact, compare_artifacts
from mlstore.compare.inspect import inspect_artifact
import mlstore.compare.models.inspect, mlstore.compare.models.compare, mlstore.compare.models.opcodes
import numpy, bz2, lzma, zlib, xxhash, importlib.metadata, email, _compat_pickle, codecs, io
sides = [Artifact.from_path(Path(name)) for name in sys.argv[1:]]
for side in sides:  # whatever mlstore itself needs is imported now
    inspect_artifact(side)
compare_artifacts(sides[0], sides[1])
before = set(sys.modules)
seen = []
def hook(event, args):
    if event in ("import", "exec", "compile", "os.system", "subprocess.Popen", "pickle.find_class", "os.exec",
                 "os.posix_spawn", "os.fork", "code.__new__", "ctypes.dlopen", "marshal.loads"):
        seen.append((event, args[0] if event == "import" else None))
sys.addaudithook(hook)
looks = [inspect_artifact(side) for side in sides]
answer = compare_artifacts(sides[0], sides[1])
print([event for event in seen if event[1] not in before])
print(sorted(set(sys.modules) & {"sklearn", "joblib", "evil_module"}))
print([look.verdict for look in looks], answer.verdict)
"""


def test_nothing_that_the_file_names_is_imported_or_run(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    (tmp_path / "evil_module.py").write_text("open('touched', 'w')\n")
    good = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    payload = (
        b"\x80\x04"
        + call("evil_module", "run")
        + call("os", "system", "touch touched")
        + call("builtins", "exec")
    )
    files = {
        "a.joblib": dump(good),
        "b.joblib": dump([good, Harm(os.system, "touch touched"), np.arange(3)], compress=("zlib", 3)),
        "c.pkl": payload + b"N.",
        "d.pkl": payload + b"broken",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *files],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events, modules, verdicts = done.stdout.splitlines()
    assert events == "[]"
    assert modules == "[]"
    assert verdicts == "['known', 'suspicious', 'suspicious', 'incomplete'] different"
    assert not (tmp_path / "touched").exists()
