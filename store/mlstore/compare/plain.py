"""Text: a unified diff; line ends and a byte order mark are encoding, not content."""

from __future__ import annotations

from mlstore.compare import opaque
from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict, plural
from mlstore.compare.text import TEXT_LIMIT, is_binary, text_hunks

NAME = "text"


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two texts line by line. Measures: ``lines_added``, ``lines_removed``."""
    if max(old.size, new.size) > min(TEXT_LIMIT, settings.memory):
        found = opaque.compare(old, new, settings)
        return found.with_missing("lines: the text is too large to be compared line by line")
    before, after = (b"".join(side.pieces()) for side in (old, new))
    if is_binary(before) or is_binary(after):
        return opaque.compare(old, new, settings)
    return compare_texts(before, after, settings, NAME)


def compare_texts(before: bytes, after: bytes, settings: Settings, name: str, prefix: str = "") -> Comparison:
    """Compare two texts in memory; *prefix* goes before the number of each line."""
    one, other = _plain(before), _plain(after)
    if one == other:
        return Comparison(name, Verdict.EQUIVALENT, "the same text, other line ends or byte order mark")
    details = Details(settings)
    added = removed = 0
    for hunk in text_hunks(one, other, context=0):
        old_line, new_line = hunk.old_start, hunk.new_start
        for sign, line in hunk.lines:
            text = line.rstrip(b"\n").decode("utf-8", "backslashreplace")
            if sign == "-":
                details.add("removed", f"{prefix}line {old_line}", old=text)
                old_line, removed = old_line + 1, removed + 1
            else:
                details.add("added", f"{prefix}line {new_line}", new=text)
                new_line, added = new_line + 1, added + 1
    summary = f"{plural(added, 'line')} added, {plural(removed, 'line')} removed"
    measures = {"lines_added": added, "lines_removed": removed}
    return Comparison(name, Verdict.DIFFERENT, summary, details.rows, details.omitted, measures)


def _plain(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
