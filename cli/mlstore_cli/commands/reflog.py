"""`mlstore reflog`."""

from __future__ import annotations

import click

from mlstore.errors import RefNotFound
from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.views.refs import format_reflog, reflog_to_json


@define("reflog", numbers=True)
@click.option("-n", "--max-count", "limit", type=click.IntRange(min=0), help="At most so many entries.")
@json_option
@click.argument("words", nargs=-1, metavar="[show] [REF]", shell_complete=complete_revisions)
@pass_session
def command(session: Session, limit: int | None, as_json: bool, words: tuple[str, ...]) -> None:
    """Show where a branch or HEAD stood before.

    Newest first: REF@{1} is where REF stood one move ago. REF is HEAD when none is given.
    """
    names = words[1:] if words[:1] == ("show",) else words
    if len(names) > 1:
        raise click.UsageError(f"unexpected argument '{names[1]}'", click.get_current_context())
    name = names[0] if names else "HEAD"
    entries = session.repo.refs.reflog(_full_name(session, name))[:limit]
    if as_json:
        output.emit_json("reflog/1", {"ref": name, "entries": [reflog_to_json(entry) for entry in entries]})
    else:
        output.write_lines(format_reflog(entries, name, session.style))


def _full_name(session: Session, name: str) -> str:
    from mlstore.refs import BRANCHES, TAGS

    refs = session.repo.refs
    if name == "HEAD":
        return name
    known = {*refs.names(), *refs.logs()}
    for candidate in (name, BRANCHES + name, TAGS + name):
        if candidate in known:
            return candidate
    raise RefNotFound(f"no branch '{name}'", hint="'mlstore branch' lists them", ref=name)
