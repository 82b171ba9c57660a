"""`kill -9` at one system call after another: nothing acknowledged is lost, and the next command works.

After each kill whoever reads plain files finds every ref old or new, and all that it leads to whole. No file
of the worktree is torn, `status` works, and the same command again does the job and leaves nothing behind.

CI kills whatever writes history at every point, and tries a part of the others, and of the errors; a
developer tries a part of everything. `MLSTORE_ALL_CRASH_POINTS=1` leaves nothing out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.killing import Server, fail_at, kill_at, points, why_not
from tests.store.independent import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")
# Read here: conftest hides both from the commands.
ALL = bool(os.environ.get("MLSTORE_ALL_CRASH_POINTS"))
CI = bool(os.environ.get("CI"))
A_PART = 20
TIDYING = ("gc", "prune", "repack")

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory, where copying a repository costs least: nothing here asks what a disk would have kept."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    reason = why_not()
    if reason is not None:
        if CI:
            pytest.fail(f"{reason}, and CI requires the kill sweep")
        pytest.skip(reason)
    started = Server(folder)
    yield started
    started.close()


# --- what a reader of plain files finds ---


def whole(root: Path) -> dict[str, Files]:
    """Check refs, HEAD and index and all that they lead to, byte for byte; give the files behind each ref."""
    reader = Reader(root)
    assert (root / ".mlstore" / "HEAD").read_text().startswith("ref: refs/heads/")
    for entry in (reader.index() if (root / ".mlstore" / "index").exists() else {}).values():
        assert len(reader.object(entry["id"])) == entry["size"]
    return {name: whole_commit(reader, target) for name, target in reader.refs().items()}


def whole_commit(reader: Reader, target: str) -> Files:
    if reader.object(target).startswith(b"mlstore tag 1\n"):
        target = reader.json("tag", target)["target"]
    for _, commit in reader.history(target):
        list(reader.files(commit["tree"]))
    tree = reader.json("commit", target)["tree"]
    return {path: data for path, _, data in reader.files(tree)}


def worktree(root: Path) -> Files:
    lock = root / "mlstore.lock"
    if lock.exists():
        assert tomllib.loads(lock.read_text())["pins"]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path != lock and ".mlstore" not in path.relative_to(root).parts
    }


# --- what is run ---


@dataclass(frozen=True)
class Workload:
    """A repository to start in, a command to kill, and what may be found afterwards.

    ``refs``, ``files`` and ``index`` are versions, the old ones first and the new ones last. ``again``: what
    the command may say when it was done already, ``rerun``: what finishes the job where it does not.
    """

    template: Path
    argv: list[str]
    refs: list[dict[str, Files]]
    files: list[Files]
    index: list[set[str]] = field(default_factory=list)
    again: tuple[int, ...] = (0,)
    rerun: list[str] | None = None

    def check(self, root: Path) -> None:
        """Find everything old or new, and whole."""
        assert whole(root) in self.refs
        if self.index:
            assert set(Reader(root).index()) in self.index
        for path, data in worktree(root).items():
            assert data in [version.get(path) for version in self.files], f"{path} is torn: {data!r}"

    def check_done(self, root: Path) -> None:
        """Find everything new."""
        assert whole(root) == self.refs[-1]
        assert worktree(root) == self.files[-1]
        if self.index:
            assert set(Reader(root).index()) == self.index[-1]


def run(server: Server, root: Path, *commands: str) -> None:
    for command in commands:
        done = server.run(command.split(), root)
        assert done.status == 0, done.err


def write(root: Path, files: Files) -> None:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def start(server: Server, folder: Path) -> Path:
    """A repository with one commit."""
    root = folder / "template"
    root.mkdir()
    run(server, root, "init -q")
    write(root, {"a": b"1", "gone": b"1", "dir/keep": bytes(range(256)) * 40})
    run(server, root, "add -A", "commit -q -m first")
    return root


def change(root: Path) -> None:
    write(
        root, {"a": b"22", "new/deep/b": b"2", "dir/c": b"3", "d": b"4", "e": b"", "large": b"5" * 1_500_000}
    )
    (root / "gone").unlink()


def adding(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    old = set(Reader(root).index())
    change(root)
    files = worktree(root)
    return Workload(root, ["add", "-A"], [whole(root)], [files], [old, set(files)])


def committing(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    change(root)
    run(server, root, "add -A")
    files = worktree(root)
    # Killed after the ref has moved, there is nothing left to commit.
    refs = [whole(root), {"refs/heads/main": files}]
    return Workload(root, ["commit", "-q", "-m", "second"], refs, [files], again=(0, 1))


def two_branches(server: Server, folder: Path) -> tuple[Path, Files, Files]:
    """`main` is checked out, `other` has other, new and missing files."""
    root = start(server, folder)
    before = worktree(root)
    run(server, root, "checkout -q -b other")
    change(root)
    run(server, root, "add -A", "commit -q -m second")
    after = worktree(root)
    run(server, root, "checkout -q main")
    assert worktree(root) == before
    return root, before, after


def checking_out(server: Server, folder: Path) -> Workload:
    root, before, after = two_branches(server, folder)
    return Workload(
        root, ["checkout", "-q", "other"], [whole(root)], [before, after], [set(before), set(after)]
    )


def resetting(server: Server, folder: Path) -> Workload:
    root, before, after = two_branches(server, folder)
    refs = [whole(root), {"refs/heads/main": after, "refs/heads/other": after}]
    argv = ["reset", "-q", "--hard", "other"]
    return Workload(root, argv, refs, [before, after], [set(before), set(after)])


MANIFEST = b"""
[stages.one]
command = "tr a-z A-Z < in.txt > one.txt"
inputs = ["in.txt"]
outputs = ["one.txt"]

[stages.two]
command = "cat one.txt one.txt > two.txt"
inputs = ["one.txt"]
outputs = ["two.txt"]
"""


def running(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    write(root, {"in.txt": b"x\n", "mlstore.toml": MANIFEST})
    run(server, root, "add -A", "commit -q -m pipeline")
    before = worktree(root)
    one = before | {"one.txt": b"X\n"}
    two = one | {"two.txt": b"X\nX\n"}
    # What the command of a stage has written by then is its own affair; mlstore itself tears nothing.
    half = one | {"one.txt": b"", "two.txt": b""}
    refs = [{"refs/heads/main": files} for files in (before, one, two)]
    return Workload(root, ["run"], refs, [before, one, half, two])


def tagging(server: Server, folder: Path) -> Workload:
    work = running(server, folder)
    run(server, work.template, "run")
    files = work.files[-1]
    refs = [work.refs[-1], work.refs[-1] | {"refs/tags/golden": files}]
    argv = ["tag", "--golden"]
    return Workload(work.template, argv, refs, [files], again=(0, 1), rerun=[*argv, "-f"])


def with_garbage(server: Server, folder: Path) -> Path:
    """A store with loose objects, several packs, and objects that nothing leads to."""
    root = start(server, folder)
    run(server, root, "config core.pack false")
    change(root)
    run(server, root, "add -A", "commit -q -m second", "config core.pack true")
    write(root, {"gone.txt": b"gone"})
    run(server, root, "add -A", "commit -q -m third", "reset -q --hard HEAD~1")
    shutil.rmtree(root / ".mlstore" / "logs")
    return root


def collecting(server: Server, folder: Path) -> Workload:
    root = with_garbage(server, folder)
    return Workload(root, ["gc", "-q", "--prune=now"], [whole(root)], [worktree(root)])


def pruning(server: Server, folder: Path) -> Workload:
    root = with_garbage(server, folder)
    return Workload(root, ["prune", "-q"], [whole(root)], [worktree(root)])


def repacking(server: Server, folder: Path) -> Workload:
    root = with_garbage(server, folder)
    return Workload(root, ["repack", "-q", "-a"], [whole(root)], [worktree(root)])


def undoing(server: Server, folder: Path) -> Workload:
    root = with_garbage(server, folder)
    run(server, root, "gc -q --prune=now")
    argv = ["gc", "-q", "--undo"]
    return Workload(root, argv, [whole(root)], [worktree(root)], again=(0, 4))


WORKLOADS: dict[str, Callable[[Server, Path], Workload]] = {
    "add": adding,
    "commit": committing,
    "checkout": checking_out,
    "reset": resetting,
    "run": running,
    "tag": tagging,
    "gc": collecting,
    "gc --undo": undoing,
    "prune": pruning,
    "repack": repacking,
}


@pytest.fixture
def workload(server: Server, folder: Path, request: pytest.FixtureRequest) -> Iterator[Workload]:
    name = request.param if hasattr(request, "param") else "commit"
    place = Path(tempfile.mkdtemp(dir=folder))
    yield WORKLOADS[name](server, place)
    shutil.rmtree(place)


def fresh(workload: Workload) -> Path:
    """A new copy of the repository to start in."""
    root = workload.template.with_name("work")
    if root.exists():
        shutil.rmtree(root)
    shutil.copytree(workload.template, root)
    return root


def chosen(found: list[tuple[str, int]], part: int) -> list[tuple[str, int]]:
    """All points; or a part, spread over the whole run, with the first and the last of each call."""
    if ALL or len(found) <= part:
        return found
    keep = set(found[:: -(-len(found) // part)])
    keep.update({point[0]: point for point in found}.values())
    keep.update({point[0]: point for point in reversed(found)}.values())
    return [point for point in found if point in keep]


@pytest.mark.parametrize("workload", WORKLOADS, indirect=True)
def test_a_kill_at_any_change_loses_nothing(
    server: Server, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    root = fresh(workload)
    found = points(server, workload.argv, root)
    workload.check_done(root)
    assert len(found) > 10, "nothing to kill: is the trace right?"
    part = len(found) if CI and workload.argv[0] not in TIDYING else 2 * A_PART if CI else A_PART
    selected = chosen(found, part)
    killed = sum(survives(server, workload, point) for point in selected)
    assert killed > len(selected) // 2
    with capsys.disabled():
        print(
            f"\n'mlstore {' '.join(workload.argv)}': killed at {killed} of {len(found)} points, nothing lost"
        )


def survives(server: Server, workload: Workload, point: tuple[str, int]) -> bool:
    """Kill there and look at what is left; says whether it came to that."""
    root = fresh(workload)
    where = f"killed at {point[0]} number {point[1]}"
    killed = kill_at(server, workload.argv, root, point)
    # A run has not always as many calls as the one before: then it ended well, and that holds too.
    assert killed.status in (-9, 0), f"{where}: {killed}"
    workload.check(root)
    if killed.status == 0:
        workload.check_done(root)
    good(server, root, where, "status")
    again = server.run(workload.argv, root)
    assert again.status in workload.again, f"{where}: {again}"
    if workload.rerun:
        good(server, root, where, *workload.rerun)
    workload.check_done(root)
    if workload.argv[0] != "add":
        assert good(server, root, where, "status", "--porcelain") == ""
    if workload.argv[0] in ("run", "tag"):
        good(server, root, where, "verify")
    good(server, root, where, "fsck")
    left = list((root / ".mlstore" / "tmp").iterdir())
    assert left == [], f"{where}: {left} was not swept up"
    return killed.status == -9


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("workload", WORKLOADS, indirect=True)
def test_an_error_at_any_change_is_one_clear_line_and_loses_nothing(
    server: Server, workload: Workload, error: str
) -> None:
    root = fresh(workload)
    for call, number in chosen(points(server, workload.argv, root), A_PART // 4):
        root = fresh(workload)
        where = f"{error} at {call} number {number}"
        done = fail_at(server, workload.argv, root, (call, number), error)
        workload.check(root)
        if done.status == 0:  # what failed was of no consequence: tidying up, or signing a lock
            workload.check_done(root)
        else:
            assert done.status == 6, f"{where}: {done}"
            assert done.err.startswith("error: "), f"{where}: {done}"
            assert len([line for line in done.err.splitlines() if not line.startswith("hint: ")]) == 1, where
        good(server, root, where, "status")
        again = server.run(workload.argv, root)
        assert again.status in workload.again, f"{where}: {again}"
        if workload.rerun:
            good(server, root, where, *workload.rerun)
        workload.check_done(root)


def good(server: Server, root: Path, where: str, *argv: str) -> str:
    done = server.run(argv, root)
    assert done.status == 0, f"{where}: '{' '.join(argv)}' gave {done}"
    return done.out


# --- and the sweep itself: it has to find what is wrong ---


@pytest.mark.parametrize("sabotage", ["write in place", "name before content"])
def test_a_store_that_writes_carelessly_is_found_out(
    server: Server, workload: Workload, sabotage: str
) -> None:
    root = fresh(workload)
    found = points(server, workload.argv, root, sabotage=sabotage)
    workload.check_done(root)  # nobody would notice, without the kills
    broken = 0
    for point in found:
        root = fresh(workload)
        kill_at(server, workload.argv, root, point, sabotage=sabotage)
        try:
            workload.check(root)
        except (AssertionError, OSError):
            broken += 1
    assert broken > 0


def first_object(root: Path) -> Path:
    return min(path for path in (root / ".mlstore" / "objects").rglob("*") if path.is_file())


def flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing object": lambda root: first_object(root).unlink(),
    "flipped bit": lambda root: flip(first_object(root)),
    "empty ref": lambda root: (root / ".mlstore/refs/heads/main").write_bytes(b""),
    "lost commit": lambda root: shutil.copy(
        root / ".mlstore/refs/heads/main", root / ".mlstore/refs/heads/other"
    ),
    "lost branch": lambda root: (root / ".mlstore/refs/heads/other").unlink(),
    "torn index": lambda root: os.truncate(root / ".mlstore/index", 100),
    "torn file": lambda root: (root / "a").write_bytes(b"2"),
    "strange file": lambda root: (root / "strange").write_bytes(b""),
}


@pytest.mark.parametrize("workload", ["checkout"], indirect=True)
@pytest.mark.parametrize("damage", DAMAGE)
def test_the_checker_says_no(workload: Workload, damage: str) -> None:
    root = fresh(workload)
    workload.check(root)
    DAMAGE[damage](root)
    with pytest.raises((AssertionError, OSError, ValueError)):
        workload.check(root)


def test_a_traced_command_that_is_not_killed_ends_as_any_other(server: Server, workload: Workload) -> None:
    root = fresh(workload)
    assert kill_at(server, workload.argv, root, ("rename", 999)).status == 0
    workload.check_done(root)
