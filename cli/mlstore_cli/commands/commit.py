"""`mlstore commit`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import decode_text, define, json_option, require_utf8
from mlstore_cli.signing import SIGN, sign_options, signer_for

if TYPE_CHECKING:
    from mlstore.hashing import ObjectId
    from mlstore.signing import Signer

_TEMPLATE = "\n# Write the message above. Lines that begin with '#' are left out; an empty message aborts.\n"


@define("commit", optional=SIGN)
@click.option("-m", "--message", "messages", multiple=True, metavar="TEXT", callback=require_utf8,
              help="The message; more than one are paragraphs.")  # fmt: skip
@click.option("-F", "--file", "file", metavar="FILE", help="Take the message from FILE; '-' is stdin.")
@click.option("-a", "--all", "everything", is_flag=True, help="Stage all changes of tracked files first.")
@click.option("--amend", is_flag=True, help="Replace the last commit.")
@click.option("--no-edit", is_flag=True, help="With --amend, keep the message.")
@click.option("--allow-empty", is_flag=True, help="Commit even if nothing changed.")
@click.option(
    "--stage", metavar="NAME", callback=require_utf8, help="Record what stage NAME made, asserted by you."
)
@sign_options
@json_option
@pass_session
def command(
    session: Session,
    messages: tuple[str, ...],
    file: str | None,
    everything: bool,
    amend: bool,
    no_edit: bool,
    allow_empty: bool,
    stage: str | None,
    sign: str | None,
    no_sign: bool,
    as_json: bool,
) -> None:
    """Record the staged files as a commit.

    Without -m or -F an editor asks for the message. With --stage the commit becomes a block of the chain: the
    stage's inputs and outputs are recorded as they are now, marked as asserted, for nobody saw the command
    run. With -S the commit is signed by ssh-keygen before anything is recorded.
    """
    if amend and stage is not None:
        raise click.UsageError("--amend and --stage exclude each other", click.get_current_context())
    signer = signer_for(session, sign, no_sign, "commit.sign")
    message = _given_message(session, messages, file)
    if message is None and stage is None:
        message = _ask_message(session, amend=amend, keep=no_edit)
    if everything:
        from mlstore.worktree import add_paths

        with session.progress("adding") as progress:
            add_paths(session.repo, [""], update=True, progress=progress)
    made = _record(session, message, stage, signer, amend=amend, allow_empty=allow_empty or amend)
    _report(session, made, as_json, amend=amend)


def _record(
    session: Session,
    message: str | None,
    stage: str | None,
    signer: Signer | None,
    *,
    amend: bool,
    allow_empty: bool,
) -> ObjectId:
    sign = signer.sign_commit if signer is not None else None
    repo, author, time = session.repo, session.author(hint=True), session.now()
    if stage is not None:
        from mlstore.pipeline import record_asserted

        return record_asserted(repo, stage, message=message, author=author, time=time, sign=sign)
    from mlstore.history import record_commit

    return record_commit(
        repo,
        message=message or "",
        author=author,
        time=time,
        amend=amend,
        allow_empty=allow_empty,
        sign=sign,
    )


def _given_message(session: Session, messages: tuple[str, ...], file: str | None) -> str | None:
    if messages and file is not None:
        raise click.UsageError("-m and -F exclude each other", click.get_current_context())
    if file is None:
        return "\n\n".join(messages) if messages else None
    data = sys.stdin.buffer.read() if file == "-" else session.path(file).read_bytes()
    return decode_text(data, "the message").replace("\r\n", "\n")


def _ask_message(session: Session, *, amend: bool, keep: bool) -> str:
    """Return the message of the amended commit, or one that the user writes in an editor."""
    head = session.repo.refs.head().commit
    before = session.repo.objects.read_commit(head).message if amend and head is not None else ""
    if keep and before:
        return before
    if not (sys.stdin.isatty() and session.is_terminal):
        raise click.UsageError("no message given; use -m TEXT", click.get_current_context())
    edited = click.edit(before + _TEMPLATE, require_save=False) or ""
    return "\n".join(line for line in edited.splitlines() if not line.startswith("#"))


def _report(session: Session, commit_id: ObjectId, as_json: bool, *, amend: bool) -> None:
    from mlstore.repository import diff_trees
    from mlstore_cli.views.changes import summarise
    from mlstore_cli.views.commits import commit_to_json, short

    repo = session.repo
    commit = repo.objects.read_commit(commit_id)
    parent = repo.objects.read_commit(commit.parents[0]).tree if commit.parents else None
    head = repo.refs.head()
    if as_json:
        output.emit_json(
            "commit/1", {"branch": head.branch, "amended": amend, **commit_to_json(commit_id, commit)}
        )
    elif not session.quiet:
        place = output.escape(head.branch) if head.branch is not None else "detached HEAD"
        root = "" if commit.parents else " (root-commit)"
        output.write_line(f"[{place}{root} {short(commit_id)}] {output.escape(commit.subject)}")
        changes = diff_trees(repo.objects, parent, commit.tree)
        output.write_lines([summarise(changes)] if changes else [])
