"""Changes with their content: reads both sides, hands them to the views, writes what comes back."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mlstore_cli import output
from mlstore_cli.views import changes as view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlstore.compare import Comparison
    from mlstore.hashing import ObjectId
    from mlstore.model import Commit
    from mlstore.repository import Change, Repository
    from mlstore_cli.context import Session

F = TypeVar("F", bound="Callable[..., Any]")


class Detail(enum.StrEnum):
    """How much of the changes to show."""

    NONE = "none"
    PATCH = "patch"
    STAT = "stat"
    NAMES = "names"
    LETTERS = "letters"


def _to_detail(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Detail | None:
    return None if value is None else Detail(value)


def detail_options(function: F) -> F:
    """Add `-p`, `--stat`, `--name-only` and `--name-status`; the function receives `detail`, None without."""
    flags = (
        (["-p", "--patch"], Detail.PATCH, "Show the changed lines."),
        (["--stat"], Detail.STAT, "Show how many lines of each file changed."),
        (["--name-only"], Detail.NAMES, "Show the names of changed files."),
        (["--name-status"], Detail.LETTERS, "Show the names, with A, D or M."),
    )
    for names, value, text in reversed(flags):
        add = click.option(*names, "detail", flag_value=value.value, callback=_to_detail, help=text)
        function = add(function)
    return function


@dataclass(frozen=True, slots=True)
class Contents:
    """Where the two sides of a change are read; the new side of a local change is in the worktree."""

    session: Session
    worktree: bool = False
    semantic: bool | None = None
    """Whether to compare by meaning: True all files, False none, None those that cannot be shown as text."""

    def read(self, change: Change) -> tuple[bytes, bytes] | None:
        """Return both sides, empty where there is no file; None when one is no text or too large for it."""
        from mlstore.compare import is_binary
        from mlstore.compare.text import TEXT_LIMIT
        from mlstore.worktree import read_file

        repo = self.session.repo
        if any(side is not None and side.size > TEXT_LIMIT for side in (change.old, change.new)):
            return None
        old = repo.objects.read(change.old.id) if change.old is not None else b""
        if change.new is None:
            new = b""
        else:
            new = read_file(repo, change.path) if self.worktree else repo.objects.read(change.new.id)
        return None if is_binary(old) or is_binary(new) else (old, new)

    def compare(self, change: Change) -> Comparison | None:
        """Compare both sides by meaning, if that was asked for or is what there is to show."""
        from mlstore_cli.comparing import compare_sides

        if self.semantic is False or change.old is None or change.new is None or change.status == "mode":
            return None
        return compare_sides(self.session, change, worktree=self.worktree, asked=bool(self.semantic))

    def count(self, change: Change) -> view.FileStat:
        """Count the changed lines of one file."""
        from mlstore.compare import count_lines

        sides = self.read(change)
        added, deleted = count_lines(*sides) if sides is not None else (None, None)
        return view.FileStat(change, added, deleted)


_WHOLE: Final = 16 << 20


def read_blob(repo: Repository, object_id: ObjectId) -> Iterator[bytes]:
    """Return the bytes of a blob for stdout.

    A blob of moderate size is verified before its first byte is passed on. A larger one is streamed: when it
    turns out corrupt at its end, CorruptObject is raised after bytes were written, and the exit status tells.
    """
    if repo.objects.size(object_id) <= _WHOLE:
        yield repo.objects.read(object_id)
        return
    for chunk in repo.objects.stream(object_id):
        yield bytes(chunk)


def names_of(session: Session) -> dict[ObjectId, list[str]]:
    """Return the short names of branches and tags that point to each commit."""
    from mlstore.history import describe_refs
    from mlstore_cli.views.commits import decorations

    refs = {name: commit for commit, names in describe_refs(session.repo).items() for name in names}
    return decorations(refs, session.repo.refs.head())


def changes_of(session: Session, commit: Commit, paths: Sequence[str] = ()) -> list[Change]:
    """Return what a commit changed against its first parent, at or below `paths`."""
    from mlstore.repository import diff_trees

    objects = session.repo.objects
    parent = objects.read_commit(commit.parents[0]).tree if commit.parents else None
    return only_below(diff_trees(objects, parent, commit.tree), paths)


def only_below(changes: Sequence[Change], paths: Sequence[str]) -> list[Change]:
    """Return the changes at or below `paths`; all of them when none is given."""
    from mlstore.worktree.status import is_below

    return [change for change in changes if is_below(change.path, list(paths) or None)]


def iter_lines(
    contents: Contents, changes: Sequence[Change], detail: Detail, null: bool = False
) -> Iterator[bytes]:
    """Return the output for `changes`, ready for stdout."""
    style = contents.session.style
    match detail:
        case Detail.NAMES | Detail.LETTERS:
            yield view.format_names(changes, letters=detail is Detail.LETTERS, null=null).encode(
                "utf-8", "surrogateescape"
            )
        case Detail.STAT:
            for line in view.format_stat([contents.count(change) for change in changes], style):
                yield line.encode() + b"\n"
        case Detail.PATCH:
            for change in changes:
                yield from _patch(contents, change, style)
        case Detail.NONE:
            pass


def _patch(contents: Contents, change: Change, style: output.Style) -> Iterator[bytes]:
    from mlstore.compare import text_hunks

    for line in view.format_header(change, style):
        yield line.encode() + b"\n"
    if change.status == "mode":
        return
    sides = None if contents.semantic else contents.read(change)
    if sides is None:
        found = contents.compare(change)
        if found is None or not contents.semantic:
            yield view.format_binary(change).encode() + b"\n"
        if found is not None:
            for line in view.format_comparison(found, style):
                yield line.encode("utf-8", "backslashreplace") + b"\n"
        return
    hunks = text_hunks(*sides)
    if hunks:
        for line in view.format_file_names(change, style):
            yield line.encode() + b"\n"
    for hunk in hunks:
        yield from view.format_hunk(hunk, style, escaped=contents.session.is_terminal)


def to_json(contents: Contents, changes: Sequence[Change], detail: Detail) -> list[dict[str, Any]]:
    """Return the changes for JSON; with statistics also the numbers of lines, null where it is not text."""
    rows = [view.change_to_json(change) for change in changes]
    if detail is Detail.STAT:
        for row, change in zip(rows, changes, strict=True):
            stat = contents.count(change)
            row["lines_added"], row["lines_deleted"] = stat.added, stat.deleted
    if contents.semantic:
        for row, change in zip(rows, changes, strict=True):
            found = contents.compare(change)
            row["comparison"] = found.to_dict() if found is not None else None
    return rows
