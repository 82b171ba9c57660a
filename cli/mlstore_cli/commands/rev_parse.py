"""`mlstore rev-parse`."""

from __future__ import annotations

import re

import click

from mlstore.errors import InvalidRevision
from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import Command, complete_revisions, define, json_option


class _RevParse(Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Understand `--short=N` beside `--short`."""
        return super().parse_args(ctx, [re.sub(r"^--short=", "--short-length=", arg) for arg in args])


@define("rev-parse", cls=_RevParse)
@click.option(
    "--short", is_flag=True, help="Print the shortest unique prefix, of 10 digits or more; --short=N."
)
@click.option("--short-length", type=click.IntRange(4, 64), hidden=True)
@click.option("--verify", is_flag=True, help="Expect exactly one revision.")
@click.option("--abbrev-ref", is_flag=True, help="Print the branch's name; HEAD when it is detached.")
@click.option("--show-toplevel", is_flag=True, help="Print the folder of the worktree.")
@click.option("--git-dir", "--store-dir", "store_dir", is_flag=True, help="Print the folder of the store.")
@json_option
@click.argument("revisions", nargs=-1, metavar="[REVISION]...", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    short: bool,
    short_length: int | None,
    verify: bool,
    abbrev_ref: bool,
    show_toplevel: bool,
    store_dir: bool,
    as_json: bool,
    revisions: tuple[str, ...],
) -> None:
    """Turn a revision into an id.

    Understands HEAD~2, main^, v1^{tree}, HEAD@{1}, HEAD:path and unique prefixes of ids.
    """
    from mlstore.history import abbreviate, resolve
    from mlstore.history.revision import SHORT_LENGTH

    repo = session.repo
    if verify and len(revisions) != 1:
        raise click.UsageError("--verify needs exactly one revision", click.get_current_context())
    lines = [str(repo.root)] if show_toplevel else []
    lines += [str(repo.store)] if store_dir else []
    for text in revisions:
        if abbrev_ref:
            lines.append(_branch_of(session, text))
        else:
            found = resolve(repo, text).id
            length = short_length or SHORT_LENGTH
            lines.append(abbreviate(repo, found, length) if short or short_length else found)
    if as_json:
        output.emit_json("rev-parse/1", {"results": lines})
    else:
        output.write_lines(map(output.escape, lines))


def _branch_of(session: Session, text: str) -> str:
    from mlstore.history import resolve_commit
    from mlstore.refs import BRANCHES

    refs = session.repo.refs
    if text in ("HEAD", "@"):
        return refs.head().branch or "HEAD"
    name = text.removeprefix(BRANCHES)
    if BRANCHES + name in refs.names(BRANCHES):
        return name
    resolve_commit(session.repo, text)
    raise InvalidRevision(f"'{text}' is not a branch", hint="'mlstore branch' lists them")
