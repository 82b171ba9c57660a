"""`mlstore gc`."""

from __future__ import annotations

import time

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("gc")
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would go: size, path@commit.")
@click.option(
    "--prune",
    "expire",
    metavar="TIME",
    help="Collect what was not used since TIME: 'now', 'never', '2.weeks.ago' (default: 'gc.prune-expire').",
)
@click.option("--no-prune", is_flag=True, help="Collect nothing, only pack.")
@click.option("--undo", "undone", is_flag=True, help="Bring back what the last collection took out.")
@json_option
@pass_session
def command(
    session: Session, dry_run: bool, expire: str | None, no_prune: bool, undone: bool, as_json: bool
) -> None:
    """Collect garbage and pack what is loose.

    What no branch, tag, reflog, pin, staged file or HEAD leads to, and nobody wrote or used for two weeks,
    is moved to the trash, where it stays for two more weeks. Reflog entries older than 90 days are dropped,
    those of tags never. Then small loose objects are put into packs, and small packs are merged. The
    settings 'gc.prune-expire', 'gc.reflog-expire' and 'gc.trash-expire' say otherwise.
    """
    from mlstore.maintenance import collect_garbage, undo
    from mlstore_cli.views.maintenance import (
        count,
        format_collection,
        format_removals,
        format_untouched,
    )

    if undone and (dry_run or expire or no_prune):
        raise click.UsageError("'--undo' goes alone", click.get_current_context())
    if undone:
        restored = undo(session.repo)
        if as_json:
            output.emit_json("gc-undo/1", {"restored": restored})
        elif not session.quiet:
            output.write_line(f"brought back {count(restored, 'object')}")
        return
    with session.watched("collecting"):
        report = collect_garbage(
            session.repo, now=time.time(), expire="never" if no_prune else expire, dry_run=dry_run
        )
    if as_json:
        output.emit_json("gc/1", report.to_dict())
    elif dry_run:
        output.write_lines(format_removals(report, session.style))
    elif not session.quiet:
        output.write_lines(format_collection(report))
    if not as_json:
        for line in format_untouched(report, session.error_style):
            session.note(line)
    if report.trash and not as_json:
        session.hint("'mlstore gc --undo' brings it back, 'mlstore prune' frees its space now")
