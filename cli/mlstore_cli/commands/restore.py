"""`mlstore restore`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.arguments import snapshot_of
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option


@define("restore")
@click.option("-S", "--staged", is_flag=True, help="Restore the index: the opposite of 'add'.")
@click.option("-W", "--worktree", is_flag=True, help="Restore the worktree, which is the default.")
@click.option("-s", "--source", metavar="REVISION", help="Take the files from REVISION.",
              shell_complete=complete_revisions)  # fmt: skip
@json_option
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@pass_session
def command(
    session: Session, staged: bool, worktree: bool, source: str | None, as_json: bool, paths: tuple[str, ...]
) -> None:
    """Restore files from the index or from a commit.

    Local changes of the files are overwritten. Without --source the worktree is restored from the index, the
    index from HEAD. A tracked file that the source does not have is removed.
    """
    from mlstore.worktree import restore_paths

    repo = session.repo
    from_index = source is None and not staged
    snapshot = None if from_index else snapshot_of(session, source or "HEAD")
    wanted = session.repo_paths(paths)
    with session.watched("restoring"):
        changed = restore_paths(repo, wanted, source=snapshot, staged=staged, worktree=worktree or not staged)
    if as_json:
        output.emit_json("restore/1", {"restored": changed})
