"""One recorded command, run once in a scratch folder."""

from __future__ import annotations

import re
import stat
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlstore.errors import MlstoreError, StageFailed
from mlstore.history import Block
from mlstore.pipeline.command import Commands, Completed, Output, Stopped, signal_name
from mlstore.pipeline.inputs import is_bytecode
from mlstore.pipeline.reproduction.result import Failure
from mlstore.pipeline.reproduction.scratch import Scratch
from mlstore.repository import Repository, read_snapshot
from mlstore.worktree import scan

_TAIL = 4096
_SHOWN = 5
_MODULE = re.compile(r"No module named '?([A-Za-z0-9_.]{1,200})'?")


@dataclass(frozen=True, slots=True)
class Rerun:
    """A command that has ended: ``files`` are the regular files that lie in the scratch folder, by path."""

    scratch: Scratch
    duration_ms: int
    files: frozenset[str]
    failure: Failure | None = None


def rerun(
    repo: Repository,
    block: Block,
    scratch: Scratch,
    environ: Mapping[str, str],
    *,
    inputs: Iterable[str],
    output: Output,
    timeout: float | None,
) -> Rerun:
    """Run the command of *block*, for at most *timeout* seconds; nothing that it started is left behind."""
    commands = Commands(scratch.work, environ, sweep=True)
    clock = threading.Timer(timeout, commands.stop) if timeout is not None else None
    hint = _Hint(repo, block, tuple(inputs))
    try:
        if clock is not None:
            clock.daemon = True
            clock.start()
        done = commands.run(block.name, block.stage.command, output)
    except Stopped:
        return Rerun(scratch, round((timeout or 0) * 1000), frozenset(), _timed_out(timeout))
    except StageFailed as exc:
        failure = Failure(exc.message, hint.about(exc.message), exc.data["status"])
        return Rerun(scratch, 0, frozenset(), failure)
    finally:
        if clock is not None:
            clock.cancel()
    if done.status != 0:
        return Rerun(scratch, done.duration_ms, frozenset(), _failed(done, hint))
    return Rerun(scratch, done.duration_ms, _regular(scratch))


def _regular(scratch: Scratch) -> frozenset[str]:
    return frozenset(
        path
        for path, status in scratch.files().items()
        if stat.S_ISREG(status.st_mode) and not is_bytecode(path)
    )


def _timed_out(timeout: float | None) -> Failure:
    return Failure(
        f"its command was ended: it took longer than {timeout:g} s",
        "give it more time with --timeout, or none to wait for ever",
        None,
    )


def _failed(done: Completed, hint: _Hint) -> Failure:
    how = (
        f"ended with status {done.status}"
        if done.status > 0
        else f"was killed by {signal_name(-done.status)}"
    )
    tail = done.log[-_TAIL:]
    return Failure(f"its command {how}", hint.about(tail.decode("utf-8", "replace")), done.status, tail)


@dataclass(frozen=True, slots=True)
class _Hint:
    """Says which inputs there were, and which file the command may have missed."""

    repo: Repository
    block: Block
    inputs: tuple[str, ...]

    def about(self, text: str) -> str:
        had = _listed(sorted(self.inputs)) if self.inputs else "no file at all"
        name = self.block.name
        rest = (
            f"the command had {had}; 'mlstore run --observe {name}' tells what it reads that is not declared"
        )
        missed = self._missed(text)
        if missed:
            return f"'{missed[0]}' is no recorded input of stage '{name}': declare it in mlstore.toml; {rest}"
        return rest

    def _missed(self, text: str) -> list[str]:
        """Give files that the command may have looked for: it prints their names, or modules'."""
        words = set(re.split(r"[\s'\"`:,()]+", text)) | set(self.block.stage.command)
        words |= {word for part in self.block.stage.command for word in part.split()}
        names = {word.removeprefix("./").rpartition("/work/")[2] for word in words}
        for module in _MODULE.findall(text):
            path = module.replace(".", "/")
            names |= {f"{path}.py", f"{path}/__init__.py", f"{path.partition('/')[0]}/__init__.py"}
        return sorted(path for path in self._known() - set(self.inputs) if path in names)

    def _known(self) -> set[str]:
        known = set(read_snapshot(self.repo.objects, self.block.commit.tree))
        try:
            known |= scan(self.repo, ignored=True).files.keys()
        except (MlstoreError, OSError):  # the hint is no reason to fail
            return known
        return known - set(self.block.stage.outputs)


def _listed(paths: list[str]) -> str:
    names = ", ".join(f"'{path}'" for path in paths[:_SHOWN])
    return names + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
