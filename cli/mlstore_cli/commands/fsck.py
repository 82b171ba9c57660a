"""`mlstore fsck`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.collector import no_collector
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option, report_option

if TYPE_CHECKING:
    from mlstore_cli.reports import Wanted


@define("fsck")
@click.option(
    "--unreachable", is_flag=True, help="List all objects that nothing needs, not only their roots."
)
@click.option("--quick", is_flag=True, help="By checksums, without hashing: finds accidents, not forgery.")
@click.option("--sample", metavar="N/T", help="Read only part N of T parts; all T together read everything.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted fsck stopped.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Use N threads (default: all cores).")
@report_option
@json_option
@pass_session
def command(
    session: Session,
    unreachable: bool,
    quick: bool,
    sample: str | None,
    resume: bool,
    jobs: int | None,
    reports: tuple[Wanted, ...],
    as_json: bool,
) -> int:
    """Check every object of the store.

    Hashes every object again, reads every commit, tree, tag, ref, reflog and the index, and checks that
    nothing that is needed is missing. Goes on past every error, and names the commits and paths that need a
    damaged object. Nothing of it is changed.

    What was checked is noted while it runs, so an interrupted check goes on with --resume: objects in files
    that did not change since are not read again. --quick holds the stored bytes against their checksums
    (xxh3), and says so: it recognises accidents, not forgery. --sample reads a part of the objects; refs,
    commits and trees are always checked.

    Exit status: 0 fine, 3 something is corrupt, 4 something is missing, 6 a report could not be written.
    """
    from mlstore.verify import Sample, fsck
    from mlstore_cli.views.verify import format_fsck

    with no_collector(), session.progress("checking") as progress:
        report = fsck(
            session.repo,
            jobs=jobs,
            progress=progress,
            quick=quick,
            sample=None if sample is None else Sample.parse(sample),
            resume=resume,
        )

    def show() -> None:
        if as_json:
            output.emit_json("fsck/1", report.to_dict())
        elif not (session.quiet and report.ok):
            output.write_lines(format_fsck(report, session.style, unreachable=unreachable))

    if reports:
        from mlstore_cli.reports import deliver

        deliver(session, reports, report, show)
    else:
        show()
    return errors.status_of_category(report.category)
