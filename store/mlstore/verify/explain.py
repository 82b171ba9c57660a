"""Saying what changed inside a file: the keys of a configuration, else the first differing byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mlstore.compare import ABSENT, Difference, diff_values, first_difference, is_keyed, load_values, select
from mlstore.errors import MlstoreError, ObjectNotFound, PathNotFound
from mlstore.hashing import ObjectId
from mlstore.model import TreeEntry
from mlstore.repository import Repository, find_entry
from mlstore.worktree.proven import read_blob

if TYPE_CHECKING:
    from mlstore.compare import Comparison
    from mlstore.gate import Judgement

_SHOWN = 8
_SHOWN_INSIDE = 5
_LONGEST_LINE = 120
_KEYED_LIMIT = 16 << 20
_UNTOLD = "what differs inside cannot be told: its recorded bytes are not here"


class Told(NamedTuple):
    """What is said of a difference: its cause in a line, the first of its details, and all for machines."""

    cause: str
    details: tuple[str, ...]
    comparison: Comparison | None

    def to_dict(self) -> dict[str, Any] | None:
        """Give the comparison for a finding."""
        return self.comparison.to_dict() if self.comparison is not None else None


def explain_file_change(
    old_repo: Repository,
    old_tree: ObjectId,
    new_repo: Repository,
    new_tree: ObjectId,
    path: str,
    key: str | None,
) -> tuple[str, ...]:
    """Say how *path* differs between two trees, as short lines; nothing when that cannot be read.

    With *key* only the values below it are compared.
    """
    try:
        old = find_entry(old_repo.objects, old_tree, path)
        new = find_entry(new_repo.objects, new_tree, path)
    except MlstoreError:
        return ()
    if old is None or new is None:
        return (f"'{path}' is not in the {'first' if old is None else 'second'} of the two",)
    return explain_entries(old_repo, old, new_repo, new, key)


def explain_entries(
    old_repo: Repository, old: TreeEntry, new_repo: Repository, new: TreeEntry, key: str | None = None
) -> tuple[str, ...]:
    """Say how two stored files differ, as short lines."""
    try:
        if _is_readable_by_key(old, new):
            lines = explain_values(read_blob(old_repo, old), read_blob(new_repo, new), old.name, key)
            if lines or key:
                return lines
        found = first_difference(old_repo.objects.stream(old.id), new_repo.objects.stream(new.id))
    except ObjectNotFound:
        return unexplained(old_repo, new_repo)
    except MlstoreError:
        return ()
    return explain_difference(found, old.size, new.size)


def unexplained(*repos: Repository) -> tuple[str, ...]:
    """Say why there is no explanation, where a store was cloned without blobs."""
    if all(repo.filter is None for repo in repos):
        return ()
    return (_UNTOLD,)


def tell(
    judgement: Judgement, old: TreeEntry, new: TreeEntry, where: Callable[[], Difference | None]
) -> Told:
    """Say what a judgement found: a cause in one line, and the first differences; capped.

    *where* finds the first differing byte: asked for where bytes are what a person has to look at.
    """
    found = judgement.comparison
    if found is None or found.comparator == "bytes":
        lines = _bytes_lines(old, new, where)
        return Told(judgement.text if judgement.rule else "; ".join(lines), lines, found)
    if found.verdict == "incomplete":
        lines = _bytes_lines(old, new, where)
        return Told(judgement.text if judgement.rule else "; ".join(lines), (*lines, found.summary), found)
    most = _SHOWN if found.comparator == "configuration" else _SHOWN_INSIDE
    shown = [_short(str(detail)) for detail in found.details[:most]]
    more = found.omitted + len(found.details) - len(shown)
    if more > 0:
        shown.append(f"and {more} more")
    shown += [f"not looked at: {what}" for what in found.missing[:_SHOWN]]
    if found.comparator == "configuration" and found.details and judgement.rule is None:
        return Told("; ".join(shown), tuple(shown), found)
    if found.comparator != "configuration":
        shown += _bytes_lines(old, new, where)
    cause = judgement.text if judgement.rule else found.summary
    if found.verdict == "equivalent" and judgement.rule is None:
        cause = f"only its encoding differs: {found.summary}"
    return Told(cause, tuple(shown), found)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."


def _bytes_lines(old: TreeEntry, new: TreeEntry, where: Callable[[], Difference | None]) -> tuple[str, ...]:
    try:
        return explain_difference(where(), old.size, new.size)
    except ObjectNotFound:
        return (_UNTOLD,)
    except MlstoreError:
        return ()


def _is_readable_by_key(old: TreeEntry, new: TreeEntry) -> bool:
    return is_keyed(old.name) and max(old.size, new.size) <= _KEYED_LIMIT


def explain_values(old: bytes, new: bytes, name: str, key: str | None) -> tuple[str, ...]:
    """Say which keys of two versions of a configuration differ; nothing when one cannot be read."""
    try:
        before, after = load_values(old, name), load_values(new, name)
    except MlstoreError:
        return ()
    changes = diff_values(_at(before, key), _at(after, key), key or "")
    lines = [str(change) for change in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        lines.append(f"and {len(changes) - _SHOWN} more keys")
    return tuple(lines)


def _at(values: dict[str, Any], key: str | None) -> Any:
    if key is None:
        return values
    try:
        return select(values, key)
    except PathNotFound:
        return ABSENT


def explain_difference(found: Difference | None, old_size: int, new_size: int) -> tuple[str, ...]:
    """Say where bytes differ first, and how the size changed."""
    lines = []
    if found is not None and found.old is not None and found.new is not None:
        lines.append(f"first differing byte at offset {found.offset}: 0x{found.old:02x} -> 0x{found.new:02x}")
    elif found is not None:
        which = "ends" if found.new is None else "goes on"
        lines.append(f"equal up to offset {found.offset}, where it {which}")
    if old_size != new_size:
        lines.append(f"size {old_size} -> {new_size} bytes")
    return tuple(lines)
