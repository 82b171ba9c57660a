"""`mlstore fsck`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.collector import no_collector
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import define, json_option, report_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlstore.verify import FsckReport
    from mlstore_cli.reports import Wanted


@define("fsck")
@click.option(
    "--dangling/--no-dangling", default=True, help="List what nothing points to (as git does; the default)."
)
@click.option(
    "--unreachable", is_flag=True, help="List all objects that nothing needs, not only their roots."
)
@click.option(
    "--full/--quick",
    "full",
    default=True,
    help="Hash everything (the default), or look at checksums only: finds accidents, not forgery.",
)
@click.option("--sample", metavar="N/T", help="Read only part N of T parts; all T together read everything.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted fsck stopped.")
@click.option("--repair", "mend", is_flag=True, help="Restore what good copies are found of, by hash.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="DIR",
    help="Where --repair looks: a folder or another repository (default: the worktree). May be repeated.",
)
@click.option("-n", "--dry-run", is_flag=True, help="With --repair: only say what would be done.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Use N threads (default: all cores).")
@report_option
@json_option
@pass_session
def command(
    session: Session,
    dangling: bool,
    unreachable: bool,
    full: bool,
    sample: str | None,
    resume: bool,
    mend: bool,
    sources: tuple[str, ...],
    dry_run: bool,
    jobs: int | None,
    reports: tuple[Wanted, ...],
    as_json: bool,
) -> int:
    """Check every object of the store, or mend it.

    Hashes every object again, reads every commit, tree, tag, ref, reflog and the index, and checks that
    nothing that is needed is missing. Goes on past every error, and names the commits and paths that need a
    damaged object. Nothing of it is changed.

    What was checked is noted while it runs, so an interrupted check goes on with --resume: objects in files
    that did not change since are not read again. --quick holds the stored bytes against their checksums
    (xxh3), and says so: it recognises accidents, not forgery. --sample reads a part of the objects; refs,
    commits and trees are always checked.

    --repair searches the worktree, or what --from names, for files and objects that have the bytes which are
    missed, and brings them back. What is damaged goes to .mlstore/quarantine; nothing is deleted. Then it
    checks everything again.

    Exit status: 0 fine, 3 something is corrupt, 4 something is missing, 6 a report could not be written.
    """
    if mend:
        if not full or sample or resume:
            raise click.UsageError("'--repair' checks everything", click.get_current_context())
        return _repair(session, sources, reports, dry_run=dry_run, jobs=jobs, as_json=as_json)
    if sources or dry_run:
        name = "--from" if sources else "--dry-run"
        raise click.UsageError(f"'{name}' goes with '--repair'", click.get_current_context())
    from mlstore.verify import Sample, fsck
    from mlstore_cli.views.verify import format_fsck

    with no_collector(), session.progress("checking") as progress:
        report = fsck(
            session.repo,
            jobs=jobs,
            progress=progress,
            quick=not full,
            sample=None if sample is None else Sample.parse(sample),
            resume=resume,
        )

    def show() -> None:
        if as_json:
            output.emit_json("fsck/1", report.to_dict())
        elif not (session.quiet and report.ok):
            lines = format_fsck(report, session.style, dangling=dangling, unreachable=unreachable)
            output.write_lines(lines)

    _deliver(session, reports, report, show)
    return errors.status_of_category(report.category)


def _deliver(
    session: Session, reports: tuple[Wanted, ...], report: FsckReport, show: Callable[[], None]
) -> None:
    if reports:
        from mlstore_cli.reports import deliver

        deliver(session, reports, report, show)
    else:
        show()


def _repair(
    session: Session,
    sources: tuple[str, ...],
    reports: tuple[Wanted, ...],
    *,
    dry_run: bool,
    jobs: int | None,
    as_json: bool,
) -> int:
    from mlstore.maintenance import repair
    from mlstore_cli.views.repair import format_repair

    with no_collector(), session.progress("checking") as progress:
        report = repair(
            session.repo,
            [_folder(session, source) for source in sources],
            now=time.time(),
            dry_run=dry_run,
            jobs=jobs,
            progress=progress,
        )

    def show() -> None:
        if as_json:
            output.emit_json("repair/1", report.to_dict())
        elif not (session.quiet and report.ok):
            output.write_lines(format_repair(report, session.style))

    _deliver(session, reports, report.after, show)
    return errors.status_of_category(report.category)


def _folder(session: Session, source: str) -> Path:
    """Return the folder that `--from` names; 'worktree' is this repository's own, unless there is one."""
    folder = session.cwd / source
    return session.repo.root if source.lower() == "worktree" and not folder.exists() else folder
