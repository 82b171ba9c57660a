"""What `status` prints: git's long form, its two-letter forms, and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlstore_cli.output import Style, escape, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlstore.refs import Head
    from mlstore.repository import Change
    from mlstore.worktree import Status

_WORDS: Final = {"added": "new file:", "deleted": "deleted:", "modified": "modified:", "mode": "mode:"}


def format_long(status: Status, relative: Callable[[str], str], style: Style) -> list[str]:
    """Return the long form; `relative` turns a repository path into the one to show."""
    lines = [_describe_head(status.head, style)]
    if status.head.commit is None:
        lines += ["", "No commits yet"]
    if status.staged:
        lines += ["", "Changes to be committed:", f'  (use "{_unstage(status)}" to unstage)']
        lines += [style.green(line) for line in _list_changes(status.staged, relative)]
    if status.unstaged:
        lines += ["", "Changes not staged for commit:"]
        lines.append('  (use "mlstore add <file>..." to update what will be committed)')
        lines.append('  (use "mlstore restore <file>..." to discard changes in the worktree)')
        lines += [style.red(line) for line in _list_changes(status.unstaged, relative)]
    if status.untracked:
        lines += ["", "Untracked files:"]
        lines.append('  (use "mlstore add <file>..." to include in what will be committed)')
        lines += [
            style.red(f"\t{quote(relative(path))}") + _remark(status.special.get(path))
            for path in status.untracked
        ]
    summary = _summarise(status)
    return [*lines, *([] if summary is None else ["", summary])]


def _describe_head(head: Head, style: Style) -> str:
    if head.branch is not None:
        return f"On branch {escape(head.branch)}"
    from mlstore_cli.views.commits import short

    return f"{style.red('HEAD detached at')} {short(head.commit or '')}"


def _unstage(status: Status) -> str:
    return "mlstore restore --staged <file>..." if status.head.commit else "mlstore rm --cached <file>..."


def _list_changes(changes: Sequence[Change], relative: Callable[[str], str]) -> list[str]:
    return [f"\t{_WORDS[change.status]:<12}{quote(relative(change.path))}" for change in changes]


def _remark(special: str | None) -> str:
    return "" if special is None else f"  ({special}: cannot be tracked)"


def _summarise(status: Status) -> str | None:
    if status.staged:
        return None
    if status.unstaged:
        return 'no changes added to commit (use "mlstore add" and/or "mlstore commit -a")'
    if status.untracked:
        return 'nothing added to commit but untracked files present (use "mlstore add" to track)'
    if status.head.commit is None:
        return 'nothing to commit (create files and use "mlstore add" to track)'
    return "nothing to commit, worktree clean"


def two_letters(status: Status) -> list[tuple[str, str]]:
    """Return (XY, path) for every change, tracked paths first, each part sorted by path."""
    from mlstore_cli.views.changes import LETTERS

    staged = {change.path: LETTERS[change.status] for change in status.staged}
    unstaged = {change.path: LETTERS[change.status] for change in status.unstaged}
    tracked = [
        (staged.get(path, " ") + unstaged.get(path, " "), path) for path in sorted({*staged, *unstaged})
    ]
    return [*tracked, *(("??", path) for path in status.untracked)]


def format_short(status: Status, relative: Callable[[str], str], style: Style, branch: bool) -> list[str]:
    """Return `XY path` for people, in colour."""
    lines = [_branch_line(status.head)] if branch else []
    for letters, path in two_letters(status):
        left, right = (style.red("?"), style.red("?")) if letters == "??" else _paint(letters, style)
        lines.append(f"{left}{right} {quote(relative(path))}")
    return lines


def _paint(letters: str, style: Style) -> tuple[str, str]:
    left, right = letters[0], letters[1]
    return (left if left == " " else style.green(left)), (right if right == " " else style.red(right))


def format_porcelain(status: Status, null: bool, branch: bool) -> str:
    """Return `XY path` for programs: paths from the root; `null` ends records in NUL, unquoted."""
    end = "\0" if null else "\n"
    lines = [_branch_line(status.head)] if branch else []
    lines += [f"{letters} {path if null else quote(path)}" for letters, path in two_letters(status)]
    return "".join(line + end for line in lines)


def _branch_line(head: Head) -> str:
    if head.branch is None:
        return "## HEAD (no branch)"
    return f"## {escape(head.branch)}" if head.commit else f"## No commits yet on {escape(head.branch)}"


def to_json(status: Status) -> dict[str, Any]:
    """Return what `status --json` prints."""
    return {
        "branch": status.head.branch,
        "commit": status.head.commit,
        "clean": not (status.staged or status.unstaged or status.untracked),
        "staged": [{"path": change.path, "status": change.status} for change in status.staged],
        "unstaged": [{"path": change.path, "status": change.status} for change in status.unstaged],
        "untracked": list(status.untracked),
    }
