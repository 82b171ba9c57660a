"""`mlstore reset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore_cli import output
from mlstore_cli.arguments import snapshot_of, split_revisions
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.views.changes import LETTERS
from mlstore_cli.views.commits import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.history.head import ResetMode
    from mlstore.repository import Change


@define("reset", dashes=True)
@click.option("--soft", "mode", flag_value="soft", help="Move the branch only.")
@click.option("--mixed", "mode", flag_value="mixed", help="Move the branch and the index; the default.")
@click.option("--hard", "mode", flag_value="hard", help="Move all; local changes of tracked files are lost.")
@json_option
@click.argument("words", nargs=-1, metavar="[REVISION] [--] [PATH]...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    mode: ResetMode | None,
    as_json: bool,
    words: tuple[str, ...],
    after_dashes: tuple[str, ...] | None,
) -> None:
    """Move the branch to a commit, or unstage files.

    With PATH the branch stays and the files' entries in the index become those of REVISION, or HEAD.
    """
    revisions, paths = split_revisions(session, words, after_dashes)
    if len(revisions) > 1:
        raise click.UsageError("more than one revision", click.get_current_context())
    revision = revisions[0] if revisions else "HEAD"
    if paths or after_dashes:
        if mode is not None:
            raise click.UsageError(f"--{mode} and paths exclude each other", click.get_current_context())
        changes = _unstage(session, revision, paths)
        _report(session, changes, as_json)
    else:
        _move(session, revision, mode or "mixed", as_json)


def _unstage(session: Session, revision: str, paths: Sequence[str]) -> list[Change]:
    from mlstore.worktree import restore_paths, unstaged_changes

    source = snapshot_of(session, revision)
    restore_paths(session.repo, paths, source=source, staged=True, worktree=False)
    return unstaged_changes(session.repo)


def _move(session: Session, revision: str, mode: ResetMode, as_json: bool) -> None:
    from mlstore.history import reset, resolve_commit

    repo = session.repo
    target = resolve_commit(repo, revision)
    with session.watched("resetting"):
        changes = reset(repo, target, mode, who=session.author(), time=session.now(), name=revision)
    if mode == "hard" and not as_json and not session.quiet:
        output.write_line(
            f"HEAD is now at {short(target)} {output.escape(repo.objects.read_commit(target).subject)}"
        )
    _report(session, changes, as_json)


def _report(session: Session, changes: Sequence[Change], as_json: bool) -> None:
    if as_json:
        head = session.repo.refs.head()
        unstaged = [{"path": change.path, "status": change.status} for change in changes]
        output.emit_json("reset/1", {"branch": head.branch, "commit": head.commit, "unstaged": unstaged})
    elif changes and not session.quiet:
        output.write_line("Unstaged changes after reset:")
        output.write_lines(f"{LETTERS[change.status]}\t{output.quote(change.path)}" for change in changes)
