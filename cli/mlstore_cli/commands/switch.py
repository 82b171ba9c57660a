"""`mlstore switch`."""

from __future__ import annotations

import click

from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.switching import switch_to


@define("switch")
@click.option("-c", "--create", "new", metavar="NAME", help="Create branch NAME, at REVISION or HEAD, first.")
@click.option(
    "-C", "--force-create", "reset", metavar="NAME", help="As -c, but move the branch when it exists."
)
@click.option("-d", "--detach", is_flag=True, help="Switch to a commit, on no branch.")
@click.option("-f", "--force", "--discard-changes", "force", is_flag=True, help="Throw local changes away.")
@json_option
@click.argument("target", required=False, metavar="[BRANCH | REVISION]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    new: str | None,
    reset: str | None,
    detach: bool,
    force: bool,
    as_json: bool,
    target: str | None,
) -> None:
    """Switch to a branch.

    Local changes are carried over where the two commits agree about the file; otherwise nothing is changed.
    '-' is the branch before this one.
    """
    create = reset if new is None else new
    if create is not None:
        switch_to(session, create, create=True, start=target, reset=new is None, force=force, as_json=as_json)
    elif target is None and not detach:
        raise click.UsageError("missing argument 'BRANCH'", click.get_current_context())
    else:
        switch_to(session, target or "HEAD", detach=detach, force=force, as_json=as_json)
