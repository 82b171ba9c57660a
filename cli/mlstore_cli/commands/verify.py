"""`mlstore verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlstore_cli import errors, output
from mlstore_cli.collector import no_collector
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import allow_load_option, complete_revisions, define, json_option, report_option

if TYPE_CHECKING:
    from mlstore_cli.reports import Wanted

if TYPE_CHECKING:
    from mlstore.verify import Selection


@define("verify")
@click.option(
    "--against",
    metavar="REV",
    shell_complete=complete_revisions,
    help="Compare with REV, stage by stage: a revision, a name pinned in mlstore.lock, or the folder of "
    "another repository (DIR or DIR@REV).",
)
@click.option("--history", is_flag=True, help="Check the blobs of all ancestors too, not only those of REV.")
@click.option(
    "--worktree/--no-worktree", default=None, help="Check the files too (default: when REV is checked out)."
)
@click.option(
    "--dataless",
    is_flag=True,
    help="Read no stored blob: judge by commits, trees and the files of the worktree.",
)
@click.option(
    "--sample", metavar="5%|N/T", help="Hash only a part of the blobs: a random share, or part N of T."
)
@click.option("--time-budget", metavar="TIME", help="Hash blobs for so long (60s, 2m), in random order.")
@click.option("--seed", metavar="SEED", help="The random order that an earlier run told.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Use N threads (default: all cores).")
@allow_load_option
@click.option("-v", "--verbose", is_flag=True, help="Say all that was not checked, and the rules in force.")
@report_option
@json_option
@click.argument("revision", default="HEAD", metavar="[REV]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    against: str | None,
    history: bool,
    worktree: bool | None,
    dataless: bool,
    sample: str | None,
    time_budget: str | None,
    seed: str | None,
    jobs: int | None,
    allow_load: bool,
    verbose: bool,
    reports: tuple[Wanted, ...],
    as_json: bool,
    revision: str,
) -> int:
    """Prove or refute that the pipeline is what was recorded.

    Checks, and goes on past every finding: the history (ids, parents, heights), the content of every object
    of REV, each stage's lineage and inputs, the files of the worktree, the pins of mlstore.lock, and with
    --against the chain of another commit. Nothing is trusted but hashes, and nothing that is read is
    executed (but for a rule "predictions" with --allow-load).

    --dataless, --sample and --time-budget look at less of the stored content and say at how much; the files
    of the worktree are always hashed. In a clone without blobs only those are.

    What differs is judged by the rules in [gate] of golden's own mlstore.toml; without any, only the same
    bytes count.

    Exit status: 0 verified or equivalent, 1 it differs, 3 something is corrupt, 4 something is missing,
    6 a report could not be written.
    """
    from mlstore.verify import verify
    from mlstore_cli.views.verify import format_report

    golden = session.golden_argument(against)
    with no_collector(), session.progress("verifying") as progress:
        report = verify(
            session.repo,
            revision,
            against=golden,
            history=history,
            worktree=worktree,
            dataless=dataless,
            selection=_selection(sample, time_budget, seed),
            jobs=jobs,
            progress=progress,
            allow_load=allow_load,
        )
    report.against = against

    def show() -> None:
        if as_json:
            output.emit_json("verify/1", report.to_dict())
        elif not (session.quiet and report.ok):
            output.write_lines(format_report(report, session.style, verbose=verbose))

    if reports:
        from mlstore_cli.reports import deliver

        deliver(session, reports, report, show, against=golden)
    else:
        show()
    return errors.status_of_category(report.category)


def _selection(sample: str | None, time_budget: str | None, seed: str | None) -> Selection | None:
    from mlstore.verify import Selection, parse_duration, parse_sample

    if sample is None and time_budget is None:
        if seed is not None:
            raise click.UsageError("--seed needs --sample or --time-budget", click.get_current_context())
        return None
    chosen = None if sample is None else parse_sample(sample)
    budget = None if time_budget is None else parse_duration(time_budget)
    return Selection(chosen, budget) if seed is None else Selection(chosen, budget, seed)
