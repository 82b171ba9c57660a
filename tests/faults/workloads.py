"""The commands that are broken off, what they start from, and what may be found afterwards.

What is found is asked of plain files, by a second reader of the format that imports nothing of mlstore.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.store.independent import Reader

if TYPE_CHECKING:
    from tests.faults.killing import Server

Files = dict[str, bytes]


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
    ``clean``: whether there is nothing to commit afterwards; ``least``: how many changes there are at least.
    """

    template: Path
    argv: list[str]
    refs: list[dict[str, Files]]
    files: list[Files]
    index: list[set[str]] = field(default_factory=list)
    again: tuple[int, ...] = (0,)
    rerun: list[str] | None = None
    clean: bool = True
    least: int = 11

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
        self.check_index(root)

    def check_index(self, root: Path) -> None:
        """Find the new index."""
        if self.index:
            assert set(Reader(root).index()) == self.index[-1]

    def kept(self, root: Path, before: int) -> int:
        """How many objects `gc` leaves; *before* is how many it left of a run that nothing broke off."""
        return before


NOTES = "refs/notes/reproduce"


class Reproducing(Workload):
    """A job that adds notes, which say when they were made and how long it took: no two are the same."""

    def check(self, root: Path) -> None:
        """Find no notes, or whole ones, about the stage; and all else as it was."""
        refs, reader = whole(root), Reader(root)
        notes = [reader.note(path, data) for path, data in refs.pop(NOTES, {}).items()]
        assert refs == self.refs[-1]
        assert worktree(root) == self.files[-1]
        for note in notes:
            assert reader.json("commit", note["commit"])["stage"]["name"] == self.argv[-1]
            assert note["data"]["verdict"] == "reproduced"

    def check_done(self, root: Path) -> None:
        """Find notes."""
        self.check(root)
        assert NOTES in whole(root)

    def kept(self, root: Path, before: int) -> int:
        """As many objects as refs lead to: a second run adds notes of its own."""
        reader = Reader(root)
        found: set[str] = set()
        for target in reader.refs().values():
            for one, commit in reader.history(target):
                found |= {one, *below(reader, commit["tree"])}
                if "stage" in commit:
                    found.add(commit["stage"]["environment"])
        return len(found)


def below(reader: Reader, tree: str) -> set[str]:
    found = {tree}
    for entry in reader.json("tree", tree)["entries"]:
        found |= below(reader, entry["id"]) if entry["kind"] == "tree" else {entry["id"]}
    return found


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
    return Workload(root, ["add", "-A"], [whole(root)], [files], [old, set(files)], clean=False)


def adding_large(server: Server, folder: Path) -> Workload:
    """What is stored in other ways: loose files, and a table that is cut into chunks."""
    root = start(server, folder)
    run(server, root, "config core.pack false")
    old = set(Reader(root).index())
    table = b"".join(b"%d,%d\n" % (row, row * row) for row in range(100_000))
    write(root, {"table.csv": table, "small": b"s", "dir/small": b"t"})
    files = worktree(root)
    return Workload(root, ["add", "-A"], [whole(root)], [files], [old, set(files)], clean=False)


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


def reproducing(server: Server, folder: Path) -> Workload:
    work = running(server, folder)
    run(server, work.template, "run")
    return Reproducing(work.template, ["reproduce", "--record", "two"], [work.refs[-1]], [work.files[-1]])


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


def switching(server: Server, folder: Path) -> Workload:
    root, before, _ = two_branches(server, folder)
    write(root, {"a": b"edited"})
    refs = [whole(root), whole(root) | {"refs/heads/new": before}]
    argv = ["switch", "-q", "-c", "new"]
    files = [before | {"a": b"edited"}]
    rerun = ["switch", "-q", "new"]
    return Workload(root, argv, refs, files, [set(before)], again=(0, 1, 2), rerun=rerun, clean=False)


def restoring(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    before = worktree(root)
    write(root, {"a": b"edited"})
    (root / "gone").unlink()
    return Workload(root, ["restore", "."], [whole(root)], [worktree(root), before], [set(before)])


def unstaging(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    before = set(Reader(root).index())
    change(root)
    run(server, root, "add -A")
    files = worktree(root)
    index = [set(Reader(root).index()), before]
    return Workload(root, ["restore", "--staged", "."], [whole(root)], [files], index, clean=False, least=5)


def removing(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    before = worktree(root)
    after = {path: data for path, data in before.items() if path != "dir/keep"}
    argv = ["rm", "-q", "-r", "dir"]
    return Workload(
        root,
        argv,
        [whole(root)],
        [before, after],
        [set(before), set(after)],
        again=(0, 4),
        clean=False,
        least=4,
    )


def branching(server: Server, folder: Path) -> Workload:
    root = start(server, folder)
    refs = [whole(root), whole(root) | {"refs/heads/new": worktree(root)}]
    return Workload(root, ["branch", "new"], refs, [worktree(root)], again=(0, 1, 2), least=5)


WORKLOADS: dict[str, Callable[[Server, Path], Workload]] = {
    "add": adding,
    "add loose and chunked": adding_large,
    "commit": committing,
    "checkout": checking_out,
    "reset": resetting,
    "switch": switching,
    "restore": restoring,
    "restore --staged": unstaging,
    "rm": removing,
    "branch": branching,
    "run": running,
    "tag": tagging,
    "reproduce": reproducing,
    "gc": collecting,
    "gc --undo": undoing,
    "prune": pruning,
    "repack": repacking,
}


def fresh(workload: Workload) -> Path:
    """A new copy of the repository to start in."""
    root = workload.template.with_name("work")
    if root.exists():
        shutil.rmtree(root)
    shutil.copytree(workload.template, root)
    return root
