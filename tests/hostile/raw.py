"""A repository put together byte by byte: nothing of mlstore is asked, so nothing of it can refuse.

The formats are those of docs/format.md and docs/format-packs.md.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import blake3
import xxhash
from tests.packformat import CHUNK, OBJECT, RECIPE, Entry, recipe_of, write_pack
from tests.stored import put_pack

__all__ = ["CHUNK", "OBJECT", "RECIPE", "Entry", "Raw", "canonical", "hash_of", "recipe_of", "write_pack"]

TIME = "2026-01-16T15:24:48Z"
ADA: dict[str, Any] = {"email": "ada@example.org", "name": "Ada Lovelace"}
CONFIG = '[core]\nformat = 1\nobject-format = "blake3"\nfsync = false\n'
MANIFEST = """\
[stages.make]
command = "touch ../outside/started-by-run"
inputs = ["config.ini#data"]
outputs = ["data/made.csv"]
"""


def hash_of(data: bytes) -> str:
    return blake3.blake3(data).hexdigest()


def canonical(kind: str, value: object) -> bytes:
    """Give an object's bytes as a well-meaning writer lays them out, whatever they say."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"mlstore {kind} 1\n{text}".encode("utf-8", "surrogatepass")


class Raw:
    """A worktree at *root*, with a `.mlstore` that is written by hand.

    It begins sound: `main` has one commit with a manifest, a configuration, data and a folder; the index and
    the files of the worktree are those of `main`. What a case adds is called `evil`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / ".mlstore"
        self.outside = root.parent / "outside"
        for folder in ("objects/pack", "refs/heads", "refs/tags", "logs/refs/heads", "locks", "tmp"):
            (self.store / folder).mkdir(parents=True)
        self.outside.mkdir()
        (self.outside / "secret").write_text("not yours\n")
        self.write(".mlstore/config", CONFIG)
        self.write(".mlstore/HEAD", "ref: refs/heads/main\n")
        self.files: dict[str, bytes] = {
            "config.ini": b"[data]\nrows = 2\n",
            "data/raw.csv": b"a,b\n1,2\n",
            "mlstore.toml": MANIFEST.encode(),
        }
        self.data = self.tree([self.entry("raw.csv", self.files["data/raw.csv"])])
        self.base = [
            self.entry("config.ini", self.files["config.ini"]),
            self.folder("data", self.data),
            self.entry("mlstore.toml", MANIFEST.encode()),
        ]
        self.sound_tree = self.tree(self.base)
        self.main = self.commit(self.sound_tree, message="sound")
        self.ref("refs/heads/main", self.main)
        for path, data in self.files.items():
            self.write(path, data)
        self.index([(path, 0, data) for path, data in sorted(self.files.items())], tree=self.sound_tree)
        self.evil_entries(self.entry("more.txt"))

    # files

    def write(self, path: str | bytes, data: str | bytes) -> Path:
        """Write a file below the root, by any name that the file system takes."""
        import os

        target = Path(os.fsdecode(path) if isinstance(path, bytes) else path)
        target = self.root / target
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_dir():
            target.chmod(0o644)
        target.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape"))
        return target

    def ref(self, name: str, text: str) -> None:
        self.write(f".mlstore/{name}", text + "\n")

    # objects

    def put(self, data: bytes, object_id: str | None = None) -> str:
        """Store *data* loose, under its own id or under another's."""
        object_id = object_id or hash_of(data)
        target = self.store / "objects" / object_id[:2] / object_id[2:]
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(data)
        target.chmod(0o444)
        return object_id

    def pack(self, entries: Iterable[Entry]) -> Path:
        name, data = write_pack(entries)
        return put_pack(self.store / "objects" / "pack", name, data)

    def entry(self, name: object, data: bytes = b"evil\n", **more: object) -> dict[str, Any]:
        """Give a tree's entry for a blob, which is stored."""
        return {"id": self.put(data), "kind": "file", "name": name, "size": len(data), **more}

    def folder(self, name: object, tree: str, size: int | None = None) -> dict[str, Any]:
        size = self.size(tree) if size is None else size
        return {"id": tree, "kind": "tree", "name": name, "size": size}

    def size(self, object_id: str) -> int:
        return (self.store / "objects" / object_id[:2] / object_id[2:]).stat().st_size

    def tree(self, entries: list[dict[str, Any]], *, ordered: bool = True) -> str:
        if ordered:
            entries = sorted(entries, key=lambda entry: str(entry.get("name")))
        return self.put(canonical("tree", {"entries": entries}))

    def commit_bytes(self, tree: object, **more: object) -> bytes:
        value: dict[str, Any] = {
            "author": ADA,
            "height": 0,
            "message": "evil",
            "parents": [],
            "time": TIME,
            "tree": tree,
        }
        return canonical("commit", {key: item for key, item in {**value, **more}.items() if item is not None})

    def commit(self, tree: object, **more: object) -> str:
        return self.put(self.commit_bytes(tree, **more))

    def evil_commit(self, tree: object, **more: object) -> str:
        """Put a commit on top of `main` and have the branch `evil` point to it."""
        commit = self.commit(tree, **{"parents": [self.main], "height": 1, **more})
        self.ref("refs/heads/evil", commit)
        return commit

    def evil_entries(self, *entries: dict[str, Any], ordered: bool = True) -> str:
        """Give `evil` a tree with the sound files and these entries beside them."""
        return self.evil_commit(self.tree([*self.base, *entries], ordered=ordered))

    def evil_bytes(self, tree: bytes) -> str:
        """Give `evil` a root tree of exactly these bytes."""
        return self.evil_commit(self.put(tree))

    # the index

    def index(
        self,
        rows: list[tuple[str | bytes, int, bytes]],
        *,
        tree: str | None = None,
        count: int | None = None,
        version: int = 1,
        sizes: list[int] | None = None,
    ) -> None:
        """Write an index of `(path, kind, content)`; nothing is known of the files."""
        paths = b"".join(
            (path if isinstance(path, bytes) else path.encode("utf-8", "surrogatepass")) + b"\0"
            for path, _, _ in rows
        )
        n = len(rows)
        head = struct.pack(
            "<8sIIQQ32s",
            b"MLSINDEX",
            version,
            0,
            n if count is None else count,
            len(paths),
            bytes.fromhex(tree) if tree else bytes(32),
        )
        sizes = sizes or [len(data) for _, _, data in rows]
        body = head + bytes(24 * n) + struct.pack(f"<{n}q", *sizes)
        body += bytes(kind for _, kind, _ in rows)
        body += b"".join(bytes.fromhex(self.put(data)) for _, _, data in rows)
        body += b"".join(xxhash.xxh3_128(data).digest() for _, _, data in rows) + paths
        self.write(".mlstore/index", body + xxhash.xxh3_128(body).digest())

    def sound_rows(self) -> list[tuple[str | bytes, int, bytes]]:
        return [(path, 0, data) for path, data in sorted(self.files.items())]
