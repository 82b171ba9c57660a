"""`mlstore why`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option


@define("why")
@click.option("--at", "revision", default="HEAD", metavar="REV", shell_complete=complete_revisions,
              help="The file as it is at REV; HEAD by default.")  # fmt: skip
@json_option
@click.argument("path")
@pass_session
def command(session: Session, revision: str, as_json: bool, path: str) -> None:
    """Show where an artifact comes from.

    The stage that wrote PATH, what that stage read, and so on back to the configuration and the files that no
    stage writes.
    """
    from mlstore.pipeline import why
    from mlstore_cli.views import pipeline as view

    origin = why(session.repo, session.repo_path(path), revision)
    if as_json:
        output.emit_json("why/1", {"revision": revision, **view.why_to_json(origin)})
    else:
        output.write_lines(view.format_why(origin, session.style))
