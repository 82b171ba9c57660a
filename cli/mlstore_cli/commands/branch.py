"""`mlstore branch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.views import refs as view
from mlstore_cli.views.commits import short

if TYPE_CHECKING:
    from collections.abc import Sequence


@define("branch")
@click.option("-d", "--delete", "delete", is_flag=True, help="Delete branches that are part of HEAD.")
@click.option("-D", "delete_all", is_flag=True, help="Delete branches whatever they hold.")
@click.option("-m", "--move", "move", is_flag=True, help="Rename a branch: [OLD] NEW.")
@click.option("-M", "move_over", is_flag=True, help="Rename, replacing a branch of the new name.")
@click.option("-f", "--force", is_flag=True, help="Move a branch that exists.")
@click.option("-l", "--list", "as_list", is_flag=True, help="List the branches that match the patterns.")
@click.option("--show-current", is_flag=True, help="Print the current branch, nothing when HEAD is detached.")
@click.option("-v", "--verbose", is_flag=True, help="List with the last commit of each.")
@json_option
@click.argument("names", nargs=-1, metavar="[NAME] [REVISION]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    delete: bool,
    delete_all: bool,
    move: bool,
    move_over: bool,
    force: bool,
    as_list: bool,
    show_current: bool,
    verbose: bool,
    as_json: bool,
    names: tuple[str, ...],
) -> None:
    """List, create, rename or delete branches.

    Without a name the branches are listed. 'branch NAME' creates one at HEAD, 'branch NAME REVISION' there;
    neither switches to it.
    """
    if show_current:
        output.write_lines([output.escape(branch)] if (branch := session.repo.refs.head().branch) else [])
    elif delete or delete_all:
        _delete(session, _require(names, 1, 1000), force=delete_all or force, as_json=as_json)
    elif move or move_over:
        _rename(session, _require(names, 1, 2), force=move_over or force, as_json=as_json)
    elif names and not as_list:
        _create(session, _require(names, 1, 2), force=force, as_json=as_json)
    else:
        _list(session, names, verbose=verbose, as_json=as_json)


def _require(names: Sequence[str], least: int, most: int) -> Sequence[str]:
    if not least <= len(names) <= most:
        problem = "missing argument 'NAME'" if len(names) < least else f"unexpected argument '{names[most]}'"
        raise click.UsageError(problem, click.get_current_context())
    return names


def _list(session: Session, patterns: Sequence[str], *, verbose: bool, as_json: bool) -> None:
    from mlstore.refs import BRANCHES

    repo = session.repo
    head = repo.refs.head()
    branches = {name.removeprefix(BRANCHES): commit for name, commit in repo.refs.all(BRANCHES).items()}
    branches = view.select(branches, patterns)
    if as_json:
        rows = [
            {"name": name, "commit": commit, "current": name == head.branch}
            for name, commit in branches.items()
        ]
        output.emit_json("branch/1", {"branches": rows})
        return
    subjects = (
        {name: repo.objects.read_commit(commit).subject for name, commit in branches.items()}
        if verbose
        else {}
    )
    output.write_lines(view.format_branches(branches, head, subjects, session.style))


def _create(session: Session, names: Sequence[str], *, force: bool, as_json: bool) -> None:
    from mlstore.history import create_branch

    start = names[1] if len(names) > 1 else "HEAD"
    commit = create_branch(
        session.repo, names[0], start, force=force, who=session.author(), time=session.now()
    )
    if as_json:
        output.emit_json("branch/1", {"created": names[0], "commit": commit})


def _delete(session: Session, names: Sequence[str], *, force: bool, as_json: bool) -> None:
    from mlstore.history import delete_branch

    deleted = {}
    for name in names:
        deleted[name] = delete_branch(session.repo, name, force=force)
        if not as_json and not session.quiet:
            output.write_line(f"Deleted branch '{output.escape(name)}' (was {short(deleted[name])})")
    if as_json:
        output.emit_json("branch/1", {"deleted": deleted})


def _rename(session: Session, names: Sequence[str], *, force: bool, as_json: bool) -> None:
    from mlstore.history import rename_branch

    old = names[0] if len(names) == 2 else session.repo.refs.head().branch
    if old is None:
        raise click.UsageError("HEAD is detached: name the branch to rename", click.get_current_context())
    rename_branch(session.repo, old, names[-1], force=force, who=session.author(), time=session.now())
    if as_json:
        output.emit_json("branch/1", {"renamed": old, "to": names[-1]})
