"""`mlstore exec`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import click

from mlstore.errors import CannotRun, PathNotFound
from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import complete_revisions, define
from mlstore_cli.signing import REQUIRE, require_options, signing_for


@define("exec", dashes=True, optional=REQUIRE)
@click.option(
    "--against",
    metavar="REV",
    default="golden",
    show_default=True,
    shell_complete=complete_revisions,
    help="The pipeline that production may run.",
)
@require_options
@pass_session
def command(
    session: Session,
    against: str,
    require_signature: tuple[str, ...],
    accept_rollback: bool,
    allowed_signers: str | None,
    revocation: str | None,
    after_dashes: tuple[str, ...] | None,
) -> int:
    """Verify, then run a command.

    'mlstore exec --against golden -- CMD ARG...' runs CMD only when HEAD and the worktree are exactly the
    golden pipeline; the exit status is then CMD's own. Otherwise CMD is not started, the report goes to
    stderr, and the exit status is that of 'mlstore verify'.
    """
    if not after_dashes:
        raise click.UsageError("missing the command to run, after '--'", click.get_current_context())
    from mlstore.verify import verify
    from mlstore_cli.views.verify import format_refusal

    signing = signing_for(session, require_signature, allowed_signers, revocation)
    with session.progress("verifying") as progress:
        report = verify(
            session.repo,
            against=session.golden_argument(against),
            worktree=True,
            progress=progress,
            signing=signing,
            seen=session.last_seen,
            accept_rollback=accept_rollback,
        )
    report.against = against
    if signing.verifier is not None:
        signing.verifier.close()  # nothing runs at the end of a process that becomes another program
    if not report.ok:
        for line in format_refusal(report, against, session.error_style):
            output.write_note(line)
        output.write_note(
            f"{session.error_style.red('refused:')} '{output.escape(after_dashes[0])}' was not started"
        )
        return errors.status_of_category(report.category)
    return _run(session, list(after_dashes))


def _run(session: Session, words: list[str]) -> int:
    program = shutil.which(words[0], path=session.environ.get("PATH"))
    if program is None:
        raise PathNotFound(f"'{words[0]}' is not a command", hint="check the spelling, and PATH")
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if session.cwd.samefile(os.curdir) and hasattr(os, "execve") and os.name == "posix":
            os.execve(program, words, dict(session.environ))
        return subprocess.run(
            [program, *words[1:]], cwd=session.cwd, env=dict(session.environ), check=False
        ).returncode
    except OSError as exc:
        raise CannotRun(f"'{words[0]}' cannot be run: {(exc.strerror or str(exc)).lower()}") from exc
