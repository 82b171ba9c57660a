"""What was seen of a stage, whoever saw it, and what that means for its declaration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mlstore.index import StatResult
from mlstore.manifest import StageSpec
from mlstore.repository import STORE_NAME

How: TypeAlias = Literal["audit", "strace"]

_SHOWN = 5
_BYTECODE = re.compile(r"(.*/)?__pycache__/([^/]+?)\.[A-Za-z]+-[0-9]+(\.opt-[12])?\.pyc\Z")
_PYTHON = re.compile(r"(python|pypy)[0-9.]*\Z")
_METADATA = (".dist-info", ".egg-info")


@dataclass(slots=True)
class Events:
    """Paths below the repository, as they were opened; ``processes`` is how many were watched.

    ``programs`` are what watched processes started, by name.
    """

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a stage did beside what it declares.

    ``reads`` are files that it read and does not declare, ``writes`` files that it wrote or removed and that
    are none of its outputs, ``unread`` inputs that it was not seen to read. ``blind`` names programs that ran
    and could not be watched. With ``processes`` 0 nothing was seen at all.
    """

    stage: str
    how: How
    processes: int
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether something was watched and kept to the declaration."""
        return self.processes > 0 and not self.reads and not self.writes

    def warnings(self) -> Iterator[str]:
        """Tell what is against the declaration, or that nobody can say."""
        if self.processes == 0:
            yield (
                f"stage '{self.stage}' could not be observed: no Python process of it let itself be watched;"
                " '--observe=strace' sees other programs too"
            )
        if self.reads:
            yield f"stage '{self.stage}' read {_listed(self.reads)}: not declared as input"
        if self.writes:
            yield f"stage '{self.stage}' wrote or removed {_listed(self.writes)}: not declared as output"

    def remarks(self) -> Iterator[str]:
        """Tell what may be worth a look, and what was not looked at."""
        if self.unread and self.processes:
            yield f"stage '{self.stage}' was not seen to read {_listed(self.unread)}"
        if self.blind:
            yield f"stage '{self.stage}' ran {_listed(self.blind)}: what other programs open is not seen"

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return {
            "how": self.how,
            "processes": self.processes,
            "undeclared_reads": list(self.reads),
            "undeclared_writes": list(self.writes),
            "unread_inputs": list(self.unread),
            "not_watched": list(self.blind),
        }


def stat_signature(status: StatResult) -> tuple[int, ...]:
    """Give what changes whenever a file is written."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def judge_events(
    events: Events,
    stage: StageSpec,
    how: How,
    *,
    root: str,
    inputs: Iterable[str],
    before: Mapping[str, tuple[int, ...]],
) -> Seen:
    """Hold what was seen below *root* against the declaration of *stage*.

    *inputs* are the files that it declares and that were there, *before* is what lay there when it began,
    each with its ``stat_signature``.
    """

    def there(path: str) -> bool:
        return os.path.isfile(os.path.join(root, path))

    def now(path: str) -> tuple[int, ...]:
        return stat_signature(os.lstat(os.path.join(root, path)))

    def counts(path: str) -> bool:
        return not stage.writes(path) and not _is_noise(path, root)

    reads = {_source_of(path, root) for path in events.reads}
    # What was opened for writing may have been left as it was: databases are.
    changed = {path for path in events.writes if there(path) and before.get(path) != now(path)}
    changed |= {path for path in events.removed if path in before and not there(path)}
    own = {path for path in events.writes if path not in before}
    return Seen(
        stage=stage.name,
        how=how,
        processes=events.processes,
        reads=tuple(
            sorted(
                path
                for path in reads - own
                if counts(path) and not stage.reads(path) and (there(path) or path in before)
            )
        ),
        writes=tuple(sorted(path for path in changed if counts(path))),
        unread=tuple(sorted(set(inputs) - reads)),
        blind=tuple(sorted(name for name in events.programs if not _PYTHON.match(name))),
    )


def _source_of(path: str, root: str) -> str:
    """Give the source whose cached bytecode *path* is: Python does not open a source that has not changed."""
    found = _BYTECODE.match(path)
    if found is None:
        return path
    source = f"{found[1] or ''}{found[2]}.py"
    return source if os.path.isfile(os.path.join(root, source)) else path


def _is_noise(path: str, root: str) -> bool:
    """Whether *path* belongs to tools: git, mlstore, bytecode, package metadata, a virtual environment."""
    folders = path.split("/")[:-1]
    for depth, name in enumerate(folders, 1):
        if name in (".git", STORE_NAME, "__pycache__") or name.endswith(_METADATA):
            return True
        if os.path.isfile(os.path.join(root, *folders[:depth], "pyvenv.cfg")):
            return True
    return False


def _listed(names: tuple[str, ...]) -> str:
    text = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return text + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
