"""`mlstore prune`."""

from __future__ import annotations

import time

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("prune")
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would go: size, path@commit.")
@click.option("--expire", metavar="TIME", help="Keep what was used since TIME (default: 'now', all goes).")
@json_option
@pass_session
def command(session: Session, dry_run: bool, expire: str | None, as_json: bool) -> None:
    """Remove what nothing needs, for good.

    Takes what 'mlstore gc' would take, whatever its age, and all that is in the trash. It cannot be undone.
    Nothing goes that a branch, tag, reflog, pin, staged file or HEAD leads to.
    """
    from mlstore.maintenance import prune
    from mlstore_cli.views.maintenance import format_collection, format_removals, format_untouched

    with session.watched("pruning"):
        report = prune(session.repo, now=time.time(), expire=expire, dry_run=dry_run)
    if as_json:
        output.emit_json("prune/1", report.to_dict())
    elif dry_run:
        output.write_lines(format_removals(report, session.style))
    elif not session.quiet:
        output.write_lines(format_collection(report))
    if not as_json:
        for line in format_untouched(report, session.error_style):
            session.note(line)
