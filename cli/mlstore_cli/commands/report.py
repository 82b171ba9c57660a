"""`mlstore report`."""

from __future__ import annotations

import click

from mlstore_cli import errors, output
from mlstore_cli.collector import no_collector
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import allow_load_option, complete_revisions, define, json_option


@define("report")
@click.option("-o", "--output", "target", metavar="FILE", required=True,
              help="The page to write; '-' is stdout.")  # fmt: skip
@click.option(
    "--against",
    metavar="REV",
    shell_complete=complete_revisions,
    help="Compare with REV as 'mlstore verify' does, and show what changed inside of artifacts.",
)
@click.option("--history", is_flag=True, help="Check the blobs of all ancestors too, not only those of REV.")
@click.option(
    "--worktree/--no-worktree", default=None, help="Check the files too (default: when REV is checked out)."
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Use N threads (default: all cores).")
@allow_load_option
@click.option("--exit-code", is_flag=True, help="Exit as 'mlstore verify' would.")
@json_option
@click.argument("revision", default="HEAD", metavar="[REV]", shell_complete=complete_revisions)
@pass_session
def command(
    session: Session,
    target: str,
    against: str | None,
    history: bool,
    worktree: bool | None,
    jobs: int | None,
    allow_load: bool,
    exit_code: bool,
    as_json: bool,
    revision: str,
) -> int:
    """Write what 'verify' says as one HTML page.

    The page has the pipeline as a graph, every finding, what changed inside of artifacts (cells, columns with
    their distributions, parameters, arrays), what differs between environments, and what was not checked. It
    is one file without scripts that loads nothing from anywhere. Nothing that is read for it is executed
    (but for a rule "predictions" with --allow-load).

    Exit status: 0 the page was written, whatever it says; with --exit-code that of 'mlstore verify'.
    """
    from mlstore.verify import verify
    from mlstore_cli.reports import STDOUT, deliver, parse

    if target == STDOUT and as_json:
        raise click.UsageError("'--json' and the page both want stdout", click.get_current_context())
    wanted = parse(session, [f"html={target}"])
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
            allow_load=allow_load,
        )
    report.against = against
    deliver(session, wanted, report, lambda: None, against=golden)
    if as_json:
        data = {"path": target, "ok": report.ok, "verdict": report.verdict, "findings": len(report.findings)}
        output.emit_json("report/1", data)
    elif target != STDOUT and not session.quiet:
        session.note(f"wrote '{output.escape(target)}': {output.escape(report.verdict)}")
    return errors.status_of_category(report.category) if exit_code else errors.OK
