"""Branches, tags and reflogs as text."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from mlstore_cli.output import Style, escape
from mlstore_cli.views.commits import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlstore.hashing import ObjectId
    from mlstore.refs import Head, ReflogEntry

T = TypeVar("T")


def select(found: Mapping[str, T], patterns: Sequence[str]) -> dict[str, T]:
    """Return the names that match one of `patterns` (shell wildcards); all when there is none."""
    return {
        name: value
        for name, value in found.items()
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def format_branches(
    branches: Mapping[str, ObjectId], head: Head, subjects: Mapping[str, str], style: Style
) -> list[str]:
    """Return `* main` for the current branch, `  other` for the rest; `subjects` adds id and subject."""
    lines = []
    if head.branch is None and head.commit is not None:
        lines.append("* " + style.green(f"(HEAD detached at {short(head.commit)})"))
    width = max((len(escape(name)) for name in branches), default=0)
    for name, commit in branches.items():
        shown = escape(name)
        current = name == head.branch
        mark = "* " if current else "  "
        more = " " * (width - len(shown)) + f" {short(commit)} {escape(subjects[name])}" if subjects else ""
        lines.append(mark + (style.green(shown) if current else shown) + more)
    return lines


def format_reflog(entries: Iterable[ReflogEntry], name: str, style: Style) -> list[str]:
    """Return `1a2b3c4d5e HEAD@{0}: commit: message`, newest first."""
    return [
        f"{style.yellow(short(entry.new or '0' * 64))} {escape(name)}@{{{number}}}: {escape(entry.message)}"
        for number, entry in enumerate(entries)
    ]


def reflog_to_json(entry: ReflogEntry) -> dict[str, Any]:
    """Return a reflog entry for JSON; `old` and `new` are null where the ref did not exist."""
    return {
        "old": entry.old,
        "new": entry.new,
        "time": entry.time,
        "who": entry.who,
        "message": entry.message,
    }
