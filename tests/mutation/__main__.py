"""Change the code in one place at a time, and see whether a test notices.

    python -m tests.mutation ROOM [--minutes N] [--seconds N] [--seed N] [--out FILE] [--again FILE [--fresh]]

ROOM is a folder of `store/mlstore` (`model`, `objects`, `verify`). Works on a copy of the tracked files.

First, and again when the library has changed, all tests run once, to see which of them execute which line; a
mutant is then given only those that execute its line. Mutants come in an order drawn by the seed, until the
time is over; a line of JSON is written for each, by default into `.mutation`. What such a file is about
already is not tried again, so a run that was cut short goes on.

`--again` is for after tests were written: what survived in an earlier run, whose `--out` was FILE, is given
those that were not there in the first one. With `--fresh` it is given all, in a process that has not loaded
anything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutation.mutants import mutants_of

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / ".mutation"
LEFT = ("survived", "not covered")


def workspace() -> Path:
    """A copy of what git tracks, on a disk that is in memory where there is one."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="mutation-", dir=memory if memory.is_dir() else None))
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
        shutil.copymode(ROOT / name, folder / name)
    return folder


def tracked() -> list[str]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [name for name in names.decode().split("\0") if name and (ROOT / name).is_file()]


def run(folder: Path, *arguments: str) -> int:
    """Run one of our modules in the copy, where everything is imported from it."""
    path = os.pathsep.join(str(folder / name) for name in ("", "store", "cli"))
    env = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
    return subprocess.run([sys.executable, "-m", *arguments], cwd=folder, env=env, check=False).returncode


def measured(folder: Path) -> Path:
    """The measurement of the library as it is, made if there is none; new tests are added to it."""
    seen = hashlib.sha256()
    for name in tracked():
        if name.startswith("store/"):
            seen.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{seen.hexdigest()[:16]}.json"
    run(folder, "tests.mutation.measuring", str(path))
    return path


def rows_of(path: Path | None) -> list[dict[str, Any]]:
    if path is None or not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def chosen(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Path and number of each mutant to try, in order."""
    found = []
    for path in sorted((ROOT / "store/mlstore" / options.room).rglob("*.py")):
        name = path.relative_to(ROOT)
        found += [(one, name) for one in mutants_of(name, path.read_text("utf-8"))]
    random.Random(options.seed).shuffle(found)
    done = {(row["path"], row["number"]) for row in rows_of(options.out)}
    if options.again:
        left = {(row["path"], row["number"]) for row in rows_of(options.again) if row["outcome"] in LEFT}
        found = [(one, name) for one, name in found if (name.as_posix(), one.number) in left]
    every = [(name.as_posix(), one.number) for one, name in found]
    return [one for one in every if one not in done]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("room")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seconds", type=float, default=10, help="of tests for a mutant, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--again", type=Path)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    options.out = (options.out or KEPT / f"{options.room}.jsonl").resolve()
    folder = workspace()
    try:
        path = measured(folder)
        mutants = chosen(options)
        job = {
            "mutants": mutants,
            "measured": str(path),
            "out": str(options.out),
            "end": time.time() + 60 * options.minutes,
            "budget": options.seconds,
            "later": options.again is not None and not options.fresh,
            "fresh": options.fresh,
        }
        (folder / "job.json").write_text(json.dumps(job))
        status = run(folder, "tests.mutation.session", "job.json")
    finally:
        shutil.rmtree(folder)
    print(dict(Counter(row["outcome"] for row in rows_of(options.out))), f"of {len(mutants)} to try")
    sys.exit(status)


if __name__ == "__main__":
    main()
