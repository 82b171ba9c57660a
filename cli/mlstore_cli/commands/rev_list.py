"""`mlstore rev-list`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from mlstore_cli import output
from mlstore_cli.arguments import range_of, split_revisions
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlstore.hashing import ObjectId


@define("rev-list", dashes=True, numbers=True)
@click.option("-n", "--max-count", "limit", type=click.IntRange(min=0), help="At most so many commits.")
@click.option("--count", is_flag=True, help="Print how many there are.")
@click.option("--all", "everything", is_flag=True, help="From all branches and tags.")
@click.option("--first-parent", is_flag=True, help="Follow only the first parent of merges.")
@click.option("--reverse", is_flag=True, help="Oldest first.")
@json_option
@click.argument("words", nargs=-1, metavar="REVISION... [--] [PATH]...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    limit: int | None,
    count: bool,
    everything: bool,
    first_parent: bool,
    reverse: bool,
    as_json: bool,
    words: tuple[str, ...],
    after_dashes: tuple[str, ...] | None,
) -> None:
    """List the ids of commits.

    All that can be reached from the revisions, newest first and never a commit before those that build on it.
    A..B leaves out what can be reached from A, as ^A does.
    """
    from mlstore.history import walk

    revisions, paths = split_revisions(session, words, after_dashes)
    if not revisions and not everything:
        raise click.UsageError("missing argument 'REVISION'", click.get_current_context())
    found = range_of(session, revisions, everything=everything)
    commits = walk(session.repo, found.include, found.exclude, paths=paths, first_parent=first_parent)
    ids: Iterable[ObjectId] = (commit_id for commit_id, _ in islice(commits, limit))
    if reverse:
        ids = reversed(list(ids))
    if as_json:
        listed = list(ids)
        output.emit_json("rev-list/1", {"count": len(listed), "commits": listed})
    elif count:
        output.write_line(str(sum(1 for _ in ids)))
    else:
        output.write_lines(ids)
