"""`mlstore rm`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("rm")
@click.option("--cached", is_flag=True, help="Only stop tracking; keep the files.")
@click.option("-r", "recursive", is_flag=True, help="Folders too, with all below them.")
@click.option("-f", "--force", is_flag=True, help="Even if changes would be lost.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@pass_session
def command(
    session: Session,
    cached: bool,
    recursive: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    paths: tuple[str, ...],
) -> None:
    """Stop tracking files and delete them.

    Files with changes that no commit holds are left alone unless -f is given.
    """
    from mlstore.worktree import remove_paths

    removed = remove_paths(
        session.repo,
        session.repo_paths(paths),
        cached=cached,
        recursive=recursive,
        force=force,
        dry_run=dry_run,
    )
    if as_json:
        output.emit_json("rm/1", {"removed": removed, "cached": cached, "dry_run": dry_run})
    elif not session.quiet:
        output.write_lines(f"rm '{output.escape(session.shown(path))}'" for path in removed)
