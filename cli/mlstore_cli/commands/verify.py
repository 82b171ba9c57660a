"""`mlstore verify`."""

from __future__ import annotations

import click

from mlstore_cli import errors, output
from mlstore_cli.collector import no_collector
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define, json_option
from mlstore_cli.signing import REQUIRE, require_options, signing_for


@define("verify", optional=REQUIRE)
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
@require_options
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Use N threads (default: all cores).")
@click.option("-v", "--verbose", is_flag=True, help="Say all that was not checked.")
@json_option
@click.argument("revision", default="HEAD", metavar="[REV]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    against: str | None,
    history: bool,
    worktree: bool | None,
    require_signature: tuple[str, ...],
    accept_rollback: bool,
    allowed_signers: str | None,
    revocation: str | None,
    jobs: int | None,
    verbose: bool,
    as_json: bool,
    revision: str,
) -> int:
    """Prove or refute that the pipeline is what was recorded.

    Checks, and goes on past every finding: the history (ids, parents, heights), the content of every object
    of REV, each stage's lineage and inputs, the files of the worktree, the pins of mlstore.lock, whether the
    heads descend from those that this client saw last, signatures where they are required, and with --against
    the chain of another commit. Nothing is trusted but hashes, and nothing that is read is executed.

    Exit status: 0 verified, 1 it differs, 3 something is corrupt, 4 something is missing, 5 it is not
    trusted.
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
            jobs=jobs,
            progress=progress,
            signing=signing_for(session, require_signature, allowed_signers, revocation),
            seen=session.last_seen,
            accept_rollback=accept_rollback,
        )
    if session.last_seen is None:
        report.skipped["last-seen"] = "there is no folder to remember heads in"
    report.against = against
    if as_json:
        output.emit_json("verify/1", report.to_dict())
    elif not (session.quiet and report.ok):
        output.write_lines(format_report(report, session.style, verbose=verbose))
    return errors.status_of_category(report.category)
