"""`mlstore ls-tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore.errors import PathNotFound
from mlstore_cli import output
from mlstore_cli.arguments import tree_of
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option, null_option
from mlstore_cli.views.trees import entry_to_json, format_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlstore.hashing import ObjectId
    from mlstore.model import TreeEntry


@define("ls-tree")
@click.option("-r", "recursive", is_flag=True, help="All files below, not the folders themselves.")
@click.option("-d", "only_folders", is_flag=True, help="Only folders.")
@click.option("-l", "--long", is_flag=True, help="With the sizes of files.")
@click.option("--name-only", is_flag=True, help="Only the names.")
@null_option
@json_option
@click.argument("revision", metavar="REVISION", shell_complete=complete_revisions)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@pass_session
def command(
    session: Session,
    recursive: bool,
    only_folders: bool,
    long: bool,
    name_only: bool,
    null: bool,
    as_json: bool,
    revision: str,
    paths: tuple[str, ...],
) -> None:
    """List the entries of a tree.

    REVISION is a commit, a tag, a tree or REVISION:FOLDER. PATH is counted from that tree; 'folder/' lists
    what is in the folder.
    """
    tree = tree_of(session, revision)
    entries: Iterable[TreeEntry] = _entries(session, tree, paths, recursive)
    if only_folders:
        entries = (entry for entry in entries if entry.kind == "tree")
    if as_json:
        output.emit_json("ls-tree/1", {"tree": tree, "entries": [entry_to_json(entry) for entry in entries]})
        return
    end = "\0" if null else "\n"
    for entry in entries:
        name = entry.name if null else output.quote(entry.name)
        output.write((name if name_only else format_entry(entry, long=long, null=null)) + end)


def _entries(
    session: Session, tree: ObjectId, paths: tuple[str, ...], recursive: bool
) -> Iterator[TreeEntry]:
    from mlstore.repository import find_entry

    objects = session.repo.objects
    if not paths:
        yield from _below(session, tree, "", recursive)
    for path in paths:
        entry = find_entry(objects, tree, path)
        if entry is None:
            raise PathNotFound(
                f"'{path}' is not in the tree", hint="'mlstore ls-tree -r' lists what is", path=path
            )
        if entry.kind == "tree" and (recursive or path.endswith("/")):
            yield from _below(session, entry.id, entry.name + "/" if entry.name else "", recursive)
        else:
            yield entry


def _below(session: Session, tree: ObjectId, prefix: str, recursive: bool) -> Iterator[TreeEntry]:
    from mlstore.model import TreeEntry
    from mlstore.repository import read_snapshot

    objects = session.repo.objects
    entries = read_snapshot(objects, tree).values() if recursive else objects.read_tree(tree).entries
    for entry in entries:
        yield TreeEntry(prefix + entry.name, entry.kind, entry.id, entry.size)
