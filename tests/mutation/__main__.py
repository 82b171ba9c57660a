"""Change the code in one place at a time, and see whether a test notices.

    python -m tests.mutation ROOM [--minutes N] [--seed N] [--out FILE] [--again FILE]

ROOM is a folder of `store/mlstore` (`model`, `objects`, `verify`). Works on a copy of the tracked files.
Mutants come in an order drawn by the seed, until the time is over; a line of JSON is printed for each. The
tests that mirror the module go first, then those of the room; the first that fails ends it. `--again` tries
only what survived in an earlier run, whose `--out` was FILE.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 600  # seconds: a mutant that hangs is noticed by that, and told apart
ALSO = {
    "objects": ["tests/store/maintenance/test_damaged.py", "tests/store/maintenance/test_gc.py"],
    "verify": ["tests/store/maintenance/test_damaged.py"],
}
SITE = [entry for entry in sys.path if "site-packages" in entry]
SLOW = ["tests/store/verify/test_byte_flips.py"]  # run by hand on what survives


def workspace() -> Path:
    """A copy of what git tracks, on a disk that is in memory where there is one."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="mutation-", dir=memory if memory.is_dir() else None))
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def tests_for(module: Path, room: str) -> list[str]:
    """The mirrored tests first, then the room's."""
    base = Path("tests/store", *module.relative_to("store/mlstore").parent.parts)
    mirrored = base / f"test_{module.stem}.py"
    first = [mirrored.as_posix()] if (ROOT / mirrored).is_file() else []
    rest = sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/store" / room).rglob("test_*.py")
    )
    return [*first, *(name for name in [*rest, *ALSO.get(room, [])] if name not in [*first, *SLOW])]


def outcome(folder: Path, tests: list[str]) -> str:
    """Run the tests in a child, which has nothing of ours in memory yet."""
    child = os.fork()
    if child == 0:
        try:
            run_tests(folder, tests)
        finally:
            os._exit(101)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "noticed" if os.waitstatus_to_exitcode(status) else "survived"
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def run_tests(folder: Path, tests: list[str]) -> None:
    """Run pytest on the copy and end the process with its status."""
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.chdir(folder)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
    # What the editable install put on the path is the code as it is, not as it was changed.
    sys.path[:] = [str(folder), *(entry for entry in sys.path if not entry.startswith(str(ROOT)))]
    sys.path += [entry for entry in SITE if entry not in sys.path]
    import pytest

    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", *tests]
    os._exit(min(int(pytest.main(arguments)), 100))


def forget_ours() -> None:
    """The tests are to import the copy."""
    for name in [one for one in sys.modules if one.split(".")[0] in ("mlstore", "mlstore_cli", "tests")]:
        del sys.modules[name]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("room")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--again", type=Path)
    options = parser.parse_args()
    mutants: list[Mutant] = []
    for path in sorted((ROOT / "store/mlstore" / options.room).rglob("*.py")):
        mutants += mutants_of(path.relative_to(ROOT), path.read_text("utf-8"))
    random.Random(options.seed).shuffle(mutants)
    if options.again:
        rows = [json.loads(line) for line in options.again.read_text("utf-8").splitlines()]
        left = {(row["path"], row["line"], row["what"]) for row in rows if row.get("outcome") == "survived"}
        mutants = [one for one in mutants if (one.path.as_posix(), one.line, one.what) in left]
    folder, end = workspace(), time.monotonic() + 60 * options.minutes
    forget_ours()
    out = options.out.open("a") if options.out else sys.stdout
    done = survived = 0
    try:
        untouched = tests_for(Path("store/mlstore", options.room, "none.py"), options.room)
        if outcome(folder, untouched) != "survived":
            sys.exit("the tests fail on the code as it is: what they say of changes is worth nothing")
        for mutant in mutants:
            if time.monotonic() > end:
                break
            target = folder / mutant.path
            original = target.read_text("utf-8")
            target.write_text(ast.unparse(mutant.tree()), "utf-8")
            found = outcome(folder, tests_for(mutant.path, options.room))
            target.write_text(original, "utf-8")
            done, survived = done + 1, survived + (found == "survived")
            row = {
                "path": mutant.path.as_posix(),
                "line": mutant.line,
                "what": mutant.what,
                "outcome": found,
            }
            print(json.dumps(row), file=out, flush=True)
        total = {"room": options.room, "mutants": len(mutants), "tried": done, "survived": survived}
        print(json.dumps(total | {"seed": options.seed}), file=out, flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
