"""`mlstore du`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("du", numbers=True)
@click.option("--stages", is_flag=True, help="One row a stage instead of one a path.")
@click.option("-n", "most", type=click.IntRange(min=0), metavar="N", help="Show the N largest (default: 20).")
@click.option("-a", "--all", "everything", is_flag=True, help="Show all.")
@json_option
@pass_session
def command(session: Session, stages: bool, most: int | None, everything: bool, as_json: bool) -> None:
    """Show what takes the space.

    For each path in the history: the bytes on disk ('stored'), what its versions are one by one ('size'), and
    how many there are. What versions or paths share is counted for the one that had it first, so the column
    'stored' adds up to what the store takes.
    """
    from mlstore.maintenance import measure_usage
    from mlstore_cli.views.maintenance import format_usage

    with session.progress("measuring"):
        usage = measure_usage(session.repo)
    if as_json:
        output.emit_json("du/1", usage.to_dict())
    else:
        rows = usage.by_stage() if stages else usage.paths
        shown = None if everything else 20 if most is None else most
        output.write_lines(format_usage(usage, rows, session.style, most=shown, stages=stages))
