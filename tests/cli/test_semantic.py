"""`mlstore diff` says what changed inside of artifacts."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np


def npy(values) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(values))
    return buffer.getvalue()


class Harm:
    def __reduce__(self):
        return (os.system, ("touch touched",))


def test_what_is_no_text_is_compared_by_meaning(history):
    history.write("w.npy", npy([1.0, 2.0]))
    history.write("m.pkl", pickle.dumps({"alpha": 1.0}))
    history.commit("three")
    history.write("w.npy", npy([1.0, 2.5]))
    history.write("m.pkl", pickle.dumps({"alpha": 2.0}))
    lines = history("diff").lines
    assert "Binary files a/w.npy and b/w.npy differ (144 -> 144 bytes)" in lines
    assert lines[-1] == (
        "array different: array <f8[2] changed "
        "(1 of 2, max |d| = 0.5 at [1], mean |d| = 0.25, max relative = 0.25)"
    )
    assert "  alpha 1.0 -> 2.0 (|d| = 1)" in lines
    history("add", "-A")
    assert history("diff", "--cached").lines[-1] == lines[-1]
    history("commit", "-m", "four")
    assert history("diff", "HEAD~1", "HEAD").lines[-1] == lines[-1]
    assert history("show").lines[-1] == lines[-1]
    assert not [line for line in history("diff", "--no-semantic", "HEAD~1").lines if "different" in line]


def test_asked_for_every_file_is_compared_by_meaning(history):
    history.write("a.ini", "[data_generation]\nnum_samples = 1000\n")
    history.write("t.csv", "a,b\n1,x\n2,y\n")
    history.commit("three")
    history.write("a.ini", "; more\n[data_generation]\nnum_samples = 2000\n")
    history.write("t.csv", "a,b\n0,w\n1,x\n2,y\n")
    assert "+num_samples = 2000" in history("diff").lines
    lines = history("diff", "--semantic").lines
    assert "  data_generation.num_samples 1000 -> 2000" in lines
    assert "table different: 1 row added (2 -> 3 rows)" in lines
    assert "  row 1 added: 0, w" in lines
    found = history("diff", "--semantic", "--json").json
    assert [row["comparison"]["verdict"] for row in found["changes"]] == ["different", "different"]
    assert "comparison" not in history("diff", "--json").json["changes"][0]


def test_other_encoding_is_said_and_still_is_a_difference(history):
    history.write("t.csv", "a\n1.0\n")
    history.commit("three")
    history.write("t.csv", "a\r\n1.00\r\n")
    done = history("diff", "--semantic", "--exit-code", status=1)
    assert done.lines[-1].startswith("table equivalent: the same content in another encoding")


def test_rules_of_mlstore_toml_are_followed(history):
    history.write("mlstore.toml", '[[compare.rules]]\npath = "*.dat"\nas = "table"\nkey = ["id"]\n')
    history.write("t.dat", "id,v\n1,a\n2,b\n")
    history.commit("three")
    history.write("t.dat", "id,v\n2,b\n1,c\n")
    assert "table different: 1 row changed, 1 cell changed (2 rows)" in history("diff", "--semantic").lines
    history.write("mlstore.toml", '[[compare.rules]]\npath = "*.dat"\nas = "tabel"\n')
    assert "'tabel' is not a comparator" in history("diff", "--semantic", status=2).err
    history.write("t.dat", b"\0")
    for text in ('[[compare.rules]]\npath = "*.dat"\nas = "tabel"\n', "[compare\n"):
        history.write("mlstore.toml", text)
        assert [line for line in history("diff").lines if line.startswith("Binary files a/t.dat")]


def test_a_hostile_model_is_named_and_not_run(history):
    history.write("m.pkl", pickle.dumps([1]))
    history.commit("three")
    history.write("m.pkl", pickle.dumps([1, Harm()]) + b"\x1b[2J")
    done = history("diff")
    assert "runs code, commands or files" in done.out
    assert "\x1b" not in done.out
    assert "not looked at: " in done.out
    assert not (history.root / "touched").exists()


def test_files_added_removed_or_unknown_keep_their_line(history):
    history.write("x.npy", npy([1.0]))
    history.write("y.bin", b"\0" * 100)
    history.commit("three")
    (history.root / "x.npy").unlink()
    history.write("y.bin", b"\0" * 99 + b"\1")
    lines = history("diff").lines
    assert [
        line.split(" differ")[0] for line in lines if not line.startswith(("diff", "index", "deleted"))
    ] == [
        "Binary files a/x.npy and /dev/null",
        "Binary files a/y.bin and b/y.bin",
    ]
    assert "bytes different: bytes differ, first at offset 99" in history("diff", "--semantic").lines
