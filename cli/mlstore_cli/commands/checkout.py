"""`mlstore checkout`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.arguments import is_revision, require_path, snapshot_of
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.switching import switch_to


@define("checkout", dashes=True)
@click.option("-b", "new", metavar="NAME", help="Create branch NAME, at REVISION or HEAD, and switch to it.")
@click.option("-B", "reset", metavar="NAME", help="As -b, but move the branch when it exists.")
@click.option("--detach", is_flag=True, help="Switch to the commit itself, not to the branch.")
@click.option("-f", "--force", is_flag=True, help="Throw local changes away.")
@json_option
@click.argument(
    "words", nargs=-1, metavar="[BRANCH | REVISION] [--] [PATH]...", shell_complete=complete_revisions
)
@pass_session
def command(
    session: Session,
    new: str | None,
    reset: str | None,
    detach: bool,
    force: bool,
    as_json: bool,
    words: tuple[str, ...],
    after_dashes: tuple[str, ...] | None,
) -> None:
    """Switch to a branch or commit, or take files from one.

    With PATH the files are taken from REVISION, or from the index, and overwrite what is in the worktree; the
    branch stays. Without, HEAD and the whole worktree change, and a file whose content would be lost prevents
    it. '-' is the branch before this one.
    """
    revision, paths = _split(session, words, after_dashes)
    create = reset if new is None else new
    if paths:
        if create is not None or detach:
            raise click.UsageError("paths and a new branch exclude each other", click.get_current_context())
        _take_files(session, revision, paths, as_json)
    elif create is not None:
        switch_to(
            session, create, create=True, start=revision, reset=new is None, force=force, as_json=as_json
        )
    else:
        target = revision or "HEAD" if detach else _branch_of_head(session, revision or "HEAD")
        detach = detach or not _is_branch(session, target)
        switch_to(session, target, detach=detach, force=force, as_json=as_json)


def _branch_of_head(session: Session, target: str) -> str:
    """Return the current branch for HEAD: as in git, only what leads elsewhere leaves it."""
    head = session.repo.refs.head()
    return head.branch if target in ("HEAD", "@") and head.branch and head.commit else target


def _split(
    session: Session, words: tuple[str, ...], after_dashes: tuple[str, ...] | None
) -> tuple[str | None, list[str]]:
    """Return the revision, if any, and the repository paths."""
    if after_dashes is not None:
        if len(words) > 1:
            raise click.UsageError("more than one revision before '--'", click.get_current_context())
        return (words[0] if words else None), session.repo_paths(after_dashes)
    if not words:
        return None, []
    first, *rest = words
    if first == "-" or _is_branch(session, first) or is_revision(session, first):
        return first, session.repo_paths(rest)
    for word in words:
        require_path(session, word, tracked=True)
    return None, session.repo_paths(words)


def _is_branch(session: Session, name: str) -> bool:
    from mlstore.refs import BRANCHES

    refs = session.repo.refs
    return name == "-" or name == refs.head().branch or BRANCHES + name in refs.names(BRANCHES)


def _take_files(session: Session, revision: str | None, paths: list[str], as_json: bool) -> None:
    from mlstore.worktree import restore_paths

    repo = session.repo
    source = repo.read_index().snapshot() if revision is None else snapshot_of(session, revision)
    staged = revision is not None
    with session.watched("checking out"):
        changed = restore_paths(repo, paths, source=source, staged=staged, worktree=True, overlay=True)
    if as_json:
        output.emit_json("checkout/1", {"restored": changed})
    else:
        place = "the index" if revision is None else f"'{output.escape(revision)}'"
        session.note(f"Updated {len(changed)} path{'' if len(changed) == 1 else 's'} from {place}")
