"""Changes between two snapshots: names, letters, statistics, hunks as git prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlstore_cli.output import Style, escape, quote
from mlstore_cli.views.commits import short
from mlstore_cli.views.trees import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mlstore.compare import Comparison, Hunk
    from mlstore.model import TreeEntry
    from mlstore.repository import Change

LETTERS: Final = {"added": "A", "deleted": "D", "modified": "M", "mode": "M"}
"""The letter of each status, as in `diff --name-status`."""

_WIDTH: Final = 80
_LONGEST_BAR: Final = 40


def format_names(changes: Iterable[Change], *, letters: bool, null: bool) -> str:
    """Return one path a line, or with `letters` `M<tab>path`; with `null` NUL stands for tab and line end."""
    gap, end = ("\0", "\0") if null else ("\t", "\n")
    rows = ((LETTERS[change.status] + gap if letters else "", change.path) for change in changes)
    return "".join(letter + (path if null else quote(path)) + end for letter, path in rows)


def summarise(changes: Sequence[Change]) -> str:
    """Return ` 3 files changed (1 added, 2 modified)`, from the names alone."""
    counts: dict[str, int] = {}
    for change in changes:
        word = "modified" if change.status == "mode" else change.status
        counts[word] = counts.get(word, 0) + 1
    parts = [f"{counts[word]} {word}" for word in ("added", "modified", "deleted") if word in counts]
    return f" {_files(len(changes))} changed" + (f" ({', '.join(parts)})" if parts else "")


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


class FileStat(NamedTuple):
    """How much of one file changed: lines added and deleted, or None for both when it is not text."""

    change: Change
    added: int | None
    deleted: int | None


def format_stat(stats: Sequence[FileStat], style: Style) -> list[str]:
    """Return git's table of changed lines, fitted to 80 columns, with its summary."""
    if not stats:
        return []
    names = [_shorten(quote(stat.change.path), 50) for stat in stats]
    width = max(map(len, names))
    totals = [(stat.added or 0) + (stat.deleted or 0) for stat in stats]
    digits = len(str(max(totals)))
    room = max(8, min(_LONGEST_BAR, _WIDTH - width - digits - 6))
    scale = min(1.0, room / max(1, *totals))
    rows = [
        f" {name:<{width}} | {_describe(stat, digits, scale, style)}"
        for name, stat in zip(names, stats, strict=True)
    ]
    return [*rows, _total(stats)]


def _describe(stat: FileStat, digits: int, scale: float, style: Style) -> str:
    if stat.added is None or stat.deleted is None:
        return f"{'Bin':<{digits}} {_sizes(stat.change)}"
    plus, minus = (max(1, round(n * scale)) if n else 0 for n in (stat.added, stat.deleted))
    bar = style.green("+" * plus) + style.red("-" * minus)
    return f"{stat.added + stat.deleted:>{digits}} {bar}".rstrip()


def _sizes(change: Change) -> str:
    return f"{change.old.size if change.old else 0} -> {change.new.size if change.new else 0} bytes"


def _shorten(name: str, width: int) -> str:
    return name if len(name) <= width else "..." + name[3 - width :]


def _total(stats: Sequence[FileStat]) -> str:
    added = sum(stat.added or 0 for stat in stats)
    deleted = sum(stat.deleted or 0 for stat in stats)
    text = f" {_files(len(stats))} changed"
    if added or not deleted:
        text += f", {added} insertion{'' if added == 1 else 's'}(+)"
    if deleted or not added:
        text += f", {deleted} deletion{'' if deleted == 1 else 's'}(-)"
    return text


def format_header(change: Change, style: Style) -> list[str]:
    """Return the lines that begin the diff of one file: `diff --git`, modes, ids."""
    old, new = change.old, change.new
    lines = [f"diff --git {quote('a/' + change.path)} {quote('b/' + change.path)}"]
    if old is None and new is not None:
        lines.append(f"new file mode {MODES[new.kind]}")
    elif new is None and old is not None:
        lines.append(f"deleted file mode {MODES[old.kind]}")
    elif old is not None and new is not None and old.kind != new.kind:
        lines += [f"old mode {MODES[old.kind]}", f"new mode {MODES[new.kind]}"]
    if change.status != "mode":
        same = f" {MODES[old.kind]}" if old is not None and new is not None and old.kind == new.kind else ""
        lines.append(f"index {_id(old)}..{_id(new)}{same}")
    return [style.bold(line) for line in lines]


def _id(entry: TreeEntry | None) -> str:
    return short(entry.id) if entry is not None else "0" * 10


def format_file_names(change: Change, style: Style) -> Iterator[str]:
    """Return the `---` and `+++` lines."""
    yield style.bold("--- " + (quote("a/" + change.path) if change.old is not None else "/dev/null"))
    yield style.bold("+++ " + (quote("b/" + change.path) if change.new is not None else "/dev/null"))


def format_hunk(hunk: Hunk, style: Style, *, escaped: bool) -> Iterator[bytes]:
    """Return a hunk's lines.

    Content is passed on byte for byte, so that the output is a patch; `escaped`, for a terminal, makes it
    harmless.
    """
    head = f"@@ -{_span(hunk.old_start, hunk.old_count)} +{_span(hunk.new_start, hunk.new_count)} @@"
    yield style.cyan(head).encode() + b"\n"
    paint: dict[str, Callable[[str], str]] = {"+": style.green, "-": style.red, " ": str}
    for sign, line in hunk.lines:
        text = line.removesuffix(b"\n").decode("utf-8", "surrogateescape")
        shown = sign + ("\t".join(map(escape, text.split("\t"))) if escaped else text)
        yield paint[sign](shown).encode("utf-8", "surrogateescape") + b"\n"
        if not line.endswith(b"\n"):
            yield b"\\ No newline at end of file\n"


def _span(start: int, count: int) -> str:
    return str(start) if count == 1 else f"{start},{count}"


def format_binary(change: Change) -> str:
    """Return the one line that stands for a file which is not text, or too large to show."""
    old = quote("a/" + change.path) if change.old is not None else "/dev/null"
    new = quote("b/" + change.path) if change.new is not None else "/dev/null"
    return f"Binary files {old} and {new} differ ({_sizes(change)})"


def format_comparison(found: Comparison, style: Style) -> Iterator[str]:
    """Return what differs by meaning: the verdict with its summary, and the details below it."""
    paint: dict[str, Callable[[str], str]] = {"added": style.green, "removed": style.red}
    yield f"{style.bold(f'{found.comparator} {found.verdict}:')} {escape(found.summary)}"
    for detail in found.details:
        yield "  " + paint.get(detail.kind, str)(escape(str(detail)))
    if found.omitted:
        yield f"  and {found.omitted} more"
    for what in found.missing:
        yield f"  not looked at: {escape(what)}"


def change_to_json(change: Change) -> dict[str, Any]:
    """Return a change for JSON."""
    return {
        "path": change.path,
        "status": change.status,
        "old": _entry_to_json(change.old),
        "new": _entry_to_json(change.new),
    }


def _entry_to_json(entry: TreeEntry | None) -> dict[str, Any] | None:
    return None if entry is None else {"id": entry.id, "kind": entry.kind, "size": entry.size}
