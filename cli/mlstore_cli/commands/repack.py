"""`mlstore repack`."""

from __future__ import annotations

import click

from mlstore_cli import output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option


@define("repack")
@click.option("-a", "everything", is_flag=True, help="Merge large packs too, up to 1 GiB each.")
@click.option("-d", "_delete", is_flag=True, help="Remove packs that were merged (always done).")
@json_option
@pass_session
def command(session: Session, everything: bool, _delete: bool, as_json: bool) -> None:
    """Put loose objects into packs and merge packs.

    Objects over 1 MiB stay loose. Nothing is removed but second copies; ids stay what they are.
    """
    from mlstore.maintenance import repack
    from mlstore_cli.views.maintenance import format_packing

    with session.watched("packing"):
        report = repack(session.repo, everything=everything)
    if as_json:
        output.emit_json("repack/1", {"packed": report.packed, "merged": report.merged})
    elif not session.quiet:
        output.write_lines(format_packing(report) or ["nothing to pack"])
