"""`mlstore add`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("add")
@click.option("-A", "--all", "everything", is_flag=True, help="The whole worktree, wherever you are.")
@click.option("-u", "--update", is_flag=True, help="Only files that are tracked already.")
@click.option("-f", "--force", is_flag=True, help="Ignored files too.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be staged.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is staged.")
@json_option
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@pass_session
def command(
    session: Session,
    everything: bool,
    update: bool,
    force: bool,
    dry_run: bool,
    verbose: bool,
    as_json: bool,
    paths: tuple[str, ...],
) -> None:
    """Stage files for the next commit.

    A folder is staged with all that is in it, deletions included: 'add .' records the folder as it is.
    Nothing is staged when one of the paths cannot be.
    """
    from mlstore.worktree import add_paths

    wanted = session.repo_paths(paths) or ([""] if everything or update else [])
    if not wanted:
        raise click.UsageError("nothing specified; did you mean 'add .'?", click.get_current_context())
    with session.progress("adding") as progress:
        result = add_paths(
            session.repo, wanted, update=update, force=force, dry_run=dry_run, progress=progress
        )
    if as_json:
        output.emit_json(
            "add/1",
            {
                "added": result.added,
                "modified": result.modified,
                "deleted": result.deleted,
                "dry_run": dry_run,
            },
        )
    elif dry_run or verbose:
        output.write_lines(f"add {_name(session, path)}" for path in [*result.added, *result.modified])
        output.write_lines(f"remove {_name(session, path)}" for path in result.deleted)


def _name(session: Session, path: str) -> str:
    return f"'{output.escape(session.shown(path))}'"
