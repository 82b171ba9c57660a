"""Trees as `ls-tree`, `show` and `cat-file` print them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlstore_cli.output import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlstore.model import TreeEntry

MODES: Final = {"file": "100644", "executable": "100755", "tree": "040000"}
"""How git writes the kinds of entries."""


def format_entry(entry: TreeEntry, *, long: bool = False, null: bool = False) -> str:
    """Return `100644 blob <id><tab>name`, with the size before the tab in the long form."""
    kind = "tree" if entry.kind == "tree" else "blob"
    size = f" {'-' if kind == 'tree' else entry.size:>10}" if long else ""
    return f"{MODES[entry.kind]} {kind} {entry.id}{size}\t{entry.name if null else quote(entry.name)}"


def format_listing(entries: Iterable[TreeEntry]) -> list[str]:
    """Return the names alone, folders with a slash, as `show` lists a tree."""
    return [quote(entry.name) + ("/" if entry.kind == "tree" else "") for entry in entries]


def entry_to_json(entry: TreeEntry) -> dict[str, Any]:
    """Return an entry for JSON."""
    return {"path": entry.name, "kind": entry.kind, "id": entry.id, "size": entry.size}
