"""What is fuzzed: every decoder of bytes that somebody else may have written.

A target takes bytes. It either raises one of the errors that it documents, or accepts them, and then what it
accepted has to encode to the same bytes again (where there is an encoder), or pass another check.
"""

from __future__ import annotations

import io
import json
import lzma
import pickle
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import xxhash
from tests.hostile.raw import CHUNK, OBJECT, RECIPE, Entry, canonical, hash_of, recipe_of, write_pack

from mlstore.errors import ConfigError, CorruptArtifact, CorruptError, CorruptFile, DecodeError

Repair = Callable[[bytes], bytes]


class Target(NamedTuple):
    """*run* is given bytes; *seeds* are valid ones; *repair* makes checksums right again after a mutation."""

    run: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], list[bytes]]
    repair: Repair = bytes


TARGETS: dict[str, Target] = {}

ID, OTHER = hash_of(b"one"), hash_of(b"two")
PERSON = {"email": "ada@example.org", "name": "Ada Lovelace"}
TIME = "2026-01-16T15:24:48Z"


def same(data: bytes, again: bytes) -> None:
    assert again == data, f"accepted {data[:200]!r}, and encodes it as {again[:200]!r}"


# --- objects ------------------------------------------------------------------------------------------------


def _tree(data: bytes) -> None:
    from mlstore.model.tree import decode_tree, encode_tree

    same(data, encode_tree(decode_tree(data)))


def _trees() -> list[bytes]:
    rows = [
        {"id": ID, "kind": "file", "name": name, "size": size}
        for name, size in (("a", 0), ("b c", 9), ("caf\u00e9", 10**15), ('q"', 2**63 - 1))
    ]
    rows.append({"id": OTHER, "kind": "tree", "name": "z", "size": 7})
    rows.append({"id": OTHER, "kind": "executable", "name": "zz.sh", "size": 7})
    return [canonical("tree", {"entries": rows[:count]}) for count in (0, 1, 2, 6)]


TARGETS["tree"] = Target(_tree, (DecodeError,), _trees)


def _commit(data: bytes) -> None:
    from mlstore.model.commit import decode_commit, encode_commit

    same(data, encode_commit(decode_commit(data)))


def _commits() -> list[bytes]:
    plain = {
        "author": PERSON,
        "height": 1,
        "message": "m\n\u00e9",
        "parents": [ID, OTHER],
        "time": TIME,
        "tree": ID,
    }
    stage = {"command": ["sh", "-c", "x"], "duration_ms": 3, "environment": ID, "inputs": {"a.ini#b": ID},
             "name": "train", "outputs": {"m": OTHER}, "parameters": {"a.ini#b.c": "1"}, "record": "observed",
             "upstream": {"clean": OTHER}}  # fmt: skip
    return [
        canonical("commit", plain),
        canonical("commit", {**plain, "lineage": ID, "stage": stage, "signature": "s"}),
    ]


TARGETS["commit"] = Target(_commit, (DecodeError,), _commits)


def _tag(data: bytes) -> None:
    from mlstore.model.tag import decode_tag, encode_tag

    same(data, encode_tag(decode_tag(data)))


def _tags() -> list[bytes]:
    value = {"kind": "commit", "message": "x", "name": "v1", "tagger": PERSON, "target": ID, "time": TIME}
    return [canonical("tag", value), canonical("tag", {**value, "signature": "-----"})]


TARGETS["tag"] = Target(_tag, (DecodeError,), _tags)


def _recipe(data: bytes) -> None:
    from mlstore.objects.recipe import decode_recipe, encode_recipe

    parts = decode_recipe(data, ID, 20)  # type: ignore[arg-type]
    assert sum(part.length for part in parts) == 20
    # Neighbours that continue each other are written as one: after that it stays as it is.
    merged = encode_recipe(parts)
    same(merged, encode_recipe(decode_recipe(merged, ID, 20)))  # type: ignore[arg-type]


def _recipes() -> list[bytes]:
    return [
        recipe_of([(OTHER, 0, 20)]),
        recipe_of([(OTHER, 0, 5), (OTHER, 5, 5), (OTHER, 1, 10)]),
    ]


TARGETS["recipe"] = Target(_recipe, (DecodeError,), _recipes)


def _pack(data: bytes) -> None:
    from mlstore.objects.pack import Pack

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{_name_of_pack(data)}.pack"
        path.write_bytes(data)
        pack = Pack(path, "blake3")
        try:
            pack.check_index()
            for entry in pack.entries():
                assert pack.find(entry.id) == entry
                assert len(pack.read(entry)) <= 64 << 20
        finally:
            pack.close()


def _name_of_pack(data: bytes) -> str:
    begin = struct.unpack_from("<Q", data, len(data) - 48)[0] if len(data) >= 56 else 0
    return hash_of(data[begin:-56])


def _packs() -> list[bytes]:
    import zstandard

    text = b"text " * 50
    stored = zstandard.ZstdCompressor().compress(text)
    entries = [
        Entry(hash_of(b"evil\n"), OBJECT, 5, False, b"evil\n"),
        Entry(hash_of(text), CHUNK, len(text), True, stored),
        Entry(OTHER, RECIPE, 10, False, recipe_of([(hash_of(text), 0, 10)])),
    ]
    return [write_pack(entries[:count])[1] for count in (0, 1, 3)]


def _repair_pack(data: bytes) -> bytes:
    if len(data) < 56 + 16:
        return data
    count, begin = struct.unpack_from("<QQ", data, len(data) - 56)
    index = data[begin:-56] if begin <= len(data) else b""
    start = struct.pack("<QQ", count, begin) + xxhash.xxh3_128(index).digest()
    return data[:-56] + start + xxhash.xxh3_64(data[:16] + start).digest() + bytes(8) + b"MLSPEND1"


TARGETS["pack"] = Target(_pack, (CorruptError,), _packs, _repair_pack)


# --- files of the store -------------------------------------------------------------------------------------


def _index(data: bytes) -> None:
    from mlstore.index.codec import check_paths, decode_index, encode_index

    table = decode_index(data)
    same(data, encode_index(table))
    check_paths(table)


def _indexes() -> list[bytes]:
    found = []
    for names in ([], [b"a"], [b"a", "b/c\u00e9".encode()]):
        n, paths = len(names), b"".join(name + b"\0" for name in names)
        body = struct.pack(
            "<8sIIQQ32s", b"MLSINDEX", 1, 0, n, len(paths), bytes.fromhex(ID) if n else bytes(32)
        )
        body += struct.pack(f"<{4 * n}q", *range(1, 4 * n + 1)) + bytes(n)
        body += bytes.fromhex(ID) * n + bytes(16) * n + paths
        found.append(body + xxhash.xxh3_128(body).digest())
    return found


def _repair_index(data: bytes) -> bytes:
    return data[:-16] + xxhash.xxh3_128(data[:-16]).digest()


TARGETS["index"] = Target(_index, (CorruptFile,), _indexes, _repair_index)


def _refs(data: bytes) -> None:
    from mlstore.refs import RefStore

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "HEAD").write_bytes(data)
        head = RefStore(folder, scratch=folder).head()
        line = f"ref: refs/heads/{head.branch}" if head.branch is not None else str(head.commit)
        same(data.removesuffix(b"\n"), line.encode())
        assert ".." not in (head.branch or "")


TARGETS["ref"] = Target(_refs, (CorruptFile,), lambda: [ID.encode() + b"\n", b"ref: refs/heads/a/b\n"])


def _reflog(data: bytes) -> None:
    from mlstore.refs.reflog import append_entry, read_entries

    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name, "one"), Path(name, "two")
        one.write_bytes(data)
        entries, unreadable = read_entries(one)
        assert len(entries) + unreadable <= data.count(b"\n") + 1
        for entry in reversed(entries):
            try:
                append_entry(two, entry, fsync=False)
            except UnicodeEncodeError:  # a lone surrogate, which JSON can spell and we never write
                return
        assert read_entries(two) == (entries, 0)


def _reflogs() -> list[bytes]:
    rows = [
        {"message": f"m{n}\u00e9", "new": ID, "old": OTHER if n else None, "time": TIME, "who": "A"}
        for n in (0, 1)
    ]
    lines = [canonical("x", row).partition(b"\n")[2] + b"\n" for row in rows]
    return [b"", lines[0], b"".join(lines), lines[0] + b"torn"]


TARGETS["reflog"] = Target(_reflog, (), _reflogs)


def _state(data: bytes) -> None:
    from mlstore.verify.resume import decode_state, encode_state

    state = decode_state(data)
    if state is not None:
        try:
            again = encode_state(state)
        except UnicodeEncodeError:  # a lone surrogate, which JSON can spell and we never write
            return
        assert decode_state(again) == state


def _states() -> list[bytes]:
    from mlstore.verify.resume import encode_state

    return [encode_state({"flaws": [], "loose": [], "packs": {}, "quick": False, "store": ID})]


def _repair_state(data: bytes) -> bytes:
    body = data.removesuffix(b"\n").rpartition(b"\n")[0] + b"\n"
    return body + xxhash.xxh3_128(body).hexdigest().encode() + b"\n"


TARGETS["state"] = Target(_state, (), _states, _repair_state)


# --- text files ---------------------------------------------------------------------------------------------


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _config(data: bytes) -> None:
    import tomllib

    from mlstore.config import Config, _parse_plain

    text = _text(data)
    plain = _parse_plain(text)
    if plain is not None:
        assert plain == tomllib.loads(text), "the quick way reads something else than TOML says"
    Config.parse(text).items()


def _configs() -> list[bytes]:
    return [b'[core]\nformat = 1\nobject-format = "blake3"\n',
            b'[user]\nname = "A B"\n[core]\nfsync = false\n',
            b'a.b = [1, {c = "d"}] # x\n[t."q\\u00e9"]\nd = 2026-01-16T00:00:00Z\nf = 1e3\n']  # fmt: skip


TARGETS["config"] = Target(_config, (ConfigError,), _configs)


def _manifest(data: bytes) -> None:
    from mlstore.manifest import parse_manifest
    from mlstore.model.paths import validate_path

    for stage in parse_manifest(_text(data)).stages.values():
        assert stage.outputs
        for pattern in stage.outputs:
            if not set(pattern) & set("*?[]!"):
                validate_path(pattern.rstrip("/"))


def _manifests() -> list[bytes]:
    plain = """\
[stages.a]
command = "python x.py"
inputs = ["c.ini#a.b", "d/*.csv"]
outputs = ["o/"]
"""
    rich = """\
[stages."b-2"]
command = ["python", "x.py"]
outputs = ["m.joblib"]
[storage]
chunk = ["*.bin"]
[compare]
rows = 5
memory = "64 MiB"
allow = ["a.b"]
[[compare.rules]]
path = "*.csv"
key = ["id"]
delimiter = ";"
"""
    return [plain.encode(), rich.encode()]


TARGETS["manifest"] = Target(_manifest, (ConfigError,), _manifests)


def _lock(data: bytes) -> None:
    from mlstore.lockfile import parse_lock, render_lock

    lock = parse_lock(_text(data))
    try:
        text = render_lock(lock)
        text.encode()
    except UnicodeEncodeError:
        return
    assert parse_lock(text) == lock


def _locks() -> list[bytes]:
    head = f'version = 1\nobject-format = "blake3"\n\n[pins.golden]\ncommit = "{ID}"\nheight = 2\n'
    more = f'lineage = "{OTHER}"\n\n[pins.golden.stages]\nclean = "{ID}"\n'
    more += f'\n[pins."a b"]\ncommit = "{ID}"\nheight = 0\n'
    return [head.encode(), (head + more).encode()]


TARGETS["lock"] = Target(_lock, (ConfigError,), _locks)


def _values(suffix: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        from mlstore.compare.keyed import load_values

        assert isinstance(load_values(data, f"x{suffix}"), dict)

    return run


for _suffix, _seed in {
    ".ini": b"[a]\nb = 1\nc\n[DEFAULT]\nx = %(y)s\n",
    ".toml": b"[a]\nb = 1\nc = [1.5, 2026-01-16]\n",
    ".yaml": b"a: &x [1, 2]\nb: *x\nc: !!set {d, e}\nf: 2026-01-16\n",
    ".json": b'{"a": {"b": [1, 2.5, null, "\\u00e9"]}}',
}.items():
    TARGETS[f"values{_suffix}"] = Target(_values(_suffix), (ConfigError,), lambda seed=_seed: [seed])  # type: ignore[misc]


# --- artifacts ----------------------------------------------------------------------------------------------


def _npy(data: bytes) -> None:
    from mlstore.compare.npy import read_header

    header = read_header(io.BytesIO(data), "x.npy")
    assert header.count >= 0


def _npys() -> list[bytes]:
    import numpy as np

    found = []
    for array in (
        np.arange(6).reshape(2, 3),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8", 2)]),
        np.array("x"),
    ):
        file = io.BytesIO()
        np.save(file, array)
        found.append(file.getvalue())
    return found


TARGETS["npy"] = Target(_npy, (CorruptArtifact,), _npys)


def _pickle(data: bytes) -> None:
    from mlstore.compare.artifact import Artifact
    from mlstore.compare.models.inspect import inspect_model

    found = inspect_model(Artifact.from_bytes(data, "x.joblib"))
    json.dumps(found.to_dict()) if hasattr(found, "to_dict") else repr(found)


class Harmful:
    """Would show itself if it were loaded."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return eval, ("__import__('os').abort()",)


def _pickles() -> list[bytes]:
    import numpy as np

    values: list[object] = [
        {"a": [1, 2.5, None, True, "x", b"y", (1,), {2}]},
        Harmful(),
        np.arange(4.0),
        [10**40] * 3,
    ]
    plain = [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4, 5)]
    return [*plain, zlib.compress(plain[2]), lzma.compress(plain[5]), plain[2] + plain[6]]


# Nothing is refused: what is damaged is reported as that.
TARGETS["pickle"] = Target(_pickle, (), _pickles)


def _lz4(data: bytes) -> None:
    from mlstore.compare.models.lz4 import decode_frame

    file = io.BytesIO(data)

    def read(size: int) -> bytes:
        found = file.read(size)
        if len(found) != size:
            raise CorruptArtifact("it ends too early")
        return found

    total = 0
    for piece in decode_frame(read):
        total += len(piece)
        if total > 16 << 20:
            return


def _lz4s() -> list[bytes]:
    # Frames by hand: version 1, independent blocks; one stored block, and one that repeats itself.
    head = bytes([0x60, 0x40])
    head += bytes([(xxhash.xxh32(head).intdigest() >> 8) & 0xFF])
    magic = struct.pack("<I", 0x184D2204)
    stored = struct.pack("<I", 0x80000000 | 5) + b"hello" + bytes(4)
    block = bytes([0x1F]) + b"a" + struct.pack("<H", 1) + bytes([50]) + bytes([0x50]) + b"world"
    return [magic + head + stored, magic + head + struct.pack("<I", len(block)) + block + bytes(4)]


TARGETS["lz4"] = Target(_lz4, (CorruptArtifact,), _lz4s)
