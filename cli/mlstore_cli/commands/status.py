"""`mlstore status`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option, null_option


@define("status")
@click.option("-s", "--short", is_flag=True, help="Two letters and the path: index, then worktree.")
@click.option("-b", "--branch", is_flag=True, help="The branch as well, in the short forms.")
@click.option("--porcelain", is_flag=True, help="The short form for programs: it never changes.")
@click.option("--long", is_flag=True, help="The long form, which is the default.")
@click.option(
    "-u",
    "--untracked-files",
    "untracked",
    type=click.Choice(["normal", "all", "no"]),
    default="normal",
    help="Which untracked files to list; normal shows a new folder once.",
)
@null_option
@json_option
@pass_session
def command(
    session: Session,
    short: bool,
    branch: bool,
    porcelain: bool,
    long: bool,
    untracked: str,
    null: bool,
    as_json: bool,
) -> None:
    """Show what changed since the last commit.

    Compares HEAD with the index, and the index with the worktree. Files whose stat data did not change are
    not read.
    """
    from mlstore.worktree import status
    from mlstore_cli.views import status as view

    with session.progress("scanning"):
        found = status(session.repo, untracked=untracked)
    if as_json:
        output.emit_json("status/1", view.to_json(found))
    elif porcelain or null:
        output.write(view.format_porcelain(found, null, branch))
    elif short and not long:
        output.write_lines(view.format_short(found, session.shown, session.style, branch))
    else:
        output.write_lines(view.format_long(found, session.shown, session.style))
