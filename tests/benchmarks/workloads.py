"""The trees that every tool has to keep: made from a seed, so that they are the same everywhere.

A workload is a folder with one sub-folder per version. The first holds the whole tree; each later one only
the files which differ from the version before. `tree.json` beside them has the hash of every file of each.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib
import numpy as np
from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KB, MB, MIB, GIB = 1000, 1_000_000, 1 << 20, 1 << 30
FOLDERS = 200
CHUNK = 1 << 22

Tree = dict[str, str]  # path below the root -> BLAKE3 of the bytes


@dataclass(frozen=True, slots=True)
class Workload:
    """A made workload: where it is, and what each version holds."""

    name: str
    folder: Path
    versions: dict[str, Tree]

    @property
    def size(self) -> int:
        """Give the bytes in the files of the first version."""
        return sum(path.stat().st_size for path in (self.folder / "v1").rglob("*") if path.is_file())

    def apply(self, version: str, data: Path) -> None:
        """Bring `data` from the version before to `version`: each changed file is written aside and renamed.

        That is how editors and libraries save, and it leaves links into a tool's store alone.
        """
        source = self.folder / version
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            target = data / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(f".{target.name}.new")
            shutil.copyfile(path, aside)
            os.replace(aside, target)


def read_tree(root: Path) -> Tree:
    """Hash every file below `root`, through links (git-annex keeps its files as links)."""
    found: Tree = {}
    for parent, _, names in os.walk(root):
        for name in names:
            path = os.path.join(parent, name)
            try:
                found[os.path.relpath(path, root)] = blake3().update_mmap(path).hexdigest()
            except FileNotFoundError:
                found[os.path.relpath(path, root)] = "a dangling link"
    return found


# --- what the files hold ------------------------------------------------------------------------------------


def random_file(path: Path, size: int, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, CHUNK):
            file.write(rng.bytes(min(CHUNK, size - start)))


def csv_rows(rng: np.random.Generator, first: int, count: int) -> Iterator[str]:
    """Measurements as a pipeline has them: a key, a group, three floats, a label; about 60 bytes a row."""
    for start in range(first, first + count, 50_000):
        n = min(50_000, first + count - start)
        values = rng.normal(50, 10, (n, 3)).tolist()
        groups, labels = rng.integers(0, 500, n).tolist(), rng.integers(0, 3, n).tolist()
        rows = zip(range(start, start + n), groups, values, labels, strict=True)
        yield "".join(f"{i},site-{g:03d},{a:.6f},{b:.6f},{c:.6f},class-{k}\n" for i, g, (a, b, c), k in rows)


def csv_file(path: Path, size: int, rng: np.random.Generator, mode: str = "w", first: int = 0) -> int:
    """Write about `size` bytes of rows from number `first` on, and give the number after the last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, encoding="ascii") as file:
        if mode == "w":
            file.write("id,site,width,height,depth,label\n")
        start = file.tell()
        while file.tell() - start < size:
            count = max(1, min(50_000, (size - (file.tell() - start)) // 54))
            file.writelines(csv_rows(rng, first, count))
            first += count
    return first


# --- the workloads ------------------------------------------------------------------------------------------


def many_files(root: Path, rng: np.random.Generator, count: int, size: int) -> None:
    """Make `count` files of `size` random bytes in 200 folders; version 2 has other bytes in every 100th."""
    for number in range(count):
        random_file(root / "v1" / file_name(number), size, rng)
    for number in range(0, count, 100):
        random_file(root / "v2" / file_name(number), size, rng)


def file_name(number: int) -> str:
    return f"part-{number % FOLDERS:03d}/{number:07d}.bin"


def one_big(root: Path, rng: np.random.Generator, size: int) -> None:
    """Make one file of random bytes; version 2 has 1 MiB more in its middle."""
    random_file(root / "v1" / "big.bin", size, rng)
    (root / "v2").mkdir()
    middle = size // 2 + 1  # no block boundary
    with (root / "v1" / "big.bin").open("rb") as old, (root / "v2" / "big.bin").open("wb") as new:
        left = middle
        while left and (chunk := old.read(min(CHUNK, left))):
            new.write(chunk)
            left -= len(chunk)
        new.write(rng.bytes(min(MIB, size // 4)))
        shutil.copyfileobj(old, new, CHUNK)


def mixed(root: Path, rng: np.random.Generator, scale: float) -> None:
    """Make a project: CSV, array, model, 500 small files; version 2 has 1,000 rows more in the CSV."""
    v1, v2 = root / "v1", root / "v2"
    csv_file(v1 / "data" / "train.csv", int(300 * MB * scale), rng)
    np.save(v1 / "features.npy", rng.normal(size=(max(1, int(50 * MB * scale) // 800), 100)))
    trees = {f"tree-{n}": rng.normal(size=max(1, int(100 * MB * scale) // 800)) for n in range(100)}
    joblib.dump({"trees": trees, "classes": ["a", "b", "c"]}, v1 / "model.joblib")
    for number in range(500):
        path = v1 / "src" / f"module_{number:03d}.py"
        path.parent.mkdir(exist_ok=True)
        lines = rng.integers(0, 1 << 30, int(rng.integers(20, 400))).tolist()
        path.write_text("".join(f"CONSTANT_{i} = {value}  # measured\n" for i, value in enumerate(lines)))
    lines = (v1 / "data" / "train.csv").read_text(encoding="ascii").splitlines(keepends=True)
    middle = len(lines) // 2
    (v2 / "data").mkdir(parents=True)
    with (v2 / "data" / "train.csv").open("w", encoding="ascii") as file:
        file.writelines(lines[:middle])
        file.writelines(csv_rows(rng, len(lines), 1000))
        file.writelines(lines[middle:])
    (v2 / "src").mkdir()
    for number in range(0, 500, 100):
        text = (v1 / "src" / f"module_{number:03d}.py").read_text()
        (v2 / "src" / f"module_{number:03d}.py").write_text(text + "CHANGED = True\n")


def growing(root: Path, rng: np.random.Generator, scale: float) -> None:
    """Make ten versions of one CSV: 50 MB, and 10 MB of rows more in each."""
    (root / "v1").mkdir()
    first = csv_file(root / "v1" / "measurements.csv", int(50 * MB * scale), rng)
    for number in range(2, 11):
        path = root / f"v{number}" / "measurements.csv"
        path.parent.mkdir()
        shutil.copyfile(root / f"v{number - 1}" / "measurements.csv", path)
        first = csv_file(path, int(10 * MB * scale), rng, "a", first)


def recipe(name: str, scale: float) -> Callable[[Path, np.random.Generator], None]:
    """Give what makes a workload: W1, W1b, W2, W3, W4, start, or growth's `files-N` and `gib-N`."""
    if name.startswith("files-"):
        count = max(1, int(int(name.removeprefix("files-")) * scale))
        return lambda root, rng: many_files(root, rng, count, KB)
    if name.startswith("gib-"):
        size = int(int(name.removeprefix("gib-")) * GIB * scale)
        return lambda root, rng: one_big(root, rng, size)
    recipes: dict[str, Callable[[Path, np.random.Generator], None]] = {
        "W1": lambda root, rng: many_files(root, rng, max(100, int(20_000 * scale)), 4096),
        "W1b": lambda root, rng: many_files(root, rng, max(100, int(100_000 * scale)), KB),
        "W2": lambda root, rng: one_big(root, rng, int(2 * GIB * scale)),
        "W3": lambda root, rng: mixed(root, rng, scale),
        "W4": lambda root, rng: growing(root, rng, scale),
        "start": lambda root, rng: many_files(root, rng, 5, KB),
        "damage": damage_tree,
    }
    return recipes[name]


def damage_tree(root: Path, rng: np.random.Generator) -> None:
    """Make ten small files and one of 1 MiB, which is the largest thing in any store."""
    for number in range(10):
        random_file(root / "v1" / f"small-{number}.bin", 4096, rng)
    random_file(root / "v1" / "model.bin", MIB, rng)


def make(name: str, cache: Path, scale: float = 1.0, seed: int = 20_000) -> Workload:
    """Make a workload below `cache`, or take the one that is there already."""
    folder = cache / f"{name}-{scale:g}-{seed}"
    index = folder / "tree.json"
    if not index.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        recipe(name, scale)(folder, np.random.default_rng(seed))
        index.write_text(json.dumps(hash_versions(folder)))
    return Workload(name, folder, json.loads(index.read_text()))


def hash_versions(folder: Path) -> dict[str, Tree]:
    """Hash each version; a later one is the one before it with its own files laid over."""
    found: dict[str, Tree] = {}
    tree: Tree = {}
    for path in sorted(folder.glob("v*"), key=lambda p: int(p.name[1:])):
        tree = tree | read_tree(path)
        found[path.name] = tree
    return found
