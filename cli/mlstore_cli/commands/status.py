"""`mlstore status`."""

from __future__ import annotations

import click

from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option, null_option
from mlstore_cli.quick import show_status


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
    names = ("short", "branch", "porcelain", "long", "null", "as_json")
    values = (short, branch, porcelain, long, null, as_json)
    show_status(session, {name for name, value in zip(names, values, strict=True) if value}, untracked)
