"""A second reader of the format, written from the pages about it alone: it imports nothing of mlstore."""

from __future__ import annotations

import hashlib
import json
import struct
import tomllib
from typing import TYPE_CHECKING, Any

import blake3
import xxhash
from tests.packformat import Packs, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Reader:
    """A repository, read by plain files and hash libraries."""

    def __init__(self, root: Path) -> None:
        self.store = root / ".mlstore"
        config = tomllib.loads((self.store / "config").read_text("utf-8"))
        assert config["core"]["format"] == 1
        self.format = config["core"]["object-format"]
        self._known: Packs = {}

    def hash(self, data: bytes) -> str:
        return (blake3.blake3 if self.format == "blake3" else hashlib.sha256)(data).hexdigest()

    def object(self, object_id: str) -> bytes:
        data = self._stored(object_id)
        assert self.hash(data) == object_id
        return data

    def _stored(self, object_id: str) -> bytes:
        """An object's bytes; a pack that was merged away while we looked is looked for again."""
        while True:
            packs = self._packs()
            try:
                return read_object(self.store / "objects", object_id, self._known)
            except (KeyError, FileNotFoundError):
                if self._packs() == packs:
                    raise FileNotFoundError(object_id) from None

    def _packs(self) -> set[str]:
        return {path.name for path in (self.store / "objects" / "pack").glob("*.pack")}

    def json(self, kind: str, object_id: str) -> dict[str, Any]:
        line, _, body = self.object(object_id).partition(b"\n")
        assert line.decode() == f"mlstore {kind} 1"
        value: dict[str, Any] = json.loads(body)
        assert canonical(value) == body
        return value

    def files(self, tree: str, prefix: str = "") -> Iterator[tuple[str, str, bytes]]:
        """Path, kind and bytes of every file below a tree."""
        entries = self.json("tree", tree)["entries"]
        assert [entry["name"] for entry in entries] == sorted({entry["name"] for entry in entries})
        for entry in entries:
            data = self.object(entry["id"])
            assert len(data) == entry["size"]
            if entry["kind"] == "tree":
                yield from self.files(entry["id"], f"{prefix}{entry['name']}/")
            else:
                yield prefix + entry["name"], entry["kind"], data

    def note(self, path: str, data: bytes) -> dict[str, Any]:
        """A note and the commit that its place names, which it must be about."""
        folder, rest, name = path.split("/")
        assert self.hash(data) == name
        line, _, body = data.partition(b"\n")
        assert line == b"mlstore note 1"
        value: dict[str, Any] = json.loads(body)
        assert canonical(value) == body
        assert value["commit"] == folder + rest
        return value

    def ref(self, name: str) -> str | None:
        path = self.store / name
        if not path.exists():
            return None
        line = path.read_text("utf-8").removesuffix("\n")
        return self.ref(line.removeprefix("ref: ")) if line.startswith("ref: ") else line

    def refs(self) -> dict[str, str]:
        found = (path for path in (self.store / "refs").rglob("*") if path.is_file())
        return {path.relative_to(self.store).as_posix(): path.read_text().strip() for path in found}

    def history(self, commit: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every ancestor, each once, its height and lineage checked."""
        pending, seen = [commit], set()
        while pending:
            commit_id = pending.pop()
            if commit_id in seen:
                continue
            seen.add(commit_id)
            value = self.json("commit", commit_id)
            parents = [self.json("commit", parent) for parent in value["parents"]]
            assert value["height"] == max((parent["height"] for parent in parents), default=-1) + 1
            if "stage" in value:
                assert value["lineage"] == self.lineage(value["stage"])
            else:
                assert value.get("lineage") == (parents[0].get("lineage") if parents else None)
            yield commit_id, value
            pending += value["parents"]

    def lineage(self, stage: dict[str, Any]) -> str:
        fields = {key: stage.get(key, {}) for key in ("command", "inputs", "outputs", "upstream")}
        return self.hash(b"mlstore lineage 1\n" + canonical(fields | {"stage": stage["name"]}))

    def value_id(self, value: Any) -> str:
        """Of texts, integers, lists and objects: what the tests select."""
        return self.hash(b"mlstore value 1\n" + canonical(value))

    def reflog(self, name: str) -> list[dict[str, Any]]:
        lines = (self.store / "logs" / name).read_bytes().splitlines()
        return [json.loads(line) for line in lines]

    def index(self) -> dict[str, dict[str, Any]]:
        data = (self.store / "index").read_bytes()
        assert xxhash.xxh3_128(data[:-16]).digest() == data[-16:]
        magic, version, flags, n, p, _tree = struct.unpack_from("<8sIIQQ32s", data)
        assert (magic, version, flags) == (b"MLSINDEX", 1, 0)
        at = struct.calcsize("<8sIIQQ32s")
        columns = []
        for _ in range(4):
            columns.append(struct.unpack_from(f"<{n}q", data, at))
            at += 8 * n
        kinds, ids, sums = data[at : at + n], data[at + n : at + 33 * n], data[at + 33 * n : at + 49 * n]
        paths = data[at + 49 * n : at + 49 * n + p].decode().split("\0")[:-1]
        assert paths == sorted(set(paths))
        assert len(paths) == n
        return {
            path: {
                "mtime": columns[0][row],
                "ctime": columns[1][row],
                "inode": columns[2][row],
                "size": columns[3][row],
                "kind": ("file", "executable")[kinds[row]],
                "id": ids[32 * row : 32 * row + 32].hex(),
                "xxh3": sums[16 * row : 16 * row + 16],
            }
            for row, path in enumerate(paths)
        }


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
