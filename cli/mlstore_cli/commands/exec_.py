"""`mlstore exec`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlstore.errors import CannotRun, PathNotFound
from mlstore_cli import errors, output
from mlstore_cli.context import Session, pass_session
from mlstore_cli.options import allow_load_option, complete_revisions, define

if TYPE_CHECKING:
    from mlstore.verify import Report


@define("exec", dashes=True)
@click.option(
    "--against",
    metavar="REV",
    default="golden",
    show_default=True,
    shell_complete=complete_revisions,
    help="The pipeline that production may run.",
)
@click.option(
    "--mode",
    type=click.Choice(["enforce", "warn"]),
    help="With warn say what differs and start CMD all the same (default: the setting exec.mode).",
)
@click.option("--json", "as_json", is_flag=True, help="Write the verdict to stderr as one JSON object.")
@click.option("--verdict", metavar="FILE", help="Write the verdict to FILE as one JSON object.")
@allow_load_option
@pass_session
def command(
    session: Session,
    against: str,
    allow_load: bool,
    mode: str | None,
    as_json: bool,
    verdict: str | None,
    after_dashes: tuple[str, ...] | None,
) -> int:
    """Verify, then run a command.

    'mlstore exec --against golden -- CMD ARG...' runs CMD only when HEAD and the worktree are exactly the
    golden pipeline, or equivalent to it by golden's own rules ([gate] in mlstore.toml); the exit status is
    then CMD's own. Otherwise CMD is not started, the report goes to stderr, and the exit status is that of
    'mlstore verify'.

    With --mode warn CMD is started when something differs too; not when the store is damaged, something is
    missing, or a signature is not trusted. stdout is CMD's alone: the verdict goes elsewhere.
    """
    if not after_dashes:
        raise click.UsageError("missing the command to run, after '--'", click.get_current_context())
    from mlstore.verify import verify

    mode = mode or session.repo.config.get_mode("exec.mode")
    with session.progress("verifying") as progress:
        report = verify(
            session.repo,
            against=session.golden_argument(against),
            worktree=True,
            progress=progress,
            allow_load=allow_load,
        )
    report.against = against
    opens = report.opens(mode)
    if as_json or verdict is not None:
        text = _verdict(report, mode, list(after_dashes), opens)
        if verdict is not None:
            _write(session.path(verdict), f"{text}\n".encode())
        if as_json:
            output.write_note(text)
    if not report.passes:
        if not as_json:
            _explain(session, report, after_dashes[0], opens=opens, mode=mode)
        if not opens:
            return errors.status_of_category(report.category) or errors.DIFFERS
    return _run(session, list(after_dashes))


def _explain(session: Session, report: Report, program: str, *, opens: bool, mode: str) -> None:
    from mlstore_cli.views.verify import format_refusal

    style = session.error_style
    for line in format_refusal(report, report.against or "", style):
        output.write_note(line)
    name = f"'{output.escape(program)}'"
    if opens:
        output.write_note(f"{style.yellow('warning:')} {name} is started all the same (mode '{mode}')")
    else:
        output.write_note(f"{style.red('refused:')} {name} was not started")


def _verdict(report: Report, mode: str, words: list[str], started: bool) -> str:
    more = {"mode": mode, "command": words, "started": started}
    return output.to_json({"schema": "mlstore.verify/1", **report.to_dict(), **more})


def _write(path: Path, data: bytes) -> None:
    """Write the verdict whole or not at all; a pipe or device is written to as it is."""
    from mlstore.durable import replace_file

    if path.exists() and not path.is_file():
        path.write_bytes(data)
    else:
        replace_file(path, data, scratch=path.parent, fsync=False)


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
