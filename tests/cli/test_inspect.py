from __future__ import annotations

import os
import pickle

import pytest


class Harm:
    def __reduce__(self):
        return (os.system, ("touch touched",))


GOOD = pickle.dumps({"a": [1, 2.5]})


def test_a_known_file_is_shown_and_never_called_safe(outside):
    outside.write("m.pkl", GOOD)
    done = outside("inspect", "m.pkl")
    assert done.lines[0] == f"m.pkl: model, {len(GOOD)} bytes, compression raw, protocol 4"
    assert "  a[1] = 2.5" in done.lines
    assert "does not make it safe" in done.lines[-1]


def test_a_suspicious_file_exits_with_1_and_names_the_global(outside):
    outside.write("m.pkl", pickle.dumps(Harm()))
    done = outside("inspect", "m.pkl", status=1)
    assert f"'{os.system.__module__}.system', which runs code, commands or files" in done.out
    assert done.lines[-1] == "verdict: suspicious"
    assert not (outside.root / "touched").exists()


def test_a_damaged_file_exits_with_3_whatever_else_is_in_it(outside):
    outside.write("m.pkl", pickle.dumps([Harm(), 1])[:-4])
    done = outside("inspect", "m.pkl", status=3)
    assert "runs code" in done.out
    assert "not seen whole" in done.out
    outside.write("good.pkl", GOOD)
    assert outside("inspect", "good.pkl", "m.pkl", status=3).out.count("verdict:") == 2


def test_as_json(outside):
    outside.write("m.pkl", pickle.dumps(Harm()))
    found = outside("inspect", "--json", "m.pkl", status=1).json
    assert found["schema"] == "mlstore.inspect/1"
    (one,) = found["files"]
    assert (one["kind"], one["verdict"]) == ("model", "suspicious")
    (use,) = one["model"]["globals"]
    assert (use["name"], use["known"], use["dangerous"], use["called"]) == ("system", False, True, True)


def test_allowed_by_an_option_and_by_mlstore_toml(cli):
    data = b"\x80\x02cmine.features\nScaler\n)\x81."
    cli.write("m.pkl", data)
    cli("inspect", "m.pkl", status=1)
    cli("inspect", "--allow", "mine.features.Scaler", "m.pkl")
    cli.write("mlstore.toml", '[compare]\nallow = ["mine.features.Scaler"]\n')
    assert "allowed mine.features.Scaler" in cli("inspect", "m.pkl").out


def test_what_runs_commands_cannot_be_allowed_by_the_folder_that_brings_it(cli):
    cli.write("m.pkl", b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.")
    cli.write("mlstore.toml", '[compare]\nallow = ["posix.system"]\n')
    assert "UNKNOWN posix.system (called)" in cli("inspect", "m.pkl", status=1).out
    assert "runs code, commands or files" in cli("inspect", "--allow", "posix.system", "m.pkl", status=1).out


def test_a_file_of_a_revision_and_names_that_are_none(history):
    history.write("m.pkl", GOOD)
    history("add", "m.pkl")
    history("commit", "-m", "model")
    (history.root / "m.pkl").unlink()
    assert history("inspect", "HEAD:m.pkl").lines[0].startswith("m.pkl: model")
    history("inspect", "m.pkl", status=4)
    history("inspect", "HEAD:data", status=2)
    history("inspect", "data", status=2)
    assert "'modle' is not a comparator" in history("inspect", "--as", "modle", "a.txt", status=2).err


@pytest.mark.parametrize("name", ["a\x1b[2J.pkl", "b\n.pkl"])
def test_hostile_names_and_contents_are_escaped(outside, name):
    outside.write(name, pickle.dumps({"k\x1b[2J": "v\x1b]0;x\x07"}) + b"cos\x1b\nx\n.")
    out = outside("inspect", name, status=1).out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_other_kinds_tell_what_they_are(outside):
    import io

    import numpy as np

    def saved(function, value, **options):
        buffer = io.BytesIO()
        function(buffer, value, **options)
        return buffer.getvalue()

    outside.write("a.npy", saved(np.save, np.zeros((2, 3))))
    assert outside("inspect", "a.npy").lines == ["a.npy: array, 176 bytes, dtype <f8, shape [2, 3]"]
    outside.write("a.npz", saved(np.savez, np.zeros(3)))
    assert "arr_0 <f8[3]" in outside("inspect", "a.npz").out
    outside.write("a.csv", "id,x\n1,2\n")
    assert outside("inspect", "a.csv").lines == ["a.csv: table, 9 bytes, columns id, x"]
    outside.write("a.ini", "[a]\nb = 1\n")
    assert "keys 1" in outside("inspect", "a.ini").out
    outside.write("a.bin", b"\0" * 9)
    assert "entropy 0.0 bits a byte" in outside("inspect", "a.bin").out
    for name, function in (("o.npy", np.save), ("o.npz", np.savez)):
        outside.write(name, saved(function, np.array([None], object), allow_pickle=True))
        assert "holds Python objects" in outside("inspect", name, status=1).out
    outside.write("bad.npy", saved(np.save, np.zeros(3))[:40])
    assert "incomplete" in outside("inspect", "bad.npy", status=3).out
    outside.write("bad.json", "{")
    outside("inspect", "bad.json", status=3)
